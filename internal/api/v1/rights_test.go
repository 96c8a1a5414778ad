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

	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

// What somebody was answered is answered from memory to nobody else, who may see other
// things.
func TestWhatIsCachedIsOfWhoAsked(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	s := &server{Config: Config{Engine: e.Engine, Registry: e.Registry, Inventory: e.Inventory}}
	ask := func(who string) string {
		answer, err := s.cached(auth.As(t.Context(), who), func(ctx context.Context) (any, error) { return "what " + auth.Who(ctx) + " may see", nil }, "x")
		require.NoError(t, err)
		w := httptest.NewRecorder()
		answer.Body(humachi.NewContext(&huma.Operation{}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody), w))
		return w.Body.String()
	}
	for range 2 {
		for _, who := range []string{"a", "b"} {
			assert.Equal(t, `"what `+who+` may see"`+"\n", ask(who))
		}
	}
}
