package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/test/schemathesis"
)

// TestAnswersAreAsDescribed has a tool ask for everything that the API's description says,
// and for what it does not say, about one resource of every kind, with each built-in role.
func TestAnswersAreAsDescribed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	tool, err := schemathesis.Setup(t.Context(), t.TempDir())
	if err != nil && os.Getenv(schemathesis.EnvRequire) == "" {
		t.Skipf("SKIPPED, nothing was tested: set up Schemathesis: %v", err)
	}
	require.NoError(t, err)
	w := newWorld(t, "--dev")
	oneOfEveryKind(w)
	// Whoever may only read changes nothing, however he asks.
	for _, role := range []string{people.RoleViewer, people.RoleAuditor, people.RoleOperator} {
		w.do("user create %s", role)
		w.do("grant create --user %[1]s --role %[1]s", role)
		token := read[api.IssuedToken](w, "token create asks --user "+role).Token
		before := w.recorded()
		out, err := tool.Run(t.Context(), w.Address, token, 20*time.Second, 1)
		require.NoError(t, err, "as %s: %s", role, schemathesis.Said(out))
		if role != people.RoleOperator {
			require.Equal(t, before, w.recorded(), "as %s", role)
		}
	}
	out, err := tool.Run(t.Context(), w.Address, w.Token, time.Minute, 1)
	require.NoError(t, err, schemathesis.Said(out))
}

// recorded is everything that somebody could have changed: operations, and what is set up.
func (w *world) recorded() string {
	w.t.Helper()
	var all strings.Builder
	for _, list := range []string{"operation list --limit 1", "credential list", "connection list", "repository list", "user list", "role list", "grant list"} {
		all.WriteString(w.do(list + " -o name"))
	}
	return all.String()
}
