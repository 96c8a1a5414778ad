package spider_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

// exchange is a request to CB-Spider 0.13 with its Mock driver, and its answer.
type exchange struct {
	Method   string          `json:"m"`
	Path     string          `json:"p"`
	Request  json.RawMessage `json:"req"`
	Status   int             `json:"status"`
	Type     string          `json:"ct"`
	Response string          `json:"resp"`
}

// difference is where this server answers otherwise on purpose.
type difference struct {
	Lines  []int  `json:"lines"`  // of golden.jsonl, from 1; none: all
	At     string `json:"at"`     // path in the answer, or "status"; … stands for any beginning, * for everything
	Ours   any    `json:"ours"`   // what we answer instead, where it is always the same
	Shape  bool   `json:"shape"`  // only values differ, not names and types
	Reason string `json:"reason"` // why
	used   map[int]bool
}

func (d *difference) covers(line int, f found) bool {
	if len(d.Lines) > 0 && !slices.Contains(d.Lines, line) {
		return false
	}
	rest, anywhere := strings.CutPrefix(d.At, "…")
	if d.At != f.at && d.At != "*" && (!anywhere || !strings.HasSuffix(f.at, rest)) {
		return false
	}
	if d.Ours != nil && fmt.Sprint(d.Ours) != fmt.Sprint(f.ours) {
		return false
	}
	if d.Shape && (f.at == "status" || shape(f.golden) != shape(f.ours)) {
		return false
	}
	d.used[line] = true
	return true
}

// shape is the names and types of a value; a list has the shape of its first item.
func shape(v any) string {
	switch v := v.(type) {
	case map[string]any:
		text := "{"
		for _, key := range slices.Sorted(maps.Keys(v)) {
			text += key + ":" + shape(v[key]) + ","
		}
		return text + "}"
	case []any:
		if len(v) == 0 {
			return "[]"
		}
		return "[" + shape(v[0]) + "]"
	default:
		return fmt.Sprintf("%T", v)
	}
}

// TestContract replays what CB-Spider was asked, in order, and compares answers. Names
// are the client's whether or not it asks for names on the cloud that are made of them.
func TestContract(t *testing.T) {
	t.Run("IDTransformMode=ON", func(t *testing.T) { replay(t, func(body string) string { return body }) })
	t.Run("IDTransformMode=OFF", func(t *testing.T) {
		replay(t, func(body string) string {
			return strings.Replace(body, `"ReqInfo":`, `"IDTransformMode":"OFF","ReqInfo":`, 1)
		})
	})
}

func replay(t *testing.T, mode func(body string) string) {
	a := registered(t, enginetest.Options{})
	a.connect("default")
	var differences []difference
	raw, err := os.ReadFile("testdata/differences.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &differences))
	for i := range differences {
		differences[i].used = map[int]bool{}
		require.NotEmpty(t, differences[i].Reason, "difference %d has no reason", i)
	}
	file, err := os.Open("testdata/golden.jsonl")
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	line, ids := 0, map[string]string{}
	for lines.Scan() {
		line++
		var e exchange
		require.NoError(t, json.Unmarshal(lines.Bytes(), &e))
		body := ""
		if len(e.Request) > 0 && string(e.Request) != "null" {
			body = string(e.Request)
		}
		for golden, id := range ids {
			body = strings.ReplaceAll(body, golden, id)
		}
		got := a.call(e.Method, e.Path, mode(body))
		at := fmt.Sprintf("line %d: %s %s", line, e.Method, e.Path)
		for _, d := range compare(e, got, ids) {
			if !slices.ContainsFunc(differences, func(known difference) bool { return known.covers(line, d) }) {
				t.Errorf("%s: at %q CB-Spider answers %v, we %v", at, d.at, d.golden, d.ours)
			}
		}
	}
	require.NoError(t, lines.Err())
	require.Equal(t, 216, line)
	for i, d := range differences {
		if len(d.Lines) == 0 {
			assert.NotEmpty(t, d.used, "difference %d (%s) is none any more", i, d.Reason)
		}
		for _, line := range d.Lines {
			assert.True(t, d.used[line], "difference %d (%s) is none any more in line %d", i, d.Reason, line)
		}
	}
}

type found struct {
	at           string
	golden, ours any
}

// compare finds where an answer differs, after masking what differs each time. It
// notes which of our ids stands for which of CB-Spider's.
func compare(e exchange, got response, ids map[string]string) []found {
	var all []found
	if (e.Status < 300) != (got.status < 300) || e.Status != got.status {
		all = append(all, found{"status", e.Status, got.status})
	}
	if e.Type != got.header.Get("Content-Type") {
		all = append(all, found{"type", e.Type, got.header.Get("Content-Type")})
	}
	var g, o any
	if json.Unmarshal([]byte(e.Response), &g) != nil {
		g = e.Response
	}
	if json.Unmarshal([]byte(got.body), &o) != nil {
		o = got.body
	}
	learn(g, o, ids)
	return diff("", mask("", g), mask("", o), all)
}

func learn(golden, ours any, ids map[string]string) {
	switch g := golden.(type) {
	case map[string]any:
		if o, ok := ours.(map[string]any); ok {
			for key := range g {
				theirs, a := g[key].(string)
				id, b := o[key].(string)
				if key == "SystemId" && a && b && cloudName.MatchString(theirs) && id != "" {
					ids[theirs] = id
				}
				learn(g[key], o[key], ids)
			}
		}
	case []any:
		if o, ok := ours.([]any); ok {
			for i := range min(len(g), len(o)) {
				learn(g[i], o[i], ids)
			}
		}
	}
}

// cloudName is what the two clouds call objects.
var cloudName = regexp.MustCompile(`^[a-z0-9-]+-(dc1rd29[0-9a-z]{13}|[0-9a-f]{17})$`)

// mask hides ids and times, which differ each time, but not whether they are there.
func mask(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		masked := map[string]any{}
		for k, value := range v {
			masked[k] = mask(k, value)
		}
		return masked
	case []any:
		masked := make([]any, len(v))
		for i, value := range v {
			masked[i] = mask(key, value)
		}
		return masked
	case string:
		if key == "SystemId" && v != "" || key == "NameId" && cloudName.MatchString(v) && !strings.HasPrefix(v, "img-") {
			return "<id>"
		}
		if _, err := time.Parse(time.RFC3339, v); err == nil {
			return "<time>"
		}
	}
	return v
}

func diff(at string, golden, ours any, all []found) []found {
	switch g := golden.(type) {
	case map[string]any:
		o, ok := ours.(map[string]any)
		if !ok {
			return append(all, found{at, golden, ours})
		}
		keys := map[string]bool{}
		for k := range g {
			keys[k] = true
		}
		for k := range o {
			keys[k] = true
		}
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			gv, in := g[k]
			ov, out := o[k]
			if in != out {
				all = append(all, found{at + "." + k, gv, ov})
				continue
			}
			all = diff(at+"."+k, gv, ov, all)
		}
		return all
	case []any:
		o, ok := ours.([]any)
		if !ok || len(o) != len(g) {
			return append(all, found{at, golden, ours})
		}
		for i := range g {
			all = diff(at+"[]", g[i], o[i], all)
		}
		return all
	}
	if golden != ours {
		return append(all, found{at, golden, ours})
	}
	return all
}
