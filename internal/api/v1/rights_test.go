package v1

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// What somebody was answered is answered from memory to nobody else who sees other things.
func TestWhatIsCachedIsOfWhoSeesIt(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	s := &server{Config: Config{Engine: e.Engine, Registry: e.Registry, Inventory: e.Inventory}}
	built := 0
	ask := func(sees *store.Sees) string {
		ctx := store.WithSees(t.Context(), sees)
		answer, err := s.cached(ctx, func(ctx context.Context) ([]byte, error) { built++; return []byte("seen by " + seen(ctx).Key()), nil }, "x")
		require.NoError(t, err)
		w := httptest.NewRecorder()
		answer.Body(humachi.NewContext(&huma.Operation{}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody), w))
		return w.Body.String()
	}
	some := func(connection string) *store.Sees {
		return &store.Sees{Any: []store.Part{{Connections: []string{connection}}}}
	}
	answers := map[string]bool{}
	for range 2 {
		for _, sees := range []*store.Sees{nil, {}, some("a"), some("b")} {
			answers[ask(sees)] = true
		}
	}
	assert.Len(t, answers, 4)
	assert.Equal(t, 4, built, "who sees the same is answered the same")
}
