package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
)

func noted(t *testing.T, s *store.Store, from, to int) {
	t.Helper()
	ctx := auth.From(t.Context(), "192.0.2.7")
	require.NoError(t, s.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		for i := from; i < to; i++ {
			if err := q.Note(ctx, store.Audit{Who: "kim", Verb: "create", Kind: "vm", Name: fmt.Sprint("vm", i), Detail: "a < b & c\nü"}, nil); err != nil {
				return err
			}
		}
		return nil
	}))
}

func proof(t *testing.T, s *store.Store) *api.AuditProof {
	t.Helper()
	p, err := s.VerifyAudit(t.Context())
	require.NoError(t, err)
	return p
}

func TestTheAuditTrailIsSealed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		assert.True(t, proof(t, s).Holds, "nothing is as it was")
		noted(t, s, 0, 600)
		p := proof(t, s)
		assert.Equal(t, api.AuditProof{Holds: true, First: 1, Open: 600}, *p)
		require.NoError(t, s.SealAudit(t.Context()))
		p = proof(t, s)
		assert.True(t, p.Holds, p.Broken)
		assert.Equal(t, int64(600), p.Last)
		assert.Zero(t, p.Open)
		assert.Len(t, p.Seal, 64)
		rows, _, err := s.Read().ListAudit(t.Context(), store.Query{Limit: 1})
		require.NoError(t, err)
		assert.Equal(t, p.Seal, rows[0].Seal)
		assert.Equal(t, "192.0.2.7", rows[0].Address)

		for what, change := range map[string]struct{ do, undo, says string }{
			"a word":             {"UPDATE audit SET who = 'lee' WHERE seq = 7", "UPDATE audit SET who = 'kim' WHERE seq = 7", "number 7 "},
			"an address":         {"UPDATE audit SET address = '' WHERE seq = 600", "UPDATE audit SET address = '192.0.2.7' WHERE seq = 600", "number 600 "},
			"a seal":             {"UPDATE audit SET seal = 'x' || seal WHERE seq = 8", "UPDATE audit SET seal = substr(seal, 2) WHERE seq = 8", "number 8 "},
			"one that is hidden": {"UPDATE audit SET seq = 0 WHERE seq = 9", "UPDATE audit SET seq = 9 WHERE seq = 0", "number 9 is missing"},
			"the end":            {"UPDATE audit SET seq = -seq WHERE seq > 500", "UPDATE audit SET seq = -seq WHERE seq < 0", "from number 501 on are missing"},
			"the newest":         {"UPDATE audit_chain SET last = last - 1", "UPDATE audit_chain SET last = last + 1", "the newest"},
			"the beginning":      {"UPDATE audit_chain SET anchor = 'x'", "UPDATE audit_chain SET anchor = ''", "number 1 "},
		} {
			require.NoError(t, s.Exec(t.Context(), change.do), what)
			p = proof(t, s)
			assert.False(t, p.Holds, what)
			assert.Contains(t, p.Broken, change.says, what)
			require.NoError(t, s.Exec(t.Context(), change.undo), what)
			assert.True(t, proof(t, s).Holds, what)
		}
	})
}

// A seal is what docs/security.md says, so that it can be verified without the server and
// with every later version.
func TestASealIsWhatOthersMakeOfAnEntry(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	noted(t, s, 0, 2)
	used := auth.With(t.Context(), auth.UsedToken{ID: "0190", Name: "ci"})
	require.NoError(t, s.Update(used, func(ctx context.Context, q *store.Queries) error {
		return q.Note(ctx, store.Audit{Who: "kim", Verb: "delete", Kind: "vm", Name: "vm2"}, nil)
	}))
	require.NoError(t, s.SealAudit(t.Context()))
	rows, _, err := s.Read().ListAudit(t.Context(), store.Query{Sort: "seq", Limit: 3})
	require.NoError(t, err)
	before := ""
	for i, row := range rows {
		text := fmt.Sprintf(`%s
[%d,"%s",%d,"kim","192.0.2.7","create","vm","","vm%d","","","","ok","a < b & c\nü"]`, before, i+1, row.ID, row.At, i)
		if i == 2 {
			text = fmt.Sprintf(`%s
[3,"%s",%d,"kim","","delete","vm","","vm2","","","","ok","","0190","ci"]`, before, row.ID, row.At)
		}
		sum := sha256.Sum256([]byte(text))
		before = hex.EncodeToString(sum[:])
		assert.Equal(t, before, row.Seal)
	}
	assert.Len(t, rows, 3)
	require.NoError(t, s.Exec(t.Context(), "UPDATE audit SET token = '', token_name = '' WHERE seq = 3"))
	assert.Contains(t, proof(t, s).Broken, "number 3 ", "the token is part of what is sealed")
}

func TestServersSealTogether(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		var group errgroup.Group
		for i := range 4 {
			group.Go(func() error {
				for n := range 20 {
					noted(t, s, i*20+n, i*20+n+1)
					if err := s.SealAudit(t.Context()); err != nil {
						return err
					}
				}
				return nil
			})
		}
		require.NoError(t, group.Wait())
		require.NoError(t, s.SealAudit(t.Context()))
		p := proof(t, s)
		assert.True(t, p.Holds, p.Broken)
		assert.Equal(t, int64(80), p.Last)
		assert.Zero(t, p.Open)
	})
}

func TestWhatStaysOfTheAuditTrailStillHolds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		forget := func() {
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
				return q.ForgetAudit(ctx, store.MicrosOf(time.Now().Add(-time.Hour)))
			}))
		}
		noted(t, s, 0, 10)
		require.NoError(t, s.Exec(t.Context(), "UPDATE audit SET at = 1 WHERE name IN ('vm0', 'vm1', 'vm2', 'vm5')"))
		forget()
		assert.Equal(t, 10, proof(t, s).Open, "what is not sealed yet stays")
		require.NoError(t, s.SealAudit(t.Context()))
		forget()
		p := proof(t, s)
		assert.True(t, p.Holds, p.Broken)
		assert.Equal(t, int64(4), p.First, "only from the beginning on")
		noted(t, s, 10, 11)
		require.NoError(t, s.SealAudit(t.Context()))
		assert.True(t, proof(t, s).Holds)
		require.NoError(t, s.Exec(t.Context(), "DELETE FROM audit WHERE seq = 4"))
		assert.Contains(t, proof(t, s).Broken, "number 4 is missing")
		require.NoError(t, s.Exec(t.Context(), "UPDATE audit SET at = 1"))
		forget()
		p = proof(t, s)
		assert.True(t, p.Holds, p.Broken)
		assert.Equal(t, int64(12), p.First)
		noted(t, s, 11, 12)
		require.NoError(t, s.SealAudit(t.Context()))
		assert.True(t, proof(t, s).Holds)
	})
}

func TestSealedEntriesAreSentOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		var sent []int64
		var broken error
		send := func(server string) error {
			return s.SendAudit(t.Context(), server, time.Minute, func(_ context.Context, entries []api.AuditEntry) error {
				if broken != nil {
					return broken
				}
				for _, e := range entries {
					sent = append(sent, e.Seq)
				}
				return nil
			})
		}
		noted(t, s, 0, 3)
		require.NoError(t, send("one"))
		assert.Empty(t, sent, "nothing is sealed")
		require.NoError(t, s.SealAudit(t.Context()))
		broken = errors.New("nobody listens")
		require.ErrorIs(t, send("one"), broken)
		broken = nil
		require.NoError(t, send("two"))
		assert.Empty(t, sent, "the other one is at it")
		require.NoError(t, send("one"))
		require.NoError(t, send("one"))
		assert.Equal(t, []int64{1, 2, 3}, sent)
		noted(t, s, 3, 4)
		require.NoError(t, s.SealAudit(t.Context()))
		require.NoError(t, s.Exec(t.Context(), "UPDATE audit_chain SET sender_until = 1"))
		require.NoError(t, send("two"))
		assert.Equal(t, []int64{1, 2, 3, 4}, sent, "the one before has gone")
	})
}
