package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/test/schemathesis"
)

// TestAnswersAreAsDescribed has a tool ask for everything that the API's description says,
// and for what it does not say, about one resource of every kind.
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
	out, err := tool.Run(t.Context(), w.Address, w.Token, time.Minute, 1)
	require.NoError(t, err, "%s\n%s", out, w.Output())
}
