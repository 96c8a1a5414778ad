package spider

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// IID is a resource's name and the cloud's id.
type IID struct {
	NameId   string
	SystemId string
}

// KeyValue is one entry of CB-Spider's lists of keys and values.
type KeyValue struct {
	Key   string
	Value string `json:",omitempty"`
}

// KeyValues is such a list in a request.
type KeyValues []struct{ Key, Value text }

// labels are the tags of a request. A key that is given twice has its last value.
func (kv KeyValues) labels() map[string]string {
	if len(kv) == 0 {
		return nil
	}
	labels := map[string]string{}
	for _, one := range kv {
		labels[string(one.Key)] = string(one.Value)
	}
	return labels
}

// tags are the labels of a resource.
func tags(labels map[string]string) []KeyValue {
	var list []KeyValue
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, KeyValue{key, labels[key]})
	}
	return list
}

// native are the cloud's own fields: those at the top as they are, what is below as
// JSON.
func native(r *resource.Resource) []KeyValue {
	var fields map[string]json.RawMessage
	if len(r.Native) == 0 || json.Unmarshal(r.Native, &fields) != nil {
		return nil
	}
	var list []KeyValue
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		value := string(fields[key])
		var s string
		if json.Unmarshal(fields[key], &s) == nil {
			value = s
		}
		if value != "" && value != "null" {
			list = append(list, KeyValue{key, value})
		}
	}
	return list
}

// read reads a part of a resource that the engine has checked.
func read[T any](raw json.RawMessage) (value T) {
	if len(raw) > 0 {
		_ = json.Unmarshal(raw, &value) // checked when it was recorded
	}
	return value
}

// whole writes a number as CB-Spider does; 0 stands for a value that is not known.
func whole(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// list is never nil, which JSON would show as null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// oneOf translates a word out of a fixed set, whatever its case.
func oneOf(field, value string, words map[string]string, problems *[]resource.Problem) string {
	if ours, ok := words[strings.ToLower(value)]; ok {
		return ours
	}
	*problems = append(*problems, resource.Problem{
		Field: field, Message: fmt.Sprintf("%q is not one of: %s", shorten(value), strings.Join(slices.Sorted(maps.Keys(words)), ", ")),
	})
	return ""
}
