package api

import (
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

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
func (r *TerminalRequest) Problems(string) []resource.Problem {
	switch {
	case r.Key != "" && r.Password != "":
		return []resource.Problem{{Field: "password", Message: "give either a private key or a password, not both", Rule: resource.RuleExclusive, Limit: "key"}}
	case r.Passphrase != "" && r.Key == "":
		return []resource.Problem{{Field: "passphrase", Message: "is for a private key; give both", Rule: resource.RuleRequired}}
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
	Reason   EndReason       `json:"reason" doc:"exit: what was run has ended; hostkey: the host key is not the recorded one; refused: the login was refused; unreachable: there was no connection to the SSH server; idle, longest: a limit of time; stopping: the server stops; logout: the login at the server has ended; gone: the client went away; lost: the connection broke; failed: anything else." enum:"exit,hostkey,refused,unreachable,idle,longest,stopping,logout,gone,lost,failed"`
	ExitCode int             `json:"exitCode" doc:"For exit: the exit code; 128 and more if a signal ended it."`
	Error    *resource.Error `json:"error,omitempty" doc:"What went wrong, unless it was an exit."`
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

// HostKey is the key by which an SSH server shows that it is the one that was seen
// before.
type HostKey struct {
	Port        int       `json:"port" doc:"Port of the SSH server."`
	Key         string    `json:"key" doc:"The public key, as in a line of a known_hosts file."`
	Fingerprint string    `json:"fingerprint" doc:"SHA-256 of the key, as ssh-keygen -l shows it."`
	By          string    `json:"by" doc:"Who was the first to log in."`
	SeenAt      time.Time `json:"seenAt" doc:"When it was seen first."`
}
