package cli

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestATildeAtTheStartOfALineEscapes(t *testing.T) {
	for typed, want := range map[string]struct {
		sent  string
		ended bool
	}{
		"plain":            {"plain", false},
		"~.":               {"", true},
		"ls\r~.more":       {"ls\r", true},
		"ls\n~.":           {"ls\n", true},
		"ls ~.\r":          {"ls ~.\r", false},
		"~~.":              {"~.", false},
		"~/bin/x\r":        {"~/bin/x\r", false},
		"\r~\r~.":          {"\r~\r", true},
		"cd ~\r~~~\rx~.\r": {"cd ~\r~~\rx~.\r", false},
	} {
		for how, reader := range map[string]io.Reader{"at once": strings.NewReader(typed), "byte by byte": iotest.OneByteReader(strings.NewReader(typed))} {
			ended := false
			sent, err := io.ReadAll(&escapable{Reader: reader, start: true, end: func() { ended = true }})
			require.NoError(t, err)
			assert.Equal(t, want.ended, ended, "%q %s", typed, how)
			if how == "byte by byte" || !want.ended { // what came with the escape is not sent any more
				assert.Equal(t, want.sent, string(sent), "%q %s", typed, how)
			}
		}
	}
}

func TestWrongUseOfSSH(t *testing.T) {
	s := newShell(t, newFake(t))
	for line, says := range map[string]string{
		"vm ssh":                                   "which vm?",
		"vm ssh web two":                           "takes one NAME",
		"vm ssh web --password --identity x":       "either --identity or --password",
		"vm ssh web --identity /no/such/file":      "--identity: ",
		"vm ssh web --password":                    "standard input is no terminal",
		"vm ssh web --tty -- top":                  "no terminal",
		"vpc ssh net":                              `no command "ssh"`,
		"vm ssh web --port x":                      "--port",
		"vm hostkeys":                              "which vm?",
		"vm ssh web -c mock --identit x":           "did you mean --identity?",
		"vm hostkeys web another --forget -o yaml": "takes one NAME",
	} {
		assert.Equal(t, 2, s.run(line), "%s: %s", line, s.err)
		assert.Contains(t, s.err.String(), says, line)
	}
}
