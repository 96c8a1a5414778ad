package driver

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"

	"google.golang.org/grpc"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
)

// Environment variables that the server sets for a driver process, beside those
// of the handshake.
const (
	EnvExitWithStdin = "MCIC_EXIT_WITH_STDIN" // end when standard input does: the server is gone
	EnvLogLevel      = "MCIC_LOG_LEVEL"       // debug, info, warn or error
)

// Serve is the main function of a driver's executable. Started by the server it
// serves d until the server ends; started by a person it answers describe, doc and
// conformance: what it offers, the same as a page, and what of it was tested.
func Serve(d *Driver) { ServeArgs(d, os.Args[1:]) }

// ServeArgs is Serve for an executable that holds more than the driver: args is
// what follows the words that chose it.
func ServeArgs(d *Driver, args []string) {
	if err := serve(d, args, os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func serve(d *Driver, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	handshake := Handshake()
	switch {
	case len(args) == 0 && os.Getenv(handshake.MagicCookieKey) == handshake.MagicCookieValue:
		return serveCalls(d, stdin, stdout, stderr)
	case len(args) == 1 && args[0] == "describe":
		out := json.NewEncoder(stdout)
		out.SetIndent("", "  ")
		return out.Encode(d.description)
	case len(args) == 1 && args[0] == "conformance":
		_, err := io.WriteString(stdout, d.description.tests())
		return err
	case len(args) == 1 && args[0] == "doc":
		_, err := io.WriteString(stdout, d.description.Markdown())
		return err
	default:
		return fmt.Errorf("this is the driver %s %s of mc-infra-connector: the server starts it by itself when it lies beside mcic or in the data folder's drivers; it answers: describe, doc, conformance", d.description.Name, d.description.Version)
	}
}

// serveCalls serves until the server ends it or is gone.
func serveCalls(d *Driver, stdin io.Reader, stdout, stderr io.Writer) error {
	if os.Getenv(EnvExitWithStdin) != "" {
		go func() {
			_, _ = io.Copy(io.Discard, stdin) // ends with the server, however that ended
			os.Exit(0)
		}()
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(os.Getenv(EnvLogLevel))) // what is not a level means info
	server := newServer(d, slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level})))
	rpc := grpc.NewServer(server.interceptors()...)
	driverv1.RegisterDriverServiceServer(rpc, server)
	return accept(rpc, stdout)
}
