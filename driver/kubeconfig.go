package driver

import (
	"encoding/base64"

	"sigs.k8s.io/yaml"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Kubeconfig is how one user reaches one Kubernetes cluster, for drivers that offer
// [resource.KubeconfigReader]. The user has a token, or a certificate with its key.
type Kubeconfig struct {
	Cluster     string // name of the cluster, its user and its context in the file
	Server      string // address of the cluster's API, such as https://203.0.113.7:6443
	CA          []byte // certificates that the API's is checked against, in PEM; nil for the system's
	CAData      string // the same in base64, as many clouds tell it
	Token       string
	Certificate []byte // of the user, in PEM
	Key         []byte // of the user's certificate, in PEM
}

// YAML is the file that kubectl and other clients read.
func (k Kubeconfig) YAML() (string, error) {
	if k.CAData != "" {
		var err error
		if k.CA, err = base64.StdEncoding.DecodeString(k.CAData); err != nil {
			return "", resource.Errorf(resource.CodeInternal, "read the certificate of the cluster %s: %w", k.Cluster, err)
		}
	}
	type named map[string]any
	cluster, user := named{"server": k.Server}, named{}
	set := func(object named, field string, value []byte) {
		if len(value) > 0 {
			object[field] = value // in base64, as the file wants it
		}
	}
	set(cluster, "certificate-authority-data", k.CA)
	set(user, "client-certificate-data", k.Certificate)
	set(user, "client-key-data", k.Key)
	if k.Token != "" {
		user["token"] = k.Token
	}
	raw, err := yaml.Marshal(named{
		"apiVersion":      "v1",
		"kind":            "Config",
		"clusters":        []named{{"name": k.Cluster, "cluster": cluster}},
		"users":           []named{{"name": k.Cluster, "user": user}},
		"contexts":        []named{{"name": k.Cluster, "context": named{"cluster": k.Cluster, "user": k.Cluster}}},
		"current-context": k.Cluster,
	})
	if err != nil {
		return "", resource.Errorf(resource.CodeInternal, "write a kubeconfig: %w", err)
	}
	return string(raw), nil
}
