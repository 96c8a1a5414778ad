package linger_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/api/linger"
	"github.com/m-cmp/mc-infra-connector/internal/certificate/certificatetest"
)

const limit = 1 << 20

// serve serves a handler that refuses large bodies, as the APIs do, and one that does not
// even look.
func serve(t *testing.T, config *tls.Config) string {
	t.Helper()
	l, err := linger.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	if config != nil {
		l = linger.TLS(l, config)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, MaxHeaderBytes: 64 << 10, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			if _, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit)); err != nil {
				http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			}
			return
		}
		http.Error(w, "who are you", http.StatusUnauthorized)
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return l.Addr().String()
}

// writeThenRead writes a request whole before it reads the answer. It answers the status,
// and whether the connection is over.
func writeThenRead(t *testing.T, address string, config *tls.Config, write func(io.Writer) error) (status int, over bool) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	if config != nil {
		c = tls.Client(c, config)
	}
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	require.NoError(t, write(c), "the request was not read whole")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode, answer.Close
}

// sized is a request with a body of so many bytes.
func sized(path string, size int) func(io.Writer) error {
	return func(w io.Writer) error {
		if _, err := fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, size); err != nil {
			return err
		}
		return blocks(w, size)
	}
}

// chunked is one that does not say how large its body is.
func chunked(path string, size int) func(io.Writer) error {
	return func(w io.Writer) error {
		if _, err := fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", path); err != nil {
			return err
		}
		const chunk = 1 << 16
		for range size / chunk {
			if _, err := fmt.Fprintf(w, "%x\r\n%s\r\n", chunk, strings.Repeat("x", chunk)); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, "0\r\n\r\n")
		return err
	}
}

func blocks(w io.Writer, size int) error {
	block := []byte(strings.Repeat("x", 1<<16))
	for size > 0 {
		n, err := w.Write(block[:min(size, len(block))])
		if err != nil {
			return err
		}
		size -= n
	}
	return nil
}

func TestWhoWritesAllBeforeReadingSeesTheAnswer(t *testing.T) {
	ca := certificatetest.NewAuthority(t)
	pair, err := tls.X509KeyPair(ca.Pair(t, time.Hour))
	require.NoError(t, err)
	plain, secured := serve(t, nil), serve(t, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	config := ca.Client(t, false)
	config.ServerName = "localhost"
	for name, tc := range map[string]struct {
		write func(io.Writer) error
		want  int
	}{
		"just within the limit": {sized("/read", limit), http.StatusOK},
		"just over":             {sized("/read", limit+1), http.StatusRequestEntityTooLarge},
		"10 MB":                 {sized("/read", 10<<20), http.StatusRequestEntityTooLarge},
		"100 MB":                {sized("/read", 100<<20), http.StatusRequestEntityTooLarge},
		"10 MB in chunks":       {chunked("/read", 10<<20), http.StatusRequestEntityTooLarge},
		"100 MB in chunks":      {chunked("/read", 100<<20), http.StatusRequestEntityTooLarge},
		"10 MB that nobody wants to read": {
			sized("/", 10<<20), http.StatusUnauthorized,
		},
		"10 MB in chunks that nobody wants to read": {
			chunked("/", 10<<20), http.StatusUnauthorized,
		},
		"a name of 10 MB in the path": {
			func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", strings.Repeat("n", 10<<20))
				return err
			}, http.StatusRequestHeaderFieldsTooLarge,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, over := writeThenRead(t, plain, nil, tc.write)
			assert.Equal(t, tc.want, status)
			assert.Equal(t, tc.want != http.StatusOK, over)
			status, over = writeThenRead(t, secured, config, tc.write)
			assert.Equal(t, tc.want, status, "by TLS")
			assert.Equal(t, tc.want != http.StatusOK, over, "by TLS")
		})
	}
}
