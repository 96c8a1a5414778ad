package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const vpcsOfSlow = "/v1/connections/slow/vpcs"

// ask sends a request and answers its status, and what it says if it is a problem.
func (w *world) ask(method, path, body string) (int, resource.Code) {
	w.t.Helper()
	status, raw, err := w.Do(w.t.Context(), &http.Client{Timeout: time.Minute}, method, path, body)
	require.NoError(w.t, err)
	var problem struct {
		Code resource.Code `json:"code"`
	}
	_ = json.Unmarshal(raw, &problem) // not everything is JSON
	return status, problem.Code
}

func TestADatabaseThatIsGoneForAMinute(t *testing.T) {
	t.Parallel() // most of the time is spent waiting
	database := storetest.PostgresServer(t)
	w := newWorld(t, "--dev", "--database-url", database.URL)
	w.do("connection create slow --cloud mock --region mock-seoul --setting latency=3s")
	w.do("vpc create before -c slow --cidr 10.0.0.0/16")
	database.Crash()

	const away = time.Minute // three times a lease
	asked := 0
	for gone, tick := time.Now(), time.NewTicker(time.Second); time.Since(gone) < away; asked++ {
		began := time.Now()
		status, code := w.ask(http.MethodPost, vpcsOfSlow, `{"name":"during","spec":{"cidr":"10.1.0.0/16"}}`)
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Equal(t, resource.CodeUnavailable, code)
		status, code = w.ask(http.MethodGet, vpcsOfSlow, "")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Equal(t, resource.CodeUnavailable, code)
		status, _ = w.ask(http.MethodGet, "/readyz", "")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		status, _ = w.ask(http.MethodGet, "/healthz", "")
		assert.Equal(t, http.StatusOK, status)
		assert.Less(t, time.Since(began), 5*time.Second, "who asks is told at once")
		<-tick.C
	}
	require.NotZero(t, asked)

	require.NoError(t, database.Start(t.Context()))
	require.Eventually(t, func() bool {
		status, _ := w.ask(http.MethodGet, "/readyz", "")
		return status == http.StatusOK
	}, 30*time.Second, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		return read[resource.Resource](w, "vpc get before -c slow").State == resource.StateAvailable
	}, time.Minute, 200*time.Millisecond, "the work goes on by itself")
	w.fails(3, "vpc get during -c slow")
	w.do("vpc create after -c slow --cidr 10.2.0.0/16 --wait")
	assert.Len(t, read[[]api.InventoryItem](w, "connection inventory slow"), 2, "nothing else is on the cloud")
}
