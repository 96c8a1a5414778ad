package v1

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/terminal"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Limits of what a client of a terminal says.
const (
	maxMessage  = 128 << 10        // bytes
	maxGreeting = 30 * time.Second // until its first message
	maxFarewell = 5 * time.Second  // for the last one of the server
)

// loginCheck is how often it is looked whether who uses a terminal is still logged in
// at this server, and the connection is kept from being forgotten on its way.
const loginCheck = 5 * time.Second

// registerTerminal registers what a kind has whose resources one can log in to.
func (s *server) registerTerminal(routes *doors, k *resource.Kind) {
	schemas := routes.OpenAPI().Components.Schemas
	one := "/v1/connections/{connection}/" + k.Plural() + "/{name}"
	message := func(t reflect.Type) string { return schemas.Schema(t, true, "").Ref }
	register(routes, ofOne(people.Login, k.Name), problems(schemas, huma.Operation{
		OperationID: "open-terminal-" + k.Name, Method: http.MethodGet, Path: one + "/terminal", Tags: []string{k.Title},
		Summary: "Log in by SSH and run a shell or a command",
		Description: "A WebSocket with the subprotocol " + api.TerminalProtocol + ". The client's first message is a TerminalRequest (" + message(reflect.TypeFor[api.TerminalRequest]()) +
			"), its later texts are TerminalInputs (" + message(reflect.TypeFor[api.TerminalInput]()) + "), the server's texts are TerminalOutputs (" + message(reflect.TypeFor[api.TerminalOutput]()) +
			"). Binary messages are bytes, after a first byte that says which: 0 input, 1 output, 2 errors of a command without a terminal. " +
			"Programs send the bearer token; browsers their login, from a page of this server only.",
		Responses: map[string]*huma.Response{"101": {Description: "The WebSocket is open."}},
	}), func(ctx context.Context, in *OneResource) (*huma.StreamResponse, error) {
		l, err := s.Terminal.Login(ctx, in.Connection, k.Name, in.Name)
		if err != nil {
			return nil, problem(err)
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humachi.Unwrap(ctx)
			s.serveTerminal(w, r, l)
		}}, nil
	})
	tags := []string{k.Title}
	answer(routes, ofOne(people.Read, k.Name), huma.Operation{
		OperationID: "list-hostkeys-" + k.Name, Method: http.MethodGet, Path: one + "/hostkeys", Tags: tags,
		Summary: "List the host keys that its SSH server is known by", Description: "They were recorded at the first login; no others are accepted from then on.",
	}, func(ctx context.Context, in *OneResource) (list[api.HostKey], error) {
		items, err := s.Terminal.HostKeys(ctx, in.Connection, k.Name, in.Name)
		return list[api.HostKey]{Items: items}, err
	})
	register(routes, ofOne(people.Login, k.Name), problems(schemas, huma.Operation{
		OperationID: "forget-hostkeys-" + k.Name, Method: http.MethodDelete, Path: one + "/hostkeys", Tags: tags, DefaultStatus: http.StatusNoContent,
		Summary: "Forget its host keys", Description: "The next login records the one that it sees. Do this only if you know that the machine was set up anew.",
	}), func(ctx context.Context, in *OneResource) (*struct{}, error) {
		if err := s.Terminal.ForgetHostKeys(ctx, in.Connection, k.Name, in.Name); err != nil {
			return nil, problem(err)
		}
		return nil, nil //nolint:nilnil // no body
	})
}

// mayOpen reports whether a request may open a terminal, and still may. It is a GET that changes
// something, so that a password that browsers send by themselves does not do; that a
// page of another site makes it is seen by its origin, when it is accepted.
func (s *server) mayOpen(r *http.Request, l *terminal.Login) bool {
	if _, _, basic := r.BasicAuth(); basic {
		r = r.Clone(r.Context())
		r.Header.Del("Authorization")
	}
	who, ok, err := s.People.Identify(r)
	if !ok || err != nil {
		return false
	}
	at := people.What{Kind: l.Resource.Kind, Connection: l.Resource.Connection}
	return s.mayReach(people.As(r.Context(), who), people.Login, at, l.Resource.Name) == nil
}

// serveTerminal serves the WebSocket of one terminal until it ends.
func (s *server) serveTerminal(w http.ResponseWriter, r *http.Request, l *terminal.Login) {
	switch {
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		plain(http.StatusUpgradeRequired, resource.CodeInvalid, "a terminal is a WebSocket; use the web console, or: mcic "+l.Resource.Kind+" ssh "+l.Resource.Name).write(w)
		return
	case !s.mayOpen(r, l):
		plain(http.StatusUnauthorized, resource.CodeUnauthenticated, "a terminal is not opened by HTTP Basic; send the token as: Authorization: Bearer TOKEN").write(w)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{api.TerminalProtocol}})
	if err != nil { // the client has got an answer
		s.Logger.Warn("a terminal was refused; if the page was this server's, have the proxy before it pass on the header Host", "error", err)
		return
	}
	defer func() { _ = conn.CloseNow() }()
	if conn.Subprotocol() != api.TerminalProtocol {
		_ = conn.Close(websocket.StatusPolicyViolation, "speak "+api.TerminalProtocol)
		return
	}
	conn.SetReadLimit(maxMessage)
	// A context that ends closes the connection; there is something to say first.
	open, closed := context.WithCancel(context.WithoutCancel(r.Context()))
	defer closed()
	ended := s.runTerminal(open, r, conn, l)
	ctx, cancel := context.WithTimeout(open, maxFarewell)
	defer cancel()
	if wsjson.Write(ctx, conn, api.TerminalOutput{Ended: &ended}) == nil {
		_ = conn.Close(websocket.StatusNormalClosure, string(ended.Reason))
	}
}

// runTerminal runs one on a connection, which is open as long as the context open.
func (s *server) runTerminal(open context.Context, r *http.Request, conn *websocket.Conn, l *terminal.Login) api.TerminalEnded {
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	request, err := greeting(open, conn)
	if err != nil {
		return api.TerminalEnded{Reason: api.EndFailed, Error: resource.AsError(err)}
	}
	in, input := io.Pipe()
	defer func() { _ = in.Close() }()
	resize := make(chan api.TerminalSize, 1)
	go func() { end(listen(open, conn, input, resize)) }()
	go s.watchLogin(ctx, open, end, r, l, conn)
	return s.Terminal.Run(ctx, l, request, terminal.Streams{
		In: in, Out: stream{open, conn, api.StreamOutput}, Errors: stream{open, conn, api.StreamErrors}, Resize: resize,
		Ready: func(ready api.TerminalReady) error {
			return wsjson.Write(open, conn, api.TerminalOutput{Ready: &ready})
		},
	})
}

// greeting reads the first message.
func greeting(ctx context.Context, conn *websocket.Conn) (request api.TerminalRequest, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxGreeting)
	defer cancel()
	kind, raw, err := conn.Read(ctx)
	switch {
	case err != nil:
		return request, resource.Errorf(resource.CodeInvalid, "the first message did not arrive: %w", err)
	case kind != websocket.MessageText:
		return request, resource.Errorf(resource.CodeInvalid, "the first message is not a text; send a TerminalRequest as JSON")
	}
	return request, resource.Decode(raw, &request)
}

// listen hands on what the client says, until it goes away. It answers why that
// ends the session.
func listen(ctx context.Context, conn *websocket.Conn, input *io.PipeWriter, resize chan api.TerminalSize) error {
	defer func() { _ = input.Close() }()
	for {
		kind, raw, err := conn.Read(ctx)
		if err != nil {
			return terminal.Endf(api.EndGone, resource.CodeUnavailable, "the client went away: %w", err)
		}
		if kind == websocket.MessageBinary {
			if len(raw) == 0 || raw[0] != api.StreamInput {
				return terminal.Endf(api.EndFailed, resource.CodeInvalid, "a binary message does not begin with the byte 0, for input")
			}
			_, _ = input.Write(raw[1:]) // what would read it has ended if this fails, or wants no more
			continue
		}
		var said api.TerminalInput
		if err := resource.Decode(raw, &said); err != nil {
			return &terminal.End{Reason: api.EndFailed, Err: resource.AsError(err)}
		}
		if said.Resize != nil {
			select { // the newest size is the one that counts
			case <-resize:
			default:
			}
			resize <- *said.Resize
		}
		if said.End {
			_ = input.Close()
		}
	}
}

// watchLogin ends a terminal when who uses it has logged out, the login has run out,
// or the right was taken away.
func (s *server) watchLogin(ctx, open context.Context, end context.CancelCauseFunc, r *http.Request, l *terminal.Login, conn *websocket.Conn) {
	tick := time.NewTicker(loginCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !s.mayOpen(r, l) {
			end(terminal.Endf(api.EndLogout, resource.CodeUnauthenticated, "the login at this server has ended, or may not log in here any more; log in and connect again"))
			return
		}
		alive, cancel := context.WithTimeout(open, loginCheck)
		_ = conn.Ping(alive) // a client that is slow to read is slow to answer; one that has gone is seen by reading
		cancel()
	}
}

// stream writes to a stream of the client.
type stream struct {
	ctx  context.Context //nolint:containedctx // io.Writer has no place for it
	conn *websocket.Conn
	name byte
}

func (s stream) Write(p []byte) (int, error) {
	if err := s.conn.Write(s.ctx, websocket.MessageBinary, append([]byte{s.name}, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}
