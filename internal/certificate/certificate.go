// Package certificate keeps what a server shows of itself by TLS, and takes it anew
// from its files while the server runs.
package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Files are where it comes from, in PEM.
type Files struct {
	Certificate, Key string
	ClientCA         string // who signs the certificates of clients; without it they need none
}

// Given reports whether TLS is asked for.
func (f Files) Given() (bool, error) {
	if f == (Files{}) {
		return false, nil
	}
	if f.Certificate == "" || f.Key == "" {
		return false, errors.New("--tls-cert and --tls-key belong together, and --tls-client-ca to both")
	}
	return true, nil
}

// lookEvery is how often the files are looked at. They are read each time: what tells of
// changes tells nothing of links that lead elsewhere, as those of Kubernetes do.
const lookEvery = 5 * time.Second

// Keeper keeps a certificate.
type Keeper struct {
	files  Files
	logger *slog.Logger
	now    atomic.Pointer[pair]
	fault  atomic.Pointer[error] // why what the files hold now is not used
}

// pair is what the files held at a time.
type pair struct {
	raw    [3][]byte
	config *tls.Config
	until  time.Time
}

// Open reads the files.
func Open(files Files, logger *slog.Logger) (*Keeper, error) {
	k := &Keeper{files: files, logger: logger}
	raw, err := files.read()
	if err != nil {
		return nil, err
	}
	p, err := files.parse(raw)
	if err != nil {
		return nil, err
	}
	k.now.Store(p)
	return k, nil
}

// Config is for a server. It always has what the files held last that can be used.
func (k *Keeper) Config() *tls.Config {
	c := base()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return k.now.Load().config, nil }
	return c
}

func base() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}

// Until is the end of the certificate that is shown.
func (k *Keeper) Until() time.Time { return k.now.Load().until }

// Fault says why the files are of no use since they were changed, if that is so. The
// certificate of before is shown meanwhile.
func (k *Keeper) Fault() error {
	if err := k.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// Run takes what changes in the files until the context ends.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.look()
		}
	}
}

// look takes what is in the files if it is another than before.
func (k *Keeper) look() {
	raw, err := k.files.read()
	before := k.now.Load()
	if err == nil && slices.EqualFunc(raw[:], before.raw[:], bytes.Equal) {
		if k.fault.Swap(nil) != nil {
			k.logger.Info("the files of the TLS certificate are as before again")
		}
		return
	}
	var p *pair
	if err == nil {
		p, err = k.files.parse(raw)
	}
	if err != nil {
		if last := k.Fault(); last == nil || last.Error() != err.Error() {
			k.logger.Error("the TLS certificate has changed, but cannot be used; that of before is shown further on", "error", err, "until", before.until)
		}
		k.fault.Store(&err)
		return
	}
	k.now.Store(p)
	k.fault.Store(nil)
	k.logger.Info("the TLS certificate was taken anew", "until", p.until)
}

func (f Files) read() (raw [3][]byte, err error) {
	for i, path := range []string{f.Certificate, f.Key, f.ClientCA} {
		if path == "" {
			continue
		}
		if raw[i], err = os.ReadFile(path); err != nil { //nolint:gosec // the operator names it
			return raw, fmt.Errorf("read the TLS certificate: %w", err)
		}
	}
	return raw, nil
}

// parse refuses what no client could use.
func (f Files) parse(raw [3][]byte) (*pair, error) {
	if info, err := os.Stat(f.Key); err == nil && info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("the key of the TLS certificate in %s can be read by everybody; run: chmod o= %[1]s", f.Key)
	}
	certificate, err := tls.X509KeyPair(raw[0], raw[1])
	if err != nil {
		return nil, fmt.Errorf("use the TLS certificate in %s with the key in %s: %w", f.Certificate, f.Key, err)
	}
	until := certificate.Leaf.NotAfter
	if time.Now().After(until) {
		return nil, fmt.Errorf("the TLS certificate in %s has ended at %s", f.Certificate, until.Format(time.RFC3339))
	}
	config := base()
	config.Certificates = []tls.Certificate{certificate}
	if f.ClientCA != "" {
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !config.ClientCAs.AppendCertsFromPEM(raw[2]) {
			return nil, fmt.Errorf("there is no certificate in PEM in %s, which is for those of clients", f.ClientCA)
		}
	}
	return &pair{raw, config, until}, nil
}
