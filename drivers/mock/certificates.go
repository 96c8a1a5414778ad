package mock

import (
	"context"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type (
	certificates struct {
		table[resource.CertificateSpec, resource.CertificateStatus]
	}
	certificateDraft = draft[resource.CertificateSpec, resource.CertificateStatus]
)

func openCertificates(s *session) certificates {
	collection := certificates{table[resource.CertificateSpec, resource.CertificateStatus]{
		s: s, kind: resource.Certificate, prefix: "cert", ready: resource.StateAvailable, show: showCertificate,
	}}
	collection.prepare = func(d *certificateDraft) error { return importInto(d, "spec", d.spec) }
	return collection
}

// Replace implements resource.CertificateReplacer.
func (c certificates) Replace(ctx context.Context, id string, by resource.CertificateSpec) error {
	return c.alter(ctx, id, "replace", resource.StateAvailable, func(d *certificateDraft) error {
		before := d.spec
		if err := importInto(d, "", by); err != nil {
			return err
		}
		if d.spec != before {
			d.change = c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// importInto checks a certificate with its key and puts it into a draft. The cloud shows nobody
// the key, and keeps none, since nothing here speaks TLS.
func importInto(d *certificateDraft, at string, spec resource.CertificateSpec) (err error) {
	if err := refuseProblems(spec.Problems(at)); err != nil {
		return err
	}
	spec.PrivateKey = ""
	d.spec = spec
	d.status, err = resource.CertificateStatusOf(spec.Certificate)
	return err
}

// nativeCertificate is a certificate in the cloud's own words.
type nativeCertificate struct {
	CertificateID string   `json:"certificateId"`
	Domains       []string `json:"subjectAlternativeNames"`
	Fingerprint   string   `json:"fingerprint"`
	Status        string   `json:"status"`
}

func showCertificate(v *sight[resource.CertificateSpec, resource.CertificateStatus]) any {
	return nativeCertificate{CertificateID: v.ID, Domains: v.status.Domains, Fingerprint: v.status.Fingerprint, Status: cloudState(v.state)}
}
