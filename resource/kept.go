package resource

import "encoding/json"

// keepable is implemented by the specs of kinds that the server can keep for clouds that
// have no such object. Kept answers what of a resource travels to a driver with the requests
// that name it, and the status that the server gives it. It is also the check of what has
// travelled.
type keepable[S, T any] interface{ Kept() (S, T, error) }

// Keepable reports whether the server can keep the resources of the kind itself.
func (k *Kind) Keepable() bool { return k.kept != nil }

// Kept answers what of a resource of a keepable kind travels to a driver, and its status.
func (k *Kind) Kept(spec json.RawMessage) (travels, status json.RawMessage, err error) {
	if !k.Keepable() {
		return nil, nil, Errorf(CodeInternal, "the server cannot keep a %s", k.Name)
	}
	return k.kept(spec)
}

func keptOf[S, T any]() func(json.RawMessage) (travels, status json.RawMessage, err error) {
	var none S
	if _, ok := any(none).(keepable[S, T]); !ok {
		return nil
	}
	return func(raw json.RawMessage) (travels, status json.RawMessage, err error) {
		var spec S
		if err := json.Unmarshal(raw, &spec); err != nil {
			return nil, nil, Errorf(CodeInvalid, "read the spec: %w", err)
		}
		content, shown, err := any(spec).(keepable[S, T]).Kept()
		if err != nil {
			return nil, nil, err
		}
		if travels, err = json.Marshal(content); err != nil {
			return nil, nil, err
		}
		status, err = json.Marshal(shown)
		return travels, status, err
	}
}
