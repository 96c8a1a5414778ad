package sso

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// algorithms are those by which tokens are signed: with a key of the provider's alone. A secret
// that is shared, or none, signs nothing.
func algorithms() []string { return []string{oidc.RS256, oidc.ES256, oidc.PS256, oidc.EdDSA} }

// maxKeys is how much the provider's keys may be.
const maxKeys = 1 << 20 // bytes

func (p *Provider) readKeys(ctx context.Context) ([]jose.JSONWebKey, error) {
	d, err := p.discovered(ctx)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Keys, nil)
	if err != nil {
		return nil, unreached(p.Issuer, err)
	}
	answer, err := p.http.Do(r)
	if err != nil {
		return nil, unreached(p.Issuer, err)
	}
	defer answer.Body.Close()
	var set jose.JSONWebKeySet
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxKeys))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("asked for its keys it answers %s", answer.Status)
	}
	if err == nil {
		err = json.Unmarshal(raw, &set)
	}
	if err != nil {
		return nil, unreached(p.Issuer, err)
	}
	return set.Keys, nil
}

// keySet has the provider's keys for go-oidc, which has tokens name them.
type keySet struct{ *Provider }

// VerifySignature answers what a token says if a key of the provider's has signed it.
func (s keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	var known []jose.SignatureAlgorithm
	for _, name := range algorithms() {
		known = append(known, jose.SignatureAlgorithm(name))
	}
	signed, err := jose.ParseSigned(token, known)
	if err != nil {
		return nil, err
	}
	header := signed.Signatures[0].Header // go-oidc has seen that there is one
	fits := func(k *jose.JSONWebKey) bool {
		return k.Use != "enc" && (header.KeyID == "" || k.KeyID == header.KeyID) && (k.Algorithm == "" || k.Algorithm == header.Algorithm)
	}
	keys, err := s.keys.get(ctx, func(keys []jose.JSONWebKey) bool {
		for i := range keys {
			if fits(&keys[i]) {
				return true
			}
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if !fits(&keys[i]) {
			continue
		}
		if payload, err := signed.Verify(&keys[i]); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key of the provider has signed it")
}
