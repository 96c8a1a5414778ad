package host

import (
	"bytes"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestItIsSaidHowManyLinesWereLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		w := &logWriter{logger: slog.New(slog.NewTextHandler(&logged, nil)), clean: strings.Clone}
		for range 2 {
			_, err := w.Write([]byte(strings.Repeat("line\n", logLines+7)))
			require.NoError(t, err)
			<-time.After(logSpan) // and it says nothing more
			synctest.Wait()
		}
		assert.Equal(t, 2, strings.Count(logged.String(), "lines=7"))
		assert.Equal(t, 2*logLines, strings.Count(logged.String(), "line=line"))
	})
}

func TestNothingIsStartedAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStarter()
		s.stop()
		synctest.Wait()
		err := s.start(exec.CommandContext(t.Context(), "true"), nil, nil)
		assert.ErrorContains(t, err, "the server is stopping")
	})
}
