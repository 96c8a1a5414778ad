package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Raw marks the calls whose answer is wanted as it is, even if it is not one of the
// API: native calls.
func Raw(ctx context.Context) context.Context { return context.WithValue(ctx, rawKey{}, true) }

// IsRaw reports whether a call is marked by Raw.
func IsRaw(ctx context.Context) bool { return ctx.Value(rawKey{}) != nil }

// Failure is the error of a call, named by doing, that got no answer of the cloud's
// API. It may have been carried out all the same. Errors that have a code keep it.
func Failure(doing string, err error) error {
	if e, ok := errors.AsType[*resource.Error](err); ok { // of this package, or of the driver
		return e
	}
	if address, ok := errors.AsType[*url.Error](err); ok && address.Op == "parse" {
		return resource.Errorf(resource.CodeInvalid, "%s was not sent: its address is no URL; check the connection's region and endpoint: %w", doing, err)
	}
	advice := "could not reach the cloud; check the network, that the region exists, and the endpoint if the connection sets one"
	switch certificate := certificateAdvice(err); {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		advice = "was not answered in time; check the network between, and the endpoint if the connection sets one"
	case certificate != "":
		advice = certificate
	case errors.Is(err, http.ErrSchemeMismatch), isA[tls.RecordHeaderError](err):
		advice = "was answered without TLS; if the endpoint speaks plain HTTP, write it with http://"
	case isA[*net.DNSError](err):
		advice = "could not find the cloud's address; check the region's name, the endpoint if the connection sets one, and the machine's name server"
	}
	return resource.Errorf(resource.CodeUnavailable, "%s %s: %w", doing, advice, err)
}

// certificateAdvice is what to do about a certificate that was refused, or "".
func certificateAdvice(err error) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "met a certificate that is not valid now; have it renewed, and check the clock of the machine that the driver runs on"
	}
	switch {
	case isA[x509.HostnameError](err):
		return "met a certificate for another host; write the endpoint with a name that is in it"
	case isA[x509.UnknownAuthorityError](err):
		return "met a certificate of an authority that is not trusted; if it is the right one, give its certificate in the setting " + settingCA
	case isA[*tls.CertificateVerificationError](err), isA[x509.CertificateInvalidError](err):
		return "met a certificate that is not accepted"
	}
	return ""
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// skewed is how far off a clock may be; AWS allows 5 minutes, Keystone's tokens suffer
// from less.
const skewed = 2 * time.Minute

// ClockAdvice says that this machine's clock is off, if it is: logins fail with it.
func (t *Transport) ClockAdvice() string {
	switch skew := t.Skew(); {
	case skew > skewed:
		return fmt.Sprintf("the clock of the machine that the driver runs on is %s ahead of the cloud's; set it, then try again", skew.Round(time.Second))
	case skew < -skewed:
		return fmt.Sprintf("the clock of the machine that the driver runs on is %s behind the cloud's; set it, then try again", -skew.Round(time.Second))
	}
	return ""
}
