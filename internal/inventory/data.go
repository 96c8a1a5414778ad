package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// What resources hold, such as the objects of a bucket, is recorded nowhere. Of what is
// changed there the audit trail says that it was, and by whom.

// Data makes a data call for a resource, once. params are as the user sent them.
func (inv *Inventory) Data(ctx context.Context, connection, kind, name, verb string, params json.RawMessage) (json.RawMessage, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	call, err := k.DataCall(verb)
	if err != nil {
		return nil, err
	}
	if call.Signs() {
		return inv.link(ctx, connection, kind, name, call, params)
	}
	if params, err = call.ParseParams(params); err != nil {
		return nil, err
	}
	ctx, c, id, err := inv.reach(ctx, connection, kind, name, call.Name)
	if err != nil {
		return nil, err
	}
	given, err := call.MapRefs(params, func(ref resource.Ref) (string, error) { return inv.CloudID(ctx, connection, ref) })
	if err != nil {
		return nil, err
	}
	answer, err := inv.registry.SessionOf(c).Data(ctx, kind, id, call.Name, given)
	inv.noteData(ctx, connection, kind, name, call, params, err)
	if err != nil {
		return nil, fmt.Errorf("%s of the %s %s: %w", call.Name, kind, name, err)
	}
	return answer, nil
}

// link has a request signed for a user, which must do nothing that was not asked for.
func (inv *Inventory) link(ctx context.Context, connection, kind, name string, call *resource.DataCall, params json.RawMessage) (json.RawMessage, error) {
	fields := map[string]any{}
	if err := resource.Decode(params, &fields); err != nil {
		return nil, err
	}
	fields["link"] = true
	params, err := json.Marshal(fields)
	if err == nil {
		params, err = call.ParseParams(params)
	}
	if err != nil {
		return nil, err
	}
	var r resource.SignRequest
	if err := json.Unmarshal(params, &r); err != nil {
		return nil, resource.Errorf(resource.CodeInvalid, "decode a request to sign: %w", err)
	}
	ctx, c, id, err := inv.reach(ctx, connection, kind, name, call.Name)
	if err != nil {
		return nil, err
	}
	s, err := inv.registry.SessionOf(c).Sign(ctx, kind, id, r)
	inv.noteData(ctx, connection, kind, name, call, params, err)
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
func (inv *Inventory) Content(ctx context.Context, connection, kind, name string, r resource.SignRequest, body io.Reader) (*Content, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	call := k.Signing()
	if call == nil {
		return nil, resource.Errorf(resource.CodeUnsupported, "a %s holds nothing by keys", kind)
	}
	if r, err = resource.ParseSign(r); err != nil {
		return nil, err
	}
	ctx, c, id, err := inv.reach(ctx, connection, kind, name, call.Name)
	if err != nil {
		return nil, err
	}
	response, s, err := inv.registry.Send(ctx, c, kind, id, r, body) //nolint:bodyclose // its caller closes it
	if r.Do != resource.SignGet {
		inv.registry.NoteCall(ctx, connection, kind, name, r.Do+" "+r.Key, err)
	}
	if err != nil {
		err = fmt.Errorf("of the %s %s: %w", kind, name, err)
	}
	return &Content{response, s}, err
}

// noteData writes into the audit trail what was changed of what a resource holds, and what
// of it: keys, but no data.
func (inv *Inventory) noteData(ctx context.Context, connection, kind, name string, call *resource.DataCall, params json.RawMessage, failure error) {
	if call.Method == http.MethodGet {
		return
	}
	inv.registry.NoteCall(ctx, connection, kind, name, strings.TrimSpace(call.Name+" "+call.About(params)), failure)
}
