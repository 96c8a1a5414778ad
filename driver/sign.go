package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Reacher is implemented by sessions with a kind whose requests are signed. Reach says where
// these go. It is asked once, when the session opens.
type Reacher interface {
	Reach() Reach
}

// Reach is where signed requests go, and how. A request to anywhere else is not sent: it
// would be one that a name in it has led astray.
type Reach struct {
	Hosts          []string // names, *.suffixes of names, or addresses, each with a port if it is not that of the scheme; 127.0.0.1:* is any port
	Proxy          string   // URL of the HTTP proxy that they go through; "" for none
	CACertificates string   // in PEM format: accepted beside those that the machine trusts
}

// Has reports whether a URL leads to one of the hosts.
func (r Reach) Has(u *url.URL) bool {
	standard := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	against, port := strings.ToLower(u.Hostname()), cmp.Or(u.Port(), standard)
	return slices.ContainsFunc(r.Hosts, func(host string) bool {
		name, open := strings.ToLower(host), standard
		if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, ']') {
			name, open = name[:i], name[i+1:]
		}
		name = strings.Trim(name, "[]") // of an IPv6 address
		if open != "*" && open != port {
			return false
		}
		if suffix, ok := strings.CutPrefix(name, "*"); ok {
			return strings.HasPrefix(suffix, ".") && strings.HasSuffix(against, suffix) && len(against) > len(suffix)
		}
		return against == name
	})
}

func (s *session) Sign(ctx context.Context, kind, id string, r resource.SignRequest) (resource.SignedRequest, error) {
	var none resource.SignedRequest
	k, err := resource.KindNamed(kind)
	if err != nil {
		return none, err
	}
	signing := k.Signing()
	if signing == nil {
		return none, resource.Errorf(resource.CodeUnsupported, "a %s holds nothing that requests are signed for", kind)
	}
	_, collection, err := s.dataCall(kind, signing.Name)
	if err != nil {
		return none, err
	}
	if r, err = resource.ParseSign(r); err != nil {
		return none, err
	}
	signer, ok := collection.(resource.ObjectSigner)
	if !ok {
		return none, resource.Errorf(resource.CodeInternal, "the collection of the kind %s does not sign", kind)
	}
	return signer.Sign(ctx, id, r)
}

func (s *server) Sign(ctx context.Context, r *driverv1.SignRequest) (*driverv1.SignResponse, error) {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return nil, err
	}
	var request resource.SignRequest
	if err := resource.Decode(r.GetRequest(), &request); err != nil {
		return nil, err
	}
	signed, err := opened.Sign(WithToken(ctx, r.GetToken()), r.GetKind(), r.GetId(), request)
	if err != nil {
		return nil, err
	}
	raw, err := encode(signed)
	return &driverv1.SignResponse{Signed: raw}, err
}

func (s *remoteSession) Sign(ctx context.Context, kind, id string, r resource.SignRequest) (resource.SignedRequest, error) {
	var signed resource.SignedRequest
	request, err := encode(r)
	if err != nil {
		return signed, err
	}
	answer, err := s.rpc.Sign(ctx, &driverv1.SignRequest{Session: s.id, Kind: kind, Id: id, Request: request, Token: tokenIn(ctx)})
	if err != nil {
		return signed, fromStatus(err)
	}
	if err := decode("signed request", answer.GetSigned(), &signed); err != nil {
		return signed, err
	}
	if err := checkSigned(r, signed, s.place.Reach); err != nil {
		return resource.SignedRequest{}, nonsense("signed request", err)
	}
	return signed, nil
}

// checkSigned refuses what would not be sent as it is, or to where it must not go.
func checkSigned(r resource.SignRequest, signed resource.SignedRequest, reach Reach) error {
	u, err := url.Parse(signed.URL)
	switch {
	case err != nil:
		return errors.New("its address is no URL") // the error would repeat it with its signature
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.User != nil, u.Fragment != "", u.String() != signed.URL:
		return errors.New("its address is no plain URL of HTTP that is written as it is sent")
	case !reach.Has(u):
		return fmt.Errorf("it goes to %.255q, which is none of the hosts of the session: %v", u.Host, reach.Hosts)
	case (signed.Method == http.MethodGet) != (r.Do == resource.SignGet):
		return fmt.Errorf("it is a %.16q to %s", signed.Method, r.Do)
	case signed.Method != http.MethodGet && signed.Method != http.MethodPut && signed.Method != http.MethodPost:
		return fmt.Errorf("it is a %.16q", signed.Method)
	case signed.ExpiresAt.IsZero():
		return errors.New("it does not say until when it is good")
	case r.Link && signed.ExpiresAt.After(Expiry(r).Add(clockSkew)):
		return fmt.Errorf("it is a link that is good until %s, longer than for the %d seconds that were asked for", signed.ExpiresAt.Format(time.RFC3339), r.ExpiresSeconds)
	}
	for name, value := range signed.Headers {
		switch {
		case !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value):
			return fmt.Errorf("%.64q is no header, or has a value that none can have", name)
		case slices.Contains(hopByHop(), http.CanonicalHeaderKey(name)):
			return fmt.Errorf("the header %s is not for it to set", name)
		case r.Link && opens(name, signed.MetadataPrefix):
			return fmt.Errorf("it is a link with the header %s, which does more than that", name)
		}
	}
	return nil
}

// clockSkew is how far the clocks of the clouds' and drivers' machines may be ahead.
const clockSkew = time.Minute

// opens reports whether a header is one that opens more than a link does, such as
// Authorization, X-Auth-Token or X-Amz-Security-Token. What a user calls their metadata is none.
func opens(header, metadataPrefix string) bool {
	name, prefix := strings.ToLower(header), strings.ToLower(metadataPrefix)
	return (prefix == "" || !strings.HasPrefix(name, prefix)) &&
		slices.ContainsFunc([]string{"auth", "cookie", "token"}, func(part string) bool { return strings.Contains(name, part) })
}

// hopByHop are headers that HTTP itself sets.
func hopByHop() []string {
	return []string{"Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}
}

// headersOf are what HTTP calls what is kept with an object beside its metadata.
func headersOf(h *resource.ObjectHeaders) map[string]*string {
	return map[string]*string{
		"Content-Type": &h.ContentType, "Content-Encoding": &h.ContentEncoding, "Content-Language": &h.ContentLanguage,
		"Content-Disposition": &h.ContentDisposition, "Cache-Control": &h.CacheControl,
	}
}

// HTTPHeaders are the headers of HTTP with what is kept beside an object's data. Those with
// its metadata begin with metadataPrefix; what is empty has none.
func HTTPHeaders(h resource.ObjectHeaders, metadataPrefix string) map[string]string {
	headers := map[string]string{}
	for name, value := range headersOf(&h) {
		headers[name] = *value
	}
	for name, value := range h.Metadata {
		headers[metadataPrefix+name] = value
	}
	maps.DeleteFunc(headers, func(_, value string) bool { return value == "" })
	return headers
}

// ObjectHeaders is the way back.
func ObjectHeaders(headers http.Header, metadataPrefix string) resource.ObjectHeaders {
	h := resource.ObjectHeaders{Metadata: map[string]string{}}
	for name, value := range headersOf(&h) {
		*value = headers.Get(name)
	}
	for name, values := range headers {
		if short, ok := strings.CutPrefix(name, http.CanonicalHeaderKey(metadataPrefix)); ok {
			h.Metadata[strings.ToLower(short)] = strings.Join(values, ", ")
		}
	}
	return h
}

// Expiry is until when a link is good that is made now.
func Expiry(r resource.SignRequest) time.Time {
	return time.Now().Add(time.Duration(r.ExpiresSeconds) * time.Second)
}

func (r Reach) toWire() *driverv1.Reach {
	if len(r.Hosts) == 0 {
		return nil
	}
	return &driverv1.Reach{Hosts: r.Hosts, Proxy: r.Proxy, CaCertificates: r.CACertificates}
}

func reachFrom(w *driverv1.Reach) Reach {
	return Reach{w.GetHosts(), w.GetProxy(), w.GetCaCertificates()}
}
