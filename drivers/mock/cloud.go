package mock

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// cloud is what all sessions of a driver share: the objects of every account and
// region.
//
// Time does the work of a real cloud's machines: an object knows its last change
// and how long that takes, and what state it is in is found when someone looks.
type cloud struct {
	dir     string // folder of the journal, "" is the working directory
	now     func() time.Time
	exit    func(code int)
	own     *offer
	spiders *offer // of the regions of CB-Spider's Mock
	rates   rates
	keyless bool         // whether it has no key pairs, and machines are given keys
	calls   atomic.Int64 // of all sessions, for tests

	objects  *heldObjects         // of buckets
	messages *held[storedMessage] // of queues
	endpoint *endpoint            // where objects are read and written

	mu      sync.RWMutex
	journal *journal // nil until the first connection
	shelves map[shelfKey]*shelf
	users   map[string]map[string]shelfKey // id of an object → ids of the objects that it cannot leave
	linked  map[string]map[string]shelfKey // id of an object → ids of the objects that are linked to it
	claims  map[string]map[string]string   // scope of claims → what only one object can have → id of the object
	next    map[string]uint32              // range of addresses → where the search for a free one goes on
	events  []event                        // in the order of their time
}

// place is one region of one account. Nothing in it is seen in another one.
type place struct{ Account, Region string }

type shelfKey struct {
	place
	Kind string
}

// shelf holds the objects of one kind in one place by their ids.
type shelf struct {
	live  map[string]*object
	stale map[string]*object // gone, but lists show them still
}

// object is a resource as the cloud keeps it. It is never modified: a change puts
// another one in its place, so that who read it can go on using it.
type object struct {
	ID          string            `json:"id"`
	Name        string            `json:"name,omitempty"`
	Token       string            `json:"token"`
	Labels      map[string]string `json:"labels,omitempty"`
	shape                         // when the last change is over
	Before      *shape            `json:"before,omitempty"` // until then; nil if nothing but the state changes
	Refs        []string          `json:"refs,omitempty"`
	Claims      []claim           `json:"claims,omitempty"`
	Keys        []string          `json:"keys,omitempty"` // public keys that a machine was given, in a cloud without key pairs; the digest of a VPN connection's
	Change      change            `json:"change"`
	CreatedAt   time.Time         `json:"createdAt"`
	ListedFrom  time.Time         `json:"listedFrom"`
	ListedUntil time.Time         `json:"listedUntil,omitzero"` // of an object that is being deleted
}

// shape is what of an object can change during its life.
type shape struct {
	Spec   any    `json:"spec"`   // of the kind's own type
	Status any    `json:"status"` // of the kind's own type
	Links  []link `json:"links,omitempty"`
}

// link joins an object to another one, as a disk to the VM that has it. It keeps the
// other one from nothing: when that is gone, so is the link.
type link struct {
	Kind  string `json:"kind"`
	ID    string `json:"id"`
	Group string `json:"group,omitempty"` // that the other one is a member of, where there are several
}

// linkedID is the id of the first object of a kind among links, or "".
func linkedID(kind string, links []link) string {
	if i := slices.IndexFunc(links, func(l link) bool { return l.Kind == kind }); i >= 0 {
		return links[i].ID
	}
	return ""
}

// claim is something that only one object can have within a scope, such as an
// address of a subnet.
type claim struct {
	Scope string `json:"scope"`
	Value string `json:"value"`
}

// change is the last thing that happened to an object. Its state follows from it.
type change struct {
	Was    resource.State `json:"was"`
	During resource.State `json:"during"`
	Then   resource.State `json:"then"`
	At     time.Time      `json:"at"`
	Until  time.Time      `json:"until"`
}

func (c change) state(at time.Time) resource.State {
	switch {
	case at.Before(c.At):
		return c.Was
	case at.Before(c.Until):
		return c.During
	default:
		return c.Then
	}
}

// shapeAt is the object's shape at a time.
func (o *object) shapeAt(at time.Time) shape {
	if o.Before != nil && at.Before(o.Change.Until) {
		return *o.Before
	}
	return o.shape
}

func (o *object) gone(at time.Time) bool { return o.Change.state(at) == resource.StateDeleted }

// listed returns the state that a list shows, and whether it shows the object.
func (o *object) listed(at time.Time) (resource.State, bool) {
	if at.Before(o.ListedFrom) {
		return "", false
	}
	if o.gone(at) {
		return o.Change.state(o.Change.Until.Add(-1)), at.Before(o.ListedUntil)
	}
	return o.Change.state(at), true
}

// cloudState is the mock cloud's own word for a state.
func cloudState(s resource.State) string {
	switch s {
	case resource.StateCreating:
		return "PENDING"
	case resource.StateAvailable, resource.StateRunning:
		return "ACTIVE"
	case resource.StateStarting:
		return "POWERING_ON"
	case resource.StateStopping:
		return "POWERING_OFF"
	case resource.StateStopped:
		return "SHUTOFF"
	case resource.StateRebooting:
		return "REBOOT"
	case resource.StateDeleting:
		return "DELETING"
	case resource.StateFailed:
		return "ERROR"
	default:
		return strings.ToUpper(string(s))
	}
}

// reasonOf is what the cloud says of what failed, or "".
func reasonOf(s resource.State) string {
	if s != resource.StateFailed {
		return ""
	}
	return "No valid host was found (setting failSettle)."
}

// codeOf is the code of what failed, or "".
func codeOf(s resource.State) resource.Code {
	if s != resource.StateFailed {
		return ""
	}
	return resource.CodeCapacity
}

// event is something to do when its time has come.
type event struct {
	at time.Time
	do func()
}

func newCloud(dir string) *cloud {
	c := &cloud{
		dir:     dir,
		now:     time.Now,
		exit:    os.Exit, //nolint:forbidigo // the setting crashCreate rehearses just that
		own:     &offer{regions: ownRegions(), images: allImages(), specs: allSpecs(), diskTypes: allDiskTypes(), versions: clusterVersions()},
		spiders: spiderOffer(),
		rates:   rates{due: map[place]time.Time{}},
		shelves: map[shelfKey]*shelf{},
		users:   map[string]map[string]shelfKey{},
		linked:  map[string]map[string]shelfKey{},
		claims:  map[string]map[string]string{},
		next:    map[string]uint32{},

		objects:  newHeld[storedObject](dir, "objects"),
		messages: newHeld[storedMessage](dir, "messages"),
	}
	c.endpoint = &endpoint{cloud: c, file: filepath.Join(dir, "mock-data", "endpoint.json")}
	return c
}

// open reads the journal, once. A failed attempt is repeated by the next
// connection.
func (c *cloud) open(log *slog.Logger) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.journal != nil {
		return nil
	}
	path := filepath.Join(c.dir, "mock-cloud.jsonl")
	j, err := openJournal(path, func(at time.Time, key shelfKey, o *object) {
		c.pass(at) // in the order in which it all happened
		c.put(key, o)
	})
	if err != nil {
		clear(c.shelves)
		clear(c.users)
		clear(c.linked)
		clear(c.claims)
		c.events = nil
		return resource.Errorf(resource.CodeInternal, "open the journal of the mock cloud: %w; move the file away to begin with an empty cloud", err)
	}
	c.journal = j
	c.pass(c.time())
	c.compact(log)
	return nil
}

// time is now, in the form that comes back from the journal.
func (c *cloud) time() time.Time { return c.now().Round(0).UTC() }

// catchUp is pass for those who read: it holds the cloud up only if something is due.
func (c *cloud) catchUp() {
	c.mu.RLock()
	now := c.time()
	due := len(c.events) > 0 && !now.Before(c.events[0].at)
	c.mu.RUnlock()
	if due {
		c.mu.Lock()
		c.pass(now)
		c.mu.Unlock()
	}
}

// pass does what was due until now. Whoever writes calls it first.
func (c *cloud) pass(now time.Time) {
	for len(c.events) > 0 && !now.Before(c.events[0].at) {
		do := c.events[0].do
		c.events[0] = event{} // lets go of what it holds
		c.events = c.events[1:]
		do()
	}
}

func (c *cloud) at(t time.Time, do func()) {
	i, _ := slices.BinarySearchFunc(c.events, t, func(e event, t time.Time) int {
		if e.at.After(t) {
			return 1
		}
		return -1 // after its equals, which keeps the order
	})
	c.events = slices.Insert(c.events, i, event{t, do})
}

// commit makes a change of an object last and then visible.
func (c *cloud) commit(log *slog.Logger, key shelfKey, o *object) error {
	if err := c.journal.append(c.time(), key, o); err != nil {
		return refuse(resource.CodeUnavailable, "StorageFailure", "the mock cloud cannot write its journal, so nothing was done: %v; free some space and try again", err)
	}
	c.put(key, o)
	if c.journal.lines >= c.journal.compactAt {
		c.compact(log)
	}
	return nil
}

// put shows a new or changed object.
func (c *cloud) put(key shelfKey, o *object) {
	s := c.shelf(key)
	if was := s.live[o.ID]; was != nil {
		c.unindex(was)
	}
	delete(s.stale, o.ID)
	s.live[o.ID] = o
	for _, id := range o.Refs {
		add(c.users, id, o.ID, key)
	}
	for _, l := range o.Links {
		add(c.linked, l.ID, o.ID, key)
	}
	for _, claim := range o.Claims {
		add(c.claims, claim.Scope, claim.Value, o.ID)
	}
	if o.Change.Then == resource.StateDeleted {
		c.at(o.Change.Until, func() { c.release(s, o) })
	}
}

// unindex forgets what an object uses, is linked to and claims.
func (c *cloud) unindex(o *object) {
	for _, id := range o.Refs {
		remove(c.users, id, o.ID)
	}
	for _, l := range o.Links {
		remove(c.linked, l.ID, o.ID)
	}
	for _, claim := range o.Claims {
		remove(c.claims, claim.Scope, claim.Value)
	}
}

func add[V any](index map[string]map[string]V, outer, inner string, value V) {
	if index[outer] == nil {
		index[outer] = map[string]V{}
	}
	index[outer][inner] = value
}

func remove[V any](index map[string]map[string]V, outer, inner string) {
	delete(index[outer], inner)
	if len(index[outer]) == 0 {
		delete(index, outer)
	}
}

// release ends an object that is gone: what it used and claimed becomes free, and
// what was linked to it is alone.
func (c *cloud) release(s *shelf, o *object) {
	if s.live[o.ID] != o {
		return
	}
	delete(s.live, o.ID)
	c.unindex(o)
	for id, key := range c.linked[o.ID] {
		c.put(key, c.shelf(key).live[id].without(o.ID))
	}
	if o.ListedUntil.After(o.Change.Until) {
		s.stale[o.ID] = o
		c.at(o.ListedUntil, func() {
			if s.stale[o.ID] == o {
				delete(s.stale, o.ID)
			}
		})
	}
}

// without is the object without its links to another one.
func (o *object) without(id string) *object {
	alone := *o
	unlinked := func(s shape) shape {
		s.Links = slices.DeleteFunc(slices.Clone(s.Links), func(l link) bool { return l.ID == id })
		return s
	}
	alone.shape = unlinked(o.shape)
	if o.Before != nil {
		before := unlinked(*o.Before)
		alone.Before = &before
	}
	return &alone
}

func (c *cloud) shelf(key shelfKey) *shelf {
	s := c.shelves[key]
	if s == nil {
		s = &shelf{live: map[string]*object{}, stale: map[string]*object{}}
		c.shelves[key] = s
	}
	return s
}

// compact rewrites the journal if most of it is history. A failure costs only
// space: the journal stays as it was.
func (c *cloud) compact(log *slog.Logger) {
	live := 0
	for _, s := range c.shelves {
		live += len(s.live) + len(s.stale)
	}
	enough := journalSlack + journalWaste*live
	if c.journal.lines >= enough {
		err := c.journal.rewrite(c.time(), func(write func(shelfKey, *object) error) error {
			for _, of := range []func(*shelf) map[string]*object{ // what is gone first: others may have claimed what it had
				func(s *shelf) map[string]*object { return s.stale },
				func(s *shelf) map[string]*object { return s.live },
			} {
				for key, s := range c.shelves {
					for _, o := range of(s) {
						if err := write(key, o); err != nil {
							return err
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			log.Warn("the mock cloud could not compact its journal", "error", err)
			c.journal.compactAt = c.journal.lines + journalSlack
			return
		}
	}
	c.journal.compactAt = enough
}

// usersOf names what refers to an object, for messages: the first few.
func (c *cloud) usersOf(id string) string {
	const few = 5
	var names []string
	for _, user := range slices.Sorted(maps.Keys(c.users[id])) {
		key := c.users[id][user]
		names = append(names, key.Kind+" "+c.shelf(key).live[user].called())
	}
	if more := len(names) - few; more > 0 {
		names = append(names[:few], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// claimed is how much of a scope is claimed.
func (c *cloud) claimed(scope string) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.claims[scope])
}

// linkedTo are the objects of a kind that are linked to one.
func (c *cloud) linkedTo(id, kind string) []*object {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var objects []*object
	for other, key := range c.linked[id] {
		if key.Kind == kind {
			objects = append(objects, c.shelf(key).live[other])
		}
	}
	return objects
}

// linkOf is the id of the object of a kind that another one is linked to, or "".
func (c *cloud) linkOf(key shelfKey, id, kind string) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if o := c.find(key, id, c.time()); o != nil {
		return linkedID(kind, o.Links)
	}
	return ""
}

// stateOf is the state of an object.
func (c *cloud) stateOf(key shelfKey, id string, now time.Time) resource.State {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if o := c.find(key, id, now); o != nil {
		return o.Change.state(now)
	}
	return resource.StateDeleted
}

// nameOf is the name of an object; its id if it has none, or is gone.
func (c *cloud) nameOf(key shelfKey, id string) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if o := c.find(key, id, c.time()); o != nil {
		return cmp.Or(o.Name, id)
	}
	return id
}

// called is an object for people.
func (o *object) called() string {
	if o.Name == "" {
		return o.ID
	}
	return o.Name + " (" + o.ID + ")"
}

// newID is the id of the object that a token makes, always the same: so a token
// needs no record of its own to make only one object.
func newID(prefix string, key shelfKey, token string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{key.Account, key.Region, key.Kind, token}, "\x00")))
	return prefix + "-" + hex.EncodeToString(sum[:])[:17]
}

// claimAddress finds an address of a range that is free in the scope. It goes round
// from the last one that it found, because clouds do not hand out an address again
// soon. reserved are the addresses at the start that are not handed out; the last
// one is not either.
func (c *cloud) claimAddress(scope string, within netip.Prefix, reserved uint32) (found claim, ok bool) {
	first, size := room(within, reserved)
	taken := c.claims[scope]
	if uint64(len(taken)) >= uint64(size) {
		return claim{}, false
	}
	for range size {
		offset := c.next[scope] % size
		c.next[scope] = offset + 1
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], first+offset)
		if address := netip.AddrFrom4(raw).String(); taken[address] == "" {
			return claim{scope, address}, true
		}
	}
	return claim{}, false
}

// room is the first address of a range that is handed out, and how many are.
func room(within netip.Prefix, reserved uint32) (first, size uint32) {
	raw := within.Addr().As4()
	return binary.BigEndian.Uint32(raw[:]) + reserved, uint32(1)<<(32-within.Bits()) - reserved - 1
}

// offered reports whether an address of a range is one that is handed out.
func offered(within netip.Prefix, address netip.Addr, reserved uint32) bool {
	first, size := room(within, reserved)
	raw := address.As4()
	n := binary.BigEndian.Uint32(raw[:])
	return n >= first && n-first < size
}

// publicAddresses are from the range for carriers' own use, which is never routed, so
// that nobody reaches a stranger.
const publicAddresses = "100.64.0.0/10"

// claimPublicAddress finds a free address that the internet reaches.
func (c *cloud) claimPublicAddress() (claim, error) {
	found, ok := c.claimAddress("public", netip.MustParsePrefix(publicAddresses), 1)
	if !ok {
		return claim{}, refuse(resource.CodeQuota, "AddressLimitExceeded", "the mock cloud has no free public address; delete VMs or public IPs")
	}
	return found, nil
}
