package moto

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// models are what AWS's own SDK for Python knows of the services, which moto needs and
// brings along: the operations with their parameters, and what each can be.
// https://botocore.amazonaws.com/v1/documentation/api/latest/reference/loaders.html
type models struct {
	dir string // data of botocore

	mu     sync.Mutex
	loaded map[string]*model // by the name that requests are signed for
}

type model struct {
	Metadata struct {
		APIVersion   string `json:"apiVersion"`
		Protocol     string `json:"protocol"`
		TargetPrefix string `json:"targetPrefix"`
	} `json:"metadata"`
	Operations map[string]struct {
		HTTP struct {
			Method     string `json:"method"`
			RequestURI string `json:"requestUri"`
		} `json:"http"`
		Input *member `json:"input"`
	} `json:"operations"`
	Shapes map[string]*shape `json:"shapes"`
}

type shape struct {
	Type       string            `json:"type"`
	Members    map[string]member `json:"members"`
	Required   []string          `json:"required"`
	Member     member            `json:"member"` // of a list
	Key, Value member            // of a map
	Flattened  bool              `json:"flattened"`
	Enum       []string          `json:"enum"`
	Pattern    string            `json:"pattern"`
	Min        *float64          `json:"min"`
	Max        *float64          `json:"max"`
}

type member struct {
	Shape        string `json:"shape"`
	Location     string `json:"location"` // uri, querystring or header; "" for the body
	LocationName string `json:"locationName"`
	QueryName    string `json:"queryName"`
}

// of answers the model of a service, nil for one that botocore does not know by the name.
func (m *models) of(service string) (*model, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.loaded[service]; ok {
		return known, nil
	}
	folder := service
	if other, differs := map[string]string{"elasticloadbalancing": "elbv2", "servicequotas": "service-quotas", "monitoring": "cloudwatch"}[service]; differs {
		folder = other
	}
	files, err := filepath.Glob(filepath.Join(m.dir, folder, "*", "service-2.json*"))
	if err != nil || len(files) == 0 {
		return nil, err
	}
	loaded, err := load(slices.Max(files)) // the folders are dates
	if err == nil {
		m.loaded[service] = loaded
	}
	return loaded, err
}

func load(path string) (*model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var text io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if text, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	var m model
	if err := json.NewDecoder(text).Decode(&m); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &m, nil
}

// checked is a request that is compared with a model.
type checked struct {
	*model

	form     url.Values
	known    map[string]bool // names of the form that the model has
	problems []string
}

// check answers the operation that a request asks for, and what the model says against it.
func (m *model) check(r *http.Request, body []byte) (operation string, problems []string) {
	c := &checked{model: m, known: map[string]bool{"Action": true, "Version": true}}
	switch m.Metadata.Protocol {
	case "ec2", "query":
		operation = c.queried(r, body)
	case "json":
		operation = strings.TrimPrefix(r.Header.Get("X-Amz-Target"), m.Metadata.TargetPrefix+".")
		if input, ok := c.input(operation); ok {
			c.value(input, c.decoded(body), operation)
		}
	case "rest-json":
		operation = c.rest(r, body)
	default:
		c.say("", "the protocol %s is not checked", m.Metadata.Protocol)
	}
	return operation, c.problems
}

func (c *checked) say(path, format string, args ...any) {
	c.problems = append(c.problems, strings.TrimPrefix(path+": ", ": ")+fmt.Sprintf(format, args...))
}

// input is the shape of what an operation takes.
func (c *checked) input(operation string) (*shape, bool) {
	known, ok := c.Operations[operation]
	if !ok {
		c.say(operation, "there is no such operation")
		return nil, false
	}
	if known.Input == nil {
		return &shape{Type: "structure"}, true
	}
	return c.Shapes[known.Input.Shape], true
}

func (c *checked) decoded(body []byte) any {
	if len(body) == 0 {
		return map[string]any{}
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		c.say("", "the body is no JSON: %v", err)
	}
	return value
}

// queried checks a request whose parameters are those of a form.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-query-api.html
func (c *checked) queried(r *http.Request, body []byte) string {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		c.say("", "the body is no form: %v", err)
	}
	c.form = form
	for name, values := range r.URL.Query() {
		c.form[name] = append(c.form[name], values...)
	}
	operation := c.form.Get("Action")
	if version := c.form.Get("Version"); version != c.Metadata.APIVersion {
		c.say("Version", "is %q instead of %q", version, c.Metadata.APIVersion)
	}
	if input, ok := c.input(operation); ok {
		c.parameter(input, "", operation)
		for _, name := range slices.Sorted(maps.Keys(c.form)) {
			if !c.known[name] && !strings.HasPrefix(name, "X-Amz-") { // those sign a request
				c.say(operation+"."+name, "there is no such parameter")
			}
		}
	}
	return operation
}

// parameter checks what a form has under a name.
func (c *checked) parameter(s *shape, name, path string) {
	ec2 := c.Metadata.Protocol == "ec2"
	switch s.Type {
	case "structure":
		for _, field := range slices.Sorted(maps.Keys(s.Members)) {
			m := s.Members[field]
			at := m.LocationName
			if at == "" {
				at = field
			}
			if ec2 {
				at = strings.ToUpper(at[:1]) + at[1:]
				if m.QueryName != "" {
					at = m.QueryName
				}
			}
			if name != "" {
				at = name + "." + at
			}
			if c.has(at) {
				c.parameter(c.Shapes[m.Shape], at, path+"."+field)
			} else if slices.Contains(s.Required, field) {
				c.say(path+"."+field, "is required")
			}
		}
	case "list":
		if !ec2 && !s.Flattened {
			name += ".member"
		}
		n := 0
		for c.has(fmt.Sprintf("%s.%d", name, n+1)) {
			c.parameter(c.Shapes[s.Member.Shape], fmt.Sprintf("%s.%d", name, n+1), fmt.Sprintf("%s[%d]", path, n))
			n++
		}
		c.bounded(s, float64(n), "elements", path)
	case "map":
		for n := 1; c.has(fmt.Sprintf("%s.entry.%d", name, n)); n++ {
			c.parameter(c.Shapes[s.Key.Shape], fmt.Sprintf("%s.entry.%d.key", name, n), path+".key")
			c.parameter(c.Shapes[s.Value.Shape], fmt.Sprintf("%s.entry.%d.value", name, n), path+".value")
		}
	default:
		c.known[name] = true
		c.text(s, c.form.Get(name), path)
	}
}

// has reports whether a form has a name or what lies below it.
func (c *checked) has(name string) bool {
	if c.form.Has(name) {
		return true
	}
	for other := range c.form {
		if strings.HasPrefix(other, name+".") {
			return true
		}
	}
	return false
}

// rest checks a request whose operation is its method and path.
func (c *checked) rest(r *http.Request, body []byte) string {
	for _, operation := range slices.Sorted(maps.Keys(c.Operations)) {
		known := c.Operations[operation]
		names, ok := fits(known.HTTP.RequestURI, r.URL.EscapedPath())
		if known.HTTP.Method != r.Method || !ok {
			continue
		}
		input, _ := c.input(operation)
		fields, isObject := c.decoded(body).(map[string]any)
		if !isObject {
			c.say(operation, "the body is no object")
			return operation
		}
		query := r.URL.Query()
		for field, m := range input.Members {
			switch m.Location {
			case "uri":
				fields[field] = names[m.LocationName]
			case "querystring":
				if query.Has(m.LocationName) {
					fields[field] = queried(c.Shapes[m.Shape], query[m.LocationName])
					query.Del(m.LocationName)
				}
			}
		}
		for name := range query {
			c.say(operation+"."+name, "there is no such parameter")
		}
		c.value(input, fields, operation)
		return operation
	}
	c.say(r.Method+" "+r.URL.Path, "there is no such operation")
	return ""
}

// queried is a parameter of a query as JSON would have it.
func queried(s *shape, values []string) any {
	if s.Type != "list" {
		return strings.Join(values, ",")
	}
	list := make([]any, len(values))
	for i, value := range values {
		list[i] = value
	}
	return list
}

// fits answers the parts of a path that a template names.
func fits(template, path string) (map[string]string, bool) {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	names := map[string]string{}
	for i, part := range want {
		plain, err := url.PathUnescape(got[i])
		switch {
		case err != nil:
			return nil, false
		case strings.HasPrefix(part, "{"):
			names[strings.Trim(part, "{}")] = plain
		case part != got[i]:
			return nil, false
		}
	}
	return names, true
}

// value checks a value of JSON.
func (c *checked) value(s *shape, value any, path string) {
	switch v := value.(type) {
	case nil:
		c.say(path, "is null")
	case map[string]any:
		c.object(s, v, path)
	case []any:
		if s.Type != "list" {
			c.say(path, "is a list instead of a %s", s.Type)
			return
		}
		for i, element := range v {
			c.value(c.Shapes[s.Member.Shape], element, fmt.Sprintf("%s[%d]", path, i))
		}
		c.bounded(s, float64(len(v)), "elements", path)
	case string:
		c.text(s, v, path)
	default: // a number, true or false
		if s.Type == "string" {
			c.say(path, "is %v instead of a string", v)
			return
		}
		c.text(s, fmt.Sprint(v), path)
	}
}

func (c *checked) object(s *shape, fields map[string]any, path string) {
	switch s.Type {
	case "map":
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			c.text(c.Shapes[s.Key.Shape], key, path+"."+key)
			c.value(c.Shapes[s.Value.Shape], fields[key], path+"."+key)
		}
		c.bounded(s, float64(len(fields)), "elements", path)
	case "structure":
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			if m, ok := s.Members[name]; ok {
				c.value(c.Shapes[m.Shape], fields[name], path+"."+name)
			} else {
				c.say(path+"."+name, "there is no such parameter")
			}
		}
		for _, name := range s.Required {
			if _, ok := fields[name]; !ok {
				c.say(path+"."+name, "is required")
			}
		}
	default:
		c.say(path, "is an object instead of a %s", s.Type)
	}
}

// text checks a value that was written as text.
func (c *checked) text(s *shape, text, path string) {
	switch s.Type {
	case "string":
		c.bounded(s, float64(utf8.RuneCountInString(text)), "characters", path)
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) {
			c.say(path, "%q is none of %s", text, strings.Join(s.Enum, ", "))
		}
		if s.Pattern != "" {
			pattern, err := regexp.Compile(goPattern(s.Pattern))
			if err != nil {
				c.say(path, "the pattern cannot be read: %v", err)
			} else if !pattern.MatchString(text) {
				c.say(path, "%q does not match %s", text, s.Pattern)
			}
		}
	case "integer", "long":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			c.say(path, "%q is no %s", text, s.Type)
		}
		c.bounded(s, float64(n), "", path)
	case "float", "double":
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			c.say(path, "%q is no %s", text, s.Type)
		}
		c.bounded(s, n, "", path)
	case "boolean":
		if text != "true" && text != "false" {
			c.say(path, "%q is no boolean", text)
		}
	case "timestamp", "blob":
	default:
		c.say(path, "%q is no %s", text, s.Type)
	}
}

func (c *checked) bounded(s *shape, n float64, unit, path string) {
	if s.Min != nil && n < *s.Min {
		c.say(path, "%s is less than %v", strings.TrimSpace(fmt.Sprint(n, " ", unit)), *s.Min)
	}
	if s.Max != nil && n > *s.Max {
		c.say(path, "%s is more than %v", strings.TrimSpace(fmt.Sprint(n, " ", unit)), *s.Max)
	}
}

// goPattern translates a pattern of Java, which a value has to match as a whole.
// https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/regex/Pattern.html
func goPattern(java string) string {
	java = regexp.MustCompile(`\\p\{(?:Is)?(\w+)\}`).ReplaceAllStringFunc(java, func(class string) string {
		name := strings.TrimPrefix(strings.Trim(class, `\p{}`), "Is")
		if plain, ok := map[string]string{
			"Alnum": `A-Za-z0-9`, "Alpha": `A-Za-z`, "Alphabetic": `\p{L}`, "ASCII": `\x00-\x7F`, "Digit": `0-9`, "Graph": `\x21-\x7E`, "Print": `\x20-\x7E`, "Punct": "!-/:-@\\[-`{-~", "Space": `\s`, "XDigit": `0-9A-Fa-f`,
		}[name]; ok {
			return plain // they are used in classes only
		}
		return `\p{` + name + `}`
	})
	java = strings.ReplaceAll(java, `\uD800\uDC00-\uDBFF\uDFFF`, `\u10000-\u10FFFF`)
	return "^(?:" + regexp.MustCompile(`\\u([0-9A-Fa-f]{4,6})`).ReplaceAllString(java, `\x{$1}`) + ")$"
}
