package cli

import (
	"cmp"
	"crypto/tls"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/m-cmp/mc-infra-connector/client"
)

// way is how the server is spoken to: what keeps others from reading along.
type way struct {
	CA           string `json:"ca,omitempty"`
	Certificate  string `json:"clientCert,omitempty"`
	Key          string `json:"clientKey,omitempty"`
	InsecureHTTP bool   `json:"insecureHTTP,omitempty"`
}

func (w *way) flags(f *pflag.FlagSet) {
	f.StringVar(&w.CA, "ca", "", "`FILE` with certificates in PEM: trust servers that they vouch for, instead of those that the system trusts")
	f.StringVar(&w.Certificate, "client-cert", "", "`FILE` with a certificate in PEM to show to the server")
	f.StringVar(&w.Key, "client-key", "", "`FILE` with the key of that certificate")
	f.BoolVar(&w.InsecureHTTP, "insecure-http", false, "send the token by HTTP to another machine; for where nobody can read along")
}

// wayOf is the way of the environment.
func wayOf(getenv func(string) string) way {
	return way{CA: getenv("MCIC_CA"), Certificate: getenv("MCIC_CLIENT_CERT"), Key: getenv("MCIC_CLIENT_KEY"), InsecureHTTP: getenv("MCIC_INSECURE_HTTP") == "1"}
}

// or completes what is not given from another one. A certificate goes with its key.
func (w way) or(other way) way {
	w.CA = cmp.Or(w.CA, other.CA)
	if w.Certificate == "" && w.Key == "" {
		w.Certificate, w.Key = other.Certificate, other.Key
	}
	w.InsecureHTTP = w.InsecureHTTP || other.InsecureHTTP
	return w
}

// absolute names the files so that they are found from everywhere.
func (w way) absolute() (way, error) {
	for _, path := range []*string{&w.CA, &w.Certificate, &w.Key} {
		if *path == "" {
			continue
		}
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return w, err
		}
	}
	return w, nil
}

// options are those of a client that speaks so.
func (w way) options() (opts []client.Option, err error) {
	if w.InsecureHTTP {
		opts = append(opts, client.WithInsecureHTTP())
	}
	var (
		ca          []byte
		certificate tls.Certificate
	)
	if (w.Certificate == "") != (w.Key == "") {
		return nil, usageError("--client-cert and --client-key belong together")
	}
	if w.CA != "" {
		if ca, err = os.ReadFile(w.CA); err != nil {
			return nil, usageError("--ca: %w", err)
		}
	}
	if w.Certificate != "" {
		if certificate, err = tls.LoadX509KeyPair(w.Certificate, w.Key); err != nil {
			return nil, usageError("--client-cert and --client-key: %w", err)
		}
	}
	config, err := client.TLSConfig(ca, certificate)
	if err != nil {
		return nil, usageError("--ca %s: %w", w.CA, err)
	}
	return append(opts, client.WithTLS(config)), nil
}
