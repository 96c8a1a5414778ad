package host

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
)

// redactor takes the secret values of credentials out of what a driver's process says, in
// the forms in which they may be written. The process serves several connections, so that
// what one of them knows is in no answer to another.
type redactor struct {
	mu    sync.Mutex
	known []string
	made  atomic.Pointer[redaction]
}

// redaction is what is looked for. A weak value, such as one that is a word, is a
// coincidence within what a cloud says of its objects: there it counts as a whole only.
type redaction struct {
	texts  *matcher // in errors and lines of a log
	inJSON *matcher // as it is written
	values *matcher // in a string of it
	weak   map[string]bool
}

const (
	redacted   = "[secret]"
	leastLong  = 6  // of what is looked for: shorter values are everywhere
	strongLong = 8  // of a value with more than letters
	wordLong   = 16 // of one of letters
)

func isWeak(value string) bool {
	other := strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsLetter(r) })
	return len(value) < strongLong || !other && len(value) < wordLong
}

// add makes values known, for the life of the process.
func (r *redactor) add(values []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.known)
	for _, v := range values {
		if len(v) >= leastLong && !slices.Contains(r.known, v) {
			r.known = append(r.known, v)
		}
	}
	if len(r.known) == before {
		return
	}
	next := &redaction{weak: map[string]bool{}}
	var texts, written, strong []string
	for _, v := range r.known {
		forms := formsOf(v)
		texts = append(texts, forms...)
		if isWeak(v) {
			next.weak[v] = true
			written = append(written, `"`+escaped(v, true)+`"`, `"`+escaped(v, false)+`"`)
			continue
		}
		written, strong = append(written, forms...), append(strong, forms...)
	}
	next.texts, next.inJSON, next.values = newMatcher(texts), newMatcher(written), newMatcher(strong)
	r.made.Store(next)
}

// formsOf are the ways in which a value may be written.
func formsOf(value string) []string {
	quoted := strconv.Quote(value)
	forms := []string{value, escaped(value, true), escaped(value, false), quoted[1 : len(quoted)-1], url.QueryEscape(value), url.PathEscape(value)}
	for _, form := range slices.Clone(forms) { // within JSON
		forms = append(forms, escaped(form, true), escaped(form, false))
	}
	for before := range 3 { // how far into three bytes it begins, as within user:password
		text := append(make([]byte, before), value...)
		first, rest := (before*8+5)/6, len(text)%3 // what is also of its neighbours is left away
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, e.EncodeToString(text[:len(text)-rest])[first:])
		}
	}
	for line := range strings.Lines(value) { // of a key, say
		if line = strings.TrimSpace(line); line != value && len(line) >= wordLong && !strings.HasPrefix(line, "-----") {
			forms = append(forms, line)
		}
	}
	return forms
}

// escaped is a text as JSON writes it, without the quotes.
func escaped(text string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(text) // a text can be written
	return strings.Trim(strings.TrimSpace(b.String()), `"`)
}

// text takes secrets out of a text for people.
func (r *redactor) text(text string) string {
	if made := r.made.Load(); made != nil {
		return made.texts.replace(text)
	}
	return text
}

// value takes them out of a text that is a value.
func (r *redactor) value(text string) string {
	made := r.made.Load()
	switch {
	case made == nil:
		return text
	case made.weak[text]:
		return redacted
	}
	return made.values.replace(text)
}

// json takes them out of the values of a document, and out of all of what is none.
func (r *redactor) json(raw []byte) []byte {
	made := r.made.Load()
	if made == nil {
		return raw
	}
	if at, _ := made.inJSON.find(raw, 0); at < 0 {
		return raw
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var document any
	if d.Decode(&document) != nil || d.More() {
		return []byte(r.text(string(raw)))
	}
	clean, err := json.Marshal(r.document(document))
	if err != nil {
		return []byte(r.text(string(raw)))
	}
	return clean
}

// document is what is left of a document: the names of its fields stay.
func (r *redactor) document(v any) any {
	switch v := v.(type) {
	case string:
		return r.value(v)
	case []any:
		for i := range v {
			v[i] = r.document(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = r.document(v[name])
		}
	}
	return v
}

// matcher finds any of several texts, the way of Wu and Manber: it looks at the last two of
// the first bytes that a text can have here, which mostly tell that none can end there.
// https://webglimpse.net/pubs/TR94-17.pdf
type matcher struct {
	skip  [1 << 16]uint8
	texts map[uint16][]string // by the two bytes, the longest first
}

func newMatcher(texts []string) *matcher {
	m := &matcher{texts: map[uint16][]string{}}
	for i := range m.skip {
		m.skip[i] = leastLong - 1
	}
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	for _, text := range slices.Compact(texts) {
		if len(text) < leastLong {
			continue
		}
		for i := 1; i < leastLong; i++ {
			at := pair(text[i-1], text[i])
			m.skip[at] = min(m.skip[at], uint8(leastLong-1-i)) // small
		}
		last := pair(text[leastLong-2], text[leastLong-1])
		m.texts[last] = append(m.texts[last], text)
	}
	return m
}

func pair(a, b byte) uint16 { return uint16(a)<<8 | uint16(b) }

// find answers where the first text begins and ends, or -1.
func (m *matcher) find(in []byte, from int) (begin, end int) {
	for i := from + leastLong - 1; i < len(in); {
		last := pair(in[i-1], in[i])
		if skip := m.skip[last]; skip > 0 {
			i += int(skip)
			continue
		}
		begin := i - leastLong + 1
		for _, text := range m.texts[last] {
			if len(text) <= len(in)-begin && string(in[begin:begin+len(text)]) == text {
				return begin, begin + len(text)
			}
		}
		i++
	}
	return -1, -1
}

// replace puts a mark where a text was.
func (m *matcher) replace(text string) string {
	in := []byte(text)
	begin, end := m.find(in, 0)
	if begin < 0 {
		return text
	}
	var out strings.Builder
	done := 0
	for ; begin >= 0; begin, end = m.find(in, end) {
		out.Write(in[done:begin])
		out.WriteString(redacted)
		done = end
	}
	out.Write(in[done:])
	return out.String()
}
