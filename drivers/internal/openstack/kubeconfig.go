package openstack

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"

	"github.com/gophercloud/gophercloud/v2/openstack/containerinfra/v1/certificates"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Kubeconfig makes a key for an administrator of the cluster and has Magnum sign it: a
// configuration is a new one each time.
// https://docs.openstack.org/magnum/latest/user/index.html#transport-layer-security
func (c clusters) Kubeconfig(ctx context.Context, id string) (resource.Kubeconfig, error) {
	found, err := c.look(ctx, id)
	if err != nil {
		return resource.Kubeconfig{}, err
	}
	if found.is.APIAddress == "" {
		return resource.Kubeconfig{}, resource.Errorf(resource.CodeConflict, "the cluster has no address of its API yet; wait until it is available")
	}
	key, request, err := certificateRequest()
	if err != nil {
		return resource.Kubeconfig{}, err
	}
	authority, err := certificates.Get(ctx, c.container, id).Extract()
	if err != nil {
		return resource.Kubeconfig{}, coded(err)
	}
	signed, err := certificates.Create(ctx, c.container, certificates.CreateOpts{ClusterUUID: id, CSR: request}).Extract()
	if err != nil {
		return resource.Kubeconfig{}, coded(err)
	}
	file, err := driver.Kubeconfig{Cluster: found.Name, Server: found.is.APIAddress, CA: []byte(authority.PEM), Certificate: []byte(signed.PEM), Key: key}.YAML()
	answer := resource.Kubeconfig{Kubeconfig: file}
	if block, _ := pem.Decode([]byte(signed.PEM)); block != nil {
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			answer.ExpiresAt = &certificate.NotAfter
		}
	}
	return answer, err
}

// certificateRequest makes a key and the request for a certificate of the group that
// Kubernetes lets do everything.
func certificateRequest() (key []byte, request string, err error) {
	const keyBits = 2048 // as Magnum's own client has it
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, "", resource.Errorf(resource.CodeInternal, "make a key: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}},
	}, private)
	if err != nil {
		return nil, "", resource.Errorf(resource.CodeInternal, "make a certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}),
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}
