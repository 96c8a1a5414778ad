package transport_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func open(t *testing.T, settings driver.Values, log *bytes.Buffer) *transport.Transport {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	if log != nil {
		logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	way, err := transport.New(transport.Config{
		Settings: settings, Logger: logger,
		API:       func(r *http.Response) bool { return transport.MediaType(r) == "application/json" },
		Operation: func(*http.Request) string { return "ListThings" },
	})
	require.NoError(t, err)
	t.Cleanup(way.CloseIdleConnections)
	return way
}

// ask makes one call and answers its status; the error is as a driver would give it.
func ask(ctx context.Context, way *transport.Transport, url string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := way.Client().Do(request)
	if err != nil {
		return 0, transport.Failure("list things", err)
	}
	return response.StatusCode, response.Body.Close()
}

func answering(contentType string, status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, "{}")
	})
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func TestCallsAreCountedAndLoggedWithoutTheQuery(t *testing.T) {
	log := &bytes.Buffer{}
	way := open(t, nil, log)
	url := serve(t, answering("application/json", http.StatusOK))
	for range 3 {
		status, err := ask(t.Context(), way, url+"/v2/things?signature=very-secret")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
	}
	assert.Equal(t, int64(3), way.Calls())
	for _, want := range []string{"operation=ListThings", "method=GET", "path=/v2/things", "status=200"} {
		assert.Equal(t, 3, strings.Count(log.String(), want), want)
	}
	assert.NotContains(t, log.String(), "very-secret")
}

func TestAnswersThatAreNotOfTheAPI(t *testing.T) {
	way := open(t, nil, nil)
	for _, test := range []struct {
		media  string
		status int
		code   resource.Code
	}{
		{"text/html; charset=utf-8", http.StatusOK, resource.CodeUnavailable},
		{"text/html", http.StatusNotFound, resource.CodeUnavailable}, // never not_found
		{"text/html", http.StatusUnauthorized, resource.CodeUnavailable},
		{"text/html", http.StatusTooManyRequests, resource.CodeThrottled},
	} {
		url := serve(t, answering(test.media, test.status))
		_, err := ask(t.Context(), way, url)
		assert.Equal(t, test.code, resource.CodeOf(err), "%v", err)
		assert.ErrorContains(t, err, "instead of what the cloud's API answers")
		status, err := ask(transport.Raw(t.Context()), way, url)
		require.NoError(t, err, "whoever wants it as it is gets it")
		assert.Equal(t, test.status, status)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	way := open(t, nil, nil)
	_, err := ask(t.Context(), way, serve(t, http.RedirectHandler("http://127.0.0.1:1/login", http.StatusFound)))
	assert.ErrorContains(t, err, "HTTP status 302")
	assert.Equal(t, int64(1), way.Calls())
}

func TestFailuresSayWhatToDo(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	secure := httptest.NewTLSServer(answering("application/json", http.StatusOK))
	t.Cleanup(secure.Close)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	plain := serve(t, answering("application/json", http.StatusOK))
	hang := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))

	for name, test := range map[string]struct {
		settings driver.Values
		url      string
		says     string
	}{
		"nobody there":      {nil, gone.URL, "could not reach the cloud"},
		"unknown authority": {nil, secure.URL, "give its certificate in the setting caCertificate"},
		"another host":      {driver.Values{"caCertificate": certificate}, strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), "for another host"},
		"no TLS":            {nil, strings.Replace(plain, "http://", "https://", 1), "without TLS"},
		"dead proxy":        {driver.Values{"proxy": gone.URL}, plain, "could not reach the cloud"},
		"silence":           {nil, hang, "was not answered in time"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := ask(ctx, open(t, test.settings, nil), test.url)
			assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
			assert.ErrorContains(t, err, test.says)
			assert.ErrorContains(t, err, "list things")
		})
	}
	_, err := ask(t.Context(), open(t, driver.Values{"caCertificate": certificate}, nil), secure.URL)
	assert.NoError(t, err, "with its certificate")
}

// Names that do not resolve, such as those of regions that do not exist, are made up here:
// the test asks no name server.
func TestNamesThatDoNotResolve(t *testing.T) {
	err := transport.Failure("list things", &url.Error{Op: "Get", URL: "https://ec2.nowhere-1.example.com", Err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "ec2.nowhere-1.example.com", IsNotFound: true}}})
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	assert.ErrorContains(t, err, "check the region's name")
}

func TestProxyIsUsed(t *testing.T) {
	var asked string
	proxy := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		w.Header().Set("Content-Type", "application/json")
	}))
	_, err := ask(t.Context(), open(t, driver.Values{"proxy": proxy}, nil), "http://cloud.invalid/v2")
	require.NoError(t, err)
	assert.Equal(t, "http://cloud.invalid/v2", asked)
}

func TestSettingsThatAreWrong(t *testing.T) {
	for name, value := range map[string]string{"proxy": "proxy.example.com:3128", "caCertificate": "/etc/ssl/ca.pem"} {
		_, err := transport.New(transport.Config{Settings: driver.Values{name: value}})
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
		assert.ErrorContains(t, err, "settings."+name)
	}
	_, err := transport.New(transport.Config{Settings: driver.Values{"proxy": "http://user:very-secret@proxy.example.com"}})
	assert.ErrorContains(t, err, "names a user")
	assert.NotContains(t, err.Error(), "very-secret")
	assert.NoError(t, transport.CheckURL(driver.Values{"endpoint": "https://cloud.example.com/v1"}, "endpoint"))
	assert.NoError(t, transport.CheckURL(nil, "endpoint"))
	assert.ErrorContains(t, transport.CheckURL(driver.Values{"endpoint": "ftp://cloud"}, "endpoint"), "settings.endpoint")
}

func TestClockThatIsOff(t *testing.T) {
	for ahead, says := range map[time.Duration]string{0: "", time.Hour: "1h0m0s ahead", -time.Hour: "1h0m0s behind"} {
		way := open(t, nil, nil)
		_, err := ask(t.Context(), way, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Date", time.Now().Add(-ahead).UTC().Format(http.TimeFormat))
		})))
		require.NoError(t, err)
		if says == "" {
			assert.Empty(t, way.ClockAdvice())
		} else {
			assert.Regexp(t, strings.Replace(says, "1h0m0s", `(1h0m[0-3]s|59m5\ds)`, 1), way.ClockAdvice())
		}
	}
}

// hastyBody fails when it is read after it was closed, as those of SDKs do.
type hastyBody struct {
	io.Reader
	closed bool
}

func (b *hastyBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errors.New("read after close")
	}
	return b.Reader.Read(p)
}

func (b *hastyBody) Close() error { b.closed = true; return nil }

func TestBodyIsNotNeededAfterwards(t *testing.T) {
	body := &hastyBody{Reader: strings.NewReader("Action=ListThings")}
	inside := make(chan bool, 1)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body) // compared below
		inside <- string(raw) == "Action=ListThings" && body.closed
		w.Header().Set("Content-Type", "application/json")
	}))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	require.NoError(t, err)
	request.ContentLength = int64(len("Action=ListThings"))
	response, err := open(t, nil, nil).Client().Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.True(t, <-inside, "sent whole from a copy, the caller's closed before")
}

func TestWhatWasNeverSentIsWrongAndNotUnreachable(t *testing.T) {
	way := open(t, nil, nil)
	url := serve(t, answering("application/json", http.StatusOK))
	send := func(address, header string) error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err == nil {
			request.Header.Set("Authorization", header)
			var response *http.Response
			if response, err = way.Client().Do(request); err == nil {
				return response.Body.Close()
			}
		}
		return transport.Failure("list things", err)
	}
	require.NoError(t, send(url, "key AK IA"))
	for name, err := range map[string]error{
		"a line break in a key":      send(url, "key AKIA\n"),
		"a control character in one": send(url, "key AK\x01IA"),
		"no scheme":                  send("cloud.example.com/v2", "key AKIA"),
		"another scheme":             send("ftp://cloud.example.com", "key AKIA"),
		"no URL":                     send("https://cloud example.com", "key AKIA"),
	} {
		e := resource.AsError(err)
		assert.Equal(t, resource.CodeInvalid, e.Code, name)
		assert.False(t, e.Retryable, name)
		assert.Contains(t, e.Message, "sent", name)
		assert.NotContains(t, e.Message, "network", name)
		assert.NotContains(t, e.Message, "AKIA", name)
	}
	assert.Equal(t, int64(1), way.Calls())
}
