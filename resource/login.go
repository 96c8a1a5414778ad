package resource

import "encoding/json"

// Login says how one logs in to a resource by SSH.
type Login struct {
	Public  string // address that the internet reaches it by, or ""
	Private string // address inside its network, or ""
	Port    int    // of its SSH server
	User    string // who can log in, or "" where nobody knows
	KeyPair string // name of the key pair that opens it, or ""
}

// sshPort is where an SSH server listens. https://www.iana.org/assignments/service-names-port-numbers
const sshPort = 22

// loginable is implemented by specs of what one can log in to by SSH.
type loginable[T any] interface{ Login(status *T) Login }

// loginOf returns how one logs in to what has a spec S and a status T, or nil.
func loginOf[S, T any]() func(spec, status json.RawMessage) (Login, error) {
	if _, ok := any(new(S)).(loginable[T]); !ok {
		return nil
	}
	return func(rawSpec, rawStatus json.RawMessage) (Login, error) {
		var (
			spec   S
			status T
		)
		if err := json.Unmarshal(rawSpec, &spec); err != nil {
			return Login{}, Errorf(CodeInternal, "read the spec: %w", err)
		}
		if err := json.Unmarshal(rawStatus, &status); err != nil {
			return Login{}, Errorf(CodeInternal, "read the status: %w", err)
		}
		login := any(&spec).(loginable[T]).Login(&status)
		if login.Port == 0 {
			login.Port = sshPort
		}
		return login, nil
	}
}

// HasLogin reports whether one can log in to resources of the kind.
func (k *Kind) HasLogin() bool { return k.login != nil }

// Login says how one logs in to a resource of the kind.
func (k *Kind) Login(spec, status json.RawMessage) (Login, error) {
	if k.login == nil {
		return Login{}, Errorf(CodeUnsupported, "there is nothing to log in to in a %s; it is for: %s", k.Name, joinNames(loginKinds(), func(k *Kind) string { return k.Name }))
	}
	return k.login(spec, status)
}

func loginKinds() []*Kind {
	var kinds []*Kind
	for _, k := range Kinds() {
		if k.HasLogin() {
			kinds = append(kinds, k)
		}
	}
	return kinds
}
