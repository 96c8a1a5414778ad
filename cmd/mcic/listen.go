package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/internal/api/linger"
	"github.com/m-cmp/mc-infra-connector/internal/certificate"
)

// listenOptions say where the server listens, and what keeps others from reading along.
type listenOptions struct {
	address                   string
	tls                       certificate.Files
	behindProxy, insecureHTTP bool
}

func (o *listenOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.address, "listen", defaultListen, "`address` to listen on; port 0 takes a free one")
	f.StringVar(&o.tls.Certificate, "tls-cert", "", "`file` with the certificate to show by TLS and those that vouch for it, in PEM; read anew when it changes")
	f.StringVar(&o.tls.Key, "tls-key", "", "`file` with the certificate's key in PEM")
	f.StringVar(&o.tls.ClientCA, "tls-client-ca", "", "`file` with certificates in PEM: only clients with a certificate that one of them has signed get in, with the token")
	f.BoolVar(&o.behindProxy, "behind-proxy", false, "a proxy stands before the server, which speaks TLS and says for whom (X-Forwarded-For)")
	f.BoolVar(&o.insecureHTTP, "insecure-http", false, "speak HTTP on an address that others reach: who can read along has the token")
}

// check refuses to have what is secret read on the way by mistake.
func (o *listenOptions) check() error {
	secure, err := o.tls.Given()
	switch {
	case err != nil:
		return err
	case secure && o.insecureHTTP:
		return errors.New("--insecure-http and --tls-cert exclude each other; give one of them")
	case secure || o.behindProxy || o.insecureHTTP || o.own():
		return nil
	}
	return fmt.Errorf("others than this machine can reach %s, and could read the token on its way; give --tls-cert and --tls-key, "+
		"or --behind-proxy if a proxy speaks TLS for the server, or --insecure-http if nobody can read along, as on a private network of containers", o.address)
}

// own reports whether only this machine reaches the address. An address that is none
// leads to a better error when it is listened on.
func (o *listenOptions) own() bool {
	address, err := net.ResolveTCPAddr("tcp", o.address)
	return err != nil || address.IP.IsLoopback()
}

// door is where requests come in.
type door struct {
	net.Listener
	address     string // http://… or https://…
	certificate *certificate.Keeper
}

func (o *listenOptions) open(ctx context.Context, logger *slog.Logger) (*door, error) {
	d := &door{}
	scheme := "http://"
	if o.tls.Certificate != "" {
		var err error
		if d.certificate, err = certificate.Open(o.tls, logger); err != nil {
			return nil, err
		}
		scheme = "https://"
	}
	listener, err := linger.Listen(ctx, o.address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address with --listen", o.address, err)
	}
	d.Listener, d.address = listener, scheme+listener.Addr().String()
	if d.certificate != nil {
		d.Listener = linger.TLS(listener, d.certificate.Config())
	}
	if o.insecureHTTP && !o.own() {
		logger.Warn("the server speaks HTTP on an address that others reach: who can read along has the token and all that is asked and answered", "address", d.address)
	}
	return d, nil
}

// run takes a new certificate when there is one.
func (d *door) run(ctx context.Context) {
	if d.certificate != nil {
		d.certificate.Run(ctx)
	}
}

// notice says what is wrong with the door while it is open.
func (d *door) notice() string {
	if d.certificate == nil || d.certificate.Fault() == nil {
		return ""
	}
	return "the new TLS certificate cannot be used, and that of before is shown until " + d.certificate.Until().Format(time.RFC3339) + "; the log says why"
}
