package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func (a *app) adoptCommand(k *resource.Kind) *cobra.Command {
	var (
		connection, name string
		out              format
	)
	cmd := &cobra.Command{
		Use: "adopt CLOUD-ID", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short:   "Manage a " + word(k) + " that exists on the cloud",
		Long:    "Records a " + word(k) + " that was made elsewhere, so that it is managed here" + withParts(k) + ".\nThe cloud is not touched. What there is: mcic connection inventory NAME.",
		Example: fmt.Sprintf("  mcic %[1]s adopt CLOUD-ID -c %[2]s --name my-%[1]s", k.Name, sampleConnection),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, connection, err := a.openIn(cmd.Context(), connection)
			if err != nil {
				return err
			}
			r, err := c.Adopt(cmd.Context(), k.Name, connection, api.AdoptRequest{CloudID: args[0], Name: name})
			if err != nil {
				return err
			}
			return a.printResource(k, out, r)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` to give it here (default its name on the cloud)")
	a.addConnection(cmd, &connection)
	addOutput(cmd, &out)
	return cmd
}

// withParts says what comes and goes with a resource.
func withParts(k *resource.Kind) string {
	var parts []string
	for _, part := range k.Parts() {
		parts = append(parts, word(part)+"s")
	}
	if len(parts) == 0 {
		return ""
	}
	return ", with its " + strings.Join(parts, " and ")
}

func (a *app) releaseCommand(k *resource.Kind) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "release NAME…",
		Short:   "Forget " + word(k) + "s and leave them on the cloud",
		Long:    "Forgets " + word(k) + "s here" + withParts(k) + ".\nThe cloud is not touched. What something else uses is not released.",
		Example: fmt.Sprintf("  mcic %[1]s release my-%[1]s -c %[2]s", k.Name, sampleConnection),
	}
	a.changes(cmd, k, func(ctx context.Context, c *client.Client, connection, name string) (*api.Operation, error) {
		return release(ctx, c, k, connection, name)
	}, nil)
	return cmd
}

func release(ctx context.Context, c *client.Client, k *resource.Kind, connection, name string) (*api.Operation, error) {
	return c.Act(ctx, k.Name, connection, name, "release", nil)
}

func (a *app) connectionAdopt() *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use: "adopt NAME", Args: oneName, ValidArgsFunction: a.completeSetup("connection", 1),
		Short:   "Manage everything that exists in a connection",
		Long:    "Records everything that the cloud has and that is not managed here, under its own names.\nThe cloud is not touched.",
		Example: "  mcic connection adopt my-cloud",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			adopted, err := c.AdoptAll(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			a.warnUnseen(adopted.Unseen)
			return printItems(a, out, adopted.Items, "nothing was left to adopt", func(r *resource.Resource) string { return r.Name }, []column[*resource.Resource]{
				{"KIND", func(r *resource.Resource) string { return r.Kind }},
				{"NAME", func(r *resource.Resource) string { return r.Name }},
				{"CLOUD-ID", func(r *resource.Resource) string { return r.CloudID }},
				{"STATE", func(r *resource.Resource) string { return string(r.State) }},
			})
		},
	}
	addOutput(cmd, &out)
	return cmd
}

// warnUnseen tells of the kinds that an answer is without.
func (a *app) warnUnseen(unseen []api.Unseen) {
	for _, one := range unseen {
		fmt.Fprintf(a.env.Stderr, "Warning: the cloud could not be asked for the kind %s, of which nothing is here; try again later: %s\n", clean(one.Kind), clean(one.Error.Error()))
	}
}

func (a *app) connectionInventory() *cobra.Command {
	var (
		kind string
		out  format
	)
	cmd := &cobra.Command{
		Use: "inventory NAME", Args: oneName, ValidArgsFunction: a.completeSetup("connection", 1),
		Short:   "Compare what a cloud has with what is managed here",
		Example: "  mcic connection inventory my-cloud\n  mcic connection inventory my-cloud --kind vm -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			found, err := c.Inventory(cmd.Context(), args[0], kind)
			if err != nil {
				return err
			}
			a.warnUnseen(found.Unseen)
			return printItems(a, out, found.Items, "there is nothing", func(i api.InventoryItem) string { return i.CloudID }, []column[api.InventoryItem]{
				{"KIND", func(i api.InventoryItem) string { return i.Kind }},
				{"WHERE", func(i api.InventoryItem) string { return string(i.Where) }},
				{"NAME", func(i api.InventoryItem) string { return i.Name }},
				{"MANAGED-IN", func(i api.InventoryItem) string { return i.Connection }},
				{"CLOUD-ID", func(i api.InventoryItem) string { return i.CloudID }},
				{"CLOUD-NAME", func(i api.InventoryItem) string { return i.CloudName }},
				{"STATE", func(i api.InventoryItem) string { return string(i.State) }},
			})
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "only resources of this `KIND`")
	addOutput(cmd, &out)
	return cmd
}
