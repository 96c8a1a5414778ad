package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func (a *app) operationCommand() *cobra.Command {
	group := a.group("operation", groupOther, "Changes that were asked for, and how far they are",
		"Every change of a resource is an operation. It goes on whether or not anybody waits\nfor it, also when the server is started anew.",
		"  mcic operation list --filter state=running\n  mcic operation wait 01JZ3Y5Q8W7V")
	group.Aliases = []string{"operations"}
	thenDelete := false
	cancel := a.oneOperation("cancel", "Cancel an operation",
		"Ends an operation that the cloud has not accepted yet. What a creation makes that was\naccepted already is deleted with --then-delete.", "  mcic operation cancel 01JZ3Y5Q8W7V --then-delete",
		func(ctx context.Context, c *client.Client, id string) (*api.Operation, error) {
			return c.CancelOperation(ctx, id, thenDelete)
		})
	cancel.Flags().BoolVar(&thenDelete, "then-delete", false, "delete what the creation makes, if the cloud has accepted it already")
	group.AddCommand(a.operationList(), a.operationWait(), cancel,
		a.oneOperation("get", "Show an operation", "", "  mcic operation get 01JZ3Y5Q8W7V",
			func(ctx context.Context, c *client.Client, id string) (*api.Operation, error) {
				return c.Operation(ctx, id, 0)
			}),
		a.oneOperation("retry", "Try a failed operation again",
			"Does again, as a new operation, what a failed or cancelled one did not do.", "  mcic operation retry 01JZ3Y5Q8W7V",
			func(ctx context.Context, c *client.Client, id string) (*api.Operation, error) {
				return c.RetryOperation(ctx, id)
			}))
	return group
}

func (a *app) operationList() *cobra.Command {
	return lists(a, &cobra.Command{
		Short:   "List the operations",
		Long:    "Lists the operations.\n\n" + filterHelp + "\nThe fields are state, kind, verb, connection and name.",
		Example: "  mcic operation list --filter state=running\n  mcic operation list --filter kind=vm --sort -createdAt --limit 20",
	}, (*client.Client).Operations, "there is no operation", func(op api.Operation) string { return op.ID }, a.operationColumns())
}

func (a *app) operationColumns() []column[api.Operation] {
	return []column[api.Operation]{
		{"ID", func(op api.Operation) string { return op.ID }},
		{"VERB", func(op api.Operation) string { return op.Verb }},
		{"KIND", func(op api.Operation) string { return op.Kind }},
		{"NAME", func(op api.Operation) string { return op.Name }},
		{"CONNECTION", func(op api.Operation) string { return op.Connection }},
		{"STATE", func(op api.Operation) string { return string(op.State) }},
		{"REASON", func(op api.Operation) string {
			if op.Error == nil {
				return cut(op.Pending)
			}
			return cut(op.Error.Message)
		}},
		{"AGE", func(op api.Operation) string { return age(a.env.Now(), op.CreatedAt) }},
	}
}

// oneOperation is a command that asks for one operation and shows the answer.
func (a *app) oneOperation(
	verb, short, long, example string, do func(context.Context, *client.Client, string) (*api.Operation, error),
) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use: verb + " ID", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short: short, Long: long, Example: example,
		RunE: func(cmd *cobra.Command, args []string) error {
			return shown(a, cmd, out, func(op *api.Operation) string { return op.ID }, func(ctx context.Context, c *client.Client) (*api.Operation, error) {
				return do(ctx, c, args[0])
			})
		},
	}
	addOutput(cmd, &out)
	return cmd
}

func (a *app) operationWait() *cobra.Command {
	var (
		timeout time.Duration
		out     format
	)
	cmd := &cobra.Command{
		Use: "wait ID…", Args: someNames, ValidArgsFunction: cobra.NoFileCompletions,
		Short:   "Wait until operations have ended",
		Long:    "Waits until the operations have ended. When one failed, mcic ends with the code of\nits error (mcic help exit-codes).",
		Example: "  mcic operation wait 01JZ3Y5Q8W7V --timeout 10m",
		RunE: func(cmd *cobra.Command, ids []string) error {
			if timeout <= 0 {
				return usageError("--timeout: %s is not a time to wait, such as 10m", timeout)
			}
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			limited, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			rows := newTable(a.env.Stdout, a.operationColumns())
			var failed failures
			for i, id := range ids {
				if slices.Contains(ids[:i], id) {
					continue
				}
				if err := a.waitOne(limited, c, id, out, rows); err != nil {
					failed = append(failed, err)
				}
			}
			if len(failed) > 0 {
				return failed
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Minute, "how long to wait at most")
	addOutput(cmd, &out)
	return cmd
}

func (a *app) waitOne(ctx context.Context, c *client.Client, id string, out format, rows *table[api.Operation]) error {
	op, err := c.Operation(ctx, id, 0)
	if err != nil {
		return err
	}
	done, err := a.wait(ctx, c, op, out)
	if done == nil {
		return err
	}
	printed := a.printMore(out, done, done.ID, func() error { return rows.print(*done) })
	if err != nil {
		return err
	}
	return printed
}

func (a *app) eventCommand() *cobra.Command {
	group := a.group("event", groupOther, "What changes on the server, as it happens",
		"Events say which resources and operations change.", "  mcic event watch")
	group.Aliases = []string{"events"}
	var (
		connection, kind string
		out              format
	)
	watch := &cobra.Command{
		Use: "watch", Args: noArgs,
		Short:   "Show what changes, until Ctrl-C",
		Long:    "Shows a line for each resource and operation that changes, until Ctrl-C. With -o\njson each line is an event with its type and, as data, the resource or operation.",
		Example: "  mcic event watch\n  mcic event watch --kind vm -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.watchEvents(cmd.Context(), kind, connection, out)
		},
	}
	watch.Flags().StringVarP(&connection, "connection", "c", "", "only of the connection `NAME`")
	watch.Flags().StringVar(&kind, "kind", "", "only of this `KIND`")
	must(watch.RegisterFlagCompletionFunc("connection", a.completeConnectionFlag))
	must(watch.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(kindNames(), cobra.ShellCompDirectiveNoFileComp)))
	addOutput(watch, &out)
	group.AddCommand(watch)
	return group
}

func kindNames() []string {
	var names []string
	for _, k := range resource.Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// change is an event as a line for people.
type change struct{ time, what, kind, name, connection, state string }

func (a *app) watchEvents(ctx context.Context, kind, connection string, out format) error {
	c, err := a.client(ctx)
	if err != nil {
		return err
	}
	rows := newTable(a.env.Stdout, []column[change]{
		{"TIME", func(c change) string { return c.time }},
		{"WHAT", func(c change) string { return c.what }},
		{"KIND", func(c change) string { return c.kind }},
		{"NAME", func(c change) string { return c.name }},
		{"CONNECTION", func(c change) string { return c.connection }},
		{"STATE", func(c change) string { return c.state }},
	})
	rows.least = []int{len(time.TimeOnly), 11, 13, 16, 12}
	for event, err := range c.Events(ctx) {
		if ctx.Err() != nil { // Ctrl-C is how a watch ends
			return nil
		}
		if err != nil {
			return err
		}
		line := change{time: a.env.Now().Local().Format(time.TimeOnly)}
		switch event.Type {
		case client.EventResource:
			r, err := event.Resource()
			if err != nil {
				return err
			}
			line.what, line.kind, line.name, line.connection, line.state = "resource", r.Kind, r.Name, r.Connection, string(r.State)
		case client.EventOperation:
			op, err := event.Operation()
			if err != nil {
				return err
			}
			line.what, line.kind, line.name, line.connection, line.state = op.Verb, op.Kind, op.Name, op.Connection, string(op.State)
		case client.EventDriver:
			d, err := event.Driver()
			if err != nil {
				return err
			}
			line.what, line.kind, line.name, line.state = d.Verb, "driver", d.Name, string(d.Step)
		case client.EventDisconnected:
			fmt.Fprintln(a.env.Stderr, "The server is lost; connecting again. Changes in between may be missing.")
			continue
		default:
			continue
		}
		if kind != "" && line.kind != kind || connection != "" && line.connection != connection {
			continue
		}
		if out == formatJSON {
			err = a.printJSON(event, "")
		} else {
			err = a.printMore(out, event, line.kind+"/"+line.name, func() error { return rows.print(line) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}
