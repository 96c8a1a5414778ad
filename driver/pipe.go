package driver

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
)

// pipeBuffer is how many bytes wait in a pipe before its writer does.
const pipeBuffer = 1 << 20

// Pipe serves a driver in this process and answers it as the server sees a driver in
// a process of its own: through the protocol, with its deadlines, with the check of
// what comes back, and without secrets in errors and in what goes to logger. end
// closes it; calls that are running then fail.
func Pipe(d *Driver, logger *slog.Logger) (client Client, end func(), err error) {
	s := newServer(d, logger)
	return pipe(s, s.interceptors()...)
}

func pipe(s driverv1.DriverServiceServer, options ...grpc.ServerOption) (client Client, end func(), err error) {
	listener := bufconn.Listen(pipeBuffer)
	rpc := grpc.NewServer(options...)
	driverv1.RegisterDriverServiceServer(rpc, s)
	conn, err := grpc.NewClient("passthrough:driver",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to a driver in this process: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = rpc.Serve(listener) // ends with Stop
	}()
	return &remote{driverv1.NewDriverServiceClient(conn)}, func() {
		_ = conn.Close() // it may have lost its other side
		rpc.Stop()
		<-done
	}, nil
}
