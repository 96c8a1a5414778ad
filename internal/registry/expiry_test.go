package registry_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/registry"
)

func TestTheEndOfACredentialIsWarnedOfOnceADay(t *testing.T) {
	e := enginetest.Start(t, enginetest.Options{})
	now := time.Now()
	day := 24 * time.Hour
	for name, left := range map[string]time.Duration{"late": 15*day + time.Hour, "soon": 13 * day, "over": -day} {
		_, err := e.CreateCredential(t.Context(), fmt.Appendf(nil, `{"name":%q,"cloud":"mock","values":{"account":"a"},"expiresAt":%q}`, name, now.Add(left).Format(time.RFC3339)))
		require.NoError(t, err)
	}
	_, err := e.CreateCredential(t.Context(), []byte(`{"name":"never","cloud":"mock","values":{"account":"a"}}`))
	require.NoError(t, err)
	_, err = e.CreateConnection(t.Context(), []byte(`{"name":"user","cloud":"mock","credential":"soon","region":"mock-seoul"}`), true)
	require.NoError(t, err)
	shown := map[string]api.Expiry{}
	all, err := e.Credentials(t.Context())
	require.NoError(t, err)
	for _, c := range all {
		shown[c.Name] = c.Expiry
	}
	assert.Equal(t, map[string]api.Expiry{"late": "", "soon": api.ExpirySoon, "over": api.ExpiryOver, "never": ""}, shown)

	var log bytes.Buffer
	warn := registry.New(registry.Config{Store: e.Store, Host: e.Host, Sealer: e.Sealer, Events: e.Bus, Logger: slog.New(slog.NewTextHandler(&log, nil))}).Warner()
	warned := func(after time.Duration) (names []string) {
		t.Helper()
		log.Reset()
		require.NoError(t, warn(t.Context(), now.Add(after)))
		for _, name := range []string{"late", "soon", "over", "never"} {
			if n := strings.Count(log.String(), "credential="+name+" "); n > 0 {
				require.Equal(t, 1, n)
				names = append(names, name)
			}
		}
		return names
	}
	assert.Equal(t, []string{"soon", "over"}, warned(0))
	assert.Contains(t, log.String(), "connections=user", "who is concerned")
	assert.Empty(t, warned(time.Hour))
	assert.Empty(t, warned(day-time.Minute))
	assert.Equal(t, []string{"soon", "over"}, warned(day+time.Minute))
	assert.Equal(t, []string{"late"}, warned(day+2*time.Hour), "once it is soon")
	assert.Empty(t, warned(day+3*time.Hour))
}
