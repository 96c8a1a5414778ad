package auth_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
)

func TestPasswordLetsOnlyItsOwnerIn(t *testing.T) {
	request := func(user, password string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		require.NoError(t, err)
		r.SetBasicAuth(user, password)
		return r
	}
	p, err := auth.NewPassword("admin", "open sesame")
	require.NoError(t, err)
	assert.True(t, p.Allows(request("admin", "open sesame")))
	for _, wrong := range [][2]string{{"admin", ""}, {"", "open sesame"}, {"open sesame", "admin"}, {"Admin", "open sesame"}, {"", ""}} {
		assert.False(t, p.Allows(request(wrong[0], wrong[1])), wrong)
	}
	r := request("admin", "open sesame")
	r.Header.Set("Authorization", "Bearer open sesame")
	assert.False(t, p.Allows(r))

	nobody, err := auth.NewPassword("", "")
	require.NoError(t, err)
	assert.False(t, nobody.Allows(request("", "")), "without a password nobody gets in")
	_, err = auth.NewPassword("admin", "")
	require.Error(t, err)
	_, err = auth.NewPassword("", "open sesame")
	require.Error(t, err)
}
