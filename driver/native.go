package driver

import (
	"context"
	"encoding/json"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Native is implemented by sessions that pass requests to the cloud's own API.
type Native interface {
	Native(ctx context.Context, r NativeRequest) (NativeResponse, error)
}

// NativeRequest is a request to the cloud's own API. The driver's description says
// how services and paths are written.
type NativeRequest struct {
	Service string              `json:"service" doc:"Service of the cloud, such as ec2 on AWS." minLength:"1" maxLength:"128"`
	Method  string              `json:"method,omitempty" doc:"HTTP method. Default: GET." enum:"GET,HEAD,POST,PUT,PATCH,DELETE"`
	Path    string              `json:"path,omitempty" doc:"Path below the service's address, such as /v2.1/servers. Default: /." maxLength:"4096"`
	Query   map[string][]string `json:"query,omitempty" doc:"Query parameters." maxProperties:"100"`
	Headers map[string]string   `json:"headers,omitempty" doc:"Headers beside those of the signature." maxProperties:"100"`
	Body    string              `json:"body,omitempty" doc:"Body as text." maxLength:"1048576"`
}

// NativeResponse is what the cloud answered, whatever its status.
type NativeResponse struct {
	Status  int               `json:"status" doc:"HTTP status."`
	Headers map[string]string `json:"headers,omitempty" doc:"Headers of the answer; values of the same name are joined with commas."`
	Body    string            `json:"body,omitempty" doc:"Body as text, or in base64 if it is none."`
	Base64  bool              `json:"base64,omitempty" doc:"Whether the body is in base64."`
}

func (s *session) Native(ctx context.Context, r NativeRequest) (NativeResponse, error) {
	n, ok := s.own.(Native)
	if !ok {
		return NativeResponse{}, resource.Errorf(resource.CodeUnsupported, "the driver %s does not pass requests to the cloud's own API", s.driver.description.Name)
	}
	return n.Native(ctx, r)
}

// Sparse shows a structure of an SDK under its own names, as the Native of an object, without
// the many fields that are not set.
type Sparse struct{ Shown any }

// MarshalJSON implements json.Marshaler.
func (s Sparse) MarshalJSON() ([]byte, error) {
	raw, err := json.Marshal(s.Shown)
	if err != nil {
		return nil, err
	}
	var fields any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	return json.Marshal(prune(fields))
}

func prune(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, field := range v {
			if field = prune(field); field == nil || field == "" {
				delete(v, key)
			} else {
				v[key] = field
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return value
}
