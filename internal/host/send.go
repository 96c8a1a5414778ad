package host

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/signed"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// sender sends signed requests of a connection.
type sender struct {
	reach  driver.Reach
	client *http.Client
}

// Send has a request for data signed and sends it, with as many bytes of body as it says. The
// answer is one of a success; its caller closes it. Data goes between here and the cloud, for
// as long as it takes, and not through the driver.
func (h *Host) Send(ctx context.Context, t Target, kind, id string, r resource.SignRequest, body io.Reader) (*http.Response, resource.SignedRequest, error) {
	session := h.Session(t)
	s, err := session.Sign(ctx, kind, id, r)
	if err != nil {
		return nil, s, err
	}
	place, err := session.Place(ctx)
	if err != nil {
		return nil, s, err
	}
	client, err := h.sender(t, place.Reach)
	if err != nil {
		return nil, s, err
	}
	size := int64(0)
	if r.Size != nil {
		size = *r.Size
	}
	request, err := signed.Request(ctx, s, body, size)
	if err != nil {
		return nil, s, err
	}
	doing, started := fmt.Sprintf("%s the object %.256q", r.Do, r.Key), time.Now()
	response, err := client.Do(request)
	if err != nil {
		return nil, s, signed.Lost(doing, err)
	}
	if err := signed.Failure(doing, response); err != nil {
		if resource.CodeOf(err) == resource.CodeThrottled { // as a call it has counted when it was signed
			h.limiter(t).answer(started, err)
		}
		_ = response.Body.Close() // what a cloud says of a signature is not for everyone
		return response, s, err
	}
	return response, s, nil
}

// sender is the one that all requests of a connection share, as long as they go the same way.
func (h *Host) sender(t Target, reach driver.Reach) (*http.Client, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s, ok := h.senders[t.Connection]; ok && reflect.DeepEqual(s.reach, reach) {
		return s.client, nil
	}
	h.endSender(t.Connection)
	client, err := signed.Client(reach)
	if err == nil {
		h.senders[t.Connection] = sender{reach, client}
	}
	return client, err
}

// endSender lets go of a connection's way to its data. h.mu is held.
func (h *Host) endSender(connection string) {
	if s, ok := h.senders[connection]; ok {
		delete(h.senders, connection)
		s.client.CloseIdleConnections()
	}
}
