package cli

import (
	"context"
	"encoding/json"

	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// checked shows whether something could be created.
func (a *app) checked(ctx context.Context, c *client.Client, k *resource.Kind, connection string, body json.RawMessage, spec *structFlags, out format) error {
	check, err := c.CheckCreation(ctx, k.Name, connection, body)
	if err != nil {
		return &fieldError{err, spec.name}
	}
	a.warn(check.Warnings)
	return a.printObject(out, check, k.Name, func() error {
		text := "nothing was created; nothing is wrong with it, here and on the cloud"
		if !check.Cloud {
			text = "nothing was created; nothing is wrong with it here, but the cloud was not asked: " + check.Reason
		}
		return a.write(clean(text) + "\n")
	})
}
