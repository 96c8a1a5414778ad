package spider

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/terminal"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// maxOutput is how much a command may write, in bytes.
const maxOutput = 16 << 20

func (s *server) sshRoutes() []route {
	return []route{{method: http.MethodPost, path: "/sshrun", needs: right{people.Login, resource.VM.Name, somewhere}, handle: sshRun}}
}

// sshRequest is a command to be run on a VM. CB-Spider connects to any address; here
// it must be a VM's.
type sshRequest struct {
	ConnectionName, UserName, ServerPort, Command text
	PrivateKey                                    lines // without it, that of the VM's key pair
}

// lines is a text that clients send line by line, or as a whole.
type lines string

// UnmarshalJSON implements json.Unmarshaler.
func (l *lines) UnmarshalJSON(raw []byte) error {
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		*l = lines(strings.Join(many, "\n"))
		return nil
	}
	return json.Unmarshal(raw, (*string)(l))
}

func sshRun(r *request) (any, error) {
	var in sshRequest
	raw := r.top["reqinfo"]
	if raw == nil {
		raw = r.body
	}
	if err := decode(raw, &in, "body"); err != nil {
		return nil, err
	}
	if in.Command == "" {
		return nil, invalid("Command", "is empty")
	}
	at, err := netip.ParseAddrPort(string(in.ServerPort))
	if err != nil || at.Port() == 0 {
		return nil, invalid("ServerPort", "%q is not the address and port of a VM's SSH server, such as 10.0.0.4:22", shorten(string(in.ServerPort)))
	}
	l, err := loginAt(r, string(in.ConnectionName), at.Addr().String())
	if err != nil {
		return nil, err
	}
	request := api.TerminalRequest{User: string(in.UserName), Port: int(at.Port()), Key: string(in.PrivateKey), Command: string(in.Command), Address: "public"}
	if l.Public != at.Addr().String() {
		request.Address = "private"
	}
	if err := checked(request); err != nil {
		return nil, err
	}
	return runThere(r, l, request)
}

// loginAt finds the one VM that has an address.
func loginAt(r *request, connection, address string) (*terminal.Login, error) {
	found, err := r.server.Terminal.LoginsAt(r.Context(), connection, address)
	found = slices.DeleteFunc(found, func(l *terminal.Login) bool {
		return r.may(people.Login, l.Resource.Kind, l.Resource.Connection) != nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, resource.Errorf(resource.CodeNotFound, "a VM with the address %s does not exist here: this server connects only to VMs that it manages; register it first", address)
	case len(found) > 1:
		var names []string
		for _, l := range found {
			names = append(names, l.Resource.Connection+"/"+called(l.Resource))
		}
		return nil, resource.Errorf(resource.CodeConflict, "%s is the address of several VMs (%s); say which with ConnectionName", address, strings.Join(names, ", "))
	}
	return found[0], nil
}

// checked checks a request by the rules that hold everywhere.
func checked(request api.TerminalRequest) error {
	raw, err := json.Marshal(request) //nolint:gosec // it is read by the next lines and goes nowhere else
	if err != nil {
		return resource.Errorf(resource.CodeInternal, "encode the request: %w", err)
	}
	return renamed(resource.Decode(raw, &api.TerminalRequest{}))
}

// renamed gives the fields of an error the names that CB-Spider's clients use.
func renamed(err error) error {
	names := map[string]string{"user": "UserName", "key": "PrivateKey", "command": "Command", "passphrase": "PrivateKey"}
	e := resource.AsError(err)
	if e == nil || len(e.Fields) == 0 {
		return err
	}
	problems := make([]resource.Problem, len(e.Fields))
	for i, p := range e.Fields {
		problems[i] = resource.Problem{Field: p.Field, Message: p.Message}
		if name, ok := names[p.Field]; ok {
			problems[i].Field = name
		}
	}
	return resource.Invalid(problems...)
}

// runThere runs a command and answers what it wrote.
func runThere(r *request, l *terminal.Login, request api.TerminalRequest) (any, error) {
	ctx, end := context.WithCancelCause(context.WithoutCancel(r.Context()))
	defer end(nil)
	defer context.AfterFunc(r.Context(), func() {
		end(terminal.Endf(api.EndGone, resource.CodeUnavailable, "the client went away, or the server stops"))
	})()
	out, errs := &limited{end: end}, &limited{end: end}
	ended := r.server.Terminal.Run(ctx, l, request, terminal.Streams{Out: out, Errors: errs})
	switch {
	case ended.Reason == api.EndRefused: // 401 would be about the client itself
		return nil, resource.Errorf(resource.CodeDenied, "%s", ended.Error.Message)
	case ended.Reason != api.EndExit:
		return nil, renamed(ended.Error)
	case ended.ExitCode != 0:
		return nil, resource.Errorf(resource.CodeInternal, "Process exited with status %d: %s", ended.ExitCode, strings.TrimSpace(errs.String()))
	}
	return encode(out.String())
}

// limited keeps what is written, up to a limit that ends the session.
type limited struct {
	bytes.Buffer
	end context.CancelCauseFunc
}

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxOutput {
		err := terminal.Endf(api.EndFailed, resource.CodeInvalid, "the command writes more than %d bytes; have it write into a file", maxOutput)
		l.end(err)
		return 0, fmt.Errorf("too much: %w", err)
	}
	return l.Buffer.Write(p)
}
