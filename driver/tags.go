package driver

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Tags says how a cloud's tags carry what the server wants kept with a resource: the
// token of its creation, its name and its labels. What keys and values can be is the
// same on every cloud; see resource.CreateRequest.
type Tags struct {
	Token    string // key of the token; begins with mcic, as keys of ours do and those of labels do not; "" if it is elsewhere
	Name     string // key of the name; "" where resources have names of their own
	Reserved string // beginning of the keys that belong to the cloud; "" for none
	Slash    string // what keys have for a slash, which no label has; "" if they can have one
	Longest  int    // characters of a tag that is one text; see Texts

	// Encode writes a value with the characters that the cloud takes, and Decode is the way
	// back; nil where it takes them all.
	Encode, Decode func(value string) string
}

// Tag is one key and its value.
type Tag struct{ Key, Value string }

// LabelChecker is implemented by collections, or the session that they embed, whose clouds
// do not take every label. CheckLabels is asked before Make and before Label; field is where
// the labels are in the request.
type LabelChecker interface {
	CheckLabels(field string, labels map[string]string) error
}

func checkLabels(c any, field string, labels map[string]string) error {
	if checker, ok := c.(LabelChecker); ok && len(labels) > 0 {
		return checker.CheckLabels(field, labels)
	}
	return nil
}

// Write answers the tags of a new resource. They are always in the same order: a
// repeat with the same token must not differ.
func (t Tags) Write(token, name string, labels map[string]string) []Tag {
	var tags []Tag
	if t.Token != "" {
		tags = append(tags, t.tag(t.Token, token))
	}
	if t.Name != "" {
		tags = append(tags, t.tag(t.Name, name))
	}
	return append(tags, t.ofLabels(labels)...)
}

// Read is the way back; labels are the tags that are neither ours nor the cloud's own.
func (t Tags) Read(tags iter.Seq2[string, string]) (token, name string, labels map[string]string) {
	for key, value := range tags {
		if t.Decode != nil {
			value = t.Decode(value)
		}
		switch {
		case key == t.Token:
			token = value
		case t.isName(key):
			name = value
		case strings.HasPrefix(key, "mcic"), t.Reserved != "" && strings.HasPrefix(key, t.Reserved):
		default:
			if labels == nil {
				labels = map[string]string{}
			}
			labels[t.label(key)] = value
		}
	}
	return token, name, labels
}

// Apply makes a change of labels by means of the cloud's calls: set writes tags and
// leaves the others, remove takes some away, whatever their values. What is not changed
// costs no call.
func (t Tags) Apply(change resource.LabelChange, set func([]Tag) error, remove func(keys []string) error) error {
	if len(change.Set) > 0 {
		if err := set(t.ofLabels(change.Set)); err != nil {
			return err
		}
	}
	keys := slices.DeleteFunc(slices.Clone(change.Remove), t.isName) // no label
	if len(keys) == 0 {
		return nil
	}
	for i, key := range keys {
		keys[i] = t.key(key)
	}
	return remove(keys)
}

func (t Tags) tag(key, value string) Tag {
	if t.Encode != nil {
		value = t.Encode(value)
	}
	return Tag{key, value}
}

// key is that of a label's tag, label the way back.
func (t Tags) key(label string) string {
	if t.Slash == "" {
		return label
	}
	return strings.ReplaceAll(label, "/", t.Slash)
}

func (t Tags) label(key string) string {
	if t.Slash == "" {
		return key
	}
	return strings.ReplaceAll(key, t.Slash, "/")
}

func (t Tags) isName(key string) bool { return t.Name != "" && key == t.Name }

// CheckLabels implements LabelChecker: the key that is the name's cannot be that of a label, and
// a tag that is one text has a longest one.
func (t Tags) CheckLabels(field string, labels map[string]string) error {
	var problems []resource.Problem
	for _, tag := range t.ofLabels(labels) {
		at := field + "." + t.label(tag.Key)
		switch {
		case t.isName(tag.Key):
			problems = append(problems, resource.Problem{Field: at, Message: "is the tag that the cloud shows as the resource's name; choose another key"})
		case t.Longest > 0 && utf8.RuneCountInString(tag.text()) > t.Longest:
			problems = append(problems, resource.Problem{Field: at, Message: fmt.Sprintf("is too long for the cloud; key and value have at most %d characters together", t.Longest-1)})
		}
	}
	return resource.Invalid(problems...)
}

// ofLabels are the tags of labels alone, sorted.
func (t Tags) ofLabels(labels map[string]string) []Tag {
	var tags []Tag
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		tags = append(tags, t.tag(t.key(label), labels[label]))
	}
	return tags
}

// TagMap answers tags for clouds that keep them by key.
func TagMap(tags []Tag) map[string]string {
	m := map[string]string{}
	for _, tag := range tags {
		m[tag.Key] = tag.Value
	}
	return m
}

// text is a tag that is one text: key=value, or the key alone for an empty value.
func (t Tag) text() string { return strings.TrimSuffix(t.Key+"="+t.Value, "=") }

// Texts are labels for clouds whose tags are one text each. CheckLabels holds how long they are.
func (t Tags) Texts(labels map[string]string) []string {
	texts := []string{}
	for _, tag := range t.ofLabels(labels) {
		texts = append(texts, tag.text())
	}
	return texts
}

// ReadTexts is the way back.
func (t Tags) ReadTexts(texts []string) (token, name string, labels map[string]string) {
	return t.Read(func(yield func(string, string) bool) {
		for _, text := range texts {
			if key, value, _ := strings.Cut(text, "="); !yield(key, value) {
				return
			}
		}
	})
}

// ChangeTexts answers all of an object's tags after a change; those of ours stay.
func (t Tags) ChangeTexts(texts []string, change resource.LabelChange) []string {
	_, _, labels := t.ReadTexts(texts)
	changed := t.Texts(change.Apply(labels))
	for _, text := range texts {
		if strings.HasPrefix(text, "mcic") {
			changed = append(changed, text)
		}
	}
	return changed
}
