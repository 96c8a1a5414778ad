package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// filterHelp explains --filter.
const filterHelp = `--filter field=value keeps what has the value, field!=value what has not, field~text
what contains the text; several must all hold. --sort field orders, -field backwards.
`

// The page that lists are fetched in; the server's largest.
const pageSize = 1000

// listFlags choose a part of a list.
type listFlags struct {
	filter []string
	sort   string
	limit  int
}

func addListFlags(cmd *cobra.Command, o *listFlags) {
	cmd.Flags().StringArrayVar(&o.filter, "filter", nil, "`CONDITION` field=value, field!=value or field~text; may be repeated")
	cmd.Flags().StringVar(&o.sort, "sort", "", "`FIELD` to order by; -FIELD for backwards")
	cmd.Flags().IntVar(&o.limit, "limit", 0, "show `N` at most (default all)")
	for _, flag := range []string{"filter", "sort", "limit"} {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions))
	}
}

func (o *listFlags) options() (client.ListOptions, error) {
	if o.limit < 0 {
		return client.ListOptions{}, usageError("--limit: %d is not a number from 1, or 0 for all", o.limit)
	}
	for _, f := range o.filter {
		if i := strings.IndexAny(f, "=~"); i <= 0 || f[:i] == "!" {
			return client.ListOptions{}, usageError("--filter: %q is not field=value, field!=value or field~text", f)
		}
	}
	size := pageSize
	if o.limit > 0 {
		size = min(o.limit, pageSize)
	}
	return client.ListOptions{Filter: o.filter, Sort: o.sort, PageSize: size}, nil
}

// limit ends a list after n items, 0 for none.
func limit[T any](list iter.Seq2[T, error], n int) iter.Seq2[T, error] {
	if n == 0 {
		return list
	}
	return func(yield func(T, error) bool) {
		left := n
		for item, err := range list {
			left--
			if !yield(item, err) || left == 0 {
				return
			}
		}
	}
}

// pages is a list of the client, such as (*client.Client).Operations.
type pages[T any] func(*client.Client, context.Context, client.ListOptions) iter.Seq2[T, error]

// lists makes a command of cmd that lists with the usual flags; none is what it says
// where there is nothing.
func lists[T any](a *app, cmd *cobra.Command, fetch pages[T], none string, name func(T) string, columns []column[T]) *cobra.Command {
	var (
		o   listFlags
		out format
	)
	cmd.Use, cmd.Args, cmd.Aliases = "list", noArgs, []string{"ls"}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client(cmd.Context())
		if err != nil {
			return err
		}
		options, err := o.options()
		if err != nil {
			return err
		}
		items, err := client.Collect(limit(fetch(c, cmd.Context(), options), o.limit))
		if err != nil {
			return err
		}
		return printItems(a, out, items, none, name, columns)
	}
	addListFlags(cmd, &o)
	addOutput(cmd, &out)
	return cmd
}

// catalogCommand returns the commands of one catalog.
func (a *app) catalogCommand(c *resource.Catalog) *cobra.Command {
	example := fmt.Sprintf("  mcic %s list -c %s", c.Name, sampleConnection)
	group := a.group(c.Name, groupCatalogs, sentence(c.Doc), c.Doc, example)
	group.Aliases = []string{c.Plural()}
	var (
		connection string
		o          listFlags
		out        format
	)
	first := resource.JSONName(cellFields(c.EntryType(), true, 1)[0])
	fields := make([]string, 0, c.EntryType().NumField())
	for f := range c.EntryType().Fields() {
		fields = append(fields, resource.JSONName(f))
	}
	list := &cobra.Command{
		Use: "list", Args: noArgs, Aliases: []string{"ls"},
		Short:   fmt.Sprintf("List the %s that a connection offers", c.Plural()),
		Long:    fmt.Sprintf("Lists the %s that a connection offers. %s\n\n%s\nThe fields are %s.", c.Plural(), c.Doc, filterHelp, strings.Join(fields, ", ")),
		Example: fmt.Sprintf("%s\n%s --filter name~TEXT --limit 10 -o json", example, example),
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, connection, err := a.openIn(cmd.Context(), connection)
			if err != nil {
				return err
			}
			options, err := o.options()
			if err != nil {
				return err
			}
			items, err := client.Collect(limit(server.Catalog(cmd.Context(), c.Name, connection, options), o.limit))
			if err != nil {
				return err
			}
			name := func(entry json.RawMessage) string { return member(entry, first) }
			return printItems(a, out, items, "no "+c.Plural()+" are offered", name, catalogColumns(c))
		},
	}
	a.addConnection(list, &connection)
	addListFlags(list, &o)
	addOutput(list, &out)
	group.AddCommand(list)
	return group
}

// watcher shows the resources of a list, and then what changes.
type watcher struct {
	a          *app
	c          *client.Client
	kind       *resource.Kind
	connection string
	options    client.ListOptions
	out        format
	rows       *table[resource.Resource]
	shown      map[string]resource.Resource // as last shown, by uid
}

func (a *app) watchResources(ctx context.Context, c *client.Client, k *resource.Kind, connection string, o client.ListOptions, out format, columns []column[resource.Resource]) error {
	w := &watcher{a: a, c: c, kind: k, connection: connection, options: o, out: out, rows: newTable(a.env.Stdout, columns), shown: map[string]resource.Resource{}}
	w.rows.least = []int{16, len(resource.StateAvailable)}
	for event, err := range c.Events(ctx) {
		switch {
		case ctx.Err() != nil: // Ctrl-C is how a watch ends
			return nil
		case err != nil:
			return err
		case event.Type == client.EventConnected:
			err = w.list(ctx)
		case event.Type == client.EventDisconnected:
			fmt.Fprintln(a.env.Stderr, "The server is lost; connecting again.")
		case event.Type == client.EventResource:
			err = w.changed(ctx, event)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// narrowed reports whether the list shows only some.
func (w *watcher) narrowed() bool { return len(w.options.Filter) > 0 || w.options.Search != "" }

// list shows what is new since the last time; the first time that is everything.
func (w *watcher) list(ctx context.Context) error {
	items, err := client.Collect(w.c.List(ctx, w.kind.Name, w.connection, w.options))
	if err != nil {
		return err
	}
	first := len(w.shown) == 0
	var changed []resource.Resource
	gone := maps.Clone(w.shown)
	for _, r := range items {
		delete(gone, r.UID)
		if w.news(r) {
			changed = append(changed, r)
		}
	}
	for _, uid := range sortedKeys(gone) {
		r := gone[uid]
		delete(w.shown, uid)
		if !w.narrowed() { // with a filter it may only have ceased to match
			r.State = resource.StateDeleted
			changed = append(changed, r)
		}
	}
	if first && len(items) == 0 {
		fmt.Fprintln(w.a.env.Stderr, none(w.kind, w.connection)+"; waiting for changes")
	}
	return w.show(changed...)
}

// changed shows the resource of an event, if it is one of the list.
func (w *watcher) changed(ctx context.Context, event client.Event) error {
	r, err := event.Resource()
	if err != nil {
		return err
	}
	if r.Kind != w.kind.Name || w.connection != "" && r.Connection != w.connection {
		return nil
	}
	_, known := w.shown[r.UID]
	if w.narrowed() && (r.State != resource.StateDeleted || !known) {
		// Only the server knows what its filters mean.
		o := w.options
		o.Fresh = false // this is news
		o.Filter = append(slices.Clone(o.Filter), "name="+r.Name)
		items, err := client.Collect(w.c.List(ctx, w.kind.Name, r.Connection, o))
		if err != nil {
			return err
		}
		i := slices.IndexFunc(items, func(item resource.Resource) bool { return item.UID == r.UID })
		if i < 0 {
			delete(w.shown, r.UID)
			return nil
		}
		r = &items[i]
	}
	if !w.news(*r) {
		return nil
	}
	if r.State == resource.StateDeleted {
		delete(w.shown, r.UID)
	}
	return w.show(*r)
}

// news notes a resource and reports whether it differs from what was shown.
func (w *watcher) news(r resource.Resource) bool {
	old, known := w.shown[r.UID]
	if known && (r.UpdatedAt.Before(old.UpdatedAt) || r.UpdatedAt.Equal(old.UpdatedAt) && r.State == old.State && r.Operation == old.Operation) {
		return false
	}
	w.shown[r.UID] = r
	return true
}

func (w *watcher) show(changed ...resource.Resource) error {
	switch w.out {
	case formatTable:
		if len(changed) == 0 {
			return nil
		}
		return w.rows.print(changed...)
	case formatJSON:
		for _, r := range changed {
			if err := w.a.printJSON(r, ""); err != nil {
				return err
			}
		}
	default:
		for _, r := range changed {
			if err := w.a.printMore(w.out, r, r.Name, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
