// Package faultproxy is an HTTP proxy between a driver and its cloud that counts calls
// and makes trouble: it delays calls, breaks them before or after the cloud has
// answered them, answers errors by itself, and lets answers trickle.
//
// It works as a reverse proxy, whose URL takes the place of the cloud's, and as a
// forward proxy for clouds with many URLs. The Host header is that of the request, so
// that signatures stay valid as long as the cloud looks at the header it gets.
package faultproxy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// Fault is what happens to one call. The zero value is a call without trouble.
type Fault struct {
	Delay      time.Duration // before the call is passed on
	Reset      bool          // the connection breaks before the cloud has seen the call
	Lose       bool          // the connection breaks after the cloud has answered, and nothing of the answer arrives
	Hold       bool          // the answer of the cloud is held back until the caller goes
	Status     int           // answered by the proxy, without the cloud
	RetryAfter string        // header of that answer, "" for none
	Body       string        // of that answer
	Type       string        // content type of that answer
	Trickle    time.Duration // pause before each small piece of the answer's body
	Cut        bool          // the connection breaks in the middle of the answer's body
}

// Proxy is a running proxy.
type Proxy struct {
	URL string // where it listens

	server *http.Server
	close  sync.Once

	mu       sync.Mutex
	calls    int
	distinct int
	asked    map[string]bool // whether a request was made before the last Again
	now      []string        // requests since then
	open     int             // calls that are going on
	held     int             // of these, calls whose answers are held back
	choose   func(call int, r *http.Request) Fault
}

// New starts a proxy on a free port of the loopback interface. upstream is the cloud's
// URL, empty for a forward proxy.
func New(upstream string) (*Proxy, error) {
	return start(upstream, nil)
}

// NewTLS is New with TLS and a certificate that nobody vouches for.
func NewTLS(upstream string) (*Proxy, error) {
	certificate, err := selfSigned()
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return start(upstream, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, err
}

func start(upstream string, secure *tls.Config) (*Proxy, error) {
	var target *url.URL
	if upstream != "" {
		var err error
		if target, err = url.Parse(upstream); err != nil {
			return nil, err
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{URL: "http://" + listener.Addr().String(), asked: map[string]bool{}}
	if secure != nil {
		p.URL = "https://" + listener.Addr().String()
		listener = tls.NewListener(listener, secure)
	}
	if target != nil {
		p.URL += target.Path
	}
	transport := &http.Transport{
		DisableCompression: true,
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // it stands between a test and the test's cloud
	}
	forward := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			if target != nil && r.In.URL.Host == "" { // a forward proxy is asked with whole URLs
				r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			}
			r.Out.Host = r.In.Host
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler) // the driver sees what it would see without the proxy: a broken connection
		},
	}
	p.server = &http.Server{
		Handler:           p.handler(forward),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	go func() {
		_ = p.server.Serve(listener) // ends with Close
		transport.CloseIdleConnections()
	}()
	return p, nil
}

// Close ends the proxy and its connections.
func (p *Proxy) Close() { p.close.Do(func() { _ = p.server.Close() }) }

// Calls is how many calls were made through the proxy, those with faults included.
func (p *Proxy) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// Distinct is Calls without what was asked before an Again.
func (p *Proxy) Distinct() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.distinct
}

// Begin forgets what was asked, before something else is counted.
func (p *Proxy) Begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.now = map[string]bool{}, nil
}

// Again says that what follows repeats what was pending: how often it is asked the same
// depends on how fast the cloud is.
func (p *Proxy) Again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, asks := range p.now {
		p.asked[asks] = true
	}
	p.now = nil
}

// Open is how many calls are going on.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

// Held is how many answers are held back.
func (p *Proxy) Held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// hold counts a call while its answer is held back.
func (p *Proxy) hold(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held += n
}

// Inject says what happens to the following calls; they are counted from 1 again for
// choose alone. nil ends all trouble.
func (p *Proxy) Inject(choose func(call int, r *http.Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.calls
	p.choose = nil
	if choose != nil {
		p.choose = func(call int, r *http.Request) Fault { return choose(call-first, r) }
	}
}

// handler makes trouble and passes the rest on.
func (p *Proxy) handler(forward http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // the end of a caller is seen only behind the body
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		asks := r.Method + " " + r.URL.String() + " " + string(body)
		p.mu.Lock()
		p.calls++
		p.open++
		if !p.asked[asks] {
			p.distinct++
		}
		p.now = append(p.now, asks)
		call, choose := p.calls, p.choose
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.open--
		}()
		var f Fault
		if choose != nil {
			f = choose(call, r)
		}
		if f.Delay > 0 {
			timer := time.NewTimer(f.Delay)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
				return
			}
		}
		switch {
		case f.Reset:
			reset(w)
		case f.Status != 0:
			if f.Type != "" {
				w.Header().Set("Content-Type", f.Type)
			}
			if f.RetryAfter != "" {
				w.Header().Set("Retry-After", f.RetryAfter)
			}
			w.WriteHeader(f.Status)
			_, _ = io.WriteString(w, f.Body) // the driver may have gone
		case f.Lose:
			drop(forward, r)
			reset(w)
		case f.Hold:
			drop(forward, r)
			p.hold(1)
			defer p.hold(-1)
			<-r.Context().Done()
		case f.Trickle > 0 || f.Cut:
			forward.ServeHTTP(&slow{ResponseWriter: w, ctx: r.Context(), fault: f}, r)
		default:
			forward.ServeHTTP(w, r)
		}
	})
}

// drop passes a call on and its answer to nobody. The cloud shall finish even if the driver
// gives up.
func drop(forward http.Handler, r *http.Request) {
	forward.ServeHTTP(&nowhere{header: http.Header{}}, r.WithContext(context.WithoutCancel(r.Context())))
}

// reset breaks a connection without an answer.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 has no connection of its own for each call
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset instead of an orderly end
	}
	_ = conn.Close() // broken is what it shall be
}

// nowhere drops an answer.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) WriteHeader(int)             {}
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }

// slow lets an answer trickle, or breaks off in the middle of it.
type slow struct {
	http.ResponseWriter
	ctx   context.Context
	fault Fault
}

// An answer comes in at most so many pieces, none of which is smaller than a few
// bytes.
const (
	mostPieces    = 64
	smallestPiece = 8
)

// Unwrap serves http.ResponseController.
func (s *slow) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *slow) Write(p []byte) (int, error) {
	if s.fault.Cut {
		_, _ = s.ResponseWriter.Write(p[:len(p)/2])
		_ = http.NewResponseController(s.ResponseWriter).Flush() // so that the half is seen
		panic(http.ErrAbortHandler)
	}
	written, piece := 0, max(len(p)/mostPieces, smallestPiece)
	for written < len(p) {
		timer := time.NewTimer(s.fault.Trickle)
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			timer.Stop()
			return written, errors.New("nobody waits for the answer any more")
		}
		n, err := s.ResponseWriter.Write(p[written:min(written+piece, len(p))])
		written += n
		if err != nil {
			return written, err
		}
		_ = http.NewResponseController(s.ResponseWriter).Flush() // piece by piece
	}
	return written, nil
}
