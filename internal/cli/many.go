package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const severalHelp = "\n\nSeveral, by NAMEs or by what they have in common, are changed by one operation, which\n" +
	"mcic operation cancel and retry are for; one that fails does not stop the others."

// matchFlags choose the resources of a change by what they have in common.
type matchFlags struct {
	listFlags
	search string
	yes    bool
}

func addMatchFlags(cmd *cobra.Command, m *matchFlags) {
	cmd.Flags().StringArrayVar(&m.filter, "filter", nil, "instead of NAMEs: `CONDITION` field=value, field!=value or field~text; may be repeated")
	cmd.Flags().StringVar(&m.search, "search", "", "instead of NAMEs: `WORDS` that all must be in the names, ids, labels or addresses")
	cmd.Flags().BoolVar(&m.yes, "yes", false, "with --filter or --search: really change those that match; without it they are shown")
	for _, flag := range []string{"filter", "search"} {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions))
	}
}

func (m *matchFlags) given() bool { return len(m.filter) > 0 || m.search != "" }

// matching shows what matches, or, if that is wanted, answers how the server finds the same.
func (a *app) matching(ctx context.Context, c *client.Client, k *resource.Kind, connection string, m *matchFlags, out format) (*api.Matching, error) {
	options, err := m.options()
	if err != nil {
		return nil, err
	}
	options.Search = m.search
	items, err := client.Collect(c.List(ctx, k.Name, connection, options))
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("no %s matches", k.Name)
	}
	if !m.yes {
		if err := printItems(a, out, items, "", resourceName, a.kindColumns(k, false)); err != nil {
			return nil, err
		}
		return nil, usageError("these %d would be changed; say --yes to do it", len(items))
	}
	return &api.Matching{Filter: m.filter, Search: m.search, Expected: len(items)}, nil
}

// changeMany changes several resources by one request, and with --wait shows what has become
// of each.
func (a *app) changeMany(ctx context.Context, c *client.Client, k *resource.Kind, connection, verb string, request api.ManyRequest, w waiting, out format) error {
	op, err := c.ChangeMany(ctx, k.Name, connection, verb, request)
	if err != nil {
		return err
	}
	if !w.wait {
		return a.printStarted(out, op, a.printObject)
	}
	limited, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	done, failure := a.wait(limited, c, op, out)
	if done == nil {
		return failure
	}
	parts, err := client.Collect(c.Operations(ctx, client.ListOptions{Filter: []string{"parent=" + op.ID}, Sort: "id"}))
	if err != nil {
		return err
	}
	var failed failures
	rows := newTable(a.env.Stdout, a.kindColumns(k, false))
	for i := range parts {
		part := &parts[i]
		if part.State != api.OperationSucceeded {
			failed = append(failed, fmt.Errorf("%s of %s %s %s: %w", verb, k.Name, part.Name, part.State, part.Error))
		} else if err := a.show(ctx, c, k, part, out, rows); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return failed
	}
	return failure
}
