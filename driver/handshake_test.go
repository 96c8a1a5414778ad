package driver

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

func TestTheNewestCommonVersionIsAgreed(t *testing.T) {
	for theirs, version := range map[string]int{"1": 1, "1,2": 1, "2,1": 1, "": 1, "2": 1, "11": 1} { // what does not fit is refused by the caller
		assert.Equal(t, version, agreed(theirs), theirs)
	}
}

// printed is what a process has printed, piece by piece.
type printed chan string

func (p printed) Write(text []byte) (int, error) {
	p <- string(text)
	return len(text), nil
}

// A driver that is served by go-plugin, as those of before are, prints into a stream of its
// own and stands still if nobody reads that.
func TestWhatGoPluginTakesAwayIsHeard(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket) //nolint:noctx // it takes no time
	require.NoError(t, err)
	rpc := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		if method, _ := grpc.MethodFromServerStream(stream); method != "/plugin.GRPCStdio/StreamStdio" {
			return errors.New("it asks for " + method)
		}
		for _, text := range []string{"one\n", "two\n"} { // message StdioData { Channel channel = 1; bytes data = 2; }
			data := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 2)
			data = protowire.AppendString(protowire.AppendTag(data, 2, protowire.BytesType), text)
			m := &emptypb.Empty{}
			m.ProtoReflect().SetUnknown(data)
			if err := stream.SendMsg(m); err != nil {
				return err
			}
		}
		<-stream.Context().Done()
		return nil
	}))
	go func() { _ = rpc.Serve(listener) }()
	t.Cleanup(rpc.Stop)

	said := make(printed)
	meeting := Prepare(&exec.Cmd{}, "", said, Spoken())
	for piece := range strings.SplitSeq("1|1|un ix| "+socket+"|grpc|\nmore", " ") {
		n, err := meeting.Write([]byte(piece))
		require.NoError(t, err)
		assert.Equal(t, len(piece), n)
	}
	_, end, err := meeting.Meet(t.Context())
	require.NoError(t, err)
	defer end()
	assert.Equal(t, "one\n", <-said)
	assert.Equal(t, "two\n", <-said)
}

func TestWhatIsNoHandshakeIsRefused(t *testing.T) {
	for line, want := range map[string]string{
		"Hello\n":                       `it says "Hello", and not where it listens`,
		"\n":                            `it says ""`,
		"1|1|tcp|127.0.0.1:1|grpc|\n":   "not where it listens",
		"1|1|unix|/s|netrpc|\n":         "not where it listens",
		"2|1|unix|/s|grpc|\n":           "not where it listens",
		"1|9|unix|/s|grpc|\n":           "it speaks version 9: no version of the driver protocol is spoken by both sides",
		"1|x|unix|/s|grpc|\n":           "it speaks version x",
		strings.Repeat("endless", 1000): `it says "endlessendless`,
	} {
		meeting := Prepare(&exec.Cmd{}, "", nil, Spoken())
		_, err := meeting.Write([]byte(line))
		require.NoError(t, err)
		_, _, err = meeting.Meet(t.Context())
		assert.ErrorContains(t, err, want)
		assert.Equal(t, strings.Contains(want, "speaks version"), errors.Is(err, ErrVersion), line)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Nanosecond, errors.New("timeout after a moment"))
	defer cancel()
	_, _, err := Prepare(&exec.Cmd{}, "", nil, Spoken()).Meet(ctx)
	assert.EqualError(t, err, "it has not said where it listens: timeout after a moment")
}
