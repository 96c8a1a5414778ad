package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// maxMessage is the longest message of a terminal that is read.
const maxMessage = 1 << 20

// inputSize is how many bytes of input are sent in one message.
const inputSize = 32 << 10

// TerminalStreams are what a terminal reads and writes. What is not there is nil.
type TerminalStreams struct {
	In     io.Reader
	Out    io.Writer
	Errors io.Writer // of a command without a terminal
	Resize <-chan api.TerminalSize
	Ready  func(api.TerminalReady) // called once, before anything is written
}

// Terminal logs in to a resource by SSH through the server, runs a shell or a command
// there, and answers how that ended. An error is one of the way to the server; what
// went wrong behind it is in the answer. In may be read once more after the end.
func (c *Client) Terminal(ctx context.Context, kind, connection, name string, request api.TerminalRequest, s TerminalStreams) (*api.TerminalEnded, error) {
	target, err := kindPath(kind, connection, name, "terminal")
	if err != nil {
		return nil, err
	}
	conn, err := c.socket(ctx, target)
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer func() { _ = conn.CloseNow() }()
	if err := wsjson.Write(ctx, conn, request); err != nil {
		return nil, c.broken(ctx, err)
	}
	for {
		kind, raw, err := conn.Read(ctx)
		if err != nil {
			return nil, c.broken(ctx, err)
		}
		if kind == websocket.MessageBinary {
			if err := s.write(raw); err != nil {
				return nil, err
			}
			continue
		}
		var said api.TerminalOutput
		if err := json.Unmarshal(raw, &said); err != nil {
			return nil, resource.Errorf(resource.CodeInternal, "the server at %s said what no terminal says: %w", c.Server(), err)
		}
		switch {
		case said.Ended != nil:
			_ = conn.Close(websocket.StatusNormalClosure, "")
			return said.Ended, nil
		case said.Ready != nil:
			if s.Ready != nil {
				s.Ready(*said.Ready)
			}
			go send(ctx, conn, s)
			go resize(ctx, conn, s)
		}
	}
}

// socket opens a WebSocket.
func (c *Client) socket(ctx context.Context, path string) (*websocket.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	header := http.Header{"User-Agent": {c.agent}}
	if err := c.authorize(limited, header); err != nil {
		return nil, err
	}
	conn, resp, err := websocket.Dial(limited, c.base+path, &websocket.DialOptions{
		HTTPClient: c.http, HTTPHeader: header, Subprotocols: []string{api.TerminalProtocol},
	})
	switch {
	case err == nil:
		conn.SetReadLimit(maxMessage)
		return conn, nil
	case resp == nil:
		return nil, c.networkError(ctx, limited, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // what there is of it
	return nil, c.problem(resp, body)
}

// write hands on what came of a stream.
func (s *TerminalStreams) write(raw []byte) error {
	if len(raw) == 0 {
		return nil
	}
	to := map[byte]io.Writer{api.StreamOutput: s.Out, api.StreamErrors: s.Errors}[raw[0]]
	if to == nil {
		return nil
	}
	_, err := to.Write(raw[1:])
	return err
}

// send sends the input to its end. Who waits for the session learns of what fails.
func send(ctx context.Context, conn *websocket.Conn, s TerminalStreams) {
	message := make([]byte, 1+inputSize)
	message[0] = api.StreamInput
	for s.In != nil {
		n, err := s.In.Read(message[1:])
		if n > 0 && conn.Write(ctx, websocket.MessageBinary, message[:1+n]) != nil {
			return
		}
		if err != nil {
			break
		}
	}
	_ = wsjson.Write(ctx, conn, api.TerminalInput{End: true})
}

func resize(ctx context.Context, conn *websocket.Conn, s TerminalStreams) {
	for {
		select {
		case <-ctx.Done():
			return
		case size := <-s.Resize:
			_ = wsjson.Write(ctx, conn, api.TerminalInput{Resize: &size})
		}
	}
}

// broken says that the connection to the server ended before the session did.
func (c *Client) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if closed, ok := errors.AsType[websocket.CloseError](err); ok && closed.Reason != "" {
		return resource.Errorf(resource.CodeUnavailable, "the server at %s ended the terminal: %s", c.Server(), closed.Reason)
	}
	return resource.Errorf(resource.CodeUnavailable, "the connection to the server at %s broke: %w; connect again", c.Server(), err)
}

// HostKeys answers the host keys that the SSH server of a resource is known by.
func (c *Client) HostKeys(ctx context.Context, kind, connection, name string) ([]api.HostKey, error) {
	target, err := kindPath(kind, connection, name, "hostkeys")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Items []api.HostKey `json:"items"`
	}
	err = c.do(ctx, call{method: http.MethodGet, path: target}, &answer)
	return answer.Items, err
}

// ForgetHostKeys has the next login to a resource record whatever host key it sees.
func (c *Client) ForgetHostKeys(ctx context.Context, kind, connection, name string) error {
	target, err := kindPath(kind, connection, name, "hostkeys")
	if err != nil {
		return err
	}
	return c.do(ctx, call{method: http.MethodDelete, path: target}, nil)
}
