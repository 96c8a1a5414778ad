package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The verbs of the entries about logins.
const (
	verbLogin         = "login"
	verbLogout        = "logout"
	verbForgetHostKey = "forgethostkey"
)

// privateKey is the secret of a key pair that opens what was created with it.
const privateKey = "privateKey"

// Login is how one logs in to one resource by SSH.
type Login struct {
	resource.Login
	Resource *resource.Resource
}

// Login says how one logs in to a resource.
func (e *Engine) Login(ctx context.Context, connection, kind, name string) (*Login, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	if !k.HasLogin() {
		_, err := k.Login(nil, nil)
		return nil, err
	}
	r, err := e.Get(ctx, connection, kind, name)
	if err != nil {
		return nil, err
	}
	login, err := k.Login(r.Effective, r.Status)
	if err != nil {
		return nil, err
	}
	return &Login{login, r}, nil
}

// At answers what has an IP address or a host name, in a connection or, without one, in
// all.
func (e *Engine) At(ctx context.Context, connection, address string) ([]*resource.Resource, error) {
	if connection != "" {
		if err := e.orNoConnection(ctx, connection, nil); err != nil {
			return nil, err
		}
	}
	rows, err := e.store.Read().ResourcesAt(ctx, connection, address)
	return store.Convert(rows, (*store.Resource).Envelope), err
}

// LoginsAt finds what has an address and can be logged in to, in a connection or,
// without one, in all.
func (e *Engine) LoginsAt(ctx context.Context, connection, address string) ([]*Login, error) {
	there, err := e.At(ctx, connection, address)
	if err != nil {
		return nil, err
	}
	var found []*Login
	for _, r := range there {
		k, err := resource.KindNamed(r.Kind)
		if err != nil {
			return nil, err
		}
		if !k.HasLogin() {
			continue
		}
		login, err := k.Login(r.Effective, r.Status)
		if err != nil {
			return nil, err
		}
		found = append(found, &Login{login, r})
	}
	return found, nil
}

// LoginKey opens the private key of a resource's key pair. It is for logging in, and
// never shown.
func (e *Engine) LoginKey(ctx context.Context, l *Login) ([]byte, error) {
	if l.KeyPair == "" {
		return nil, resource.Errorf(resource.CodeInvalid, "the %s %s has no key pair; give a private key or a password", l.Resource.Kind, l.Resource.Name)
	}
	q := e.store.Read()
	pair, err := q.Resource(ctx, l.Resource.Connection, resource.KeyPair.Name, l.KeyPair)
	if resource.CodeOf(err) == resource.CodeNotFound {
		return nil, resource.Errorf(resource.CodeInvalid, "the key pair %s is not managed by this server; give its private key, or a password", l.KeyPair)
	}
	if err != nil {
		return nil, err
	}
	sealed, err := q.Secret(ctx, pair.UID, privateKey)
	if resource.CodeOf(err) == resource.CodeNotFound {
		return nil, resource.Errorf(resource.CodeInvalid, "this server does not have the private key of the key pair %s, which was made elsewhere; give the private key, or a password", l.KeyPair)
	}
	if err != nil {
		return nil, err
	}
	key, err := e.sealer.Unseal(ctx, sealed.Sealed, sealed.Identity())
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "open the private key of the key pair %s: %w", l.KeyPair, err)
	}
	return key, nil
}

// HostKeys answers the host keys that the SSH server of a resource is known by.
func (e *Engine) HostKeys(ctx context.Context, connection, kind, name string) ([]api.HostKey, error) {
	l, err := e.Login(ctx, connection, kind, name)
	if err != nil {
		return nil, err
	}
	rows, err := e.store.Read().HostKeys(ctx, l.Resource.UID)
	if err != nil {
		return nil, err
	}
	return store.Convert(rows, hostKey), nil
}

// KnownHostKey answers the one of a port, or nil if nobody has logged in there yet.
func (e *Engine) KnownHostKey(ctx context.Context, l *Login, port int) (*api.HostKey, error) {
	rows, err := e.store.Read().HostKeys(ctx, l.Resource.UID)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(rows, func(r store.HostKey) bool { return r.Port == port }); i >= 0 {
		known := hostKey(&rows[i])
		return &known, nil
	}
	return nil, nil //nolint:nilnil // there is none yet
}

// PinHostKey records the host key of a port unless there is one already, and answers
// the one that is recorded then. key is as in a line of an authorized_keys file.
func (e *Engine) PinHostKey(ctx context.Context, l *Login, port int, key string) (api.HostKey, error) {
	var pinned api.HostKey
	err := e.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
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
func (e *Engine) ForgetHostKeys(ctx context.Context, connection, kind, name string) error {
	l, err := e.Login(ctx, connection, kind, name)
	if err != nil {
		return err
	}
	return e.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		n, err := q.DeleteHostKeys(ctx, l.Resource.UID)
		if err != nil || n == 0 {
			return err
		}
		return q.Note(ctx, l.entry(ctx, verbForgetHostKey, ""), nil)
	})
}

// LoggedIn records that somebody has logged in to a resource, or why that failed. how
// says as whom, where and by what means.
func (e *Engine) LoggedIn(ctx context.Context, l *Login, how string, failure error) error {
	return e.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		entry := l.entry(ctx, verbLogin, how)
		if failure != nil {
			failure = fmt.Errorf("%s: %w", how, failure)
		}
		return q.Note(ctx, entry, failure)
	})
}

// LoggedOut records that it is over, and how it was.
func (e *Engine) LoggedOut(ctx context.Context, l *Login, how string) error {
	return e.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		return q.Note(ctx, l.entry(ctx, verbLogout, how), nil)
	})
}

func (l *Login) entry(ctx context.Context, verb, detail string) store.Audit {
	r := l.Resource
	return store.Audit{
		Who: auth.Who(ctx), Verb: verb, Kind: r.Kind, Connection: r.Connection, Name: r.Name, UID: r.UID, CloudID: r.CloudID, Detail: detail,
	}
}

func hostKey(row *store.HostKey) api.HostKey {
	k := api.HostKey{Port: row.Port, Key: row.Key, By: row.SeenBy, SeenAt: row.SeenAt.Time()}
	if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(row.Key)); err == nil { // it was written by us
		k.Fingerprint = ssh.FingerprintSHA256(key)
	}
	return k
}
