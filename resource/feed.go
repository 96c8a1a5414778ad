package resource

import (
	"encoding/json"
	"reflect"
	"time"
)

// Feed describes a list over a span of time that clouds keep, such as metrics: it can only
// be read, and is asked for each time.
type Feed struct {
	Name  string // "metric"
	Title string // "Metric"
	Doc   string
	Scope Scope

	filter    input
	entry     reflect.Type
	entryRefs []refField
	timed     func(raw json.RawMessage) (Timed, error)
}

// Scope is what a cloud has something of its own for.
type Scope string

// The scopes.
const (
	ScopeRegion  Scope = "region"  // each region of an account
	ScopeAccount Scope = "account" // each account: all of its regions show the same
)

// Timed is implemented by the entries of all feeds.
type Timed interface {
	// Series names what the entry is a piece of: the pieces of one follow each other in
	// time. It is "" if all entries of the feed do.
	Series() string
	// Times are those of its points, or its own.
	Times() []time.Time
}

// Plural is the feed's path segment in the API.
func (f *Feed) Plural() string { return f.Name + "s" }

// FilterType is the Go type of what narrows the feed.
func (f *Feed) FilterType() reflect.Type { return f.filter.typ }

// EntryType is the Go type of an entry.
func (f *Feed) EntryType() reflect.Type { return f.entry }

// ParseFilter checks a filter as a user sent it.
func (f *Feed) ParseFilter(body []byte) (json.RawMessage, error) {
	return f.filter.parse("the feed "+f.Name, body)
}

// Entry reads an entry, as far as all feeds have it.
func (f *Feed) Entry(raw json.RawMessage) (Timed, error) { return f.timed(raw) }

// FeedOf is a feed together with its Go types.
type FeedOf[F any, E Timed] struct{ *Feed }

func defineFeed[F any, E Timed](f Feed) FeedOf[F, E] {
	f.filter, f.entry = inputOf[F](), reflect.TypeFor[E]()
	f.entryRefs = refFields(f.entry)
	f.timed = func(raw json.RawMessage) (Timed, error) {
		var entry E
		err := json.Unmarshal(raw, &entry)
		return entry, err
	}
	return FeedOf[F, E]{&f}
}

// Feeds returns every feed.
func Feeds() []*Feed { return []*Feed{Metrics.Feed} }

// FeedNamed returns the feed of that name.
func FeedNamed(name string) (*Feed, error) {
	for _, f := range Feeds() {
		if f.Name == name {
			return f, nil
		}
	}
	return nil, Errorf(CodeNotFound, "there is no feed %q; the feeds are: %s", name, joinNames(Feeds(), func(f *Feed) string { return f.Name }))
}
