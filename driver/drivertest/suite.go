package drivertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest/digest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// grace is how much longer than its deadline a call may take before the driver
// counts as one that does not keep deadlines.
const grace = 3 * time.Second

// suite is one run against one target.
type suite struct {
	target      Target
	description *driver.Description
	deviations  *deviations
	budget      *budget
	digest      *digest.Digest // of the source, nil outside of it
	dir         string         // working folder of a driver's process
	ear         *ear
	root        *world
	keeper      *keeper
	counter     counter

	using   sync.RWMutex // held for reading by checks, for writing by those that must be alone
	tying   sync.Mutex   // held while something is tied to objects of the whole run
	mu      sync.Mutex   // guards what follows
	client  driver.Client
	end     func()
	shared  *conn // session that checks share, until the next restart
	leaks   []string
	hidden  map[string]bool // what was given and is never shown
	tokens  map[string]bool // of all that was asked for
	before  map[thing]bool  // what was there before
	planted map[string]*stranger
	strange string // what the name of all strangers follows from
	results map[string]driver.Result
}

// check is one thing that every driver must do right.
type check struct {
	kind, verb, name string
	alone            bool // whether no other check may run meanwhile
	run              func(*try)
}

func (c check) path() string { return c.kind + "/" + c.verb + "/" + c.name }

// group is the checks of one kind, of one kind with the cloud in trouble, or of what belongs
// to none.
type group struct {
	name   string
	checks []check
}

// newSuite starts the driver and asks what it offers.
func newSuite(ctx context.Context, target Target) (*suite, error) {
	if err := target.complete(); err != nil {
		return nil, err
	}
	s := &suite{target: target, ear: &ear{}, results: map[string]driver.Result{}, tokens: map[string]bool{}, hidden: map[string]bool{}, planted: map[string]*stranger{}, strange: uuid.NewString()}
	s.root = &world{suite: s, made: map[string]*making{}}
	var err error
	if s.deviations, err = readDeviations(target.Deviations); err != nil {
		return nil, err
	}
	if s.budget, err = readBudget(target.Budget); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "mcic-conformance"); err != nil {
		return nil, err
	}
	if err := s.restart(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	s.description, err = s.client.Describe(ctx)
	s.keeper = &keeper{description: s.description, items: map[thing]driver.Item{}}
	if err == nil {
		err = s.knownKinds()
	}
	if err == nil {
		err = s.chooseSpecs()
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("describe the driver: %w", err)
	}
	if err := s.look(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("look at what is on the cloud before: %w", err)
	}
	return s, nil
}

// chooseSpecs takes the suite's specifications where the target has none of its own,
// without references to kinds that the driver cannot make.
func (s *suite) chooseSpecs() error {
	own := s.target.Specs
	s.target.Specs = merged(s.target.defaultSpecs(), own)
	for name, spec := range s.target.defaultSpecs() {
		if _, given := own[name]; given {
			continue
		}
		refs, err := s.refersTo(name)
		if err != nil {
			return err
		}
		fields := spec.(map[string]any)
		for _, ref := range refs {
			if field, _, _ := strings.Cut(strings.TrimPrefix(ref.Field, "spec."), "["); !s.description.Offers(ref.Kind, "create") && !strings.Contains(ref.Field, "].") {
				delete(fields, field)
			}
		}
		s.target.Specs[name] = fields
	}
	s.target.Feeds = merged(s.target.defaultFilters(), s.target.Feeds)
	return nil
}

// knownKinds refuses a driver with kinds, actions, views, catalogs or feeds that the model lacks.
func (s *suite) knownKinds() error {
	for _, offer := range s.description.Kinds {
		kind, err := resource.KindNamed(offer.Name)
		if err != nil {
			return err
		}
		for _, name := range offer.Actions {
			if _, err := kind.Action(name); err != nil {
				return err
			}
		}
		for _, name := range offer.Views {
			if _, err := kind.View(name); err != nil {
				return err
			}
		}
		for _, name := range offer.Data {
			if _, err := kind.DataCall(name); err != nil {
				return err
			}
		}
	}
	for _, name := range s.description.Catalogs {
		if _, err := resource.CatalogNamed(name); err != nil {
			return err
		}
	}
	for _, offer := range s.description.Feeds {
		if _, err := resource.FeedNamed(offer.Name); err != nil {
			return err
		}
	}
	return nil
}

// restart ends the driver without a farewell and starts it anew.
func (s *suite) restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		s.end()
	}
	s.shared = nil
	var err error
	s.client, s.end, err = s.target.start(s.dir, s.ear)
	return err
}

// mortal gives a check a driver that it can crash: one of its own, so that the others
// need not wait. A driver with state in its working folder never has two processes at
// work; of it the check crashes the one that all use, and must be alone.
func (t *try) mortal() {
	if t.description.LocalState {
		return
	}
	t.Cleanup(func() {
		if t.endOwn != nil {
			t.endOwn()
		}
	})
	t.crash()
}

// crash ends the check's driver without a farewell and starts it anew. Sessions in it
// are over.
func (t *try) crash() {
	var err error
	if t.description.LocalState {
		err = t.restart()
	} else {
		if t.endOwn != nil {
			t.endOwn()
		}
		t.own, t.endOwn, err = t.target.start(t.dir, t.ear)
	}
	if err != nil {
		t.Fatalf("start the driver anew: %v", err)
	}
}

func (s *suite) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		s.end()
	}
	_ = os.RemoveAll(s.dir) // in the system's temporary folder
}

// plan is every check that applies to the driver.
func (s *suite) plan() []group {
	groups := []group{{"connection", s.connectionChecks()}}
	for _, name := range s.description.Catalogs {
		groups = append(groups, group{name, s.catalogChecks(name)})
	}
	for _, kind := range resource.Kinds() {
		i := slices.IndexFunc(s.description.Kinds, func(o driver.KindOffer) bool { return o.Name == kind.Name })
		switch {
		case i < 0:
		case s.description.Kinds[i].Kept:
			groups = append(groups, group{kind.Name, keptKindChecks(kind)})
		default:
			groups = append(groups, group{kind.Name, s.kindChecks(kind, s.description.Kinds[i])}, group{kind.Name + inTrouble, s.troubleChecks(kind)})
		}
	}
	for _, offer := range s.description.Feeds {
		groups = append(groups, group{offer.Name, s.feedChecks(offer)})
	}
	if extensions := s.extensionChecks(); len(extensions) > 0 {
		groups = append(groups, group{"extension", extensions})
	}
	groups = append(groups, group{"suite", s.lastChecks()})
	for _, g := range groups { // those that must be alone come first
		slices.SortStableFunc(g.checks, func(a, b check) int {
			if a.alone == b.alone {
				return 0
			}
			if a.alone {
				return -1
			}
			return 1
		})
	}
	return groups
}

// try is one run of a check.
type try struct {
	*suite
	check
	ctx context.Context

	own    driver.Client // of a driver that this check alone uses, nil for the one of all
	endOwn func()
	tie    sync.Once // takes tying

	numbering sync.Once // chooses number
	number    int       // in parameters of actions

	mu       sync.Mutex
	failures []string
	skipped  string
	cleanups []func()
}

// do runs a check and says how it ended.
func (s *suite) do(ctx context.Context, c check) driver.Result {
	if c.alone {
		s.using.Lock()
		defer s.using.Unlock()
	} else {
		s.using.RLock()
		defer s.using.RUnlock()
	}
	t := &try{suite: s, check: c, ctx: ctx}
	t.protect(func() { c.run(t) })
	for len(t.cleanups) > 0 {
		last := len(t.cleanups) - 1
		cleanup := t.cleanups[last]
		t.cleanups = t.cleanups[:last]
		t.protect(cleanup)
	}
	result := t.result()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[c.path()] = result
	return result
}

// protect runs f in a goroutine of its own, which Fatalf and Skipf can end.
func (t *try) protect(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("the suite panicked: %v\n%s", p, debug.Stack())
			}
		}()
		f()
	}()
	<-done
}

func (t *try) result() driver.Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(t.failures) > 0:
		if reason, known := t.deviations.reason(t.path()); known {
			return driver.Result{Outcome: driver.Deviates, Reason: reason}
		}
		return driver.Result{Outcome: driver.Failed, Reason: strings.Join(t.failures, "\n")}
	case t.skipped != "":
		return driver.Result{Outcome: driver.Skipped, Reason: t.skipped}
	default:
		return driver.Result{Outcome: driver.Passed}
	}
}

// Errorf records a failure; the check goes on.
func (t *try) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, fmt.Sprintf(format, args...))
}

// Fatalf records a failure and ends the check.
func (t *try) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

// Skipf ends the check with the reason why it cannot be run.
func (t *try) Skipf(format string, args ...any) {
	t.mu.Lock()
	t.skipped = fmt.Sprintf(format, args...)
	t.mu.Unlock()
	runtime.Goexit()
}

// Cleanup runs f when the check has ended, the last one first.
func (t *try) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

// counter gives numbers to specifications.
type counter struct {
	mu   sync.Mutex
	next map[string]int
}

// number is the next one of a specification. It fits into an octet of an address,
// and comes again only long after.
func (c *counter) number(of string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = map[string]int{}
	}
	n := c.next[of]
	c.next[of]++
	if n < firstAgain {
		return n + 1
	}
	return firstAgain + (n-firstAgain)%numbersAgain + 1
}

// The first numbers are those of what the whole run uses; the others come again.
const (
	firstAgain   = 20
	numbersAgain = 200
)
