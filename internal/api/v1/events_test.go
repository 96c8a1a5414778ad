package v1_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

// event is one server-sent event.
type event struct {
	id          int
	event, data string
}

// stream is an open stream of events.
type stream struct {
	a      *routes
	events chan event
	stop   func()
}

// watch opens a stream, after an event if its id is given, and waits until it is
// connected. What comes before the first ping is kept.
func (a *routes) watch(after string) *stream {
	a.t.Helper()
	return a.watchAs(token, after)
}

func (a *routes) watchAs(who, after string) *stream {
	a.t.Helper()
	ctx, leave := context.WithCancel(a.t.Context())
	r := a.request(http.MethodGet, "/v1/events", nil).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer "+who)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	response, err := a.client.Do(r) //nolint:bodyclose // the reader below closes it
	require.NoError(a.t, err)
	require.Equal(a.t, http.StatusOK, response.StatusCode)
	require.Equal(a.t, "text/event-stream", response.Header.Get("Content-Type"))
	s := &stream{a: a, events: make(chan event, 1000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer response.Body.Close()
		var e event
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
			case "id":
				e.id, _ = strconv.Atoi(value)
			case "event":
				e.event = value
			case "data":
				e.data = value
			case "":
				s.events <- e
				e = event{}
			}
		}
	}()
	s.stop = func() {
		leave()
		<-ended
	}
	a.t.Cleanup(s.stop)
	return s
}

// next is the next event but pings.
func (s *stream) next(ctx context.Context) event {
	s.a.t.Helper()
	for {
		select {
		case <-ctx.Done():
			require.Fail(s.a.t, "no event came")
		case e := <-s.events:
			if e.event == "ping" {
				continue
			}
			name := strings.ToUpper(e.event[:1]) + e.event[1:] + "Event"
			s.a.schema.fits(s.a.t, &huma.Schema{Ref: "#/components/schemas/" + name}, []byte(e.data), "the event "+e.event)
			return e
		}
	}
}

// untilEnd reads until an operation has ended.
func (s *stream) untilEnd() []event {
	s.a.t.Helper()
	ctx := within(s.a.t)
	var got []event
	for {
		e := s.next(ctx)
		got = append(got, e)
		if e.event != "operation" {
			continue
		}
		var op api.Operation
		require.NoError(s.a.t, json.Unmarshal([]byte(e.data), &op))
		if op.State.Ended() {
			return got
		}
	}
}

func TestEventsComeInOrderAndAgain(t *testing.T) {
	a := start(t, enginetest.Options{}, "latency", "30ms")
	first := a.watch("")
	a.create("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	got := first.untilEnd()

	var states, operations []string
	for i, e := range got {
		if i > 0 {
			assert.Equal(t, got[i-1].id+1, e.id)
		}
		var what struct {
			Name  string `json:"name"`
			State string `json:"state"`
		}
		require.NoError(t, json.Unmarshal([]byte(e.data), &what))
		assert.Equal(t, "v", what.Name)
		if e.event == "operation" {
			operations = append(operations, what.State)
		} else {
			states = append(states, what.State)
		}
	}
	assert.Equal(t, "pending", states[0])
	assert.Equal(t, "available", states[len(states)-1])
	assert.Equal(t, "queued", operations[0])
	assert.Equal(t, "succeeded", operations[len(operations)-1])

	for i := range len(got) - 1 {
		missed := a.watch(strconv.Itoa(got[i].id))
		assert.Equal(t, got[i+1:], missed.untilEnd(), "after the event %d", i)
	}
	late := a.watch(strconv.Itoa(got[len(got)-1].id))
	gone := into[api.Operation](t, a.delete("/v1/connections/mock/vpcs/v?wait=30s"))
	assert.Contains(t, late.next(within(t)).data, gone.ID, "after the last event only new ones come")
}

func TestAnUnknownEventIsAnsweredByAReset(t *testing.T) {
	a := start(t, enginetest.Options{})
	for _, id := range []string{"1", "9223372036854775807"} {
		s := a.watch(id)
		e := s.next(within(t))
		assert.Equal(t, "reset", e.event)
		a.create("mock", "vpc", "v"+id, `{"cidr":"10.0.0.0/16"}`)
		follows := s.next(within(t))
		assert.Equal(t, "resource", follows.event, "new events follow")
		assert.Equal(t, e.id+1, follows.id)
		assert.Equal(t, follows, a.watch(strconv.Itoa(e.id)).next(within(t)), "its id is the one to go on from")
	}
	for _, id := range []string{"-1", "x", "99999999999999999999"} {
		r := a.request(http.MethodGet, "/v1/events", nil)
		r.Header.Set("Last-Event-ID", id)
		got := a.send(r)
		namesField(t, isProblem(t, http.StatusUnprocessableEntity, got), id, "Last-Event-ID")
	}
}

// A client that has seen nothing yet when its stream breaks misses nothing.
func TestTheFirstPingSaysWhereToGoOn(t *testing.T) {
	a := start(t, enginetest.Options{})
	s := a.watch("")
	ping := <-s.events
	require.Equal(t, "ping", ping.event)
	s.stop()
	a.create("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	got := a.watch(strconv.Itoa(ping.id)).untilEnd()
	assert.Equal(t, ping.id+1, got[0].id)
}

// stuck takes so many writes, and then none until the deadline.
type stuck struct {
	*httptest.ResponseRecorder
	left     int
	deadline time.Time
}

func (s *stuck) SetWriteDeadline(at time.Time) error {
	s.deadline = at
	return nil
}

func (s *stuck) Write(raw []byte) (int, error) {
	if s.left--; s.left < 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return s.ResponseRecorder.Write(raw)
}

func TestAClientThatTakesNothingIsDropped(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	handler := newHandler(t, e)
	ctx, leave := context.WithTimeout(t.Context(), 30*time.Second)
	defer leave()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/events", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := &stuck{ResponseRecorder: httptest.NewRecorder(), left: 1} // the first ping
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		handler.ServeHTTP(w, r)
	}()
	for dropped := false; !dropped; {
		e.TellDriver(api.DriverProgress{Name: "x"})
		select {
		case <-ended:
			dropped = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	require.NoError(t, ctx.Err())
	assert.WithinDuration(t, time.Now().Add(30*time.Second), w.deadline, 10*time.Second)
	assert.Contains(t, w.Body.String(), "event: ping")
}

// HEAD says what a stream is, and ends.
func TestTheHeadOfAStreamEnds(t *testing.T) {
	a := start(t, enginetest.Options{})
	got := a.exchange(a.request(http.MethodHead, "/v1/events", nil))
	assert.Equal(t, http.StatusOK, got.status)
	assert.Equal(t, "text/event-stream", got.header.Get("Content-Type"))
	eventually(t, "it has ended", func() bool { return a.active.Load() == 0 })
}

func TestAStreamEndsWithItsClient(t *testing.T) {
	a := start(t, enginetest.Options{})
	streams := make([]*stream, 5)
	for i := range streams {
		streams[i] = a.watch("")
	}
	eventually(t, "all are connected", func() bool { return a.active.Load() == int32(len(streams)) })
	for _, s := range streams {
		s.stop()
	}
	eventually(t, "all have ended", func() bool { return a.active.Load() == 0 })
}
