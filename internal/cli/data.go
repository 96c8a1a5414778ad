package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// dataCommand does something with what a resource holds.
func (a *app) dataCommand(k *resource.Kind, call *resource.DataCall) *cobra.Command {
	var (
		connection, file string
		out              format
	)
	cmd := &cobra.Command{
		Use: call.Name + " NAME", Args: oneName,
		Short: sentence(call.Doc),
		Long:  call.Doc + "\n\nThe cloud is asked once, and nothing of it is kept.",
	}
	cmd.Flags().SortFlags = false
	params := a.addStructFlags(cmd, "", call.ParamsType())
	cmd.Flags().StringVar(&file, "file", "", "`FILE` with the parameters as JSON or YAML; - for standard input")
	a.addConnection(cmd, &connection)
	addOutput(cmd, &out)
	cmd.Example = fmt.Sprintf("  mcic %[1]s %[2]s my-%[1]s -c %[3]s%[4]s", k.Name, call.Name, sampleConnection, params.example())
	cmd.ValidArgsFunction = a.completeNames(k.Name, 1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.paramsBody(call.ParseParams, file, params); err != nil {
			return &fieldError{err, params.name}
		}
		c, connection, err := a.openIn(cmd.Context(), connection)
		if err != nil {
			return err
		}
		answer, err := c.Data(cmd.Context(), k.Name, connection, args[0], call.Name, params.body)
		if err != nil {
			return &fieldError{err, params.name}
		}
		return a.printObject(out, answer, args[0], func() error { return a.printView(answer, call.AnswerType()) })
	}
	return cmd
}
