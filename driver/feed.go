package driver

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Reader is what every feed must offer. F and E are the feed's filter and entry.
//
// Read answers what the cloud keeps of the span, all pages: entries of one series in the
// order of time, with no point outside of the span and none closer to another than the step.
// What the cloud does not keep any more is no error. What the filter names and the cloud does
// not know is invalid or not_found.
type Reader[F any, E resource.Timed] interface {
	Read(ctx context.Context, s Span, filter F) iter.Seq2[E, error]
}

// Span is the time that a feed is read for.
type Span struct {
	From time.Time     // begin
	To   time.Time     // end, which is not in it any more
	Step time.Duration // how far points of a series are apart at least; readers see none below that of [Keeps]
}

// Keeps says how finely and for how long a cloud keeps a feed.
type Keeps struct {
	Step   time.Duration // how close to each other the points of a series can be; 0 if they lie where something happened
	For    time.Duration // how long they are kept; 0 if that is not known
	Points int           // of a series in one answer; more are refused. 0 for any number
}

// FeedOffer is what a driver offers of one feed.
type FeedOffer struct {
	Name        string `json:"name" doc:"The feed."`
	StepSeconds int    `json:"stepSeconds,omitempty" doc:"How close to each other the points of a series can be. Absent if they lie where something happened."`
	KeptSeconds int    `json:"keptSeconds,omitempty" doc:"For how long the cloud keeps it. Absent if that is not known."`
	Points      int    `json:"points,omitempty" doc:"How many points of a series one answer can have; a span and a step that would make more are refused. Absent if there is no such limit."`
}

// feedOffer is a feed's reader with its types taken off.
type feedOffer struct {
	read func(ctx context.Context, session any, s Span, filter json.RawMessage) iter.Seq2[json.RawMessage, error]
}

// Feed offers a feed. open makes the reader of a session.
func Feed[Session any, R Reader[F, E], F any, E resource.Timed](feed resource.FeedOf[F, E], keeps Keeps, open func(Session) R) Offer[Session] {
	described := FeedOffer{feed.Name, int(keeps.Step / time.Second), int(keeps.For / time.Second), keeps.Points}
	return Offer[Session]{feed.Name, func(d *Driver) {
		d.description.Feeds = append(d.description.Feeds, described)
		d.feeds[feed.Name] = feedOffer{func(ctx context.Context, session any, s Span, raw json.RawMessage) iter.Seq2[json.RawMessage, error] {
			raw, err := feed.ParseFilter(raw)
			if err == nil {
				s, err = keeps.fit(s)
			}
			if err != nil {
				return fail[json.RawMessage](err)
			}
			var filter F
			if err := json.Unmarshal(raw, &filter); err != nil {
				return fail[json.RawMessage](resource.Errorf(resource.CodeInvalid, "decode the filter of the feed %s: %w", feed.Name, err))
			}
			return encoded(open(session.(Session)).Read(ctx, s, filter))
		}}
	}}
}

// fit refuses a span that makes no sense or asks for too much, and makes its step one that
// the cloud has.
func (k Keeps) fit(s Span) (Span, error) {
	if !s.To.After(s.From) {
		return s, resource.Invalid(resource.Problem{Field: "to", Message: "is not after from; a span ends later than it begins"})
	}
	if s.Step < 0 {
		return s, resource.Invalid(resource.Problem{Field: "step", Message: "is below 0", Rule: resource.RuleMinimum, Limit: "0"})
	}
	s.Step = max(s.Step, k.Step)
	if length := s.To.Sub(s.From); k.Points > 0 && length > s.Step*time.Duration(k.Points) {
		least := time.Duration(math.Ceil(length.Seconds()/float64(k.Points))) * time.Second
		return s, resource.Invalid(resource.Problem{
			Field: "step", Rule: resource.RuleMinimum, Limit: least.String(),
			Message: fmt.Sprintf("would make more than %d points; choose at least %s, or a shorter span", k.Points, least),
		})
	}
	return s, nil
}

// encoded takes the type off a sequence.
func encoded[E any](entries iter.Seq2[E, error]) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for entry, err := range entries {
			var raw json.RawMessage
			if err == nil {
				raw, err = encode(entry)
			}
			if !yield(raw, err) || err != nil {
				return
			}
		}
	}
}

func (s *session) Read(ctx context.Context, feed string, span Span, filter json.RawMessage) iter.Seq2[json.RawMessage, error] {
	o, ok := s.driver.feeds[feed]
	if !ok {
		return fail[json.RawMessage](resource.Errorf(resource.CodeUnsupported, "the driver %s does not offer the feed %q", s.driver.description.Name, feed))
	}
	if err := s.has(feed); err != nil {
		return fail[json.RawMessage](err)
	}
	return o.read(ctx, s.own, span, filter)
}

func (s *remoteSession) Read(ctx context.Context, feed string, span Span, filter json.RawMessage) iter.Seq2[json.RawMessage, error] {
	return receive(ctx, func(ctx context.Context) (func() ([][]byte, error), error) {
		stream, err := s.rpc.Read(ctx, &driverv1.ReadRequest{
			Session: s.id, Feed: feed, FromMs: span.From.UnixMilli(), ToMs: span.To.UnixMilli(), StepMs: span.Step.Milliseconds(), Filter: filter,
		})
		return func() ([][]byte, error) { m, err := stream.Recv(); return m.GetEntries(), err }, err
	}, func(raw []byte) (json.RawMessage, error) {
		f, err := resource.FeedNamed(feed)
		if err != nil {
			return nil, err
		}
		if _, err := f.Entry(raw); err != nil {
			return nil, nonsense("entry of the feed "+feed, err)
		}
		return raw, nil
	})
}

// spanFrom is the span of a request.
func spanFrom(r *driverv1.ReadRequest) Span {
	return Span{time.UnixMilli(r.GetFromMs()), time.UnixMilli(r.GetToMs()), time.Duration(r.GetStepMs()) * time.Millisecond}
}

// offersFeed reports whether the driver has a feed.
func (d *Description) offersFeed(name string) bool {
	return slices.ContainsFunc(d.Feeds, func(f FeedOffer) bool { return f.Name == name })
}
