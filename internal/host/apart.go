package host

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// One process serves all connections of a cloud. When it ends by itself, or hangs, one of
// those that it was working for may be the reason, and the others pay for it. So they are
// told apart: half of them get another process, until the one is alone with its own, which
// starts later and later if it goes on like that. Drivers that keep state in their folder,
// which two processes must not write at once, stay one.

// apartFor is how long a process of its own must go on for its connections to come back.
const apartFor = time.Hour

// mostApart is how many processes of a cloud there can be beside that of all: a driver that
// ends whatever it does must not become many that do so.
const mostApart = 8

// workload is what a process does for connections.
type workload struct {
	running map[string]int  // calls
	lost    map[string]bool // whose calls ended with it
	hung    string          // for whom it did not answer
}

// begin notes a call for a connection, and answers its end.
func (p *process) begin(connection string) (end func()) {
	p.calls.Add(1)
	p.mu.Lock()
	p.work.running[connection]++
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		if p.work.running[connection]--; p.work.running[connection] == 0 {
			delete(p.work.running, connection)
		}
		p.mu.Unlock()
		p.used()
		p.calls.Add(-1)
	}
}

// lose notes that a call has ended with the process, hang that it was why.
func (p *process) lose(connection string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.work.lost[connection] = true
}

func (p *process) hang(connection string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.work.hung = connection
}

// suspects are the connections for which a process has ended.
func (p *process) suspects() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.work.hung != "" {
		return []string{p.work.hung}
	}
	all := maps.Clone(p.work.lost)
	for connection := range p.work.running {
		all[connection] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// groupOf answers which process of its cloud serves a connection: "" is that of all.
func (h *Host) groupOf(connection string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.apart[connection]
}

// tellApart gives one of those for which the slot's process has ended, or half of them, a
// process of their own. It answers whether others are freed of them so. The slot is held.
func (h *Host) tellApart(s *slot, p *process) bool {
	suspects := p.suspects()
	d := p.description.Load()
	alone := d == nil || d.LocalState // one that has not said so may keep state
	h.mu.Lock()
	defer h.mu.Unlock()
	suspects = slices.DeleteFunc(suspects, func(c string) bool { return c == "" || h.apart[c] != s.group })
	members, others := 0, 0
	for _, group := range h.apart {
		if group == s.group {
			members++
		}
	}
	for _, other := range h.slots {
		if other.cloud == s.cloud && other.group != "" {
			others++
		}
	}
	if len(suspects) == 0 || others >= mostApart || alone || s.group != "" && members == 1 || h.closed {
		return false
	}
	h.groups++
	group := "/" + strconv.Itoa(h.groups)
	moved := suspects[:(len(suspects)+1)/2]
	for _, connection := range moved {
		h.apart[connection] = group
	}
	h.slots[s.cloud+group] = &slot{cloud: s.cloud, group: group, lock: make(chan struct{}, 1), failures: 1, endedAt: time.Now()}
	p.logger.Warn("the driver has ended while it worked for these connections; some of them have a process of their own from now on", "connections", suspects, "own", moved)
	return true
}

// bringBack has the connections of a process that has gone on for long served by that of all
// again. The slot is held.
func (h *Host) bringBack(s *slot) {
	if s.group == "" || time.Since(s.endedAt) < h.config.ApartFor {
		return
	}
	h.mu.Lock()
	maps.DeleteFunc(h.apart, func(_, group string) bool { return group == s.group })
	delete(h.slots, s.cloud+s.group)
	h.mu.Unlock()
	if s.process != nil {
		h.retire(s, false)
	}
}

// slotsOf are the slots of all processes of a cloud.
func (h *Host) slotsOf(cloud string) []*slot {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Values(h.slots)), func(s *slot) bool { return s.cloud != cloud })
}
