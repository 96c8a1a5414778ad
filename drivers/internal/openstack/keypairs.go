package openstack

import (
	"context"
	"iter"
	"strings"

	sdk "github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Key pairs belong to the user, and their name is their id. Nova keeps nothing else
// with them, so that the mark is in the comment of the public key.
type (
	keyPairs struct{ *Session }
	keyPair  = driver.Object[resource.KeyPairSpec, resource.KeyPairStatus]
)

// List answers the user's key pairs.
func (k keyPairs) List(ctx context.Context, f driver.Filter) iter.Seq2[keyPair, error] {
	if few(f) {
		return each(ctx, f.IDs, k.Get)
	}
	return driver.Items(list[struct{ KeyPair sdk.KeyPair }](ctx, k.Session, k.compute, "os-keypairs", "keypairs", nil),
		func(x shown[struct{ KeyPair sdk.KeyPair }]) keyPair {
			return k.object(shown[sdk.KeyPair]{is: x.is.KeyPair, raw: x.raw})
		})
}

// Get answers one key pair.
func (k keyPairs) Get(ctx context.Context, id string) (keyPair, error) {
	found, err := get[sdk.KeyPair](ctx, k.compute, "keypair", "os-keypairs", pathSegment(id))
	if err != nil {
		return keyPair{}, err
	}
	return k.object(found), nil
}

// Make imports a public key. Its name is unique.
func (k keyPairs) Make(ctx context.Context, r driver.Request[resource.KeyPairSpec]) (keyPair, error) {
	m := mark{text: strings.TrimSpace(r.Spec.PublicKey), token: r.Token}
	nova := *k.compute
	if strings.Contains(r.Name, ".") {
		nova.Microversion = "2.92" // the first that takes dots
	}
	made, err := made[sdk.KeyPair](sdk.Create(ctx, &nova, sdk.CreateOpts{Name: r.Name, PublicKey: m.String()}).Result, "keypair")
	if err != nil {
		return keyPair{}, err
	}
	return k.object(made), nil
}

// Delete removes a key pair.
func (k keyPairs) Delete(ctx context.Context, id string) error {
	return driver.Except(coded(sdk.Delete(ctx, k.compute, pathSegment(id), nil).Err), resource.CodeNotFound)
}

func (keyPairs) object(x shown[sdk.KeyPair]) keyPair {
	m := readMark(strings.TrimSpace(x.is.PublicKey))
	o := object[resource.KeyPairSpec, resource.KeyPairStatus](x.is.Name, x.is.Name, x)
	o.Token, o.State = m.token, resource.StateAvailable // Nova knows no states of key pairs
	o.Spec.PublicKey = m.text
	switch algorithm, _, _ := strings.Cut(m.text, " "); algorithm {
	case "ssh-rsa":
		o.Spec.Algorithm = "rsa"
	case "ssh-ed25519":
		o.Spec.Algorithm = "ed25519"
	}
	o.Status.Fingerprint = x.is.Fingerprint
	return o
}
