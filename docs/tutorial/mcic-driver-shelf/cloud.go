package main

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// cloud is the toy that the driver drives. A real driver has its cloud's SDK here.
type cloud struct {
	mu     sync.Mutex
	things []thing
}

// thing is an object of any kind.
type thing struct {
	ID, Kind, Region, Token, Name string
	Inside, Range, Image, Size    string // Inside is the id of what it lies in
	On                            bool
	Labels                        map[string]string
	Made, Ready                   time.Time
}

// fault is what the cloud answers when it refuses.
type fault string

const (
	noSuchThing fault = "NoSuchThing"
	inUse       fault = "InUse"
	badRequest  fault = "BadRequest"
	badToken    fault = "BadToken"
)

// The only image and the only size that the cloud has.
const (
	debian  = "img-debian"
	shoebox = "shoebox"
)

func (f fault) Error() string { return "it answers " + string(f) }

func (c *cloud) knows(token string) bool { return strings.HasPrefix(token, "shelf-") }

// state is the common state and the cloud's own word for it.
func (t thing) state() (resource.State, string) {
	switch waiting := time.Now().Before(t.Ready); {
	case t.Kind != "vm":
		return resource.StateAvailable, "there"
	case waiting && t.On:
		return resource.StateStarting, "warming up"
	case waiting:
		return resource.StateStopping, "cooling down"
	case t.On:
		return resource.StateRunning, "warm"
	default:
		return resource.StateStopped, "cold"
	}
}

func (c *cloud) list(region, kind string) []thing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.things), func(t thing) bool { return t.Region != region || t.Kind != kind })
}

// find answers where a thing is. The caller holds the lock.
func (c *cloud) find(region, kind, id string) (int, error) {
	i := slices.IndexFunc(c.things, func(t thing) bool { return t.ID == id && t.Region == region && t.Kind == kind })
	if i < 0 {
		return i, fmt.Errorf("%s %s: %w", kind, id, noSuchThing)
	}
	return i, nil
}

func (c *cloud) get(region, kind, id string) (t thing, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, err := c.find(region, kind, id)
	if err == nil {
		t = c.things[i]
	}
	return t, err
}

// within reports whether a range of addresses is part of another.
func within(inner, outer string) bool {
	i, innerErr := netip.ParsePrefix(inner)
	o, outerErr := netip.ParsePrefix(outer)
	return innerErr == nil && outerErr == nil && o.Contains(i.Addr()) && i.Bits() >= o.Bits()
}

// put adds a thing, or answers the one that the same token has made before.
func (c *cloud) put(t thing, boot time.Duration) (thing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.things, func(o thing) bool { return o.Token == t.Token }); i >= 0 {
		return c.things[i], nil
	}
	holder := slices.IndexFunc(c.things, func(o thing) bool { return o.ID == t.Inside && o.Region == t.Region })
	if t.Inside != "" && holder < 0 {
		return thing{}, fmt.Errorf("%s to put it in: %w", t.Inside, noSuchThing)
	}
	if t.Kind == "subnet" && !within(t.Range, c.things[holder].Range) {
		return thing{}, fmt.Errorf("%s does not fit into %s: %w", t.Range, c.things[holder].Range, badRequest)
	}
	if t.Kind == "vm" && (t.Image != debian || t.Size != shoebox) {
		return thing{}, fmt.Errorf("%s of the size %s: %w", t.Image, t.Size, badRequest)
	}
	t.ID, t.Made, t.Ready = t.Kind+"-"+rand.Text()[:8], time.Now(), time.Now().Add(boot)
	c.things = append(c.things, t)
	return t, nil
}

func (c *cloud) remove(region, kind, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, err := c.find(region, kind, id)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(c.things, func(t thing) bool { return t.Inside == id }) {
		return fmt.Errorf("%s holds something: %w", id, inUse)
	}
	c.things = slices.Delete(c.things, i, i+1)
	return nil
}

// change has a thing changed.
func (c *cloud) change(region, kind, id string, to func(*thing)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, err := c.find(region, kind, id)
	if err == nil {
		to(&c.things[i])
	}
	return err
}
