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

// TerminalProtocol is the WebSocket subprotocol of terminals.
//
// Text messages are JSON: of the client a TerminalRequest first and TerminalInput
// then, of the server TerminalOutput. Binary messages are bytes of one of the streams
// below, which their first byte names.
const TerminalProtocol = "terminal.mcic.v1"

// The streams of a terminal.
const (
	StreamInput  = 0 // to the resource
	StreamOutput = 1 // from the resource
	StreamErrors = 2 // from the resource, of a command without a terminal
)

// TerminalRequest is the first message of a client. Its secrets are for this session
// and kept nowhere.
type TerminalRequest struct {
	User       string        `json:"user,omitempty" doc:"Name to log in with. Default: the one in the resource's status." maxLength:"64" pattern:"^\\S*$" patternDescription:"no spaces"`
	Address    string        `json:"address,omitempty" doc:"Which of the resource's addresses to connect to. Default: public if it has one, else private." enum:"public,private"`
	Port       int           `json:"port,omitempty" doc:"Port of the SSH server. Default: the one in the resource's status, else 22." minimum:"1" maximum:"65535"`
	Key        string        `json:"key,omitempty" doc:"Private key to log in with, in PEM format (RSA, ECDSA or Ed25519). Default: the one of the resource's key pair, if the server made it." maxLength:"32768"`
	Passphrase string        `json:"passphrase,omitempty" doc:"What the private key is encrypted with." maxLength:"1024"`
	Password   string        `json:"password,omitempty" doc:"Password to log in with, instead of a key." maxLength:"1024"`
	Command    string        `json:"command,omitempty" doc:"Command to run. Default: the user's shell." maxLength:"32768"`
	Terminal   *TerminalSize `json:"terminal,omitempty" doc:"Size of the terminal to make. Without it there is none: what is run reads and writes plain streams."`
	Type       string        `json:"type,omitempty" doc:"What the terminal understands, as in TERM. Default: xterm-256color." maxLength:"64"`
}

// TerminalSize is how much a terminal shows.
type TerminalSize struct {
	Columns int `json:"columns" doc:"Characters in a line." minimum:"1" maximum:"10000"`
	Rows    int `json:"rows" doc:"Lines." minimum:"1" maximum:"10000"`
}

// Problems implements the rules beyond the schema.
func (r *TerminalRequest) Problems(string) []Problem {
	switch {
	case r.Key != "" && r.Password != "":
		return []Problem{{Field: "password", Message: "give either a private key or a password, not both", Rule: RuleExclusive, Limit: "key"}}
	case r.Passphrase != "" && r.Key == "":
		return []Problem{{Field: "passphrase", Message: "is for a private key; give both", Rule: RuleRequired}}
	}
	return nil
}

// TerminalInput is a later message of a client: one of these.
type TerminalInput struct {
	Resize *TerminalSize `json:"resize,omitempty" doc:"The size that the terminal has now."`
	End    bool          `json:"end,omitempty" doc:"That no more input follows."`
}

// TerminalOutput is a text message of the server: one of these.
type TerminalOutput struct {
	Ready *TerminalReady `json:"ready,omitempty" doc:"That the login has succeeded. Input can follow."`
	Ended *TerminalEnded `json:"ended,omitempty" doc:"How it ended. Nothing follows."`
}

// TerminalReady says where one is logged in.
type TerminalReady struct {
	User    string  `json:"user" doc:"Name that is logged in."`
	Address string  `json:"address" doc:"Address and port that the server is connected to."`
	HostKey HostKey `json:"hostKey" doc:"The host key of the SSH server."`
	New     bool    `json:"new" doc:"Whether the host key was seen for the first time, and is recorded now."`
}

// TerminalEnded says how a session ended.
type TerminalEnded struct {
	Reason   EndReason `json:"reason" doc:"exit: what was run has ended; hostkey: the host key is not the recorded one; refused: the login was refused; unreachable: there was no connection to the SSH server; idle, longest: a limit of time; stopping: the server stops; logout: the login at the server has ended; gone: the client went away; lost: the connection broke; failed: anything else." enum:"exit,hostkey,refused,unreachable,idle,longest,stopping,logout,gone,lost,failed"`
	ExitCode int       `json:"exitCode" doc:"For exit: the exit code; 128 and more if a signal ended it."`
	Error    *Error    `json:"error,omitempty" doc:"What went wrong, unless it was an exit."`
}

// EndReason is why a terminal's session ended.
type EndReason string

// The reasons.
const (
	EndExit        EndReason = "exit"
	EndHostKey     EndReason = "hostkey"
	EndRefused     EndReason = "refused"
	EndUnreachable EndReason = "unreachable"
	EndIdle        EndReason = "idle"
	EndLongest     EndReason = "longest"
	EndStopping    EndReason = "stopping"
	EndLogout      EndReason = "logout"
	EndGone        EndReason = "gone"
	EndLost        EndReason = "lost"
	EndFailed      EndReason = "failed"
)
