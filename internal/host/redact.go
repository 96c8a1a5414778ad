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
	"unicode"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// redactor takes the secret values of credentials out of what a driver's process says, in
// the forms in which they may be written. The process serves several connections, so that
// what one of them knows is in no answer to another. A weak value, such as one that is a
// word, is a coincidence within what a cloud says of its objects: there it counts as a whole
// only.
type redactor struct {
	mu     sync.RWMutex
	known  map[string]bool // whether they are weak
	texts  matcher         // in errors and lines of a log
	inJSON matcher         // as it is written
	values matcher         // in a string of it
}

func newRedactor() *redactor { return &redactor{known: map[string]bool{}} }

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

// isWord reports whether a text is a word of the protocol. Without these no answer can be
// read, and nobody learns a secret from one.
func isWord(text string) bool {
	return slices.Contains(resource.States(), resource.State(text)) || slices.Contains(resource.Codes(), resource.Code(text)) ||
		slices.Contains(resource.ProblemRules(), resource.ProblemRule(text)) || slices.Contains(resource.WarningRules(), resource.WarningRule(text))
}

// add makes values known, for the life of the process.
func (r *redactor) add(values []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range values {
		if _, known := r.known[v]; known || len(v) < leastLong {
			continue
		}
		weak, forms := isWeak(v), formsOf(v)
		r.known[v] = weak
		r.texts.add(forms)
		if weak {
			for _, written := range inJSON(v) {
				r.inJSON.add([]string{`"` + written + `"`})
			}
			continue
		}
		r.inJSON.add(forms)
		r.values.add(forms)
	}
}

// formsOf are the ways in which a value may be written.
func formsOf(value string) []string {
	quoted := strconv.Quote(value)
	forms := append(inJSON(value), value, quoted[1:len(quoted)-1], url.QueryEscape(value), url.PathEscape(value))
	for _, form := range slices.Clone(forms) { // within JSON
		forms = append(forms, inJSON(form)...)
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

// inJSON are the ways in which JSON is usually written: as Go does, with and without what is
// escaped for HTML, and with ASCII alone as Python does.
func inJSON(text string) []string {
	ascii := strconv.QuoteToASCII(text)
	return []string{escaped(text, true), escaped(text, false), ascii[1 : len(ascii)-1]}
}

// escaped is a text as Go writes it in JSON, without the quotes.
func escaped(text string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(text) // a text can be written
	return strings.Trim(strings.TrimSpace(b.String()), `"`)
}

// text takes secrets out of a text for people.
func (r *redactor) text(text string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.known) == 0 || isWord(text) {
		return text
	}
	return r.texts.replace(text)
}

// value takes them out of a text that is a value.
func (r *redactor) value(text string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.known) == 0 {
		return text
	}
	return r.clean(text)
}

// clean is value while the lock is held.
func (r *redactor) clean(text string) string {
	switch {
	case isWord(text):
		return text
	case r.known[text]:
		return redacted
	}
	return r.values.replace(text)
}

// json takes them out of the values of a document, and out of all of what is none.
func (r *redactor) json(raw []byte) []byte {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.known) == 0 {
		return raw
	}
	if at, _ := r.inJSON.find(raw, 0); at < 0 {
		return raw
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var document any
	if d.Decode(&document) != nil || d.More() {
		return []byte(r.texts.replace(string(raw)))
	}
	clean, err := json.Marshal(r.document(document))
	if err != nil {
		return []byte(r.texts.replace(string(raw)))
	}
	return clean
}

// document is what is left of a document: the names of its fields stay.
func (r *redactor) document(v any) any {
	switch v := v.(type) {
	case string:
		return r.clean(v)
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
	reach [1 << 16]uint8      // how far into a text the two can be at most
	texts map[uint16][]string // by the two bytes, the longest first
}

func (m *matcher) add(texts []string) {
	if m.texts == nil {
		m.texts = map[uint16][]string{}
	}
	longestFirst := func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }
	for _, text := range texts {
		if len(text) < leastLong {
			continue
		}
		for i := range uint8(leastLong - 1) {
			at := pair(text[i], text[i+1])
			m.reach[at] = max(m.reach[at], i+1)
		}
		last := pair(text[leastLong-2], text[leastLong-1])
		if at, there := slices.BinarySearchFunc(m.texts[last], text, longestFirst); !there {
			m.texts[last] = slices.Insert(m.texts[last], at, text)
		}
	}
}

func pair(a, b byte) uint16 { return uint16(a)<<8 | uint16(b) }

// find answers where the first text begins and ends, or -1.
func (m *matcher) find(in []byte, from int) (begin, end int) {
	for i := from + leastLong - 1; i < len(in); {
		last := pair(in[i-1], in[i])
		if skip := leastLong - 1 - int(m.reach[last]); skip > 0 {
			i += skip
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
