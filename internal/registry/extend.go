package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What goes to a driver as it is: what only one cloud has. Of it only the audit trail
// says that it was called, and by whom.

// Capabilities answers what a connection offers: what its driver does, without what
// the cloud lacks there, with the reasons. The cloud is asked when no session is open.
func (r *Registry) Capabilities(ctx context.Context, connection string) (*driver.Capabilities, error) {
	session, c, err := r.Session(ctx, connection)
	if err != nil {
		return nil, err
	}
	d, err := r.host.Describe(ctx, c.Cloud)
	if err != nil {
		return nil, err
	}
	place, err := session.Place(ctx)
	if err != nil {
		return nil, fmt.Errorf("find out what %s lacks: %w", connection, err)
	}
	return d.Without(place.Lacks), nil
}

// Permissions answers which permissions a connection's credential has and lacks.
func (r *Registry) Permissions(ctx context.Context, connection string) ([]driver.Permission, error) {
	session, _, err := r.Session(ctx, connection)
	if err != nil {
		return nil, err
	}
	permissions, err := session.Permissions(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask what the credential of %s may do: %w", connection, err)
	}
	return permissions, nil
}

// Extend runs an operation that only the connection's driver has. body is its input
// as the user sent it.
func (r *Registry) Extend(ctx context.Context, connection, extension string, body []byte) (json.RawMessage, error) {
	if err := resource.Decode(body, &map[string]any{}); err != nil { // fields and limits are the driver's to check
		return nil, err
	}
	session, c, err := r.Session(ctx, connection)
	if err != nil {
		return nil, err
	}
	d, err := r.host.Describe(ctx, c.Cloud)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(d.Extensions, func(o driver.ExtensionOffer) bool { return o.Name == extension }) {
		names := strings.Join(store.Convert(d.Extensions, func(o *driver.ExtensionOffer) string { return o.Name }), ", ")
		if names == "" {
			names = "none"
		}
		return nil, resource.Errorf(resource.CodeNotFound, "the driver %s has no extension %.64q; it has: %s", c.Cloud, extension, names)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	output, err := session.Extend(ctx, extension, body)
	r.NoteCall(ctx, connection, auditExtension, extension, "", err)
	if err != nil {
		return nil, fmt.Errorf("run the extension %s of %s: %w", extension, c.Cloud, err)
	}
	return output, nil
}

// Native passes a request to the cloud's own API. body is a driver.NativeRequest as
// the user sent it. What the cloud answers is no error, whatever its status.
func (r *Registry) Native(ctx context.Context, connection string, body []byte) (*driver.NativeResponse, error) {
	var request driver.NativeRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	session, c, err := r.Session(ctx, connection)
	if err != nil {
		return nil, err
	}
	d, err := r.host.Describe(ctx, c.Cloud)
	if err != nil {
		return nil, err
	}
	if d.Native == "" {
		return nil, resource.Errorf(resource.CodeUnsupported, "the driver %s does not pass requests to the cloud's own API", c.Cloud)
	}
	response, err := session.Native(ctx, request)
	called := cmp.Or(request.Method, http.MethodGet) + " " + cmp.Or(request.Path, "/")
	if err == nil {
		called += ": " + strconv.Itoa(response.Status)
	}
	r.NoteCall(ctx, connection, auditNative, request.Service, called, err)
	if err != nil {
		return nil, fmt.Errorf("pass a request to the service %.64q of %s: %w", request.Service, c.Cloud, err)
	}
	return &response, nil
}
