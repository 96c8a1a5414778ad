// Package linger lets clients read the answer to a request that was refused before all
// of it had arrived. Most write a request whole before they read; if the server closed the
// connection meanwhile, they would see it reset and never the answer.
package linger

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"time"
)

// What is read of the rest of a request, and thrown away, at most.
const (
	most    = 512 << 20 // bytes
	longest = 30 * time.Second
)

// Listen announces on a TCP address. An http.Server on it closes the writing half of a
// connection whose request it has not read whole, and then all of it; between the two the
// rest of the request is read here.
// https://www.rfc-editor.org/rfc/rfc9112#section-9.6
func Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("a %T is not of TCP", l)
	}
	return listener{tcp}, nil
}

// TLS has the same for what is spoken by TLS on a listener of Listen. There http.Server
// closes the connection below without a half of it before, so that this is done then.
func TLS(l net.Listener, config *tls.Config) net.Listener {
	return tls.NewListener(secured{l}, config)
}

type secured struct{ net.Listener }

// Accept implements net.Listener.
func (l secured) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(conn); ok {
		return closing{tcp}, err
	}
	return c, err
}

type closing struct{ conn }

// Close ends what is written, and all when the client has written all or has gone. Nobody
// waits for that.
func (c closing) Close() error {
	go func() {
		_ = c.CloseWrite() // the client has gone if this fails
		_ = c.conn.Close()
	}()
	return nil
}

type listener struct{ *net.TCPListener }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return conn{c}, nil
}

type conn struct{ *net.TCPConn }

// CloseWrite ends what is written, and waits until the client has written all or has gone.
func (c conn) CloseWrite() error {
	if err := c.TCPConn.CloseWrite(); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(longest)); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, c.TCPConn, most)
	return err
}
