package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// recentCommand shows what was chosen for resources of a kind before.
func (a *app) recentCommand(k *resource.Kind) *cobra.Command {
	var (
		o      listFlags
		forget string
		out    format
	)
	cmd := &cobra.Command{
		Use: "recent", Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Short: "List what was chosen for " + word(k) + "s that were created, the latest first",
		Long: "Lists the combinations of " + strings.Join(k.Recent, ", ") + " that " + word(k) + "s were created with,\nthe latest first, in each cloud, region and zone: how often, and how long it took.\n\n" + filterHelp +
			"\nThe fields are cloud, region, zone and choice.FIELD.",
		Example: fmt.Sprintf("  mcic %[1]s recent --filter cloud=aws --limit 5\n  mcic %[1]s recent --forget ID", k.Name),
	}
	cmd.Flags().SortFlags = false
	addListFlags(cmd, &o)
	cmd.Flags().StringVar(&forget, "forget", "", "forget the one with this `ID`")
	must(cmd.RegisterFlagCompletionFunc("forget", cobra.NoFileCompletions))
	addOutput(cmd, &out)
	columns := []column[api.Recent]{
		{"CLOUD", func(r api.Recent) string { return r.Cloud }},
		{"REGION", func(r api.Recent) string { return r.Region }},
		{"ZONE", func(r api.Recent) string { return r.Zone }},
	}
	for _, field := range k.Recent {
		columns = append(columns, column[api.Recent]{strings.ToUpper(kebab(field)), func(r api.Recent) string { return r.Choice[field] }})
	}
	columns = append(columns, []column[api.Recent]{
		{"COUNT", func(r api.Recent) string { return strconv.Itoa(r.Count) }},
		{"TOOK", func(r api.Recent) string {
			return time.Duration(r.AverageSeconds * float64(time.Second)).Round(time.Second / 10).String()
		}},
		{"AGE", func(r api.Recent) string { return age(a.env.Now(), r.LastAt) }},
		{"ID", func(r api.Recent) string { return r.ID }},
	}...)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client(cmd.Context())
		if err != nil {
			return err
		}
		if forget != "" {
			return c.ForgetRecent(cmd.Context(), k.Name, forget)
		}
		options, err := o.options()
		if err != nil {
			return err
		}
		items, err := client.Collect(limit(c.Recent(cmd.Context(), k.Name, options), o.limit))
		if err != nil {
			return err
		}
		return printItems(a, out, items, "no "+k.Name+" was created yet", func(r api.Recent) string { return r.ID }, columns)
	}
	return cmd
}
