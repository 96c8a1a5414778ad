// Package cli holds the commands of mcic that speak to a server through package
// client. Those of kinds and catalogs are generated from the model in package
// resource: a kind that is added there needs nothing here.
package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Build says what was built.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Date    string `json:"date,omitempty"`
}

// Env is all that the commands touch of the world around them.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Now            func() time.Time

	// StderrTerminal says that a line of stderr can be drawn again.
	StderrTerminal bool
	// Tick paces what is drawn again.
	Tick func(time.Duration) (ticks <-chan time.Time, stop func())
	// ReadSecret asks on the terminal without showing the answer. It is nil when
	// stdin is no terminal.
	ReadSecret func(ctx context.Context, prompt string) (string, error)
	// Terminal is the one that stdin and stdout are, or nil.
	Terminal Terminal
	// ClientOptions are for every client that is made.
	ClientOptions []client.Option
}

// OSEnv is the Env of the running process.
func OSEnv() Env {
	env := Env{
		Stdin:          os.Stdin,
		Stdout:         os.Stdout,
		Stderr:         os.Stderr,
		Getenv:         os.Getenv,
		Now:            time.Now,
		StderrTerminal: isTerminal(os.Stderr),
		Tick: func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		},
	}
	if isTerminal(os.Stdin) {
		env.ReadSecret = readSecret
	}
	env.Terminal = ownTerminal()
	return env
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// readSecret leaves the terminal as it was, also when it is interrupted.
func readSecret(ctx context.Context, prompt string) (string, error) {
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("prepare the terminal: %w", err)
	}
	fmt.Fprint(os.Stderr, prompt)
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		answered <- answer{text, err}
	}()
	defer fmt.Fprintln(os.Stderr)
	select {
	case a := <-answered:
		return string(a.text), a.err
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), term.Restore(fd, before))
	}
}

// app is what all commands share.
type app struct {
	build Build
	env   Env

	server, tokenFile, context string // the flags of every command
	way                        way    // likewise

	lines    *bufio.Reader // of standard input, of which each secret is one
	resolved *settings     // once they are asked for: a token may come from standard input
}

// Run runs the command that args name and returns the exit code.
func Run(ctx context.Context, args []string, build Build, env Env, extra ...*cobra.Command) int {
	a := &app{build: build, env: env}
	root := a.root(extra)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	a.report(cmd, err)
	return exitCode(err)
}

// New returns the command mcic with all that is below it, and the extra commands
// beside. Run is what main wants; this is for documents and tests.
func New(build Build, env Env, extra ...*cobra.Command) *cobra.Command {
	return (&app{build: build, env: env}).root(extra)
}

// The headings under which the help lists the commands.
const (
	groupResources = "resources"
	groupCatalogs  = "catalogs"
	groupSetup     = "setup"
	groupPeople    = "people"
	groupOther     = "other"
)

func (a *app) root(extra []*cobra.Command) *cobra.Command {
	root := a.group("mcic", "", "One API for every cloud",
		`mcic manages the resources of many clouds through an mc-infra-connector server.

Every resource lives in a connection, which names a cloud, a credential and a
region. Commands read noun first: mcic vm list, mcic vpc create.

The server is that of --server, else $MCIC_SERVER, else that of the context (see
mcic context), else http://127.0.0.1:1024. The token is that of --token-file, else
$MCIC_TOKEN, else the context's, else, for a server on this machine, the one in its
data folder ($MCIC_DATA or ~/.local/share/mcic). $MCIC_CONNECTION sets the
connection for commands without -c. A token is sent by HTTP to this machine only;
--ca, --client-cert, --client-key and --insecure-http, which say more of the way to the
server, are also $MCIC_CA, $MCIC_CLIENT_CERT, $MCIC_CLIENT_KEY and $MCIC_INSECURE_HTTP=1.`,
		`  mcic server
  mcic credential create my-key --cloud aws --set accessKeyId=AKIA… --set secretAccessKey=-
  mcic connection create my-cloud --cloud aws --credential my-key --region ap-northeast-2
  mcic vpc create my-vpc -c my-cloud --cidr 10.0.0.0/16 --wait
  mcic vm list -c my-cloud -o json`)
	root.SetIn(a.env.Stdin)
	root.SetOut(a.env.Stdout)
	root.SetErr(a.env.Stderr)
	root.SilenceErrors, root.SilenceUsage = true, true
	version, usage := false, root.RunE
	root.Flags().BoolVar(&version, "version", false, "version for mcic")
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if version {
			return a.write("mcic " + a.build.Version + "\n")
		}
		return usage(cmd, args)
	}
	root.SetFlagErrorFunc(flagError)
	// A command with sub-commands does nothing by itself: its own line would mislead.
	// This is no template of cobra's, because of which the linker would keep every method of every type.
	write := root.UsageFunc()
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		if run := cmd.RunE; cmd.HasAvailableSubCommands() {
			cmd.RunE = nil
			defer func() { cmd.RunE = run }()
		}
		return write(cmd)
	})

	flags := root.PersistentFlags()
	flags.StringVar(&a.server, "server", "", "`URL` of the server")
	flags.StringVar(&a.tokenFile, "token-file", "", "`FILE` that holds the token; - for standard input")
	flags.StringVar(&a.context, "context", "", "`NAME` of the context to use, instead of the current one")
	a.way.flags(flags)
	flags.SortFlags = false
	must(root.RegisterFlagCompletionFunc("context", a.completeContexts))

	root.AddGroup(
		&cobra.Group{ID: groupResources, Title: "Resources:"},
		&cobra.Group{ID: groupCatalogs, Title: "What a connection offers:"},
		&cobra.Group{ID: groupSetup, Title: "Setup:"},
		&cobra.Group{ID: groupPeople, Title: "Users and rights:"},
		&cobra.Group{ID: groupOther, Title: "Other:"},
	)
	for _, k := range resource.Kinds() {
		root.AddCommand(a.kindCommand(k))
	}
	root.AddCommand(a.extensionCommand(), a.nativeCommand())
	for _, c := range resource.Catalogs() {
		root.AddCommand(a.catalogCommand(c))
	}
	root.AddCommand(a.credentialCommand(), a.connectionCommand(), a.driverCommand(), a.repositoryCommand(), a.contextCommand())
	root.AddCommand(a.peopleCommands()...)
	root.AddCommand(a.operationCommand(), a.auditCommand(), a.eventCommand(), a.importCommand(), a.versionCommand(), exitCodesTopic())
	root.AddCommand(extra...)
	for _, c := range extra {
		if c.GroupID == "" && !c.Hidden {
			c.GroupID = groupOther
		}
	}
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Example = "  mcic help vm create\n  mcic help exit-codes"
		case "completion":
			c.Example = "  source <(mcic completion bash)"
			for _, shell := range c.Commands() {
				shell.Example = "  mcic completion " + shell.Name()
			}
		}
	}
	return root
}

// group returns a command that only has sub-commands. What it does not have is a
// mistake of the user, with the nearest names as a help.
func (a *app) group(use, groupID, short, long, example string) *cobra.Command {
	return &cobra.Command{
		Use: use, GroupID: groupID, Short: short, Long: long, Example: example,
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: 2,
		ValidArgsFunction:          cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			err := usageError("there is no command %q of %s", args[0], cmd.CommandPath())
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				err.Message += "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return err
		},
	}
}

func (a *app) versionCommand() *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use: "version", GroupID: groupOther, Args: noArgs,
		Short:   "Show the version of mcic",
		Example: "  mcic version",
		RunE: func(*cobra.Command, []string) error {
			type version struct {
				Build
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}
			v := version{a.build, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return a.printObject(out, v, a.build.Version, func() error { return a.printView(v, nil) })
		},
	}
	addOutput(cmd, &out)
	return cmd
}

// noArgs, oneName and someNames check the arguments and say what is missing.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError("%s takes no arguments, but got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

func oneName(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError("%s takes one %s, but got %d: %s", cmd.CommandPath(), argument(cmd), len(args), strings.Join(args, ", "))
	}
	return someNames(cmd, args)
}

func someNames(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || slices.Contains(args, "") {
		return usageError("which %s? Give its %[2]s: %[3]s %[2]s", cmd.Parent().Name(), argument(cmd), cmd.CommandPath())
	}
	return nil
}

// argument is the word for the argument in the command's usage: NAME or ID.
func argument(cmd *cobra.Command) string {
	_, word, _ := strings.Cut(cmd.Use, " ")
	word, _, _ = strings.Cut(word, " ")
	return strings.TrimSuffix(word, "…")
}

// pairs reads repeated k=v.
func pairs(flag string, values []string) (map[string]string, error) {
	m := make(map[string]string, len(values))
	for _, text := range values {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, usageError("--%s: %q is not key=value", flag, key)
		}
		if _, double := m[key]; double {
			return nil, usageError("--%s: %s is given twice", flag, key)
		}
		m[key] = value
	}
	return m, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// must is for what only fails when the commands themselves are put together wrongly.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
