package driver

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// dataOf are the data calls that collections of a type offer.
func dataOf(kind *resource.Kind, abilities reflect.Type) []string {
	var names []string
	for _, c := range kind.Data {
		if c.Offered(abilities) {
			names = append(names, c.Name)
		}
	}
	return names
}

// dataCall answers a collection with a data call that it offers.
func (s *session) dataCall(kind, call string) (*resource.DataCall, any, error) {
	o, collection, err := s.collection(kind)
	if err != nil {
		return nil, nil, err
	}
	c, err := o.kind.DataCall(call)
	if err == nil && !c.Offered(o.abilities) {
		err = resource.Errorf(resource.CodeUnsupported, "this driver does not offer %q for a %s", call, kind)
	}
	return c, collection, err
}

func (s *session) Data(ctx context.Context, kind, id, call string, params json.RawMessage) (json.RawMessage, error) {
	c, collection, err := s.dataCall(kind, call)
	if err == nil && c.Signs() {
		err = resource.Errorf(resource.CodeUnsupported, "%q is asked for by Sign", call)
	}
	if err == nil {
		params, err = c.ParseParams(params)
	}
	if err != nil {
		return nil, err
	}
	answer, err := c.Call(ctx, collection, id, params)
	if err != nil {
		return nil, err
	}
	return encode(answer)
}

func (s *server) Data(ctx context.Context, r *driverv1.DataRequest) (*driverv1.DataResponse, error) {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return nil, err
	}
	raw, err := opened.Data(WithToken(ctx, r.GetToken()), r.GetKind(), r.GetId(), r.GetCall(), r.GetParams())
	if err != nil {
		return nil, err
	}
	answer, failures, err := answerOf(r.GetKind(), r.GetCall(), r.GetParams(), raw)
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "the answer to %s is none; this is a defect of the driver: %w", r.GetCall(), err)
	}
	if len(failures) > 0 {
		for _, e := range failures {
			*e = *resource.AsError(redacted(e, s.secrets))
		}
		raw, err = encode(answer)
	}
	return &driverv1.DataResponse{Answer: raw}, err
}

func (s *remoteSession) Data(ctx context.Context, kind, id, call string, params json.RawMessage) (json.RawMessage, error) {
	answer, err := s.rpc.Data(ctx, &driverv1.DataRequest{Session: s.id, Kind: kind, Id: id, Call: call, Params: params, Token: tokenIn(ctx)})
	if err != nil {
		return nil, fromStatus(err)
	}
	return reread("answer to "+call, answer.GetAnswer(), func(raw json.RawMessage) (any, error) {
		read, failures, err := answerOf(kind, call, params, raw)
		for _, e := range failures {
			if err == nil && !slices.Contains(resource.Codes(), e.Code) {
				err = fmt.Errorf("%.64q is not an error code", e.Code)
			}
		}
		return read, err
	})
}

// answerOf reads the answer to a call, with the errors of what failed of it.
func answerOf(kind, call string, params, raw json.RawMessage) (answer any, failures []*resource.Error, err error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, nil, err
	}
	c, err := k.DataCall(call)
	if err != nil {
		return nil, nil, err
	}
	answer, err = c.Answered(params, raw)
	if b, ok := answer.(resource.Batch); ok {
		failures = b.Failures()
	}
	return answer, failures, err
}
