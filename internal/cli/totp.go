package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const codePrompt = "Code of the authenticator app, or a recovery code: "

// codeMissing reports whether a login was refused for want of a code.
func codeMissing(err error) bool {
	if resource.CodeOf(err) != resource.CodeUnauthenticated {
		return false
	}
	return slices.ContainsFunc(resource.AsError(err).Fields, func(p resource.Problem) bool { return p.Field == "code" })
}

func (a *app) totpCommand() *cobra.Command {
	group := a.group("totp", groupPeople, "A second step for your logins",
		"With a second step, logins with your password ask for a code too, which an authenticator\napp shows. Tokens are not asked for codes. Who has lost the app uses a recovery code, or asks\nwho manages the users: mcic user update NAME --no-totp.",
		"  mcic totp create\n  mcic totp remove")
	var out format
	create := &cobra.Command{
		Use: "create", Args: noArgs,
		Short:   "Add a second step to your logins",
		Long:    "Asks for your password, shows a secret to be added to an authenticator app, as a key or by\nits address as a QR code, asks for the code that the app shows, and then shows recovery codes,\neach of which is good once in the place of a code. Keep them where your password is not.",
		Example: "  mcic totp create",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			password, err := a.askSecret(cmd.Context(), "Your password: ")
			if err != nil {
				return err
			}
			secret, err := c.PrepareTOTP(cmd.Context(), password)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.env.Stderr, "Add this to your authenticator app:\n  %s\n  %s\n", clean(secret.Secret), clean(secret.URI))
			code, err := a.askSecret(cmd.Context(), "The code that it shows: ")
			if err != nil {
				return err
			}
			return shown(a, cmd, out, func(r *api.RecoveryCodes) string { return strings.Join(r.RecoveryCodes, "\n") }, func(ctx context.Context, c *client.Client) (*api.RecoveryCodes, error) {
				return c.ConfirmTOTP(ctx, code)
			})
		},
	}
	addOutput(create, &out)
	remove := &cobra.Command{
		Use: "remove", Args: noArgs,
		Short: "Take the second step of your logins away", Example: "  mcic totp remove",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			var request api.TOTPRemoval
			if request.Password, err = a.askSecret(cmd.Context(), "Your password: "); err != nil {
				return err
			}
			if request.Code, err = a.askSecret(cmd.Context(), codePrompt); err != nil {
				return err
			}
			if err := c.RemoveTOTP(cmd.Context(), request); err != nil {
				return err
			}
			return a.write("your logins have no second step any more\n")
		},
	}
	group.AddCommand(create, remove)
	return group
}
