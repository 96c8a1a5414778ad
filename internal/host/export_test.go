package host

// Calls answers how many calls a cloud's process is working on.
func (h *Host) Calls(cloud string) int64 {
	s, err := h.place(cloud)
	if err != nil {
		return 0
	}
	s.lock <- struct{}{}
	defer s.release()
	if s.process == nil {
		return 0
	}
	return s.process.calls.Load()
}

// Moving reports whether a cloud's place is held, as while its process is replaced.
func (h *Host) Moving(cloud string) bool {
	s, err := h.place(cloud)
	return err == nil && len(s.lock) > 0
}

// MostApart is how many processes of a cloud there can be beside that of all.
const MostApart = mostApart

// Slots answers how many processes of a cloud there can be at the moment.
func (h *Host) Slots(cloud string) int { return len(h.slotsOf(cloud)) }

// AllCalls answers how many calls all processes of a cloud are working on.
func (h *Host) AllCalls(cloud string) (n int64) {
	for _, s := range h.slotsOf(cloud) {
		s.lock <- struct{}{}
		if s.process != nil {
			n += s.process.calls.Load()
		}
		s.release()
	}
	return n
}
