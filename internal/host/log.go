package host

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
)

// maxLogLine is where a driver's log line is cut.
const maxLogLine = 64 << 10

// logWriter passes the log of a driver on: lines of slog's JSON with their level
// and attributes, other lines as they are.
type logWriter struct {
	logger *slog.Logger

	mu   sync.Mutex
	line []byte
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
	line := bytes.TrimSpace(w.line)
	w.line = nil
	if len(line) == 0 {
		return
	}
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
