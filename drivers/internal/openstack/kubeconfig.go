package openstack

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"

	"github.com/gophercloud/gophercloud/v2/openstack/containerinfra/v1/certificates"
	sdk "github.com/gophercloud/gophercloud/v2/openstack/containerinfra/v1/clusters"
	"go.yaml.in/yaml/v3"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// keyBits is the length of the key in a kubeconfig, which Magnum's own client uses too.
const keyBits = 2048

// Kubeconfig makes a key for an administrator of the cluster and has Magnum sign it: a
// configuration is a new one each time.
// https://docs.openstack.org/magnum/latest/user/index.html#transport-layer-security
func (c clusters) Kubeconfig(ctx context.Context, id string) (resource.Kubeconfig, error) {
	found, err := get[sdk.Cluster](ctx, c.container, "", "clusters", id)
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
	answer := resource.Kubeconfig{}
	if block, _ := pem.Decode([]byte(signed.PEM)); block != nil {
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			answer.ExpiresAt = at(certificate.NotAfter)
		}
	}
	type object = map[string]any
	file, err := yaml.Marshal(object{
		"apiVersion": "v1", "kind": "Config", "current-context": found.is.Name,
		"clusters": []object{{"name": found.is.Name, "cluster": object{"server": found.is.APIAddress, "certificate-authority-data": base64.StdEncoding.EncodeToString([]byte(authority.PEM))}}},
		"users":    []object{{"name": "admin", "user": object{"client-certificate-data": base64.StdEncoding.EncodeToString([]byte(signed.PEM)), "client-key-data": base64.StdEncoding.EncodeToString(key)}}},
		"contexts": []object{{"name": found.is.Name, "context": object{"cluster": found.is.Name, "user": "admin"}}},
	})
	if err != nil {
		return resource.Kubeconfig{}, resource.Errorf(resource.CodeInternal, "write the kubeconfig: %w", err)
	}
	answer.Kubeconfig = string(file)
	return answer, nil
}

// certificateRequest makes a key and the request for a certificate of the group that
// Kubernetes lets do everything.
func certificateRequest() (key []byte, request string, err error) {
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
