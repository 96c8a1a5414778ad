package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// sampleConnection is the connection of the examples.
const sampleConnection = "my-cloud"

// kindCommand returns the commands of one kind.
func (a *app) kindCommand(k *resource.Kind) *cobra.Command {
	group := a.group(k.Name, groupResources, sentence(k.Doc), k.Doc,
		fmt.Sprintf("  mcic %s list -c %s\n  mcic %s get my-%s -c %s", k.Name, sampleConnection, k.Name, k.Name, sampleConnection))
	group.Aliases = []string{k.Plural()}
	group.AddCommand(a.createCommand(k), a.listCommand(k), a.getCommand(k), a.deleteCommand(k), a.adoptCommand(k), a.releaseCommand(k))
	for i := range k.Actions {
		group.AddCommand(a.actionCommand(k, &k.Actions[i]))
	}
	for i := range k.Views {
		group.AddCommand(a.viewCommand(k, &k.Views[i]))
	}
	for i := range k.Data {
		group.AddCommand(a.dataCommand(k, &k.Data[i]))
	}
	if len(k.Recent) > 0 {
		group.AddCommand(a.recentCommand(k))
	}
	if k.HasLogin() {
		group.AddCommand(a.sshCommand(k), a.hostKeysCommand(k))
	}
	return group
}

// sentence makes a short help of a doc's first sentence.
func sentence(doc string) string {
	first, _, _ := strings.Cut(doc, ". ")
	return strings.TrimSuffix(first, ".")
}

// word is the kind's title inside a sentence.
func word(k *resource.Kind) string {
	if len(k.Title) > 1 && k.Title[1] >= 'a' { // not an abbreviation
		return strings.ToLower(k.Title[:1]) + k.Title[1:]
	}
	return k.Title
}

// addConnection defines -c.
func (a *app) addConnection(cmd *cobra.Command, connection *string) {
	cmd.Flags().StringVarP(connection, "connection", "c", "", "`NAME` of the connection (default $MCIC_CONNECTION, else the context's)")
	must(cmd.RegisterFlagCompletionFunc("connection", a.completeConnectionFlag))
}

// open returns the client and the connection of a command, which may be "".
func (a *app) open(ctx context.Context, connection string) (*client.Client, string, error) {
	c, err := a.client(ctx)
	if err != nil {
		return nil, "", err
	}
	if connection == "" {
		s, err := a.settings(ctx)
		if err != nil {
			return nil, "", err
		}
		connection = s.connection
	}
	return c, connection, nil
}

// openIn is open for commands that need a connection.
func (a *app) openIn(ctx context.Context, connection string) (*client.Client, string, error) {
	c, connection, err := a.open(ctx, connection)
	if err == nil && connection == "" {
		err = usageError("which connection? Give it with -c NAME or $MCIC_CONNECTION, or keep it in a context (mcic context set); there are those of: mcic connection list")
	}
	return c, connection, err
}

// waiting is the flags of commands that start an operation.
type waiting struct {
	wait    bool
	timeout time.Duration
}

func addWaiting(cmd *cobra.Command, w *waiting) {
	cmd.Flags().BoolVar(&w.wait, "wait", false, "wait until it is done")
	cmd.Flags().DurationVar(&w.timeout, "timeout", 30*time.Minute, "with --wait: how long to wait at most")
}

func (w *waiting) check(cmd *cobra.Command) error {
	switch {
	case w.timeout <= 0:
		return usageError("--timeout: %s is not a time to wait, such as 10m", w.timeout)
	case cmd.Flags().Changed("timeout") && !w.wait:
		return usageError("--timeout is only for --wait; give both")
	}
	return nil
}

func (a *app) listCommand(k *resource.Kind) *cobra.Command {
	var (
		connection string
		all, watch bool
		fresh      bool
		search     string
		o          listFlags
		out        format
	)
	cmd := &cobra.Command{
		Use: "list", Args: noArgs, Aliases: []string{"ls"},
		Short: "List the " + word(k) + "s",
		Long: "Lists the " + word(k) + "s of one connection, or of all.\n\n" + filterHelp +
			"\nThe fields are name, facadeName (that clients of CB-Spider use), state, cloudId,\nconnection, labels.KEY, spec.FIELD and status.FIELD. --search keeps what has the words,\nor parts of words, in its names, ids, labels (as key=value) or addresses.\n\nShown is what was last recorded; --fresh has the clouds asked first.\n\n--watch goes on with a line for each change, until Ctrl-C; with -o json each line is\na resource.",
		Example: fmt.Sprintf("  mcic %[1]s list -c %[2]s\n  mcic %[1]s list --all-connections --filter state!=deleted --sort -createdAt -o json\n  mcic %[1]s list -c %[2]s --watch", k.Name, sampleConnection),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			switch {
			case all && connection != "":
				return usageError("-c and --all-connections exclude each other")
			case watch && o.limit > 0:
				return usageError("--watch and --limit exclude each other")
			}
			c, connection, err := a.open(ctx, connection)
			if err != nil {
				return err
			}
			if all {
				connection = ""
			}
			options, err := o.options()
			if err != nil {
				return err
			}
			options.Search, options.Fresh = search, fresh
			options.Stale = a.warnStale
			columns := a.kindColumns(k, connection == "")
			if watch {
				return a.watchResources(ctx, c, k, connection, options, out, columns)
			}
			items, err := client.Collect(limit(c.List(ctx, k.Name, connection, options), o.limit))
			if err != nil {
				return err
			}
			return printItems(a, out, items, none(k, connection), resourceName, columns)
		},
	}
	a.addConnection(cmd, &connection)
	cmd.Flags().BoolVarP(&all, "all-connections", "A", false, "of all connections, also when there is a default one")
	addListFlags(cmd, &o)
	cmd.Flags().StringVar(&search, "search", "", "`WORDS` that all must be in the names, ids, labels or addresses")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "ask the clouds first instead of showing what was last recorded")
	must(cmd.RegisterFlagCompletionFunc("search", cobra.NoFileCompletions))
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on with what changes")
	addOutput(cmd, &out)
	return cmd
}

// warnStale tells of the connections that could not be asked for a fresh list.
func (a *app) warnStale(stale []api.Stale) {
	for _, one := range stale {
		fmt.Fprintf(a.env.Stderr, "Warning: the cloud of the connection %s could not be asked; what it shows may be old: %s\n", clean(one.Connection), clean(one.Error.Error()))
	}
}

func none(k *resource.Kind, connection string) string {
	if connection == "" {
		return "there is no " + k.Name
	}
	return "there is no " + k.Name + " in the connection " + clean(connection)
}

func resourceName(r resource.Resource) string { return r.Name }

func (a *app) getCommand(k *resource.Kind) *cobra.Command {
	var (
		connection string
		out        format
	)
	cmd := &cobra.Command{
		Use: "get NAME", Args: oneName, ValidArgsFunction: a.completeNames(k.Name, 1),
		Short:   "Show a " + word(k),
		Long:    "Shows a " + word(k) + ". With -o json or yaml also the cloud's own fields, under native.",
		Example: fmt.Sprintf("  mcic %[1]s get my-%[1]s -c %[2]s\n  mcic %[1]s get my-%[1]s -c %[2]s -o yaml", k.Name, sampleConnection),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, connection, err := a.openIn(cmd.Context(), connection)
			if err != nil {
				return err
			}
			r, err := c.Get(cmd.Context(), k.Name, connection, args[0])
			if err != nil {
				return err
			}
			return a.printResource(k, out, r)
		},
	}
	a.addConnection(cmd, &connection)
	addOutput(cmd, &out)
	return cmd
}

func (a *app) deleteCommand(k *resource.Kind) *cobra.Command {
	var force, releaseOnly bool
	cmd := &cobra.Command{
		Use: "delete NAME…", Aliases: []string{"rm"},
		Short:   "Delete " + word(k) + "s",
		Long:    "Deletes " + word(k) + "s, here and on the cloud. What something else uses is not deleted." + severalHelp,
		Example: fmt.Sprintf("  mcic %[1]s delete my-%[1]s -c %[2]s --wait\n  mcic %[1]s delete -c %[2]s --filter labels.env=test --yes", k.Name, sampleConnection),
	}
	a.changes(cmd, k, func(ctx context.Context, c *client.Client, connection, name string) (*api.Operation, error) {
		switch {
		case force && releaseOnly:
			return nil, usageError("--force deletes on the cloud if it can, --release-only leaves it there; give one of them")
		case force:
			return c.ForceDelete(ctx, k.Name, connection, name)
		case releaseOnly:
			return release(ctx, c, k, connection, name)
		}
		return c.Delete(ctx, k.Name, connection, name)
	}, func() (string, api.ManyRequest, bool) {
		return api.VerbDelete, api.ManyRequest{Force: force}, !releaseOnly
	})
	cmd.Flags().BoolVar(&force, "force", false, "forget it here even if the cloud refuses or cannot be asked; the operation says what may be left there")
	cmd.Flags().BoolVar(&releaseOnly, "release-only", false, "forget it here and leave it on the cloud, as release does")
	return cmd
}

func (a *app) actionCommand(k *resource.Kind, action *resource.Action) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   action.Name + " NAME…",
		Short: sentence(action.Doc),
		Long:  action.Doc + severalHelp,
	}
	cmd.Flags().SortFlags = false
	params := a.addStructFlags(cmd, "", action.ParamsType())
	if action.ParamsType() != nil {
		cmd.Flags().StringVar(&file, "file", "", "`FILE` with the parameters as JSON or YAML; - for standard input")
	}
	a.changes(cmd, k, func(ctx context.Context, c *client.Client, connection, name string) (*api.Operation, error) {
		if action.ParamsType() == nil {
			return c.Act(ctx, k.Name, connection, name, action.Name, nil)
		}
		op, err := c.Act(ctx, k.Name, connection, name, action.Name, params.body)
		if err != nil {
			return nil, &fieldError{err, params.name}
		}
		return op, nil
	}, func() (string, api.ManyRequest, bool) { return action.Name, api.ManyRequest{Params: params.body}, true })
	cmd.Example = fmt.Sprintf("  mcic %[1]s %[2]s my-%[1]s -c %[3]s%[4]s --wait", k.Name, action.Name, sampleConnection, params.example())
	if action.ParamsType() != nil {
		cmd.PreRunE = func(*cobra.Command, []string) error {
			if err := a.paramsBody(action.ParseParams, file, params); err != nil {
				return &fieldError{err, params.name}
			}
			return nil
		}
	}
	return cmd
}

// viewCommand shows what the cloud is asked for each time.
func (a *app) viewCommand(k *resource.Kind, view *resource.View) *cobra.Command {
	var (
		connection string
		out        format
	)
	cmd := &cobra.Command{
		Use: view.Name + " NAME", Args: oneName,
		Short:   sentence(view.Doc),
		Long:    view.Doc + "\n\nThe cloud is asked each time.",
		Example: fmt.Sprintf("  mcic %[1]s %[2]s my-%[1]s -c %[3]s", k.Name, view.Name, sampleConnection),
	}
	cmd.Flags().SortFlags = false
	params := a.addStructFlags(cmd, "", view.ParamsType())
	a.addConnection(cmd, &connection)
	addOutput(cmd, &out)
	cmd.ValidArgsFunction = a.completeNames(k.Name, 1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, connection, err := a.openIn(cmd.Context(), connection)
		if err != nil {
			return err
		}
		answer, err := c.View(cmd.Context(), k.Name, connection, args[0], view.Name, params.query())
		if err != nil {
			return &fieldError{err, params.name}
		}
		return a.printObject(out, answer, args[0], func() error {
			var fields map[string]json.RawMessage
			var plain string
			if view.Plain != "" && json.Unmarshal(answer, &fields) == nil && json.Unmarshal(fields[view.Plain], &plain) == nil {
				plain = strings.ReplaceAll(plain, "\r\n", "\n")
				return a.write(cleanLines(strings.TrimSuffix(plain, "\n")) + "\n")
			}
			return a.printView(answer, view.AnswerType())
		})
	}
	return cmd
}

// paramsBody makes parameters of a file, the flags, or both.
func (a *app) paramsBody(check func([]byte) (json.RawMessage, error), file string, flags *structFlags) error {
	body := map[string]json.RawMessage{}
	if file != "" {
		if err := a.readObject(file, &body); err != nil {
			return err
		}
	}
	if err := flags.fill(body); err != nil {
		return err
	}
	if err := flags.missing(body); err != nil {
		return err
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return usageError("encode the parameters: %w", err)
	}
	if file == "" {
		if _, err := check(raw); err != nil {
			return err
		}
	}
	flags.body = raw
	return nil
}

// start begins a change of one resource.
type start func(ctx context.Context, c *client.Client, connection, name string) (*api.Operation, error)

// several is how the same change of several is asked for by one request, and whether it can be.
type several func() (verb string, request api.ManyRequest, can bool)

// changes completes a command that changes the resources that are named, or that match.
// Without several they are changed one by one.
func (a *app) changes(cmd *cobra.Command, k *resource.Kind, start start, several several) {
	var (
		connection string
		w          waiting
		match      matchFlags
		out        format
	)
	a.addConnection(cmd, &connection)
	if several != nil {
		addMatchFlags(cmd, &match)
	}
	addWaiting(cmd, &w)
	addOutput(cmd, &out)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if match.given() && len(args) == 0 {
			return nil
		}
		return someNames(cmd, args)
	}
	cmd.ValidArgsFunction = a.completeNames(k.Name, -1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		if err := w.check(cmd); err != nil {
			return err
		}
		if match.given() && len(args) > 0 {
			return usageError("give either NAMEs or --filter and --search")
		}
		var names []string
		for _, name := range args {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		c, connection, err := a.openIn(ctx, connection)
		if err != nil {
			return err
		}
		if several != nil && len(names) != 1 {
			if verb, request, can := several(); can {
				if request.Names = names; match.given() {
					if request.Matching, err = a.matching(ctx, c, k, connection, &match, out); err != nil {
						return err
					}
				}
				return a.changeMany(ctx, c, k, connection, verb, request, w, out)
			}
		}
		if match.given() {
			return usageError("--filter and --search are not for this; give NAMEs")
		}
		var failed failures
		rows := newTable(a.env.Stdout, a.kindColumns(k, false))
		for _, name := range names {
			err := a.changeOne(ctx, c, k, connection, name, start, w, out, rows)
			if err != nil && len(names) > 1 {
				err = fmt.Errorf("%s %s: %w", k.Name, name, err)
			}
			if err != nil {
				failed = append(failed, err)
			}
		}
		if len(failed) > 0 {
			return failed
		}
		return nil
	}
}

// changeOne begins a change, and with --wait shows what came of it.
func (a *app) changeOne(ctx context.Context, c *client.Client, k *resource.Kind, connection, name string, start start, w waiting, out format, rows *table[resource.Resource]) error {
	op, err := start(ctx, c, connection, name)
	if err != nil {
		return err
	}
	if !w.wait {
		return a.printStarted(out, op, a.printMore)
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	done, err := a.wait(ctx, c, op, out)
	if err != nil {
		return err
	}
	return a.show(ctx, c, k, done, out, rows)
}

// show shows what came of a change.
func (a *app) show(ctx context.Context, c *client.Client, k *resource.Kind, done *api.Operation, out format, rows *table[resource.Resource]) error {
	if done.Verb == "delete" || done.Verb == "release" {
		return a.printMore(out, done, done.Name, func() error {
			return a.write(clean(fmt.Sprintf("%s %s %sd", k.Name, done.Name, done.Verb)) + "\n")
		})
	}
	r, err := c.Get(ctx, k.Name, done.Connection, done.Name)
	if err != nil {
		return err
	}
	return a.printMore(out, r, r.Name, func() error { return rows.print(*r) })
}
