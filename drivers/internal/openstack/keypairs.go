package openstack

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	sdk "github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Key pairs belong to the user, and their name is their id. Nova keeps nothing else
// with them, so that the mark is in the comment of the public key.
type (
	keyPairs struct {
		collection[resource.KeyPairSpec, resource.KeyPairStatus, keyPairFields]
	}
	keyPair       = driver.Object[resource.KeyPairSpec, resource.KeyPairStatus]
	keyPairFields struct {
		sdk.KeyPair
		Listed *sdk.KeyPair `json:"keypair"` // what a list has in the place of the others
	}
)

func (s *Session) keyPairs() keyPairs {
	return keyPairs{collection[resource.KeyPairSpec, resource.KeyPairStatus, keyPairFields]{
		Session: s, service: s.compute, one: "keypair", many: "keypairs", path: "os-keypairs", show: showKeyPair,
		narrow: func(driver.Filter) url.Values { return nil },
	}}
}

// Make imports a public key. Its name is unique.
func (k keyPairs) Make(ctx context.Context, r driver.Request[resource.KeyPairSpec]) (keyPair, error) {
	m := mark{text: strings.TrimSpace(r.Spec.PublicKey), token: r.Token}
	nova := *k.compute
	if strings.Contains(r.Name, ".") {
		nova.Microversion = "2.92" // the first that takes dots
	}
	return k.made(sdk.Create(ctx, &nova, sdk.CreateOpts{Name: r.Name, PublicKey: m.String()}).Result)
}

func showKeyPair(x shown[keyPairFields], o *keyPair) {
	is := *cmp.Or(x.is.Listed, &x.is.KeyPair)
	m := readMark(strings.TrimSpace(is.PublicKey))
	o.ID, o.Name, o.CreatedAt = is.Name, is.Name, nil   // a list does not tell when
	o.Token, o.State = m.token, resource.StateAvailable // Nova knows no states of key pairs
	o.Spec.PublicKey = m.text
	algorithm, _, _ := strings.Cut(m.text, " ")
	o.Spec.Algorithm = map[string]string{"ssh-rsa": "rsa", "ssh-ed25519": "ed25519"}[algorithm]
	o.Status.Fingerprint = is.Fingerprint
}
