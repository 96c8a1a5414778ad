package terminal

import (
	"context"
	"fmt"

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
func (t *Terminals) Login(ctx context.Context, connection, kind, name string) (*Login, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	if !k.HasLogin() {
		_, err := k.Login(nil, nil)
		return nil, err
	}
	row, err := t.Store.Read().Resource(ctx, connection, kind, name)
	if err != nil {
		return nil, t.Store.Read().OrNoConnection(ctx, connection, err)
	}
	r := row.Envelope()
	login, err := k.Login(r.Effective, r.Status)
	if err != nil {
		return nil, err
	}
	return &Login{login, r}, nil
}

// LoginsAt finds what has an address and can be logged in to, in a connection or,
// without one, in all.
func (t *Terminals) LoginsAt(ctx context.Context, connection, address string) ([]*Login, error) {
	q := t.Store.Read()
	if connection != "" {
		if err := q.OrNoConnection(ctx, connection, nil); err != nil {
			return nil, err
		}
	}
	there, err := q.ResourcesAt(ctx, connection, address)
	if err != nil {
		return nil, err
	}
	var found []*Login
	for i := range there {
		r := there[i].Envelope()
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

// loginKey opens the private key of a resource's key pair. It is for logging in, and
// never shown.
func (t *Terminals) loginKey(ctx context.Context, l *Login) ([]byte, error) {
	if l.KeyPair == "" {
		return nil, resource.Errorf(resource.CodeInvalid, "the %s %s has no key pair; give a private key or a password", l.Resource.Kind, l.Resource.Name)
	}
	q := t.Store.Read()
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
	key, err := t.Sealer.Unseal(ctx, sealed.Sealed, sealed.Identity())
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "open the private key of the key pair %s: %w", l.KeyPair, err)
	}
	return key, nil
}

// loggedIn records that somebody has logged in to a resource, or why that failed. how
// says as whom, where and by what means.
func (t *Terminals) loggedIn(ctx context.Context, l *Login, how string, failure error) error {
	return t.Store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		entry := l.entry(ctx, verbLogin, how)
		if failure != nil {
			failure = fmt.Errorf("%s: %w", how, failure)
		}
		return q.Note(ctx, entry, failure)
	})
}

// loggedOut records that it is over, and how it was.
func (t *Terminals) loggedOut(ctx context.Context, l *Login, how string) error {
	return t.Store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		return q.Note(ctx, l.entry(ctx, verbLogout, how), nil)
	})
}

func (l *Login) entry(ctx context.Context, verb, detail string) store.Audit {
	r := l.Resource
	return store.Audit{
		Who: auth.Who(ctx), Verb: verb, Kind: r.Kind, Connection: r.Connection, Name: r.Name, UID: r.UID, CloudID: r.CloudID, Detail: detail,
	}
}
