package drivertest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest/faultproxy"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// conn is a session whose calls have a deadline, and whose answers are searched for
// secrets.
type conn struct {
	suite *suite
	open  driver.Session    // with what the suite keeps
	bare  driver.Session    // without
	proxy *faultproxy.Proxy // through which it reaches the cloud, nil for none

	warned []resource.Warning // guarded by the suite's mu
}

// connect opens a session of its own.
func (s *suite) connect(ctx context.Context, c driver.Config) (*conn, error) {
	return s.connectBy(ctx, s.running(), c)
}

// connectBy opens a session in a driver.
func (s *suite) connectBy(ctx context.Context, client driver.Client, c driver.Config) (*conn, error) {
	opened := &conn{suite: s}
	err := opened.call(ctx, "connect", func(ctx context.Context) (err error) {
		opened.bare, err = client.Connect(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	opened.open = s.keeping(opened.bare)
	return opened, nil
}

// running is the driver that was started last.
func (s *suite) running() driver.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

// session is the one that checks share.
func (t *try) session() *conn {
	t.suite.mu.Lock()
	c := t.shared
	t.suite.mu.Unlock()
	if c != nil {
		return c
	}
	c = t.connected(t.running(), t.target.Config)
	t.suite.mu.Lock()
	defer t.suite.mu.Unlock()
	t.shared = c
	return c
}

// connectTo opens a session of the check's own, in its own driver if it has one.
func (t *try) connectTo(config driver.Config) *conn {
	if t.own != nil {
		return t.connected(t.own, config)
	}
	return t.connected(t.running(), config)
}

func (t *try) connected(client driver.Client, config driver.Config) *conn {
	c, err := t.connectBy(t.ctx, client, config)
	if err != nil {
		t.Fatalf("connect: %v", said(err))
	}
	return c
}

// call makes one call, as the server does: the driver is told a deadline and has a
// little longer.
func (c *conn) call(ctx context.Context, what string, do func(context.Context) error) error {
	return c.callWithin(ctx, c.suite.target.Timeout, what, do)
}

func (c *conn) callWithin(ctx context.Context, timeout time.Duration, what string, do func(context.Context) error) error {
	end := time.Now().Add(timeout + grace)
	bounded, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	bounded = driver.WithWarnings(bounded, func(w resource.Warning) { c.note(what, w) })
	err := do(driver.WithTimeout(bounded, timeout))
	if err == nil {
		return nil
	}
	c.suite.search("the error of "+what, wholly(err))
	if ctx.Err() == nil && !time.Now().Before(end) { // gRPC's other side may end the call before the context says so
		return fmt.Errorf("%w: %s within %s", errHung, what, timeout)
	}
	return err
}

// errHung is in the chain of the error of a call that did not keep its deadline.
var errHung = errors.New("the driver does not keep its deadline")

func (c *conn) list(ctx context.Context, kind string) ([]driver.Item, error) {
	return c.listOf(ctx, kind, driver.Filter{})
}

func (c *conn) listOf(ctx context.Context, kind string, f driver.Filter) (items []driver.Item, err error) {
	err = c.call(ctx, kind+"/list", func(ctx context.Context) error {
		items = nil
		for item, err := range c.open.List(ctx, kind, f) {
			if err != nil {
				return err
			}
			c.searchItem(kind+"/list", item)
			items = append(items, item)
		}
		return nil
	})
	return items, err
}

func (c *conn) get(ctx context.Context, kind, id string) (item driver.Item, err error) {
	err = c.call(ctx, kind+"/get", func(ctx context.Context) (err error) {
		item, err = c.open.Get(ctx, kind, id)
		c.searchItem(kind+"/get", item)
		return err
	})
	return item, err
}

// create creates an object, and goes on with it until nothing is pending.
func (c *conn) create(ctx context.Context, kind string, r driver.ItemRequest) (item driver.Item, err error) {
	err = c.repeated(ctx, kind+"/create", func(ctx context.Context) (pending *driver.Pending, err error) {
		item, pending, err = c.open.Create(ctx, kind, r)
		c.searchItem(kind+"/create", item)
		if pending != nil {
			r = r.Again(item.ID, pending)
		}
		return pending, err
	})
	return item, err
}

func (c *conn) check(ctx context.Context, kind string, r driver.ItemRequest) error {
	return c.call(ctx, kind+"/check", func(ctx context.Context) error { return c.open.Check(ctx, kind, r) })
}

func (c *conn) delete(ctx context.Context, kind, id string) error {
	return c.repeated(ctx, kind+"/delete", func(ctx context.Context) (*driver.Pending, error) { return c.open.Delete(ctx, kind, id) })
}

func (c *conn) act(ctx context.Context, kind, id, action string, params json.RawMessage) error {
	return c.repeated(ctx, kind+"/"+action, func(ctx context.Context) (*driver.Pending, error) {
		return c.open.Act(ctx, kind, id, action, params)
	})
}

// repeated makes a call until it is not pending any more.
func (c *conn) repeated(ctx context.Context, what string, call func(context.Context) (*driver.Pending, error)) error {
	return again(ctx, c.suite.target.Settle, nil, func(ctx context.Context) (pending *driver.Pending, err error) {
		err = c.call(ctx, what, func(ctx context.Context) (err error) {
			pending, err = call(ctx)
			return err
		})
		if pending != nil {
			if c.proxy != nil {
				c.proxy.Again()
			}
			c.suite.search("the reason why "+what+" is pending", pending.Reason)
		}
		return pending, err
	})
}

func (c *conn) view(ctx context.Context, kind, id, view string, params json.RawMessage) (answer json.RawMessage, err error) {
	err = c.call(ctx, kind+"/"+view, func(ctx context.Context) (err error) {
		answer, err = c.open.View(ctx, kind, id, view, params)
		return err
	})
	return answer, err
}

func (c *conn) catalog(ctx context.Context, catalog string, q driver.Query) (entries []json.RawMessage, err error) {
	err = c.call(ctx, catalog+"/list", func(ctx context.Context) error {
		entries = nil
		for entry, err := range c.open.Catalog(ctx, catalog, q) {
			if err != nil {
				return err
			}
			entries = append(entries, entry)
		}
		return nil
	})
	return entries, err
}

func (c *conn) read(ctx context.Context, timeout time.Duration, feed string, span driver.Span, filter json.RawMessage) (entries []json.RawMessage, err error) {
	err = c.callWithin(ctx, timeout, feed+"/read", func(ctx context.Context) error {
		entries = nil
		for entry, err := range c.open.Read(ctx, feed, span, filter) {
			if err != nil {
				return err
			}
			c.suite.search("what "+feed+"/read shows", string(entry))
			entries = append(entries, entry)
		}
		return nil
	})
	return entries, err
}

// searchItem looks for secrets in what an object shows.
func (c *conn) searchItem(what string, item driver.Item) {
	if raw, err := json.Marshal(item); err == nil {
		c.suite.search("what "+what+" shows", string(raw))
	}
}

// search notes a text that holds a secret of the credentials, or what was given to a creation
// and is never shown.
func (s *suite) search(what, text string) {
	for _, config := range s.target.configs() {
		for _, secret := range s.secrets(*config) {
			if strings.Contains(text, secret) {
				s.leaked("a secret of the credential is in " + what)
			}
		}
	}
	s.mu.Lock()
	hidden := slices.Collect(maps.Keys(s.hidden))
	s.mu.Unlock()
	for _, value := range hidden {
		if strings.Contains(text, value) {
			s.leaked("what a creation was given and is never shown is in " + what)
		}
	}
}

func (s *suite) leaked(leak string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.leaks, leak) {
		s.leaks = append(s.leaks, leak)
	}
}

// hide has values looked for that are never shown.
func (s *suite) hide(values map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, value := range values {
		if len(value) >= minSecret {
			s.hidden[value] = true
		}
	}
}

// minSecret is the length below which a value is no secret that could be searched for.
const minSecret = 6

// secrets are the secret values of a configuration, in the ways in which they are
// usually written.
func (s *suite) secrets(c driver.Config) []string {
	if s.description == nil {
		return nil
	}
	var all []string
	for _, secret := range s.description.Secrets(c.Credential) {
		if len(secret) >= minSecret {
			all = append(all, secret, base64.StdEncoding.EncodeToString([]byte(secret)))
		}
	}
	return all
}

// wholly is an error with all its parts.
func wholly(err error) string {
	raw, marshalErr := json.Marshal(resource.AsError(err))
	if marshalErr != nil {
		return err.Error()
	}
	return err.Error() + string(raw)
}

// said is an error with its code, for messages.
func said(err error) string {
	if err == nil {
		return "no error"
	}
	return fmt.Sprintf("%s (%s)", err, resource.CodeOf(err))
}
