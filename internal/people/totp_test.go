package people_test

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const password = "correct horse battery"

// noon is what the clocks of the servers say.
func noon() time.Time { return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC) }

// app is an authenticator app.
type app []byte

func (a app) code(after int) string {
	return people.CodeOf(a, noon().Unix()/30+int64(after))
}

// body encodes a request.
func body(t *testing.T, pairs map[string]string) []byte {
	t.Helper()
	raw, err := json.Marshal(pairs)
	require.NoError(t, err)
	return raw
}

// second gives a user a second step.
func second(as context.Context, t *testing.T, p *people.People) (a app, recovery []string) {
	t.Helper()
	made, err := p.PrepareTOTP(as, body(t, map[string]string{"password": password}))
	require.NoError(t, err)
	u, err := url.Parse(made.URI)
	require.NoError(t, err)
	assert.Equal(t, []string{"otpauth", "totp", "/mcic:anna", made.Secret}, []string{u.Scheme, u.Host, u.Path, u.Query().Get("secret")})
	a, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(made.Secret)
	require.NoError(t, err)
	require.NoError(t, p.CheckLogin(t.Context(), "anna", password, ""), "until it is confirmed codes are not asked for")
	_, err = p.ConfirmTOTP(as, body(t, map[string]string{"code": "nothing"}))
	require.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	codes, err := p.ConfirmTOTP(as, body(t, map[string]string{"code": a.code(-1)}))
	require.NoError(t, err)
	assert.Len(t, codes.RecoveryCodes, 10)
	return a, codes.RecoveryCodes
}

func with(t *testing.T, s *store.Store) (p *people.People, as context.Context) {
	t.Helper()
	p, _ = server(t, s)
	p.Clock(noon())
	_, err := p.CreateUser(admin(t), body(t, map[string]string{"name": "anna", "password": password}))
	require.NoError(t, err)
	return p, people.As(t.Context(), people.Who{Name: "anna", User: "anna"})
}

func TestASecondStepIsAskedForAndGoodOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		key, err := secret.NewKey()
		require.NoError(t, err)
		one, as := with(t, s)
		two, _ := server(t, s)
		two.Clock(noon())
		one.Sealer, two.Sealer = secret.NewSealer(key, nil), secret.NewSealer(key, nil)
		a, recovery := second(as, t, one)
		assert.True(t, one.Me(as).TOTP)
		row, err := s.Read().User(t.Context(), "anna")
		require.NoError(t, err)
		assert.NotContains(t, string(row.TOTP), string(a), "it is sealed")

		err = one.CheckLogin(t.Context(), "anna", password, "")
		require.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))
		require.Len(t, resource.AsError(err).Fields, 1)
		assert.Equal(t, "code", resource.AsError(err).Fields[0].Field)
		err = one.CheckLogin(t.Context(), "anna", "wrong", "")
		require.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))
		assert.Empty(t, resource.AsError(err).Fields, "who does not know the password does not learn of the second step")

		assert.Error(t, two.CheckLogin(t.Context(), "anna", password, a.code(-1)), "it was used to confirm")
		require.NoError(t, one.CheckLogin(t.Context(), "anna", password, a.code(0)[:3]+" "+a.code(0)[3:]), "as people write it")
		assert.Error(t, two.CheckLogin(t.Context(), "anna", password, a.code(0)), "once, on all servers")
		require.NoError(t, two.CheckLogin(t.Context(), "anna", password, a.code(1)), "the app's clock is ahead")
		assert.Error(t, one.CheckLogin(t.Context(), "anna", password, a.code(0)), "none from before one that was used")
		assert.Error(t, one.CheckLogin(t.Context(), "anna", password, a.code(2)))

		require.NoError(t, one.CheckLogin(t.Context(), "anna", password, recovery[3]))
		assert.Error(t, two.CheckLogin(t.Context(), "anna", password, recovery[3]), "once")
		require.NoError(t, two.CheckLogin(t.Context(), "anna", password, recovery[4]))

		_, err = one.PrepareTOTP(as, body(t, map[string]string{"password": password}))
		assert.Equal(t, resource.CodeConflict, resource.CodeOf(err))
		require.NoError(t, one.ChangePassword(as, body(t, map[string]string{"old": password, "new": password + "!"})), "who is logged in has given a code")
		assert.Error(t, one.RemoveTOTP(as, body(t, map[string]string{"password": password + "!", "code": "123"})))
		require.NoError(t, one.RemoveTOTP(as, body(t, map[string]string{"password": password + "!", "code": recovery[5]})))
		require.NoError(t, two.CheckLogin(t.Context(), "anna", password+"!", ""))
		assert.False(t, one.Me(as).TOTP)
	})
}

func TestAWrongCodeIsAWrongPassword(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	p, as := with(t, s)
	key, err := secret.NewKey()
	require.NoError(t, err)
	p.Sealer = secret.NewSealer(key, nil)
	a, recovery := second(as, t, p)
	for range 4 {
		require.Error(t, p.CheckLogin(t.Context(), "anna", password, "000000"))
		require.ErrorContains(t, p.CheckLogin(t.Context(), "anna", password, ""), "code: ", "which counts for nothing, and takes nothing back")
	}
	require.Error(t, p.CheckLogin(t.Context(), "anna", password, "000000"))
	assert.ErrorContains(t, p.CheckLogin(t.Context(), "anna", password, a.code(0)), "locked")
	user, err := p.User(t.Context(), "anna")
	require.NoError(t, err)
	assert.NotNil(t, user.LockedUntil)
	assert.True(t, user.TOTP)

	// Who manages the users helps who has lost the app and the codes.
	_, err = p.UpdateUser(admin(t), "anna", []byte(`{"totp":true}`))
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	user, err = p.UpdateUser(admin(t), "anna", []byte(`{"totp":false,"unlock":true}`))
	require.NoError(t, err)
	assert.False(t, user.TOTP)
	require.NoError(t, p.CheckLogin(t.Context(), "anna", password, ""))
	second(as, t, p)
	assert.Error(t, p.CheckLogin(t.Context(), "anna", password, recovery[0]), "codes of before are none any more")
	require.NoError(t, p.DeleteUser(admin(t), "anna"))

	_, err = p.PrepareTOTP(admin(t), body(t, map[string]string{"password": password}))
	assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	var details []string
	rows, _, err := s.Read().ListAudit(t.Context(), store.Query{Limit: 100, Sort: "id"})
	require.NoError(t, err)
	for _, r := range rows {
		details = append(details, r.Detail)
	}
	for _, said := range []string{"turned the second step on", "the right password, without the code of the second step", "wrong code, or one that was used before", "removed the second step"} {
		assert.Contains(t, details, said)
	}
}
