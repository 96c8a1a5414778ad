package driver

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Tags says how a cloud's tags carry what the server wants kept with a resource: the
// token of its creation, its name and its labels. What keys and values can be is the
// same on every cloud; see resource.CreateRequest.
type Tags struct {
	Token    string // key of the token; begins with mcic, as keys of ours do and those of labels do not
	Name     string // key of the name; "" where resources have names of their own
	Reserved string // beginning of the keys that belong to the cloud; "" for none
}

// Tag is one key and its value.
type Tag struct{ Key, Value string }

// Write answers the tags of a new resource. They are always in the same order: a
// repeat with the same token must not differ.
func (t Tags) Write(token, name string, labels map[string]string) ([]Tag, error) {
	if err := t.check("labels", labels); err != nil {
		return nil, err
	}
	tags := []Tag{{t.Token, token}}
	if t.Name != "" {
		tags = append(tags, Tag{t.Name, name})
	}
	return append(tags, sortedTags(labels)...), nil
}

// Read is the way back; labels are the tags that are neither ours nor the cloud's own.
func (t Tags) Read(tags iter.Seq2[string, string]) (token, name string, labels map[string]string) {
	for key, value := range tags {
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
			labels[key] = value
		}
	}
	return token, name, labels
}

// Apply makes a change of labels by means of the cloud's calls: set writes tags and
// leaves the others, remove takes some away, whatever their values. What is not changed
// costs no call.
func (t Tags) Apply(change resource.LabelChange, set func([]Tag) error, remove func(keys []string) error) error {
	if err := t.check("set", change.Set); err != nil {
		return err
	}
	if len(change.Set) > 0 {
		if err := set(sortedTags(change.Set)); err != nil {
			return err
		}
	}
	keys := slices.DeleteFunc(slices.Clone(change.Remove), t.isName) // no label
	if len(keys) == 0 {
		return nil
	}
	return remove(keys)
}

func (t Tags) isName(key string) bool { return t.Name != "" && key == t.Name }

func (t Tags) check(at string, labels map[string]string) error {
	if _, taken := labels[t.Name]; taken && t.Name != "" {
		return resource.Invalid(resource.Problem{Field: at + "." + t.Name, Message: "is the tag that the cloud shows as the resource's name; choose another key"})
	}
	return nil
}

func sortedTags(labels map[string]string) []Tag {
	var tags []Tag
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		tags = append(tags, Tag{key, labels[key]})
	}
	return tags
}
