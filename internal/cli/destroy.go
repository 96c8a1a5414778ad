package cli

import (
	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func (a *app) connectionDestroy() *cobra.Command {
	var (
		dryRun, yes, wait bool
		out               format
	)
	cmd := &cobra.Command{
		Use: "destroy NAME", Args: oneName, ValidArgsFunction: a.completeSetup("connection", 1),
		Short:   "Delete everything that is managed in a connection",
		Long:    "Deletes everything that is managed in a connection, on the cloud too, in the order of who uses\nwhat. The connection itself stays, and so does what the cloud has beside.",
		Example: "  mcic connection destroy my-cloud --dry-run\n  mcic connection destroy my-cloud --yes --wait",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !dryRun && !yes {
				return usageError("this deletes resources on the cloud; look first with --dry-run, then say --yes")
			}
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			d, err := c.Destroy(cmd.Context(), args[0], dryRun)
			if err != nil {
				return err
			}
			if err := printItems(a, out, d.Items, "there is nothing to delete", resourceName, []column[resource.Resource]{
				{"KIND", func(r resource.Resource) string { return r.Kind }},
				{"NAME", resourceName},
				{"CLOUD-ID", func(r resource.Resource) string { return r.CloudID }},
				{"STATE", func(r resource.Resource) string { return string(r.State) }},
			}); err != nil || d.Operation == nil || !wait {
				return err
			}
			_, err = a.wait(cmd.Context(), c, d.Operation, out)
			return err
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be deleted")
	cmd.Flags().BoolVar(&yes, "yes", false, "really delete it")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until all is deleted")
	addOutput(cmd, &out)
	return cmd
}
