package people

import "time"

// CodeOf is the code of a step, as apps make it.
func CodeOf(secret []byte, step int64) string { return codeOf(secret, step) }

// Clock has codes be of a time.
func (p *People) Clock(now time.Time) { p.now = func() time.Time { return now } }
