package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const (
	awsKey       = "accessKeyId=AKIAEXAMPLE"
	awsSecret    = "a-very-secret-key"
	openPassword = "a-very-secret-password"
)

// trouble is a way in which a connection can be wrong, and what its user is told.
type trouble struct {
	cloud    string
	endpoint string
	flags    []string
	code     resource.Code
	says     []string // what happened, and what to do
}

// Whatever is wrong with a connection is said when it is created, by the API and by the
// command line, with what to do; and nothing is recorded.
func TestAWrongConnectionIsRefusedWithWhatToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, expired := certificate(t, time.Hour), certificate(t, -time.Hour)
	nobody := httptest.NewServer(http.NotFoundHandler())
	nobody.Close()
	silent := served(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // until then nobody notices that the other side is gone
		<-r.Context().Done()
	})
	page := served(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<html><body>Please log in</body></html>")
	})
	proxy := served(t, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })

	cases := map[string]trouble{
		// AWS's documented answers; moto takes every key.
		"aws: wrong key":                {"aws", ec2(t, nil, 0, "AuthFailure", "AWS was not able to validate the provided access credentials"), nil, resource.CodeUnauthenticated, []string{"not able to validate", "check the access key"}},
		"aws: wrong secret":             {"aws", ec2(t, nil, 0, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."), nil, resource.CodeUnauthenticated, []string{"check the secret access key"}},
		"aws: expired token":            {"aws", ec2(t, nil, 0, "ExpiredToken", "The security token included in the request is expired"), nil, resource.CodeUnauthenticated, []string{"session token has run out", "new keys"}},
		"aws: clock, as it says":        {"aws", ec2(t, nil, 0, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."), nil, resource.CodeUnauthenticated, []string{"clock", "set it"}},
		"aws: clock, as signed":         {"aws", ec2(t, nil, 0, "SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z"), nil, resource.CodeUnauthenticated, []string{"clock", "set it"}},
		"aws: clock, by its date":       {"aws", ec2(t, nil, -time.Hour, "AuthFailure", "AWS was not able to validate the provided access credentials"), nil, resource.CodeUnauthenticated, []string{"ahead of the cloud's", "set it"}},
		"aws: no permission":            {"aws", ec2(t, nil, 0, "UnauthorizedOperation", "You are not authorized to perform this operation."), nil, resource.CodeDenied, []string{"permission in IAM"}},
		"aws: region not enabled":       {"aws", ec2(t, nil, 0, "OptInRequired", "You are not subscribed to this service."), nil, resource.CodeDenied, []string{"sign the account up"}},
		"aws: no such region":           {"aws", ec2(t, nil, 0, "", ""), nil, resource.CodeUnavailable, []string{"names no zone of the region", "check that the region exists"}},
		"aws: no such address":          {"aws", "", []string{"--setting", "proxy=" + proxy.URL}, resource.CodeUnavailable, []string{"could not reach the cloud", "that the region exists"}},
		"aws: no such zone":             {"aws", ec2(t, nil, 0, "", "here-1a"), []string{"--zone", "here-1z"}, resource.CodeInvalid, []string{"--zone", "it has: here-1a"}},
		"aws: nobody there":             {"aws", nobody.URL, nil, resource.CodeUnavailable, []string{"could not reach the cloud", "check the network"}},
		"aws: a page":                   {"aws", page.URL, nil, resource.CodeUnavailable, []string{`"text/html"`, "check the connection's endpoint"}},
		"aws: no URL":                   {"aws", "ec2.example.com", nil, resource.CodeInvalid, []string{"settings.endpoint", "https://"}},
		"aws: TLS where there is none":  {"aws", "https" + strings.TrimPrefix(page.URL, "http"), nil, resource.CodeUnavailable, []string{"without TLS", "http://"}},
		"aws: certificate of one's own": {"aws", ec2(t, own, 0, "", "here-1a"), nil, resource.CodeUnavailable, []string{"not trusted", "caCertificate"}},
		"aws: expired certificate":      {"aws", ec2(t, expired, 0, "", "here-1a"), []string{"--setting", "caCertificate=" + pemOf(expired)}, resource.CodeUnavailable, []string{"certificate that is not valid now", "renewed"}},
		"aws: another's certificate":    {"aws", strings.Replace(ec2(t, own, 0, "", "here-1a"), "127.0.0.1", "localhost", 1), []string{"--setting", "caCertificate=" + pemOf(own)}, resource.CodeUnavailable, []string{"for another host"}},
		"aws: no certificate":           {"aws", ec2(t, own, 0, "", "here-1a"), []string{"--setting", "caCertificate=/etc/ssl/ca.pem"}, resource.CodeInvalid, []string{"settings.caCertificate", "PEM"}},
		"aws: silence":                  {"aws", silent.URL, nil, resource.CodeUnavailable, []string{"not answered in time", "check the network"}},

		"openstack: wrong password":           {"openstack", keystone(t, nil, 0, false), nil, resource.CodeUnauthenticated, []string{"check the user, the password and the project"}},
		"openstack: clock":                    {"openstack", keystone(t, nil, time.Hour, false), nil, resource.CodeUnauthenticated, []string{"behind the cloud's", "set it"}},
		"openstack: no such region":           {"openstack", keystone(t, nil, 0, true), []string{"--region", "atlantis"}, resource.CodeInvalid, []string{"--region", "it has: here-1"}},
		"openstack: nobody there":             {"openstack", nobody.URL, nil, resource.CodeUnavailable, []string{"could not reach the cloud", "check the network"}},
		"openstack: a page":                   {"openstack", page.URL, nil, resource.CodeUnavailable, []string{`"text/html"`, "check the connection's endpoint"}},
		"openstack: certificate of one's own": {"openstack", keystone(t, own, 0, true), nil, resource.CodeUnavailable, []string{"not trusted", "caCertificate"}},
		"openstack: expired certificate":      {"openstack", keystone(t, expired, 0, true), []string{"--setting", "caCertificate=" + pemOf(expired)}, resource.CodeUnavailable, []string{"certificate that is not valid now", "renewed"}},
		"openstack: silence":                  {"openstack", silent.URL, nil, resource.CodeUnavailable, []string{"not answered in time", "check the network"}},
	}
	w.do("credential create key-aws --cloud aws --set %s --set secretAccessKey=%s", awsKey, awsSecret)
	t.Run("wrong", func(t *testing.T) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel() // two of them wait for long
				refusesConnection(t, w, strings.NewReplacer(":", "", " ", "-", ",", "", "'", "").Replace(name), c)
			})
		}
	})
	assert.Empty(t, read[[]api.Connection](w, "connection list"), "nothing is recorded")
	for _, secret := range []string{awsSecret, openPassword} {
		assert.NotContains(t, w.Output(), secret)
	}

	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, []byte(pemOf(own)), 0o600))
	w.do("connection create right --cloud aws --credential key-aws --region here-1 --zone here-1a --setting endpoint=%s --setting-file caCertificate=%s", ec2(t, own, 0, "", "here-1a"), ca)
	w.do("connection check right")
}

// refusesConnection tries a connection by the API and by the command line.
func refusesConnection(t *testing.T, w *world, name string, c trouble) {
	t.Helper()
	request := api.ConnectionRequest{Name: name, Cloud: c.cloud, Credential: "key-aws", Region: "here-1", Settings: map[string]string{}}
	if c.cloud == "openstack" {
		request.Credential = "key-" + name
		w.do("credential create %s --cloud openstack --set auth_url=%s/v3 --set username=test --set password=%s --set project_name=test", request.Credential, c.endpoint, openPassword)
	} else if c.endpoint != "" {
		request.Settings["endpoint"] = c.endpoint
	}
	for i := 0; i < len(c.flags); i += 2 {
		switch value := c.flags[i+1]; c.flags[i] {
		case "--region":
			request.Region = value
		case "--zone":
			request.Zone = value
		case "--setting":
			key, text, _ := strings.Cut(value, "=")
			request.Settings[key] = text
		}
	}
	body, err := json.Marshal(request)
	require.NoError(t, err)
	began := time.Now()
	status, raw, err := w.Do(t.Context(), &http.Client{Timeout: 2 * time.Minute}, http.MethodPost, "/v1/connections", string(body))
	require.NoError(t, err)
	var problem struct {
		Code   resource.Code
		Detail string
		Fields []resource.Problem
	}
	require.NoError(t, json.Unmarshal(raw, &problem), "%s", raw)
	assert.Equal(t, c.code, problem.Code, "%s", raw)
	assert.Equal(t, map[resource.Code]int{
		resource.CodeInvalid: http.StatusUnprocessableEntity, resource.CodeUnauthenticated: http.StatusUnauthorized,
		resource.CodeDenied: http.StatusForbidden, resource.CodeUnavailable: http.StatusServiceUnavailable,
	}[c.code], status, "%s", raw)
	assert.Less(t, time.Since(began), 90*time.Second, "the limit is 30 seconds")
	if c.code == resource.CodeInvalid {
		assert.Len(t, problem.Fields, 1, "%s", raw)
	}

	said := problem.Detail
	if !strings.Contains(name, "silence") { // it would wait as long once more
		said = refusesCommand(t, w, request, c.code)
	}
	for _, words := range c.says {
		assert.Contains(t, said, words)
	}
	for _, text := range []string{said, string(raw)} {
		assert.NotContains(t, text, awsSecret)
		assert.NotContains(t, text, openPassword)
	}
}

func refusesCommand(t *testing.T, w *world, r api.ConnectionRequest, code resource.Code) string {
	t.Helper()
	args := []string{"connection", "create", r.Name, "--cloud", r.Cloud, "--credential", r.Credential, "--region", r.Region}
	if r.Zone != "" {
		args = append(args, "--zone", r.Zone)
	}
	for key, value := range r.Settings {
		args = append(args, "--setting", key+"="+value)
	}
	_, said, exit := w.run(args...)
	assert.Equal(t, map[resource.Code]int{resource.CodeInvalid: 2, resource.CodeUnauthenticated: 5, resource.CodeDenied: 5, resource.CodeUnavailable: 7}[code], exit, said)
	return said
}

// served serves a handler, over TLS with a certificate.
func served(t *testing.T, c *tls.Certificate, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if c == nil {
		server.Start()
	} else {
		server.TLS = &tls.Config{Certificates: []tls.Certificate{*c}}
		server.StartTLS()
	}
	t.Cleanup(server.Close)
	return server
}

// ec2 refuses with an error of EC2's, or names a zone, "" for none. Its clock is off.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-error-handling.html
func ec2(t *testing.T, c *tls.Certificate, clock time.Duration, code, text string) string {
	t.Helper()
	return served(t, c, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
		w.Header().Set("Date", time.Now().Add(clock).UTC().Format(http.TimeFormat))
		switch {
		case code != "":
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>r-1</RequestID></Response>`, code, text)
		case text != "":
			fmt.Fprintf(w, `<DescribeAvailabilityZonesResponse><availabilityZoneInfo><item><zoneName>%s</zoneName><zoneState>available</zoneState></item></availabilityZoneInfo></DescribeAvailabilityZonesResponse>`, text)
		default:
			fmt.Fprint(w, `<DescribeAvailabilityZonesResponse><availabilityZoneInfo/></DescribeAvailabilityZonesResponse>`)
		}
	}).URL
}

// keystone refuses every login, or answers a catalog with one region. Its clock is off.
// https://docs.openstack.org/api-ref/identity/v3/#password-authentication-with-scoped-authorization
func keystone(t *testing.T, c *tls.Certificate, clock time.Duration, takes bool) string {
	t.Helper()
	return served(t, c, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Date", time.Now().Add(clock).UTC().Format(http.TimeFormat))
		if !takes {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}}`)
			return
		}
		w.Header().Set("X-Subject-Token", "token-1")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"token": {"methods": ["password"], "expires_at": "2126-01-01T00:00:00.000000Z", "project": {"id": "p-1", "name": "test", "domain": {"id": "default", "name": "Default"}},
			"catalog": [{"type": "network", "name": "n", "id": "s", "endpoints": [{"id": "e", "interface": "public", "region": "here-1", "region_id": "here-1", "url": "http://127.0.0.1:1"}]}]}}`)
	}).URL
}

// certificate makes one for 127.0.0.1 that it signs itself and that ends after a time.
func certificate(t *testing.T, ends time.Duration) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(ends),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	require.NoError(t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func pemOf(c *tls.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
}
