package host

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// maxLogLine is where a driver's log line is cut.
const maxLogLine = 64 << 10

// maxCut is how long a secret can be that the cut goes through.
const maxCut = 8 << 10

// logWriter passes the log of a driver on: lines of slog's JSON with their level
// and attributes, other lines as they are.
type logWriter struct {
	logger *slog.Logger
	clean  func(string) string // takes out what is secret

	mu   sync.Mutex
	line []byte

	since       time.Time // of what follows
	lines, size int
	left        int // lines that were left out
}

// How much a driver may have logged within some time: more of it is left out.
const (
	logSpan  = 10 * time.Second
	logLines = 2000
	logBytes = 4 << 20
)

// mayPass reports whether a line is passed on.
func (w *logWriter) mayPass(line []byte) bool {
	if now := time.Now(); now.Sub(w.since) >= logSpan {
		w.since, w.lines, w.size = now, 0, 0
	}
	w.lines++
	w.size += len(line)
	if w.lines > logLines || w.size > logBytes {
		if w.left++; w.left == 1 {
			time.AfterFunc(time.Until(w.since.Add(logSpan)), w.tellLeft)
		}
		return false
	}
	return true
}

// tellLeft says how many lines were left out, also if none follows.
func (w *logWriter) tellLeft() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logger.Warn("the driver says too much; lines of it were left out", "lines", w.left)
	w.left = 0
}

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			w.add(p)
			return n, nil
		}
		w.add(p[:i])
		w.flush()
		p = p[i+1:]
	}
}

func (w *logWriter) add(p []byte) {
	w.line = append(w.line, p[:min(len(p), maxLogLine-len(w.line))]...)
}

func (w *logWriter) flush() {
	if len(w.line) == maxLogLine {
		w.line = w.line[:maxLogLine-maxCut] // a secret may have been cut in two
	}
	line := bytes.TrimSpace(w.line)
	w.line = nil
	if len(line) == 0 || !w.mayPass(line) {
		return
	}
	line = []byte(w.clean(string(line)))
	var record map[string]any
	if json.Unmarshal(line, &record) != nil {
		w.logger.Info("driver output", "line", string(line))
		return
	}
	var level slog.Level
	if text, ok := record[slog.LevelKey].(string); ok {
		_ = level.UnmarshalText([]byte(text)) // what is not a level means info
	}
	message, _ := record[slog.MessageKey].(string)
	var attrs []slog.Attr
	for _, key := range slices.Sorted(maps.Keys(record)) {
		switch key {
		case slog.LevelKey, slog.MessageKey, slog.TimeKey:
		default:
			attrs = append(attrs, slog.Any(key, record[key]))
		}
	}
	w.logger.LogAttrs(context.Background(), level, message, attrs...) //nolint:sloglint // the message is the driver's own
}
