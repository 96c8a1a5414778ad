package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/driver"
)

func (a *app) connectionPermissions() *cobra.Command {
	var (
		lacking bool
		out     format
	)
	cmd := &cobra.Command{
		Use: "permissions NAME", Args: oneName, ValidArgsFunction: a.completeSetup("connection", 1),
		Short:   "Show what the credential of a connection may do",
		Long:    "Shows the permissions that the connection's driver needs, and whether its credential has\nthem, as far as the cloud can be asked for that.",
		Example: "  mcic connection permissions " + sampleConnection + " --lacking",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			all, err := c.Permissions(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			none := "the driver names no permissions"
			if lacking {
				all = slices.DeleteFunc(all, func(p driver.Permission) bool { return p.Has != driver.LacksIt })
				none = "it lacks none that is known"
			}
			name := func(p driver.Permission) string { return p.Name }
			return printItems(a, out, all, none, name, []column[driver.Permission]{
				{"PERMISSION", name},
				{"HAS", func(p driver.Permission) string { return string(p.Has) }},
				{"NEEDED-FOR", func(p driver.Permission) string { return strings.Join(p.Uses, ",") }},
				{"REASON", func(p driver.Permission) string { return p.Reason }},
			})
		},
	}
	cmd.Flags().BoolVar(&lacking, "lacking", false, "only those that it lacks")
	addOutput(cmd, &out)
	return cmd
}
