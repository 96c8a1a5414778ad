package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
)

// How a driver's process and who starts it find each other is what hashicorp/go-plugin does,
// so that those who use that library and those who do not understand each other.

// HandshakeConfig is by what a program knows that it was started to be a driver.
type HandshakeConfig struct{ MagicCookieKey, MagicCookieValue string }

// Handshake is an environment variable that is set in the process of every driver.
func Handshake() HandshakeConfig { return HandshakeConfig{"MCIC_DRIVER", "mc-infra-connector driver"} }

// The other environment variables of the handshake.
const (
	EnvVersions  = "PLUGIN_PROTOCOL_VERSIONS" // of the driver protocol that the caller speaks
	EnvSocketDir = "PLUGIN_UNIX_SOCKET_DIR"   // where the socket is to be
)

// Versions are versions of the driver protocol, each with what speaks it over a connection.
type Versions map[int]func(grpc.ClientConnInterface) Client

// Spoken are the versions that this package speaks.
func Spoken() Versions {
	return Versions{1: func(conn grpc.ClientConnInterface) Client { return &remote{driverv1.NewDriverServiceClient(conn)} }}
}

// ProtocolVersions returns the versions of the driver protocol that this package
// speaks.
func ProtocolVersions() []int { return slices.Sorted(maps.Keys(Spoken())) }

// agreed is the newest version that both sides speak, or one of our own.
func agreed(theirs string) int {
	own := ProtocolVersions()
	for _, v := range slices.Backward(own) {
		if slices.Contains(strings.Split(theirs, ","), strconv.Itoa(v)) {
			return v
		}
	}
	return own[0]
}

// accept serves on a socket after the handshake.
func accept(rpc *grpc.Server, stdout io.Writer) error {
	f, err := os.CreateTemp(os.Getenv(EnvSocketDir), "plugin")
	if err != nil {
		return fmt.Errorf("find a name for the socket: %w", err)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil { //nolint:gosec // it is ours
		return fmt.Errorf("find a name for the socket: %w", err)
	}
	listener, err := net.Listen("unix", f.Name()) //nolint:noctx // it takes no time
	if err != nil {
		return fmt.Errorf("listen for calls: %w", err)
	}
	signal.Notify(make(chan os.Signal, 1), os.Interrupt) // which is for who has started the caller in a terminal
	if _, err := fmt.Fprintf(stdout, "1|%d|unix|%s|grpc|\n", agreed(os.Getenv(EnvVersions)), f.Name()); err != nil {
		return fmt.Errorf("say where calls are taken: %w", err)
	}
	os.Stdout = os.Stderr // what is printed from now on is for the log
	return rpc.Serve(listener)
}

// ErrVersion is in the chain of an error when a driver speaks no version of the driver
// protocol that its caller does.
var ErrVersion = errors.New("no version of the driver protocol is spoken by both sides")

// Meeting is the caller's side of a handshake with a process.
type Meeting struct {
	versions Versions
	said     io.Writer

	mu   sync.Mutex
	line []byte
	full bool
	met  chan struct{} // closed when the line is there
}

// maxGreeting is how long the line of a handshake can be.
const maxGreeting = 4096

// Prepare has a driver's command take part in a handshake, with its socket in a folder, ""
// for the system's temporary one. What it logs and prints goes to said.
func Prepare(cmd *exec.Cmd, sockets string, said io.Writer, versions Versions) *Meeting {
	m := &Meeting{versions: versions, said: said, met: make(chan struct{})}
	cookie := Handshake()
	var spoken []string
	for _, v := range slices.Sorted(maps.Keys(versions)) {
		spoken = append(spoken, strconv.Itoa(v))
	}
	cmd.Env = append(cmd.Env, cookie.MagicCookieKey+"="+cookie.MagicCookieValue, EnvVersions+"="+strings.Join(spoken, ","), "PLUGIN_MIN_PORT=0", "PLUGIN_MAX_PORT=0")
	if sockets != "" {
		cmd.Env = append(cmd.Env, EnvSocketDir+"="+sockets)
	}
	cmd.Stdout, cmd.Stderr = m, said
	return m
}

// Write implements io.Writer for the process's standard output, of which the first line counts.
func (m *Meeting) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full {
		return len(p), nil
	}
	line, _, ended := strings.Cut(string(p), "\n")
	m.line = append(m.line, line[:min(len(line), maxGreeting-len(m.line))]...)
	if m.full = ended || len(m.line) == maxGreeting; m.full {
		close(m.met)
	}
	return len(p), nil
}

// Meet speaks to the process, once that has said where it listens. The context ends with the
// time that it has for that, or with the process. end closes the connection.
func (m *Meeting) Meet(ctx context.Context, options ...grpc.DialOption) (client Client, end func(), err error) {
	select {
	case <-m.met:
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("it has not said where it listens: %w", context.Cause(ctx))
	}
	speak, address, err := m.read(string(m.line))
	if err != nil {
		return nil, nil, err
	}
	conn, err := grpc.NewClient("passthrough:driver", append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", address)
		}),
	}, options...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to it: %w", err)
	}
	go m.hear(conn)                                      //nolint:gosec // it ends with the connection, not with the handshake
	return speak(conn), func() { _ = conn.Close() }, nil // it may have lost its other side
}

// read reads the line of a handshake.
func (m *Meeting) read(line string) (speak func(grpc.ClientConnInterface) Client, address string, err error) {
	parts := strings.Split(strings.TrimSpace(line), "|")
	if len(parts) < 5 || parts[0] != "1" || parts[2] != "unix" || parts[4] != "grpc" {
		return nil, "", fmt.Errorf("it says %.200q, and not where it listens as 1|VERSION|unix|SOCKET|grpc|", line)
	}
	version, err := strconv.Atoi(parts[1])
	if speak = m.versions[version]; err != nil || speak == nil {
		return nil, "", fmt.Errorf("it speaks version %.20s: %w", parts[1], ErrVersion)
	}
	return speak, parts[3], nil
}

// hear passes on what the process prints, if go-plugin serves it: that takes its standard
// output and error away from it, and has it wait until somebody asks for them.
func (m *Meeting) hear(conn *grpc.ClientConn) {
	stream, err := conn.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true}, "/plugin.GRPCStdio/StreamStdio")
	if err != nil || stream.SendMsg(&emptypb.Empty{}) != nil || stream.CloseSend() != nil {
		return
	}
	for {
		var printed emptypb.Empty // of no field that it has: its message is go-plugin's own
		if stream.RecvMsg(&printed) != nil {
			return
		}
		if _, err := m.said.Write(printedIn(printed.ProtoReflect().GetUnknown())); err != nil {
			return
		}
	}
}

// printedField is the number of the field with what was printed.
const printedField = 2

func printedIn(fields []byte) []byte {
	for len(fields) > 0 {
		number, kind, n := protowire.ConsumeTag(fields)
		if n < 0 {
			return nil
		}
		fields = fields[n:]
		if number == printedField && kind == protowire.BytesType {
			text, _ := protowire.ConsumeBytes(fields) // nil of what is none
			return text
		}
		if n = protowire.ConsumeFieldValue(number, kind, fields); n < 0 {
			return nil
		}
		fields = fields[n:]
	}
	return nil
}
