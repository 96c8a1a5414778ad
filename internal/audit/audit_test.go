package audit_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/audit"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// running is a trail that runs, and sends to where text says.
func running(t *testing.T, text string, out io.Writer) *audit.Trail {
	t.Helper()
	db, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	sink, err := audit.ParseSink(text, out)
	require.NoError(t, err)
	trail := audit.New(audit.Config{Store: db, Logger: slog.New(slog.DiscardHandler), Sink: sink, Every: 10 * time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		trail.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		assert.NoError(t, db.Close())
	})
	return trail
}

func entry(t *testing.T, line string) api.AuditEntry {
	t.Helper()
	var e api.AuditEntry
	require.NoError(t, json.Unmarshal([]byte(line), &e), line)
	return e
}

func TestLoginsAreSealedAndSent(t *testing.T) {
	ctx := auth.From(t.Context(), "192.0.2.7")
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = out.Close() })
	for name, written := range map[string]string{"-": out.Name(), file: file} {
		read := func() string {
			raw, _ := os.ReadFile(written) // which is there soon
			return string(raw)
		}
		trail := running(t, name, out)
		trail.Session(ctx, auth.Admin, audit.VerbLogin)
		trail.Refused(ctx, nil)
		require.Eventually(t, func() bool { return strings.Count(read(), "\n") == 2 }, time.Minute, 5*time.Millisecond)
		lines := strings.Split(read(), "\n")
		first, second := entry(t, lines[0]), entry(t, lines[1])
		assert.Equal(t, []string{"admin", "login", "session", "ok", "192.0.2.7"}, []string{first.Who, first.Verb, first.Kind, first.Outcome, first.Address})
		assert.Equal(t, []string{"nobody", "login", "unauthenticated"}, []string{second.Who, second.Verb, second.Outcome})
		assert.Equal(t, int64(2), second.Seq)
		p, err := trail.Verify(ctx)
		require.NoError(t, err)
		assert.True(t, p.Holds)
		assert.Equal(t, second.Seal, p.Seal)
	}
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestEntriesAreSentToSyslog(t *testing.T) {
	check := func(message string) {
		head, body, ok := strings.Cut(message, " audit - ")
		require.True(t, ok, message)
		assert.Regexp(t, `^<110>1 \d{4}-\d\d-\d\dT\S+Z \S+ mcic \d+$`, head)
		assert.Equal(t, "login", entry(t, body).Verb)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	running(t, "tcp://"+listener.Addr().String(), nil).Session(t.Context(), auth.Admin, audit.VerbLogin)
	conn, err := listener.Accept()
	require.NoError(t, err)
	defer conn.Close()
	in := bufio.NewReader(conn)
	length, err := in.ReadString(' ')
	require.NoError(t, err)
	n, err := strconv.Atoi(strings.TrimSpace(length))
	require.NoError(t, err)
	message := make([]byte, n)
	_, err = io.ReadFull(in, message)
	require.NoError(t, err)
	check(string(message))

	socket := filepath.Join(t.TempDir(), "log")
	for network, address := range map[string]string{"udp": "127.0.0.1:0", "unixgram": socket} {
		packets, err := (&net.ListenConfig{}).ListenPacket(t.Context(), network, address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = packets.Close() })
		to := "udp://" + packets.LocalAddr().String()
		if network == "unixgram" {
			to = "unix://" + socket
		}
		running(t, to, nil).Session(t.Context(), auth.Admin, audit.VerbLogin)
		packet := make([]byte, 64<<10)
		n, _, err := packets.ReadFrom(packet)
		require.NoError(t, err)
		check(string(packet[:n]))
	}
}

// A pipe cannot be synced, as /dev/stdout of a container; what it was given it has.
func TestEntriesAreSentToAPipeOnce(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	reader, err := os.OpenFile(pipe, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = reader.Close() })
	trail, lines := running(t, pipe, nil), bufio.NewReader(reader)
	for i, verb := range []string{audit.VerbLogin, audit.VerbLogout} {
		trail.Session(t.Context(), auth.Admin, verb)
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, int64(i+1), entry(t, line).Seq)
	}
}

func TestPlacesThatAreNone(t *testing.T) {
	for _, text := range []string{"http://x", "tcp://x", "udp://x:1/y", "unix://"} {
		_, err := audit.ParseSink(text, nil)
		assert.Error(t, err, text)
	}
}

func TestWrongTokensDoNotFillTheDatabase(t *testing.T) {
	trail := running(t, "-", io.Discard)
	for range 300 {
		trail.Refused(t.Context(), nil)
	}
	p, err := trail.Verify(t.Context())
	require.NoError(t, err)
	assert.Less(t, p.Last+int64(p.Open), int64(200))
}
