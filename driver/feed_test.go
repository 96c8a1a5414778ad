package driver

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// meter is a session that measures one point, and notes what it was asked for.
type meter struct {
	lacks  map[string]string
	span   Span
	filter resource.MetricFilter
	err    error
}

func (m *meter) Lacks() map[string]string { return m.lacks }

func (m *meter) Read(_ context.Context, s Span, f resource.MetricFilter) iter.Seq2[resource.MetricSeries, error] {
	m.span, m.filter = s, f
	return func(yield func(resource.MetricSeries, error) bool) {
		if m.err == nil {
			yield(resource.MetricSeries{VM: f.VMs[0], Name: "cpu", Unit: "percent", Statistic: f.Statistic, Points: []resource.MetricPoint{{Time: s.From.UTC(), Value: 7}}}, nil)
			return
		}
		yield(resource.MetricSeries{}, m.err)
	}
}

func (m *meter) driver() *Driver {
	about := About{Name: "meter", Title: "Meter"}
	for name := range toyConfig().Credential {
		about.Credential = append(about.Credential, Field{Name: name, Type: TypeLines})
	}
	about.Settings = []Field{{Name: "latency", Type: TypeDuration}}
	return New(about, func(context.Context, Config) (*meter, error) { return m, nil },
		Feed(resource.Metrics, Keeps{Step: time.Minute, For: 48 * time.Hour, Points: 60}, func(m *meter) *meter { return m }))
}

// hour is a span of an hour.
func hour() Span {
	from := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	return Span{From: from, To: from.Add(time.Hour)}
}

func TestFeedOverTheWire(t *testing.T) {
	m := &meter{}
	client, _ := over(t, m.driver())
	s := connect(t, client)
	var entries []string
	for entry, err := range s.Read(t.Context(), "metric", hour(), json.RawMessage(`{"vms":["vm-1"],"names":["cpu"]}`)) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, string(entry))
	}
	if want := `{"vm":"vm-1","name":"cpu","unit":"percent","statistic":"average","points":[{"time":"2026-01-02T03:00:00Z","value":7}]}`; !slices.Equal(entries, []string{want}) {
		t.Errorf("got %v", entries)
	}
	if !m.span.From.Equal(hour().From) || !m.span.To.Equal(hour().To) || m.span.Step != time.Minute {
		t.Errorf("the reader was asked for %v; want the span with the least step that there is", m.span)
	}
	if want := (resource.MetricFilter{VMs: []string{"vm-1"}, Names: []string{"cpu"}, Statistic: "average"}); !reflect.DeepEqual(m.filter, want) {
		t.Errorf("the reader was asked for %+v; want %+v", m.filter, want)
	}
	m.err = resource.Errorf(resource.CodeNotFound, "there is no VM vm-1")
	if err := last(s.Read(t.Context(), "metric", hour(), json.RawMessage(`{"vms":["vm-1"]}`))); resource.CodeOf(err) != resource.CodeNotFound {
		t.Errorf("got %v, want not_found", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := last(s.Read(t.Context(), "metric", hour(), nil)); !errors.Is(err, ErrUnknownSession) {
		t.Errorf("got %v, want ErrUnknownSession", err)
	}
}

func TestWhatAFeedRefuses(t *testing.T) {
	const good = `{"vms":["vm-1"]}`
	long, coarse, backwards, negative := hour(), hour(), hour(), hour()
	long.To = long.To.Add(time.Second)
	coarse.To, coarse.Step = coarse.To.Add(time.Hour), 2*time.Minute
	backwards.To = backwards.From
	negative.Step = -1
	m := &meter{}
	client, _ := over(t, m.driver())
	s := connect(t, client)
	if err := last(s.Read(t.Context(), "metric", coarse, json.RawMessage(good))); err != nil {
		t.Errorf("a longer span with a wider step: %v", err)
	}
	for name, test := range map[string]struct {
		span          Span
		filter, field string
		limit         string
	}{
		"field":     {hour(), `{"vms":["vm-1"],"color":"red"}`, "color", ""},
		"nothing":   {hour(), ``, "vms", ""},
		"statistic": {hour(), `{"vms":["vm-1"],"statistic":"median"}`, "statistic", "average, minimum, maximum"},
		"twice":     {hour(), `{"vms":["vm-1","vm-1"]}`, "vms[1]", "vms[0]"},
		"long":      {long, good, "step", "1m1s"},
		"backwards": {backwards, good, "to", ""},
	} {
		e := resource.AsError(last(s.Read(t.Context(), "metric", test.span, json.RawMessage(test.filter))))
		if e == nil || e.Code != resource.CodeInvalid || len(e.Fields) != 1 || e.Fields[0].Field != test.field || test.limit != "" && e.Fields[0].Limit != test.limit {
			t.Errorf("%s: got %+v", name, e)
		}
	}
	here, err := m.driver().Connect(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := last(here.Read(t.Context(), "metric", negative, json.RawMessage(good))); resource.CodeOf(err) != resource.CodeInvalid {
		t.Errorf("a step below 0: got %v", err)
	}
	if err := last(s.Read(t.Context(), "weather", hour(), nil)); resource.CodeOf(err) != resource.CodeUnsupported {
		t.Errorf("got %v, want unsupported", err)
	}
	m.lacks = map[string]string{"metric": "nothing is measured here"}
	if err := last(connect(t, client).Read(t.Context(), "metric", hour(), json.RawMessage(good))); resource.CodeOf(err) != resource.CodeUnsupported || !strings.Contains(err.Error(), "nothing is measured here") {
		t.Errorf("got %v, want unsupported with the reason", err)
	}
}

func TestFeedIsDescribed(t *testing.T) {
	d, _ := (&meter{}).driver().Describe(t.Context())
	if want := []FeedOffer{{"metric", 60, 172800, 60}}; !slices.Equal(d.Feeds, want) {
		t.Errorf("got %+v", d.Feeds)
	}
	if page := d.Markdown(); !strings.Contains(page, "| `metric` | 60 s | 48 h | 60 |") {
		t.Errorf("got:\n%s", page)
	}
	if whole, none := d.Without(nil), d.Without(map[string]string{"metric": "why"}); len(whole.Feeds) != 1 || len(none.Feeds) != 0 || none.Lacks[0].Name != "metric" {
		t.Errorf("got %+v and %+v", whole, none)
	}
	capability := func(d *Description) Capability {
		all := d.Capabilities()
		return all[slices.IndexFunc(all, func(c Capability) bool { return c.Kind == "metric" && c.Verb == "read" })]
	}
	if !capability(d).Offered {
		t.Error("it is not among the capabilities")
	}
	without := &Description{About: About{Name: "x", Missing: map[string]string{"metric": "it measures nothing"}}}
	if c := capability(without); c.Offered || c.Reason != "it measures nothing" {
		t.Errorf("got %+v", c)
	}
	if err := without.checkMissing(); err != nil {
		t.Error(err)
	}
	d.Missing = without.Missing
	if d.checkMissing() == nil {
		t.Error("a feed that is offered and missing was taken")
	}
}

func (l liar) Read(_ *driverv1.ReadRequest, stream grpc.ServerStreamingServer[driverv1.ReadResponse]) error {
	return stream.Send(&driverv1.ReadResponse{Entries: [][]byte{l.answer}})
}

func TestEntriesThatAreNone(t *testing.T) {
	for _, answer := range []string{``, `{"vm":`, `[]`, `{"points":[{"time":"noon"}]}`} {
		err := last(connect(t, dial(t, liar{answer: []byte(answer)})).Read(t.Context(), "metric", hour(), nil))
		if resource.CodeOf(err) != resource.CodeInternal || !strings.Contains(err.Error(), "defect of the driver") {
			t.Errorf("%s: got %v, want internal", answer, err)
		}
	}
	if err := last(connect(t, dial(t, liar{answer: []byte(`{}`)})).Read(t.Context(), "weather", hour(), nil)); resource.CodeOf(err) != resource.CodeNotFound {
		t.Errorf("got %v, want not_found", err)
	}
}
