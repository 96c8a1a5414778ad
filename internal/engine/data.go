package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What resources hold, such as the objects of a bucket, is recorded nowhere. Of what is
// changed there the audit trail says that it was, and by whom.

// Data makes a data call for a resource, once. params are as the user sent them.
func (e *Engine) Data(ctx context.Context, connection, kind, name, call string, params json.RawMessage) (json.RawMessage, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	c, err := k.DataCall(call)
	if err != nil {
		return nil, err
	}
	if c.Signs() {
		return e.link(ctx, connection, kind, name, c, params)
	}
	if params, err = c.ParseParams(params); err != nil {
		return nil, err
	}
	ctx, session, _, id, err := e.holding(ctx, connection, kind, name, call)
	if err != nil {
		return nil, err
	}
	given, err := c.MapRefs(params, func(ref resource.Ref) (string, error) { return e.named(ctx, connection, ref) })
	if err != nil {
		return nil, err
	}
	answer, err := session.Data(ctx, kind, id, call, given)
	e.noteData(ctx, connection, kind, name, c, params, err)
	if err != nil {
		return nil, fmt.Errorf("%s of the %s %s: %w", call, kind, name, err)
	}
	return answer, nil
}

// link has a request signed for a user, which must do nothing that was not asked for.
func (e *Engine) link(ctx context.Context, connection, kind, name string, c *resource.DataCall, params json.RawMessage) (json.RawMessage, error) {
	fields := map[string]any{}
	if err := resource.Decode(params, &fields); err != nil {
		return nil, err
	}
	fields["link"] = true
	params, err := json.Marshal(fields)
	if err == nil {
		params, err = c.ParseParams(params)
	}
	if err != nil {
		return nil, err
	}
	var r resource.SignRequest
	if err := json.Unmarshal(params, &r); err != nil {
		return nil, resource.Errorf(resource.CodeInvalid, "decode a request to sign: %w", err)
	}
	ctx, session, _, id, err := e.holding(ctx, connection, kind, name, c.Name)
	if err != nil {
		return nil, err
	}
	s, err := session.Sign(ctx, kind, id, r)
	e.noteData(ctx, connection, kind, name, c, params, err)
	if err != nil {
		return nil, fmt.Errorf("sign a request for the %s %s: %w", kind, name, err)
	}
	return json.Marshal(s)
}

// Content is data of a resource that a cloud answers.
type Content struct {
	*http.Response

	Signed resource.SignedRequest // says what the headers mean
}

// Content reads, or writes from body, what a resource holds under a key. Its data goes
// between here and the cloud as it comes. Beside an error there may be an answer, without a
// body, for its status.
func (e *Engine) Content(ctx context.Context, connection, kind, name string, r resource.SignRequest, body io.Reader) (*Content, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	c := k.Signing()
	if c == nil {
		return nil, resource.Errorf(resource.CodeUnsupported, "a %s holds nothing by keys", kind)
	}
	if r, err = resource.ParseSign(r); err != nil {
		return nil, err
	}
	ctx, _, target, id, err := e.holding(ctx, connection, kind, name, c.Name)
	if err != nil {
		return nil, err
	}
	size := int64(0)
	if r.Size != nil {
		size = *r.Size
	}
	response, s, err := e.host.Send(ctx, target, kind, id, r, body, size) //nolint:bodyclose // its caller closes it
	if r.Do != resource.SignGet {
		e.noteCall(ctx, connection, kind, name, r.Do+" "+r.Key, err)
	}
	if err != nil {
		err = fmt.Errorf("of the %s %s: %w", kind, name, err)
	}
	return &Content{response, s}, err
}

// holding is what a call for the data of a resource needs: it must be there and its
// connection must offer the call. The context says which object is meant.
func (e *Engine) holding(ctx context.Context, connection, kind, name, call string) (with context.Context, s driver.Session, t host.Target, id string, err error) {
	row, err := e.store.Read().Resource(ctx, connection, kind, name)
	if err != nil {
		return ctx, nil, t, "", e.orNoConnection(ctx, connection, err)
	}
	c, err := e.offers(ctx, connection, kind, call)
	if err != nil {
		return ctx, nil, t, "", err
	}
	if row.CloudID == "" {
		return ctx, nil, t, "", resource.Errorf(resource.CodeConflict, "the %s %s does not exist on the cloud: it is %s", kind, name, row.State)
	}
	target := e.target(c)
	return driver.WithToken(ctx, row.Token()), e.host.Session(target), target, row.CloudID, nil
}

// noteData writes into the audit trail what was changed of what a resource holds, and what
// of it: keys, but no data.
func (e *Engine) noteData(ctx context.Context, connection, kind, name string, c *resource.DataCall, params json.RawMessage, failure error) {
	if c.Method == http.MethodGet {
		return
	}
	e.noteCall(ctx, connection, kind, name, strings.TrimSpace(c.Name+" "+c.About(params)), failure)
}
