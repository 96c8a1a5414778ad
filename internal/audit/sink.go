package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
)

// Sink is where entries are sent to, as lines of JSON.
type Sink struct {
	file            string // "" for none
	out             io.Writer
	network, syslog string
	host            string
}

// What a message to syslog begins with: facility "log audit", severity "informational".
// https://www.rfc-editor.org/rfc/rfc5424#section-6
const (
	priority   = 13<<3 | 6
	sendWithin = 10 * time.Second
)

// ParseSink reads where to: - for standard output, tcp://, udp:// or unix:// for syslog, or
// a file.
func ParseSink(text string, out io.Writer) (*Sink, error) {
	if text == "-" {
		return &Sink{out: out}, nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "-"
	}
	u, err := url.Parse(text)
	switch {
	case err == nil && (u.Scheme == "tcp" || u.Scheme == "udp"):
		if u.Port() == "" || u.Path != "" {
			return nil, fmt.Errorf("%q is not an address of syslog such as %s://logs.example.com:514", text, u.Scheme)
		}
		return &Sink{network: u.Scheme, syslog: u.Host, host: host}, nil
	case err == nil && u.Scheme == "unix" && u.Path != "":
		return &Sink{network: "unixgram", syslog: u.Path, host: host}, nil
	case err == nil && u.Scheme != "":
		return nil, fmt.Errorf("%q is neither a file nor tcp://, udp:// or unix:// for syslog", text)
	}
	return &Sink{file: text}, nil
}

// send sends all, or answers an error.
func (s *Sink) send(ctx context.Context, entries []api.AuditEntry) error {
	var messages [][]byte
	for _, e := range entries {
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode an entry of the audit trail: %w", err)
		}
		if s.syslog != "" {
			line = fmt.Appendf(nil, "<%d>1 %s %s mcic %d audit - %s", priority, e.At.UTC().Format(time.RFC3339Nano), s.host, os.Getpid(), line)
		}
		messages = append(messages, line)
	}
	if s.syslog != "" {
		return s.toSyslog(ctx, messages)
	}
	lines := append(bytes.Join(messages, []byte("\n")), '\n')
	if s.out != nil {
		_, err := s.out.Write(lines)
		return err
	}
	// Opened each time, so that the file can be rotated.
	f, err := os.OpenFile(s.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the audit trail: %w", err)
	}
	_, err = f.Write(lines)
	if info, failed := f.Stat(); failed == nil && info.Mode().IsRegular() { // a pipe or a terminal keeps nothing
		err = errors.Join(err, f.Sync())
	}
	return errors.Join(err, f.Close())
}

// toSyslog sends one datagram for each, or by TCP each with its length before it.
// https://www.rfc-editor.org/rfc/rfc6587#section-3.4.1
func (s *Sink) toSyslog(ctx context.Context, messages [][]byte) error {
	conn, err := (&net.Dialer{Timeout: sendWithin}).DialContext(ctx, s.network, s.syslog)
	if err != nil {
		return fmt.Errorf("send the audit trail to syslog: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(sendWithin)); err != nil {
		return err
	}
	for _, m := range messages {
		if s.network == "tcp" {
			m = append(fmt.Appendf(nil, "%d ", len(m)), m...)
		}
		if _, err := conn.Write(m); err != nil {
			return fmt.Errorf("send the audit trail to syslog: %w", err)
		}
	}
	return nil
}
