// Package signed sends the requests that drivers sign, for the server and for the
// conformance suite. They go just as they are, to where the session of the driver says and
// nowhere else, and no answer sends them on.
package signed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Timeouts of parts of a request. How long its data takes is its caller's to bound.
const (
	dialTimeout      = 30 * time.Second
	handshakeTimeout = 10 * time.Second
	headerTimeout    = 2 * time.Minute
	idleTimeout      = 90 * time.Second
	idleConnections  = 64
)

// Client sends to where a session's signed requests go.
func Client(reach driver.Reach) (*http.Client, error) {
	way := &http.Transport{
		DialContext:           dialer(false),
		TLSHandshakeTimeout:   handshakeTimeout,
		ResponseHeaderTimeout: headerTimeout,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConnsPerHost:   idleConnections,
		DisableCompression:    true, // data goes as it is
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if reach.Proxy != "" {
		proxy, err := url.Parse(reach.Proxy)
		if err != nil || proxy.Host == "" {
			return nil, resource.Errorf(resource.CodeInternal, "the driver's proxy for signed requests is no URL; this is a defect of the driver")
		}
		way.Proxy = http.ProxyURL(proxy)
		way.DialContext = dialer(true) // it is the proxy that reaches the cloud
	}
	if reach.CACertificates != "" {
		pool, err := x509.SystemCertPool()
		if err != nil { // a machine without any
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM([]byte(reach.CACertificates)) {
			return nil, resource.Errorf(resource.CodeInternal, "the driver's certificates for signed requests are not in PEM format; this is a defect of the driver")
		}
		way.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{Transport: way, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// dialer connects to what a host's name stands for, unless that is what no cloud's data is
// at. A proxy may be this machine's own by a name, too.
func dialer(proxy bool) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		_, notAddress := netip.ParseAddr(host)
		d := &net.Dialer{Timeout: dialTimeout, Control: func(_, to string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(to)
			if err != nil {
				return err
			}
			return allowed(at.Addr().Unmap(), notAddress != nil && !proxy)
		}}
		return d.DialContext(ctx, network, address)
	}
}

// allowed refuses addresses that only this machine has: its own, where a name leads to them,
// and those of the service that tells machines their credentials.
func allowed(at netip.Addr, named bool) error {
	switch {
	case at.IsUnspecified(), at.IsMulticast(), at.IsLinkLocalUnicast(), slices.Contains(metadata(), at.WithZone("").String()), named && at.IsLoopback():
		return resource.Errorf(resource.CodeDenied, "a request for data would go to %s, where no cloud has any; check the connection's endpoint and proxy, and what their names stand for", at)
	}
	return nil
}

// metadata are the addresses of the metadata services of clouds that are not link-local.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
// https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
// https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
// https://cloud.google.com/compute/docs/metadata/querying-metadata
// https://docs.oracle.com/en-us/iaas/Content/Compute/Tasks/gettingmetadata.htm
// https://cloudinit.readthedocs.io/en/latest/reference/datasources/scaleway.html
func metadata() []string {
	return []string{"fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42", "100.100.100.200", "168.63.129.16"}
}

// Request is a signed request with the data that it is for: size bytes of body, nil for none.
func Request(ctx context.Context, s resource.SignedRequest, body io.Reader, size int64) (*http.Request, error) {
	if body == nil || size == 0 {
		body = http.NoBody
	}
	r, err := http.NewRequestWithContext(ctx, s.Method, s.URL, body)
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "the driver has signed what is no request; this is a defect of the driver")
	}
	if body != http.NoBody {
		r.ContentLength = size
	}
	r.Header.Set("User-Agent", "") // which is not sent then
	for name, value := range s.Headers {
		r.Header.Set(name, value)
	}
	return r, nil
}

// Failure is the error of a request for an object that was answered by anything but a
// success, nil for a success. Clouds agree in what these statuses mean.
func Failure(doing string, response *http.Response) error {
	status := response.StatusCode
	if status >= 200 && status < 300 {
		return nil
	}
	code := driver.CodeOfStatus(status)
	switch {
	case status == http.StatusNotFound:
		code = resource.CodeNotFound
	case status == http.StatusPreconditionFailed, status == http.StatusConflict, status == http.StatusNotModified:
		code = resource.CodeConflict
	case code == "": // one that sends it on, which is for one host
		code = resource.CodeUnavailable
	}
	return resource.Errorf(code, "%s: the cloud answers HTTP status %d (%s)", doing, status, http.StatusText(status))
}

// Lost is the error of a request that got no answer. It may have been carried out.
func Lost(doing string, err error) error {
	if refused, ok := errors.AsType[*resource.Error](err); ok {
		return resource.Errorf(refused.Code, "%s: %s", doing, refused.Message)
	}
	read := false
	if at, ok := errors.AsType[*url.Error](err); ok {
		read, err = at.Op == "Get", at.Err // without the address, which holds a signature
	}
	if at, ok := errors.AsType[*net.OpError](err); read || ok && at.Op == "dial" {
		return resource.Errorf(resource.CodeUnavailable, "%s: could not reach the cloud: %w", doing, err)
	}
	return resource.Errorf(resource.CodeUnavailable, "%s: the answer of the cloud was lost, which may have done it; look before it is sent again: %w", doing, err)
}
