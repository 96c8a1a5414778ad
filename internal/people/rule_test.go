package people

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// naive decides by the words of the documents, one case after the other, and knows nothing of
// how rules are compiled.
func naive(rules []api.RoleRule, granted scope, verb, kind, connection string, known map[string]map[string]string, labels map[string]string) bool {
	own := strings.Fields("kubeconfig login password data native extend credentials cost manage")
	for _, r := range rules {
		verbs := false
		for _, v := range r.Verbs {
			verbs = verbs || v == verb || v == "*" || v == "change" && verb != "read" && !slices.Contains(own, verb)
		}
		kinds := false
		for _, k := range r.Kinds {
			_, err := resource.KindNamed(kind)
			catalog := slices.ContainsFunc(resource.Catalogs(), func(c *resource.Catalog) bool { return c.Name == kind })
			kinds = kinds || k == kind || k == "*" || k == "resource" && err == nil || k == "catalog" && catalog
		}
		connections := true
		for _, patterns := range [][]string{r.Connections, granted.connections} {
			if len(patterns) > 0 && !slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, connection); return ok }) {
				connections = false
			}
		}
		holds := func(texts []string, labels map[string]string) bool {
			for _, l := range texts {
				if key, value, ok := strings.Cut(l, "!="); ok {
					if labels[key] == value {
						return false
					}
				} else if key, value, ok := strings.Cut(l, "="); ok && labels[key] != value {
					return false
				}
			}
			return true
		}
		has := holds(r.Labels, labels)
		if place := append(slices.Clone(r.ConnectionLabels), granted.labels...); len(place) > 0 {
			has = has && known[connection] != nil && holds(place, known[connection])
		}
		if verbs && kinds && connections && has {
			return true
		}
	}
	return false
}

// pick chooses some of the words by the bytes of a fuzzed input.
type pick struct{ raw []byte }

func (p *pick) next() int {
	if len(p.raw) == 0 {
		return 0
	}
	b := p.raw[0]
	p.raw = p.raw[1:]
	return int(b)
}

func (p *pick) one(words []string) string { return words[p.next()%len(words)] }

func (p *pick) some(least int, words []string) (chosen []string) {
	for range least + p.next()%3 {
		chosen = append(chosen, p.one(words))
	}
	return chosen
}

func FuzzRulesAreWhatTheySay(f *testing.F) {
	for _, seed := range []string{"", "abc", "\x01\x02\x03\x04\x05\x06\x07\x08", "zyxwvutsrqponmlkjihgfedcba0123456789", strings.Repeat("\xff\x10\x03", 20)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := &pick{raw}
		verbs, kinds := Verbs(), Kinds()
		names := []string{"a", "aws-1", "aws-2", "gcp", "x.y_z", "aws-"}
		patterns := append([]string{"*", "aws-*", "*1", "a*s*", "*-*-*", "**"}, names...)
		tests := []string{"stage=prod", "stage!=prod", "site=kr"}
		known := places{} // the last name is of a connection that is not known here yet
		for _, name := range names[:5] {
			known[name] = map[string]string{}
			for _, l := range p.some(0, []string{"stage=prod", "stage=test", "site=kr"}) {
				key, value, _ := strings.Cut(l, "=")
				known[name][key] = value
			}
		}
		var rules []api.RoleRule
		for range 1 + p.next()%4 {
			rules = append(rules, api.RoleRule{
				Verbs: p.some(1, verbs), Kinds: p.some(1, kinds), Connections: p.some(0, patterns), Labels: p.some(0, []string{"team=a", "team!=a", "env=prod", "env!=x"}),
				ConnectionLabels: p.some(0, tests),
			})
		}
		granted := scope{p.some(0, patterns), p.some(0, tests)}
		require.NoError(t, checkRules(rules))
		var compiled []rule
		for _, r := range rules {
			made, err := newRule("r", r, granted, known)
			require.NoError(t, err)
			compiled = append(compiled, made)
		}
		about, _ := json.Marshal(rules)
		for range 8 {
			verb, kind, connection := p.one(verbs), p.one(kinds), p.one(names)
			if verb == Change || verb == All || kind == All || kind == Resources || kind == Catalogs { // words of rules alone
				continue
			}
			labels := map[string]string{}
			for _, l := range p.some(0, []string{"team=a", "team=b", "env=prod"}) {
				key, value, _ := strings.Cut(l, "=")
				labels[key] = value
			}
			what := What{Kind: kind, Connection: connection}
			want := naive(rules, granted, verb, kind, connection, known, labels)
			message := fmt.Sprintf("%s in %v: %s %s in %s with %v", about, granted, verb, kind, connection, labels)
			assert.Equal(t, want, decideLabels(compiled, verb, what, labels), message)
			switch decide(compiled, verb, what) {
			case Allowed:
				assert.True(t, want, message)
			case Denied:
				assert.False(t, want, message)
			}
			if _, there := known[connection]; there {
				assert.Equal(t, want, fitting(sees(compiled, verb, kind), connection, labels), message)
			} else if !want { // what is not known may be missing
				assert.False(t, fitting(sees(compiled, verb, kind), connection, labels), message)
			}
			if decide(compiled, verb, What{Kind: kind}) == Allowed {
				assert.Nil(t, sees(compiled, verb, kind), message)
			}
		}
	})
}

// fitting reports whether a list has what is so, as its SQL says.
func fitting(s *store.Sees, connection string, labels map[string]string) bool {
	return s == nil || slices.ContainsFunc(s.Any, func(p store.Part) bool {
		return (p.Connections == nil || slices.Contains(p.Connections, connection)) && rule{labels: p.Labels}.has(labels)
	})
}

// A right that is one of its own is not among all that somebody may do who may change all.
func TestChangingEverythingIsNotDoingEverything(t *testing.T) {
	r, err := newRule("r", api.RoleRule{Verbs: []string{Change}, Kinds: []string{All}}, scope{}, nil)
	require.NoError(t, err)
	assert.Equal(t, Denied, decide([]rule{r}, All, What{Kind: All}))
	assert.Equal(t, Allowed, decide([]rule{r}, Create, What{Kind: Connection}))
}

func TestPasswordsThatAreTriedFirst(t *testing.T) {
	for _, bad := range []string{"", "short1!", "password1234", "qwertyuiop12", "aaaaaaaaaaaaaaaa", "Administrator1", "annaannaanna1", "1234567890123", "Welcome2Seoul", "abcdefghijklm"} {
		require.Error(t, checkPassword("anna", bad), bad)
	}
	for _, good := range []string{"correct horse battery", "tr4ns-Siberian-42", "나는 매일 아침 커피를 마신다", "vK8#qp2!xLm9"} {
		require.NoError(t, checkPassword("anna", good), good)
	}
}

func TestAPasswordIsRecognizedByItsHash(t *testing.T) {
	h := make(hashers, 1)
	hash := h.hash("correct horse")
	assert.Regexp(t, `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, hash)
	assert.NotEqual(t, hash, h.hash("correct horse"))
	assert.True(t, h.matches("correct horse", hash))
	for _, wrong := range []string{"", "correct hors", hash} {
		assert.False(t, h.matches(wrong, hash))
	}
	for _, broken := range []string{"", "x", "$argon2id$v=19$m=1,t=1,p=1$$", strings.Replace(hash, "v=19", "v=16", 1)} {
		assert.False(t, h.matches("correct horse", broken), broken)
	}
}

// https://www.rfc-editor.org/rfc/rfc6238#appendix-B, of which six digits are the last ones.
func TestCodesAreThoseOfTheStandard(t *testing.T) {
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		assert.Equal(t, want, codeOf([]byte("12345678901234567890"), at/stepSeconds))
	}
}
