package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/mcic"
)

// caller sends requests to servers that come and go.
type caller struct {
	current func() *mcic.Server // the one to send the next request to
	http    *http.Client
}

func newCaller(current func() *mcic.Server) *caller {
	return &caller{current: current, http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
}

// answer is what came of a request.
type answer struct {
	accepted  bool
	code      resource.Code // of a refusal; "" without an answer
	detail    string        // of a refusal, or why there is no answer
	uid       string        // of the resource, of what was accepted
	operation string        // id, of what was accepted; not always told
	body      []byte
}

// unknown reports whether only the records can say if the server did it: the answer
// was lost, between client and server or between server and database.
func (a answer) unknown() bool {
	return !a.accepted && (a.code == "" || a.code == resource.CodeUnavailable)
}

// request sends one request.
func (a *caller) request(ctx context.Context, method, path, body string) answer {
	return a.requestOf(ctx, a.current(), method, path, body)
}

// requestOf sends one request to a server.
func (a *caller) requestOf(ctx context.Context, s *mcic.Server, method, path, body string) answer {
	status, raw, err := s.Do(ctx, a.http, method, path, body)
	if err != nil {
		return answer{detail: err.Error()}
	}
	var text struct {
		Code      resource.Code `json:"code"`
		Detail    string        `json:"detail"`
		Operation string        `json:"operation"`
		ID        string        `json:"id"`
		UID       string        `json:"uid"`
	}
	if err := json.Unmarshal(raw, &text); err != nil || status == http.StatusUnauthorized { // another program, on the port of a server that is gone
		return answer{detail: fmt.Sprintf("%d %s", status, raw)}
	}
	if status < http.StatusMultipleChoices {
		return answer{accepted: true, uid: text.UID, operation: text.ID, body: raw}
	}
	return answer{accepted: text.Operation != "", code: text.Code, detail: text.Detail, operation: text.Operation, body: raw}
}

// insist sends a request until it is answered.
func (a *caller) insist(ctx context.Context, method, path, body string) (answer, error) {
	for {
		got := a.request(ctx, method, path, body)
		if !got.unknown() {
			return got, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return got, fmt.Errorf("%s %s: %s: %w", method, path, got.detail, err)
		}
	}
}

// list reads a whole list.
func list[T any](ctx context.Context, a *caller, path string, filters ...string) ([]T, error) {
	path, given, _ := strings.Cut(path, "?")
	query, err := url.ParseQuery(given)
	if err != nil {
		return nil, err
	}
	query["filter"], query["pageSize"] = filters, []string{"1000"}
	var all []T
	for {
		got, err := a.insist(ctx, http.MethodGet, path+"?"+query.Encode(), "")
		if err != nil {
			return nil, err
		}
		var page struct {
			Items         []T    `json:"items"`
			NextPageToken string `json:"nextPageToken"`
		}
		if !got.accepted {
			return nil, fmt.Errorf("list %s: %s", path, got.detail)
		}
		if err := json.Unmarshal(got.body, &page); err != nil {
			return nil, fmt.Errorf("list %s: %w", path, err)
		}
		all = append(all, page.Items...)
		if page.NextPageToken == "" {
			return all, nil
		}
		query.Set("pageToken", page.NextPageToken)
	}
}

func kindPath(connection, kind string) string {
	return "/v1/connections/" + connection + "/" + kind + "s"
}

// register records the accounts as connections, and answers what VMs are made of.
func (a *caller) register(ctx context.Context, all []account) (machine, error) {
	for _, one := range all {
		settings, err := json.Marshal(one.settings)
		if err != nil {
			return machine{}, err
		}
		credential := fmt.Sprintf(`{"name":%q,"cloud":"mock","values":{"account":%q}}`, one.name, one.name)
		connection := fmt.Sprintf(`{"name":%q,"cloud":"mock","credential":%q,"region":%q,"settings":%s}`, one.name, one.name, region, settings)
		for _, request := range [][2]string{{"/v1/credentials", credential}, {"/v1/connections", connection}} {
			got, err := a.insist(ctx, http.MethodPost, request[0], request[1])
			if err != nil {
				return machine{}, err
			}
			if !got.accepted {
				return machine{}, fmt.Errorf("register %s: %s", one.name, got.detail)
			}
		}
	}
	images, err := list[resource.Image](ctx, a, "/v1/catalog/images?connection="+all[0].name)
	if err != nil {
		return machine{}, err
	}
	specs, err := list[resource.Spec](ctx, a, "/v1/catalog/specs?connection="+all[0].name)
	if err != nil {
		return machine{}, err
	}
	return machineOf(images, specs)
}

// machine is what VMs are made of.
type machine struct{ image, spec string }

func machineOf(images []resource.Image, specs []resource.Spec) (machine, error) {
	for _, image := range images {
		for _, spec := range specs {
			for _, architecture := range spec.Architectures {
				if architecture == image.Architecture && strings.Contains(image.Name, "ubuntu") {
					return machine{image.ID, spec.Name}, nil
				}
			}
		}
	}
	return machine{}, fmt.Errorf("none of %d images runs on one of %d specs", len(images), len(specs))
}
