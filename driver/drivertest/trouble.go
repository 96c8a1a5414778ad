package drivertest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest/faultproxy"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// fault is trouble between a driver and its cloud, and what may become of a call.
type fault struct {
	name    string
	doc     string
	inject  faultproxy.Fault
	once    bool            // whether each call of a creation is troubled alone, one after the other
	codes   []resource.Code // which errors fit
	passes  bool            // whether the call may succeed all the same
	timeout time.Duration   // how long the driver is told that it has
}

// troubled is how long a driver has for a call that cannot succeed: long enough for
// what an SDK tries by itself.
const troubled = 5 * time.Second

// killed is the fault that only creations have ([checkKilledCreate]).
const killed = "lost-answer-and-crash"

// Faults are the names of all faults with what they are, for a target's Faults.
func Faults() map[string]string {
	docs := map[string]string{}
	for _, f := range faults() {
		docs[f.name] = f.doc
	}
	docs[killed] = "The driver's process ends after the cloud has done what it was asked, without having heard of it."
	return docs
}

func faults() []fault {
	var (
		away = []resource.Code{resource.CodeUnavailable}
		busy = []resource.Code{resource.CodeUnavailable, resource.CodeThrottled}
		odd  = []resource.Code{resource.CodeUnavailable, resource.CodeInternal, resource.CodeInvalid}
	)
	return []fault{
		{name: "no-answer", doc: "The cloud does not answer before the deadline.", inject: faultproxy.Fault{Delay: time.Hour}, codes: away, timeout: 100 * time.Millisecond},
		{name: "reset", doc: "The connection breaks before the cloud has seen the call.", inject: faultproxy.Fault{Reset: true}, once: true, codes: away, passes: true},
		{name: "lost-answer", doc: "The connection breaks after the cloud has done what it was asked.", inject: faultproxy.Fault{Lose: true}, once: true, codes: away, passes: true},
		{name: "cut-answer", doc: "The connection breaks in the middle of the answer.", inject: faultproxy.Fault{Cut: true}, codes: away, passes: true},
		{name: "slow-answer", doc: "The answer comes in small pieces, in time.", inject: faultproxy.Fault{Trickle: time.Millisecond}, passes: true},
		{name: "throttled", doc: "429 Too Many Requests.", inject: faultproxy.Fault{Status: http.StatusTooManyRequests}, codes: busy},
		{name: "throttled-for-long", doc: "429 Too Many Requests with a long Retry-After.", inject: faultproxy.Fault{Status: http.StatusTooManyRequests, RetryAfter: "3600"}, codes: busy},
		{name: "unavailable", doc: "503 Service Unavailable from a load balancer, in HTML.", inject: faultproxy.Fault{Status: http.StatusServiceUnavailable, Type: "text/html", Body: "<html><body>503 Service Unavailable</body></html>"}, codes: busy},
		{name: "html", doc: "200 with a page in HTML, as portals answer that stand in between.", inject: faultproxy.Fault{Status: http.StatusOK, Type: "text/html", Body: "<html><body>Please log in</body></html>"}, codes: odd},
	}
}

// trouble is a session in trouble.
type trouble struct {
	fault
	c     *conn             // the one in trouble
	after *conn             // one to use when the trouble is over
	proxy *faultproxy.Proxy // nil if the cloud rehearses the fault itself
}

// inTrouble opens a session for a fault, which comes with on.
func (t *try) inTrouble(f fault) *trouble {
	f.timeout = t.patience(f)
	if settings, ok := t.target.Faults[f.name]; ok {
		return &trouble{f, t.connectTo(with(t.target.Config, settings)), t.session(), nil}
	}
	c, proxy := t.proxied()
	return &trouble{f, c, c, proxy}
}

// patience is how long a driver has for a call. One that must succeed has as long as
// without the fault.
func (t *try) patience(f fault) time.Duration {
	switch {
	case f.timeout != 0:
		return f.timeout
	case len(f.codes) == 0:
		return t.target.Timeout
	}
	return min(troubled, t.target.Timeout)
}

// on begins the trouble: for the n-th of the following calls, or for all if n is 0.
func (f *trouble) on(n int) {
	if f.proxy != nil {
		f.proxy.Inject(func(call int, _ *http.Request) faultproxy.Fault {
			if n == 0 || n == call {
				return f.inject
			}
			return faultproxy.Fault{}
		})
	}
}

func (f *trouble) off() {
	if f.proxy != nil {
		f.proxy.Inject(nil)
	}
}

// fits reports whether an error is one that the fault explains.
func (f *trouble) fits(err error) error {
	e := resource.AsError(err)
	switch {
	case err == nil && f.passes:
		return nil
	case err == nil:
		return fmt.Errorf("it succeeds, although the cloud has done nothing: %s", f.doc)
	case !slices.Contains(f.codes, e.Code):
		return fmt.Errorf("got %s; want a code of %v: %s", said(err), f.codes, f.doc)
	case (e.Code == resource.CodeUnavailable || e.Code == resource.CodeThrottled) && !e.Retryable:
		return fmt.Errorf("got %s, which says that a retry cannot help: %s", said(err), f.doc)
	}
	return nil
}

// troubleChecks are those of a kind with the cloud in trouble.
func (s *suite) troubleChecks(kind *resource.Kind) []check {
	var checks []check
	for _, f := range faults() {
		checks = append(checks,
			check{kind.Name, "list", f.name, false, func(t *try) { checkTroubledList(t, f) }},
			check{kind.Name, "get", f.name, false, func(t *try) { checkTroubledGet(t, f) }},
			check{kind.Name, "create", f.name, false, func(t *try) { checkTroubledCreate(t, f) }},
			check{kind.Name, "delete", f.name, false, func(t *try) { checkTroubledDelete(t, f) }})
	}
	return append(checks,
		check{kind.Name, "create", killed, s.description.LocalState, checkKilledCreate},
		check{kind.Name, "list", "cancelled", false, func(t *try) {
			checkCancelled(t, func(ctx context.Context, c *conn) error { _, err := c.list(ctx, t.kind); return err })
		}},
		check{kind.Name, "create", "cancelled", false, func(t *try) {
			r := t.ask(t.root, t.kind, nil)
			checkCancelled(t, func(ctx context.Context, c *conn) error {
				item, err := c.create(ctx, t.kind, r)
				t.disposeOf(t.kind, item.ID)
				return err
			})
			t.onceMore(t.session(), r)
		}})
}

// checkTroubledList: a short list would look like deleted objects.
func checkTroubledList(t *try, f fault) {
	item, err := t.root.need(t, t.kind)
	if err != nil {
		t.Fatalf("%v", said(err))
	}
	trouble := t.inTrouble(f)
	trouble.on(0)
	var items []driver.Item
	err = trouble.c.callWithin(t.ctx, trouble.timeout, t.kind+"/list", func(ctx context.Context) error {
		for item, err := range trouble.c.open.List(ctx, t.kind, driver.Filter{}) {
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		return nil
	})
	trouble.off()
	if _, ok := find(items, item.ID); err == nil && !ok {
		t.Errorf("the list ends without an error and without %s: %s", item.ID, f.doc)
	} else if problem := trouble.fits(err); problem != nil {
		t.Errorf("%v", problem)
	}
	if _, ok := find(t.listed(trouble.after), item.ID); !ok {
		t.Errorf("afterwards the list lacks %s", item.ID)
	}
}

// checkTroubledGet: nothing is concluded from an error.
func checkTroubledGet(t *try, f fault) {
	item, err := t.root.need(t, t.kind)
	if err != nil {
		t.Fatalf("%v", said(err))
	}
	trouble := t.inTrouble(f)
	trouble.on(0)
	err = trouble.c.callWithin(t.ctx, trouble.timeout, t.kind+"/get", func(ctx context.Context) error {
		_, err := trouble.c.open.Get(ctx, t.kind, item.ID)
		return err
	})
	trouble.off()
	if problem := trouble.fits(err); problem != nil {
		t.Errorf("%v", problem)
	}
	if _, err := trouble.after.get(t.ctx, t.kind, item.ID); err != nil {
		t.Errorf("afterwards: %v", said(err))
	}
}

// mostCalls is how many calls of a creation are troubled, one after the other.
const mostCalls = 20

// checkTroubledCreate: whatever happened, the same token leads to one object.
func checkTroubledCreate(t *try, f fault) {
	trouble := t.inTrouble(f)
	for _, step := range t.steps(trouble) {
		r := t.ask(t.root, t.kind, nil)
		trouble.on(step)
		asked, id := r, ""
		err := again(t.ctx, t.target.Settle, nil, func(ctx context.Context) (pending *driver.Pending, err error) {
			err = trouble.c.callWithin(ctx, trouble.timeout, t.kind+"/create", func(ctx context.Context) (err error) {
				var item driver.Item
				item, pending, err = trouble.c.open.Create(ctx, t.kind, asked)
				id = cmp.Or(item.ID, id)
				return err
			})
			if pending != nil {
				asked = asked.Again(id, pending)
			}
			return pending, err
		})
		t.disposeOf(t.kind, id)
		trouble.off()
		if problem := trouble.fits(err); problem != nil {
			t.Errorf("call %d: %v", step, problem)
		}
		t.onceMore(trouble.after, r)
	}
}

// steps are the calls of a creation that are troubled one after the other, or 0 for all
// at once. An answer that is lost makes a difference only where the cloud has done
// something: otherwise the connection might as well have broken before.
func (t *try) steps(trouble *trouble) []int {
	if !trouble.once || trouble.proxy == nil {
		return []int{0}
	}
	var (
		mu    sync.Mutex
		steps []int
	)
	trouble.proxy.Inject(func(call int, r *http.Request) faultproxy.Fault {
		mu.Lock()
		defer mu.Unlock()
		if call <= mostCalls && (!trouble.inject.Lose || r.Method != http.MethodGet) {
			steps = append(steps, call)
		}
		return faultproxy.Fault{}
	})
	t.create(trouble.c, t.kind, t.ask(t.root, t.kind, nil))
	trouble.off()
	mu.Lock()
	defer mu.Unlock()
	return steps
}

// onceMore creates again with the same token and checks that it leads to one object.
func (t *try) onceMore(c *conn, r driver.ItemRequest) {
	item, err := t.persist(c, t.kind, r)
	if err != nil {
		t.Errorf("create again with the same token: %v", said(err))
		return
	}
	t.disposeOf(t.kind, item.ID)
	settled, err := t.settled(c, t.kind, item.ID)
	if err != nil || settled.State == resource.StateFailed {
		t.Errorf("created again it is %q, %s", settled.State, said(err))
		return
	}
	t.asAsked(r, settled)
	t.onlyOne(c, r.Token, item.ID)
	for _, other := range t.listed(c) { // of which no token tells
		if other.Name == r.Name && other.ID != item.ID && other.State != resource.StateDeleted && other.State != resource.StateDeleting {
			t.disposeOf(t.kind, other.ID)
			t.Errorf("beside %s there is %s with the same name, which nobody knows of", item.ID, other.ID)
		}
	}
}

// checkTroubledDelete: a deletion is over when the cloud says so.
func checkTroubledDelete(t *try, f fault) {
	item := t.makeBeside(t.root)
	trouble := t.inTrouble(f)
	trouble.on(0)
	err := trouble.c.callWithin(t.ctx, trouble.timeout, t.kind+"/delete", func(ctx context.Context) error {
		_, err := trouble.c.open.Delete(ctx, t.kind, item.ID)
		return err
	})
	trouble.off()
	if problem := trouble.fits(err); problem != nil {
		t.Errorf("%v", problem)
	}
	if err := t.remove(trouble.after, t.kind, item.ID); err != nil {
		t.Errorf("delete again: %v", said(err))
	}
}

// checkCancelled: a call that nobody waits for ends, and so do its calls of the cloud.
func checkCancelled(t *try, call func(context.Context, *conn) error) {
	c, proxy := t.proxied()
	proxy.Inject(func(int, *http.Request) faultproxy.Fault { return faultproxy.Fault{Delay: time.Hour} })
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	ended := make(chan error, 1)
	before := proxy.Calls()
	go func() { ended <- call(ctx, c) }()
	if !t.comes(func() bool { return proxy.Calls() > before }) {
		t.Fatalf("the cloud is not called")
	}
	cancel()
	if err := <-ended; resource.CodeOf(err) != resource.CodeUnavailable {
		t.Errorf("got %s; want unavailable", said(err))
	}
	if !t.comes(func() bool { return proxy.Open() == 0 }) {
		t.Errorf("the driver goes on calling the cloud after its own call was cancelled")
	}
	proxy.Inject(nil)
}

// connectTroubleChecks are those of connecting to a cloud in trouble.
func (s *suite) connectTroubleChecks() []check {
	checks := []check{
		{"connection", "connect", "nobody-listens", false, checkNobodyListens},
		{"connection", "connect", "bad-certificate", false, checkBadCertificate},
	}
	for _, f := range faults() {
		checks = append(checks, check{"connection", "connect", f.name, false, func(t *try) { checkTroubledConnect(t, f) }})
	}
	return checks
}

// checkTroubledConnect: trouble is never taken for a wrong credential.
func checkTroubledConnect(t *try, f fault) {
	proxy := t.proxy()
	proxy.Inject(func(int, *http.Request) faultproxy.Fault { return f.inject })
	f.timeout = t.patience(f)
	trouble := &trouble{fault: f, proxy: proxy}
	c := &conn{suite: t.suite}
	err := c.callWithin(t.ctx, trouble.timeout, "connect", func(ctx context.Context) (err error) {
		c.open, err = t.running().Connect(ctx, t.through(proxy))
		return err
	})
	if err == nil && proxy.Calls() == 0 {
		t.Skipf("the driver connects without a call of the cloud")
	}
	if problem := trouble.fits(err); problem != nil {
		t.Errorf("%v", problem)
	}
}

// checkNobodyListens: an address at which there is no cloud.
func checkNobodyListens(t *try) {
	proxy := t.proxy()
	proxy.Close()
	t.refused(t.through(proxy), resource.CodeUnavailable, resource.CodeInvalid)
}

// checkBadCertificate: a certificate that nobody vouches for.
func checkBadCertificate(t *try) {
	if t.target.Endpoint == "" {
		t.Skipf("the target has no setting with the cloud's URL")
	}
	proxy, err := faultproxy.NewTLS(t.target.Config.Settings[t.target.Endpoint])
	if err != nil {
		t.Fatalf("start the proxy: %v", err)
	}
	t.Cleanup(proxy.Close)
	t.refused(t.through(proxy), resource.CodeUnavailable, resource.CodeInvalid)
	if n := proxy.Calls(); n > 0 {
		t.Errorf("%d calls were made to a cloud whose certificate nobody vouches for", n)
	}
}

// unknownFaults are the names in a target's Faults that are none.
func unknownFaults(of map[string]driver.Values) []string {
	known := Faults()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(of)), func(name string) bool { return known[name] != "" })
}
