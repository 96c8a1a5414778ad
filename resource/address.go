package resource

import (
	"encoding/json"
	"reflect"
)

// addressFields are the fields of a status that hold what a resource is reached by: IP
// addresses or host names. They have the struct tag address.
func addressFields(status reflect.Type) []string {
	var names []string
	for f := range status.Fields() {
		if f.Tag.Get("address") == "true" {
			names = append(names, JSONName(f))
		}
	}
	return names
}

// HasAddresses reports whether resources of the kind are reached by addresses.
func (k *Kind) HasAddresses() bool { return len(k.addresses) > 0 }

// Addresses answers the IP addresses and host names by which a resource with that status
// is reached.
func (k *Kind) Addresses(status json.RawMessage) []string {
	var fields map[string]json.RawMessage
	if !k.HasAddresses() || json.Unmarshal(status, &fields) != nil { // what is not there has none
		return nil
	}
	var found []string
	for _, name := range k.addresses {
		var one string
		var many []string
		switch {
		case json.Unmarshal(fields[name], &one) == nil && one != "":
			found = append(found, one)
		case json.Unmarshal(fields[name], &many) == nil:
			found = append(found, many...)
		}
	}
	return found
}
