package mock

import (
	"cmp"
	"context"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// queues are those of a region. What they hold is in messages.go.
type queues struct {
	table[resource.QueueSpec, resource.QueueStatus]
}

type queueDraft = draft[resource.QueueSpec, resource.QueueStatus]

func openQueues(s *session) queues {
	collection := queues{table[resource.QueueSpec, resource.QueueStatus]{
		s: s, kind: resource.Queue, prefix: "que", ready: resource.StateAvailable, drop: s.cloud.messages.drop,
	}}
	collection.prepare, collection.show = collection.plan, collection.shown
	return collection
}

// plan completes and checks a draft.
func (c queues) plan(d *queueDraft) error {
	d.spec.VisibilitySeconds = cmp.Or(d.spec.VisibilitySeconds, 30)
	d.spec.RetentionSeconds = cmp.Or(d.spec.RetentionSeconds, 4*24*60*60)
	d.spec.MaxMessageBytes = cmp.Or(d.spec.MaxMessageBytes, 256<<10)
	if dead := d.spec.DeadLetter; dead.Queue != "" && specOf(c.s, resource.Queue, dead.Queue).FIFO != d.spec.FIFO {
		return refuseField("spec.deadLetter.queue", "InvalidParameterValue", "the queue %s is FIFO, and this one is not, or the other way round; choose another", dead.Queue)
	}
	d.claims = []claim{{"queues of " + c.key().Account + " in " + c.key().Region, d.name}}
	return nil
}

// Purge implements resource.Purger.
func (c queues) Purge(ctx context.Context, id string) error {
	return c.alter(ctx, id, "purge", resource.StateAvailable, func(*queueDraft) error { return c.drop(id) })
}

// nativeQueue is a queue in the cloud's own words.
type nativeQueue struct {
	QueueID   string    `json:"queueId"`
	QueueName string    `json:"queueName"`
	CreatedAt time.Time `json:"createdAt"`
}

func (c queues) shown(v *sight[resource.QueueSpec, resource.QueueStatus]) any {
	if f, err := c.s.cloud.messages.of(v.ID); err == nil {
		f.mu.Lock()
		messages := int64(0)
		for _, m := range f.things {
			if !m.Done {
				messages++
			}
		}
		f.mu.Unlock()
		v.status.Messages = &messages
	}
	return nativeQueue{QueueID: v.ID, QueueName: v.Name, CreatedAt: v.CreatedAt}
}
