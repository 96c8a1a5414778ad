package drivertest

import (
	"net/http"
	"sync/atomic"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest/faultproxy"
)

// checkKilledCreate: what the cloud has made is found again, in the way that the kind says,
// by a process that knows nothing of it. The one before is killed while it waits for an
// answer: for each of the calls by which a creation changes something.
func checkKilledCreate(t *try) {
	t.mortal()
	if settings, ok := t.target.Faults[killed]; ok {
		r := t.ask(t.root, t.kind, nil)
		t.kill(t.connectTo(with(t.target.Config, settings)), r, func() bool { return len(withToken(t.listed(t.session()), r.Token)) > 0 })
		t.onceMore(t.connectTo(t.target.Config), r)
		return
	}
	for change := 1; change <= mostCalls; change++ {
		proxy := t.proxy()
		c := t.connectTo(t.through(proxy))
		var changes atomic.Int32
		proxy.Inject(func(_ int, r *http.Request) faultproxy.Fault {
			return faultproxy.Fault{Hold: r.Method != http.MethodGet && int(changes.Add(1)) == change}
		})
		r := t.ask(t.root, t.kind, nil)
		if !t.kill(c, r, func() bool { return proxy.Held() > 0 }) { // it needs no more
			return
		}
		proxy.Close() // what a driver in this process may still do is done by nobody
		t.onceMore(t.connectTo(t.target.Config), r)
	}
}

// kill creates, and kills the driver as soon as the cloud has done what is waited for. It
// reports whether it came to that before the creation had ended.
func (t *try) kill(c *conn, r driver.ItemRequest, done func() bool) bool {
	ended := make(chan error, 1)
	go func() {
		item, err := c.create(t.ctx, t.kind, r)
		if err == nil {
			t.disposeOf(t.kind, item.ID)
		}
		ended <- err
	}()
	var (
		over bool
		err  error
	)
	if !t.comes(func() bool {
		select {
		case err = <-ended:
			over = true
		default:
		}
		return over || done()
	}) {
		t.Fatalf("the cloud is not asked for the creation, and it does not end")
	}
	if over {
		if err != nil {
			t.Errorf("create: %v", said(err))
		}
		return false
	}
	t.crash()
	if err := <-ended; err == nil {
		t.Errorf("a creation that was cut off is told to have succeeded")
	}
	return true
}
