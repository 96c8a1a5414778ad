package mock

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const nativeDoc = "The one service is `mock`. `GET /vms` lists what the cloud keeps of a kind, by its plural, and `GET /vms/vm-0123…` answers one; `POST /echo` answers the body that it is sent."

// Native implements driver.Native.
func (s *session) Native(ctx context.Context, r driver.NativeRequest) (driver.NativeResponse, error) {
	if err := s.callRegion(ctx); err != nil {
		return driver.NativeResponse{}, err
	}
	if r.Service != "mock" {
		return driver.NativeResponse{}, refuseField("service", "UnknownService", "there is no service %.64q; the only one is mock", r.Service)
	}
	status, body := s.answer(cmp.Or(r.Method, http.MethodGet), cmp.Or(r.Path, "/"), r.Body)
	return driver.NativeResponse{
		Status: status, Headers: map[string]string{"Content-Type": "application/json", "X-Request-Id": "req-" + rand.Text()}, Body: body,
	}, nil
}

// answer is the status and body of the cloud's own API.
func (s *session) answer(method, path, body string) (int, string) {
	write := func(status int, v any) (int, string) {
		raw, err := json.Marshal(v)
		if err != nil {
			return http.StatusInternalServerError, `{"error":"InternalError"}`
		}
		return status, string(raw)
	}
	if path == "/echo" && method == http.MethodPost {
		return http.StatusOK, body
	}
	plural, id, one := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	i := slices.IndexFunc(resource.Kinds(), func(k *resource.Kind) bool { return k.Plural() == plural })
	switch {
	case i < 0:
		return write(http.StatusNotFound, map[string]string{"error": "NoSuchPath"})
	case method != http.MethodGet && method != http.MethodHead:
		return write(http.StatusMethodNotAllowed, map[string]string{"error": "MethodNotAllowed"})
	}
	s.cloud.catchUp()
	s.cloud.mu.RLock()
	defer s.cloud.mu.RUnlock()
	live := map[string]*object{}
	if shelf := s.cloud.shelves[s.shelfOf(resource.Kinds()[i].Name)]; shelf != nil {
		live = shelf.live
	}
	if !one {
		found := []*object{}
		for _, id := range slices.Sorted(maps.Keys(live)) {
			found = append(found, live[id])
		}
		return write(http.StatusOK, map[string]any{plural: found})
	}
	if o := live[id]; o != nil {
		return write(http.StatusOK, o)
	}
	return write(http.StatusNotFound, map[string]string{"error": "NoSuchObject"})
}
