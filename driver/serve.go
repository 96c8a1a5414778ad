package driver

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
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
		servePlugin(d, stdin, stderr)
		return nil
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

// servePlugin serves until the server closes the connection or ends.
func servePlugin(d *Driver, stdin io.Reader, stderr io.Writer) {
	if os.Getenv(EnvExitWithStdin) != "" {
		go func() {
			_, _ = io.Copy(io.Discard, stdin) // ends with the server, however that ended
			os.Exit(0)
		}()
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(os.Getenv(EnvLogLevel))) // what is not a level means info
	logger := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	server := newServer(d, logger)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{1: {PluginName: &grpcPlugin{server: server}}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, server.interceptors()...)...)
		},
		Logger: hclog.NewNullLogger(),
	})
}
