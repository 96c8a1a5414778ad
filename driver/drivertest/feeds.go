package drivertest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// feedChecks are those of one feed.
func (s *suite) feedChecks(offer driver.FeedOffer) []check {
	feed, err := resource.FeedNamed(offer.Name)
	if err != nil { // newSuite has refused it
		return nil
	}
	var checks []check
	add := func(name string, run func(*try, feedToRead)) {
		checks = append(checks, check{feed.Name, "read", name, false, func(t *try) { run(t, t.feedToRead(feed, offer)) }})
	}
	add("entries", checkFeedEntries)
	add("span", checkFeedSpan)
	add("step", checkFeedStep)
	add("wrong-span", checkFeedWrongSpan)
	add("too-old", checkFeedTooOld)
	add("wrong-filter", checkFeedWrongFilter)
	ofOurs := false // whether it is of what is made
	for f := range feed.FilterType().Fields() {
		ofOurs = ofOurs || resource.RefKind(f) != ""
		if text := f.Type; f.Tag.Get("enum") == "" && (text.Kind() == reflect.String || text.Kind() == reflect.Slice && text.Elem().Kind() == reflect.String) {
			add("unknown-"+resource.JSONName(f), func(t *try, r feedToRead) { checkFeedUnknown(t, r, f) })
		}
	}
	for _, size := range []int{1, 2, s.target.Objects} {
		add(fmt.Sprintf("pages-of-%d", size), func(t *try, r feedToRead) { checkFeedPages(t, r, size) })
	}
	if ofOurs {
		add("other-account", checkFeedOtherAccount)
	}
	add("cancelled", func(t *try, r feedToRead) {
		checkCancelled(t, func(ctx context.Context, c *conn) error {
			_, err := c.read(ctx, r.timeout, feed.Name, r.lately(), r.filter)
			return err
		})
	})
	for _, f := range faults() {
		add(f.name, func(t *try, r feedToRead) { checkTroubledRead(t, r, f) })
	}
	return checks
}

// feedToRead is a feed with the filter of the target.
type feedToRead struct {
	*resource.Feed
	offer   driver.FeedOffer
	filter  json.RawMessage
	timeout time.Duration
}

func (t *try) feedToRead(feed *resource.Feed, offer driver.FeedOffer) feedToRead {
	given, ok := t.target.Feeds[feed.Name]
	if !ok {
		t.Skipf("the target has no filter for the feed %s", feed.Name)
	}
	raw, err := written(given, 0)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if raw, err = feed.ParseFilter(raw); err != nil {
		t.Fatalf("the target's filter for the feed %s: %v", feed.Name, said(err))
	}
	if raw, err = feed.MapRefs(raw, t.referred); err != nil {
		t.Fatalf("%v", said(err))
	}
	return feedToRead{feed, offer, raw, t.target.Timeout}
}

// step is how close to each other points can be.
func (r feedToRead) step() time.Duration { return time.Duration(r.offer.StepSeconds) * time.Second }

// lately is a span that has just ended, as long as one answer can be, and an hour at most.
func (r feedToRead) lately() driver.Span {
	now, length := time.Now().Truncate(time.Millisecond), time.Hour
	if most := time.Duration(r.offer.Points) * r.step(); most > 0 {
		length = min(length, most)
	}
	return driver.Span{From: now.Add(-length), To: now}
}

// readout is what a feed shows: the times of its points by their series.
type readout map[string][]time.Time

// read reads a feed and checks what holds for all entries.
func (r feedToRead) read(t *try, c *conn, span driver.Span) (readout, error) {
	entries, err := c.read(t.ctx, r.timeout, r.Name, span, r.filter)
	if err != nil {
		return nil, err
	}
	all := readout{}
	for _, raw := range entries {
		if err := strictly(raw, r.EntryType()); err != nil {
			t.Fatalf("the entry %s is not one of the feed %s: %v", raw, r.Name, err)
		}
		entry, err := r.Entry(raw)
		if err != nil {
			t.Fatalf("read the entry %s: %v", raw, err)
		}
		for _, at := range entry.Times() {
			series := all[entry.Series()]
			switch {
			case at.Before(span.From) || !at.Before(span.To):
				t.Errorf("asked for %s to %s, a point of %q is at %s", span.From, span.To, entry.Series(), at)
			case len(series) > 0 && at.Before(series[len(series)-1].Add(max(span.Step, 1))):
				t.Errorf("in %q %s comes after %s; want the order of time, and a step of %s", entry.Series(), at, series[len(series)-1], span.Step)
			}
			all[entry.Series()] = append(series, at)
		}
	}
	return all, nil
}

// whole waits until a span that has just ended shows a few points, and answers both.
func (r feedToRead) whole(t *try) (span driver.Span, all readout) {
	err := t.until(func() (bool, error) {
		var err error
		span = r.lately()
		all, err = r.read(t, t.session(), span)
		switch {
		case err != nil:
			return !resource.AsError(err).Retryable, err
		case len(all.times()) < 3:
			return false, fmt.Errorf("it shows points at %v; want some more", all.times())
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("read the feed %s from %s to %s: %v", r.Name, span.From, span.To, said(err))
	}
	return span, all
}

// times are those of all series, once and in order.
func (all readout) times() []time.Time {
	var times []time.Time
	for _, series := range all {
		times = append(times, series...)
	}
	slices.SortFunc(times, time.Time.Compare)
	return slices.CompactFunc(times, time.Time.Equal)
}

// lacks says what is missing from what was read again.
func (all readout) lacks(again readout) error {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, at := range all[name] {
			if !slices.ContainsFunc(again[name], at.Equal) {
				return fmt.Errorf("of %q the point at %s is missing", name, at)
			}
		}
	}
	return nil
}

// checkFeedEntries: each point is there once, in the order of time.
func checkFeedEntries(t *try, r feedToRead) { r.whole(t) }

// checkFeedSpan: what belongs to a span, and nothing else. A point at its end is the next
// one's, so that spans can follow each other.
func checkFeedSpan(t *try, r feedToRead) {
	span, all := r.whole(t)
	times := all.times()
	middle := times[len(times)/2]
	again := readout{}
	for _, part := range []driver.Span{{From: span.From, To: middle}, {From: middle, To: span.To}} {
		shown, err := r.read(t, t.session(), part)
		if err != nil {
			t.Fatalf("read the feed from %s to %s: %v", part.From, part.To, said(err))
		}
		for series, times := range shown {
			again[series] = append(again[series], times...)
		}
	}
	if err := all.lacks(again); err != nil {
		t.Errorf("read in two parts: %v", err)
	}
}

// checkFeedStep: who asks for a month wants no point for each minute.
func checkFeedStep(t *try, r feedToRead) {
	if r.step() == 0 {
		t.Skipf("the feed has no steps")
	}
	span, _ := r.whole(t)
	span.Step = 2 * r.step()
	err := t.until(func() (bool, error) {
		all, err := r.read(t, t.session(), span)
		if err == nil && len(all) == 0 {
			span.To = time.Now() // what has begun may need longer
			return false, fmt.Errorf("with a step of %s it shows nothing", span.Step)
		}
		return err == nil || !resource.AsError(err).Retryable, err
	})
	if err != nil {
		t.Errorf("%v", said(err))
	}
}

// checkFeedWrongSpan: what makes no sense, or would be too much, is refused.
func checkFeedWrongSpan(t *try, r feedToRead) {
	span := r.lately()
	wrong := []driver.Span{{From: span.To, To: span.From}, {From: span.To, To: span.To}}
	if most := time.Duration(r.offer.Points) * r.step(); most > 0 {
		wrong = append(wrong, driver.Span{From: span.To.Add(-2 * most), To: span.To})
	}
	for _, span := range wrong {
		if all, err := r.read(t, t.session(), span); resource.CodeOf(err) != resource.CodeInvalid {
			t.Errorf("from %s to %s: got %v, %s; want invalid", span.From, span.To, all, said(err))
		}
	}
}

// checkFeedTooOld: what the cloud does not keep any more is not there, which is no error.
func checkFeedTooOld(t *try, r feedToRead) {
	if r.offer.KeptSeconds == 0 {
		t.Skipf("it is not known for how long the cloud keeps the feed")
	}
	span := r.lately()
	past := -2 * time.Duration(r.offer.KeptSeconds) * time.Second
	if _, err := r.read(t, t.session(), driver.Span{From: span.From.Add(past), To: span.To.Add(past)}); err != nil {
		t.Errorf("got %v", said(err))
	}
}

// refusedToRead reads with a filter that must be refused.
func (r feedToRead) refusedToRead(t *try, c *conn, filter json.RawMessage, codes ...resource.Code) {
	entries, err := c.read(t.ctx, r.timeout, r.Name, r.lately(), filter)
	if code := resource.CodeOf(err); !slices.Contains(codes, code) {
		t.Errorf("with the filter %s: got %s, %s; want a code of %v", filter, entries, said(err), codes)
	}
}

func checkFeedWrongFilter(t *try, r feedToRead) {
	r.refusedToRead(t, t.session(), json.RawMessage(`{"mcicNoSuchField":1}`), resource.CodeInvalid)
}

// checkFeedUnknown: nothing would look like a thing at rest.
func checkFeedUnknown(t *try, r feedToRead, f reflect.StructField) {
	var value any = wrongValue
	if f.Type.Kind() == reflect.Slice {
		value = []string{wrongValue}
	}
	filter, err := changed(r.filter, map[string]any{resource.JSONName(f): value})
	if err != nil {
		t.Fatalf("%v", err)
	}
	r.refusedToRead(t, t.session(), filter, resource.CodeInvalid, resource.CodeNotFound)
}

// checkFeedPages: however large a page is, all of it is answered.
func checkFeedPages(t *try, r feedToRead, size int) {
	if t.target.PageSize == "" {
		t.Skipf("the target has no setting for the size of a page")
	}
	span, all := r.whole(t)
	again, err := r.read(t, t.connectTo(with(t.target.Config, driver.Values{t.target.PageSize: fmt.Sprint(size)})), span)
	if err == nil {
		err = all.lacks(again)
	}
	if err != nil {
		t.Errorf("%v", said(err))
	}
}

// checkFeedOtherAccount: connections never mix.
func checkFeedOtherAccount(t *try, r feedToRead) {
	if t.target.Other == nil {
		t.Skipf("the target has no second account or region")
	}
	r.refusedToRead(t, t.connectTo(*t.target.Other), r.filter, resource.CodeInvalid, resource.CodeNotFound)
}

// checkTroubledRead: a gap would look like a thing at rest.
func checkTroubledRead(t *try, r feedToRead, f fault) {
	span, all := r.whole(t)
	trouble := t.inTrouble(f)
	hasty := r
	hasty.timeout = trouble.timeout
	trouble.on(0)
	shown, err := hasty.read(t, trouble.c, span)
	trouble.off()
	if short := all.lacks(shown); err == nil && short != nil {
		t.Errorf("it ends without an error: %v: %s", short, f.doc)
	} else if problem := trouble.fits(err); problem != nil {
		t.Errorf("%v", problem)
	}
	if shown, err = r.read(t, trouble.after, span); err == nil {
		err = all.lacks(shown)
	}
	if err != nil {
		t.Errorf("afterwards: %v", said(err))
	}
}
