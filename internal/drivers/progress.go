package drivers

import (
	"time"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// way is the way of a driver to work, of which those who watch are told.
type way struct {
	api.DriverProgress

	tell func(api.DriverProgress)
}

// begin tells that a change of a driver has begun.
func (m *Manager) begin(verb, name string) *way {
	w := &way{tell: m.Progress, DriverProgress: api.DriverProgress{
		ID: uuid.Must(uuid.NewV7()).String(), Verb: verb, Name: name, StartedAt: store.MicrosOf(time.Now()).Time(),
	}}
	w.at(api.DriverFind, 0, 0)
	return w
}

// at tells where it is now.
func (w *way) at(step api.DriverStep, done, total int64) {
	if w.tell == nil {
		return
	}
	w.Step, w.Done, w.Total, w.UpdatedAt = step, done, total, store.MicrosOf(time.Now()).Time()
	w.tell(w.DriverProgress)
}

// end tells how it has ended.
func (w *way) end(err error) {
	if err == nil {
		w.at(api.DriverReady, 0, 0)
		return
	}
	w.Error = resource.AsError(err)
	w.at(api.DriverFailed, 0, 0)
}
