// Command keycloak runs a real Keycloak for tests that are not written in Go. It prints one line
// of JSON when it is ready, which says where it is and who can log in, and ends with its standard
// input, or when it is told to.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/m-cmp/mc-infra-connector/test/keycloak/keycloaktest"
)

func main() {
	server := flag.String("server", "http://127.0.0.1:1024", "address of the server, to which browsers are sent back")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *server)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, server string) (err error) {
	k, err := keycloaktest.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Stop()) }()
	if err := k.Serve(ctx, server); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(k); err != nil {
		return err
	}
	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is closed
		close(closed)
	}()
	select {
	case <-ctx.Done():
	case <-closed:
	}
	return nil
}
