package terminal

import (
	"context"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// HostKeys answers the host keys that the SSH server of a resource is known by.
func (t *Terminals) HostKeys(ctx context.Context, connection, kind, name string) ([]api.HostKey, error) {
	l, err := t.Login(ctx, connection, kind, name)
	if err != nil {
		return nil, err
	}
	rows, err := t.Store.Read().HostKeys(ctx, l.Resource.UID)
	if err != nil {
		return nil, err
	}
	return store.Convert(rows, hostKey), nil
}

// knownHostKey answers the one of a port, or nil if nobody has logged in there yet.
func (t *Terminals) knownHostKey(ctx context.Context, l *Login, port int) (*api.HostKey, error) {
	rows, err := t.Store.Read().HostKeys(ctx, l.Resource.UID)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(rows, func(r store.HostKey) bool { return r.Port == port }); i >= 0 {
		known := hostKey(&rows[i])
		return &known, nil
	}
	return nil, nil //nolint:nilnil // there is none yet
}

// pinHostKey records the host key of a port unless there is one already, and answers
// the one that is recorded then. key is as in a line of an authorized_keys file.
func (t *Terminals) pinHostKey(ctx context.Context, l *Login, port int, key string) (api.HostKey, error) {
	var pinned api.HostKey
	err := t.Store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		now, err := q.ResourceByUID(ctx, l.Resource.UID) // locked: what is deleted leaves none
		if err != nil {
			return err
		}
		if now.DeletedAt != 0 {
			return resource.Errorf(resource.CodeNotFound, "the %s %s has been deleted meanwhile", now.Kind, now.Name)
		}
		row, err := q.PinHostKey(ctx, &store.HostKey{
			UID: l.Resource.UID, Port: port, Key: key, SeenBy: auth.Who(ctx), SeenAt: store.MicrosOf(time.Now()),
		})
		if err == nil {
			pinned = hostKey(row)
		}
		return err
	})
	return pinned, err
}

// ForgetHostKeys has the next login to a resource accept and record whatever host key
// it sees. It is for what was set up anew.
func (t *Terminals) ForgetHostKeys(ctx context.Context, connection, kind, name string) error {
	l, err := t.Login(ctx, connection, kind, name)
	if err != nil {
		return err
	}
	return t.Store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		n, err := q.DeleteHostKeys(ctx, l.Resource.UID)
		if err != nil || n == 0 {
			return err
		}
		return q.Note(ctx, l.entry(ctx, verbForgetHostKey, ""), nil)
	})
}

func hostKey(row *store.HostKey) api.HostKey {
	k := api.HostKey{Port: row.Port, Key: row.Key, By: row.SeenBy, SeenAt: row.SeenAt.Time()}
	if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(row.Key)); err == nil { // it was written by us
		k.Fingerprint = ssh.FingerprintSHA256(key)
	}
	return k
}
