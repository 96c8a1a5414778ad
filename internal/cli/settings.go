package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/m-cmp/mc-infra-connector/client"
)

// defaultServer is where mcic server listens unless told otherwise.
const defaultServer = "http://127.0.0.1:1024"

// DefaultDataDir is the data folder of a server that is started without --data:
// $MCIC_DATA, else mcic in the user's folder for data.
func DefaultDataDir(getenv func(string) string) string {
	if dir := getenv("MCIC_DATA"); dir != "" {
		return dir
	}
	return userDir(getenv, "XDG_DATA_HOME", ".local", "share")
}

// userDir is mcic's folder in one of the folders of the XDG base directory
// specification, which are to be ignored unless they are absolute.
func userDir(getenv func(string) string, variable string, below ...string) string {
	if dir := getenv(variable); filepath.IsAbs(dir) {
		return filepath.Join(dir, "mcic")
	}
	home := getenv("HOME")
	if home == "" {
		home = getenv("USERPROFILE")
	}
	return filepath.Join(home, filepath.Join(below...), "mcic")
}

// contextFile is the file of contexts.
type contextFile struct {
	Current  string                   `json:"current,omitempty"`
	Contexts map[string]serverContext `json:"contexts"`
}

// serverContext is what a name stands for.
type serverContext struct {
	Server     string `json:"server"`
	Token      string `json:"token,omitempty"`
	User       string `json:"user,omitempty"` // who logs in
	Connection string `json:"connection,omitempty"`
	way
	SSO *ssoLogin `json:"sso,omitempty"` // of a login by single sign-on
}

func (a *app) contextPath() string {
	if path := a.env.Getenv("MCIC_CONFIG"); path != "" {
		return path
	}
	return filepath.Join(userDir(a.env.Getenv, "XDG_CONFIG_HOME", ".config"), "config.yaml")
}

func (a *app) readContexts() (contextFile, error) {
	file := contextFile{Contexts: map[string]serverContext{}}
	path := a.contextPath()
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil
	}
	if err != nil {
		return file, fmt.Errorf("read the contexts: %w", err)
	}
	if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return file, usageError("the file of contexts %s holds tokens, but others can read it; run: chmod 600 %s", path, path)
	}
	if err := yaml.UnmarshalStrict(raw, &file); err != nil {
		return file, usageError("the file of contexts %s is not valid: %w", path, err)
	}
	if file.Contexts == nil {
		file.Contexts = map[string]serverContext{}
	}
	return file, nil
}

// writeContexts replaces the file as a whole, so that a crash leaves the old one.
func (a *app) writeContexts(file contextFile) (err error) {
	path := a.contextPath()
	raw, err := yaml.Marshal(file)
	if err != nil {
		return fmt.Errorf("encode the contexts: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".config-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(raw)
	if err = errors.Join(err, temp.Close()); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	return nil
}

// settings are the server to use and how.
type settings struct {
	server     string
	token      string
	tokenFrom  string // for people, also when there is no token
	connection string
	way        way
	renew      func(context.Context) (string, error) // the token at each moment, of a login that is renewed
}

func (a *app) settings(ctx context.Context) (settings, error) {
	if a.resolved == nil {
		s, err := a.resolve(ctx)
		if err != nil {
			return s, err
		}
		a.resolved = &s
	}
	return *a.resolved, nil
}

// resolve finds where commands go to. A token is never sent to a server that it
// was not given for: the context's goes to the context's server only, the data
// folder's to this machine only.
func (a *app) resolve(ctx context.Context) (settings, error) {
	s := settings{server: defaultServer, connection: a.env.Getenv("MCIC_CONNECTION")}
	var (
		named serverContext
		name  string
	)
	switch fromEnv := a.env.Getenv("MCIC_SERVER"); {
	case a.server != "" && a.context != "":
		return s, usageError("--server and --context both name a server; give one of them")
	case a.server != "":
		s.server = a.server
	case fromEnv != "" && a.context == "":
		s.server = fromEnv
	default:
		file, err := a.readContexts()
		if err != nil {
			return s, err
		}
		name = cmp.Or(a.context, file.Current)
		if name != "" {
			found, ok := file.Contexts[name]
			if !ok {
				return s, usageError("there is no context %q; see: mcic context list", name)
			}
			named = found
			s.server = named.Server
			if s.connection == "" {
				s.connection = named.Connection
			}
		}
	}
	s.way = a.way.or(wayOf(a.env.Getenv)).or(named.way)
	switch fromEnv := a.env.Getenv("MCIC_TOKEN"); {
	case a.tokenFile != "":
		token, err := a.readTokenFile(ctx)
		if err != nil {
			return s, err
		}
		s.token, s.tokenFrom = token, "--token-file"
	case fromEnv != "":
		s.token, s.tokenFrom = strings.TrimSpace(fromEnv), "$MCIC_TOKEN"
	case named.Token != "":
		s.token, s.tokenFrom = named.Token, "the context"
		if named.SSO != nil {
			s.renew = a.renewing(name, s.way)
		}
	case client.OnThisMachine(s.server):
		s.tokenFrom = filepath.Join(DefaultDataDir(a.env.Getenv), "token")
		raw, err := os.ReadFile(s.tokenFrom)
		s.token = strings.TrimSpace(string(raw))
		if err != nil {
			s.tokenFrom = "" // a server may not have been started yet: then that is the error to show
		}
	}
	return s, nil
}

func (a *app) readTokenFile(ctx context.Context) (string, error) {
	raw, err := a.readInput(ctx, a.tokenFile, "Token: ")
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(raw)
	if token == "" {
		return "", usageError("--token-file: %s is empty", a.tokenFile)
	}
	return token, nil
}

func (a *app) tokenHint() string {
	s, err := a.settings(context.Background())
	switch {
	case err != nil:
		return ""
	case s.renew != nil:
		return "the login by single sign-on does not let in; log in again with: mcic login CONTEXT --sso"
	case s.token != "":
		return fmt.Sprintf("the token of %s is not the one of the server at %s", s.tokenFrom, s.server)
	default:
		return fmt.Sprintf("no token is known for the server at %s; give the one in its data folder with --token-file or $MCIC_TOKEN, or keep it: mcic context set NAME --server %s --token-file FILE", s.server, s.server)
	}
}

func (a *app) client(ctx context.Context) (*client.Client, error) {
	s, err := a.settings(ctx)
	if err != nil {
		return nil, err
	}
	return a.clientOf(s)
}

func (a *app) clientOf(s settings) (*client.Client, error) {
	opts, err := s.way.options()
	if err != nil {
		return nil, err
	}
	if s.renew != nil {
		opts = append(opts, client.WithTokens(s.renew))
	}
	opts = append(append(opts, client.WithUserAgent("mcic/"+a.build.Version)), a.env.ClientOptions...)
	return client.New(s.server, s.token, opts...)
}

// readInput reads a file. For - it asks on the terminal, without showing the answer,
// or reads standard input to its end.
func (a *app) readInput(ctx context.Context, file, prompt string) (string, error) {
	if file != "-" {
		raw, err := os.ReadFile(file)
		return string(raw), err
	}
	if a.env.ReadSecret != nil {
		return a.env.ReadSecret(ctx, prompt)
	}
	raw, err := io.ReadAll(a.env.Stdin)
	return string(raw), err
}

// pointed is a context with the server that is given, if one is, and the way that is given to it.
func (a *app) pointed(c serverContext) (serverContext, error) {
	if a.server != "" && a.server != c.Server {
		c.Server, c.Token, c.SSO, c.way = a.server, "", nil, way{} // the old token was for the old server
	}
	given, err := a.way.absolute()
	c.way = given.or(c.way)
	return c, err
}

func (a *app) contextCommand() *cobra.Command {
	group := a.group("context", groupSetup, "Keep the addresses and tokens of servers under names",
		"A context is a name for a server with its token and, if you like, a connection for\ncommands without -c. Contexts are kept in ~/.config/mcic/config.yaml, or in\n$MCIC_CONFIG, readable only by you.",
		"  mcic context set lab --server https://mcic.example.com --token-file token --connection my-cloud\n  mcic context use lab")

	var connection string
	set := &cobra.Command{
		Use: "set NAME --server URL", Args: oneName, ValidArgsFunction: completeArgs(1, a.completeContexts),
		Short:   "Record or change a context, and use it if it is the first",
		Long:    "Records a context, or changes what is given of one that exists. The token is read\nfrom --token-file, so that it is neither in the shell's history nor in the list of\nprocesses; - asks for it. Of --ca, --client-cert and --client-key it is recorded where\nthe files are; --insecure-http is recorded too.",
		Example: "  mcic context set lab --server https://mcic.example.com --token-file -",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := a.readContexts()
			if err != nil {
				return err
			}
			c, err := a.pointed(file.Contexts[args[0]])
			if err != nil {
				return err
			}
			if c.Server == "" {
				return usageError("--server is required: the address of the context's server, such as %s", defaultServer)
			}
			if a.tokenFile != "" {
				if c.Token, err = a.readTokenFile(cmd.Context()); err != nil {
					return err
				}
				c.SSO = nil
			}
			opts, err := c.options()
			if err != nil {
				return err
			}
			if _, err := client.New(c.Server, c.Token, opts...); err != nil {
				return err
			}
			if cmd.Flags().Changed("connection") {
				c.Connection = connection
			}
			file.Contexts[args[0]] = c
			if file.Current == "" {
				file.Current = args[0]
			}
			if err := a.writeContexts(file); err != nil {
				return err
			}
			fmt.Fprintf(a.env.Stdout, "context %s set; the current context is %s\n", clean(args[0]), clean(file.Current))
			return nil
		},
	}
	set.Flags().StringVarP(&connection, "connection", "c", "", "`NAME` of the connection for commands without -c")

	use := &cobra.Command{
		Use: "use NAME", Args: oneName, ValidArgsFunction: completeArgs(1, a.completeContexts),
		Short:   "Make a context the current one",
		Example: "  mcic context use lab",
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := a.readContexts()
			if err != nil {
				return err
			}
			if _, ok := file.Contexts[args[0]]; !ok {
				return usageError("there is no context %q; see: mcic context list", args[0])
			}
			file.Current = args[0]
			if err := a.writeContexts(file); err != nil {
				return err
			}
			fmt.Fprintf(a.env.Stdout, "the current context is %s\n", clean(args[0]))
			return nil
		},
	}

	var listOut format
	list := &cobra.Command{
		Use: "list", Args: noArgs,
		Short:   "List the contexts",
		Example: "  mcic context list",
		RunE: func(*cobra.Command, []string) error {
			file, err := a.readContexts()
			if err != nil {
				return err
			}
			rows := []contextRow{}
			for _, name := range sortedKeys(file.Contexts) {
				rows = append(rows, newContextRow(file, name))
			}
			return printItems(a, listOut, rows, "no contexts; record one with: mcic context set", func(r contextRow) string { return r.Name }, []column[contextRow]{
				{"NAME", func(r contextRow) string { return r.Name }},
				{"CURRENT", func(r contextRow) string { return yes(r.Current) }},
				{"SERVER", func(r contextRow) string { return r.Server }},
				{"TOKEN", func(r contextRow) string { return yes(r.Token) }},
				{"CONNECTION", func(r contextRow) string { return r.Connection }},
			})
		},
	}
	addOutput(list, &listOut)

	var currentOut format
	current := &cobra.Command{
		Use: "current", Args: noArgs,
		Short:   "Show the current context",
		Example: "  mcic context current",
		RunE: func(*cobra.Command, []string) error {
			file, err := a.readContexts()
			if err != nil {
				return err
			}
			if _, ok := file.Contexts[file.Current]; !ok {
				return usageError("no context is current; without one the server is $MCIC_SERVER or %s", defaultServer)
			}
			row := newContextRow(file, file.Current)
			return a.printObject(currentOut, row, row.Name, func() error { return a.printView(row, nil) })
		},
	}
	addOutput(current, &currentOut)

	remove := &cobra.Command{
		Use: "delete NAME", Args: oneName, ValidArgsFunction: completeArgs(1, a.completeContexts),
		Short:   "Forget a context",
		Example: "  mcic context delete lab",
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := a.readContexts()
			if err != nil {
				return err
			}
			if _, ok := file.Contexts[args[0]]; !ok {
				return usageError("there is no context %q; see: mcic context list", args[0])
			}
			delete(file.Contexts, args[0])
			if file.Current == args[0] {
				file.Current = ""
			}
			if err := a.writeContexts(file); err != nil {
				return err
			}
			fmt.Fprintf(a.env.Stdout, "context %s deleted\n", clean(args[0]))
			return nil
		},
	}
	group.AddCommand(set, list, use, current, remove)
	return group
}

// contextRow is a context as it is shown: without its token.
type contextRow struct {
	Name       string `json:"name"`
	Current    bool   `json:"current"`
	Server     string `json:"server"`
	Token      bool   `json:"token"`
	Connection string `json:"connection,omitempty"`
}

func newContextRow(file contextFile, name string) contextRow {
	c := file.Contexts[name]
	return contextRow{name, name == file.Current, c.Server, c.Token != "", c.Connection}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
