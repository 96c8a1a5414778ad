package driver

import "context"

// Power starts, stops, reboots and deletes objects, such as VMs, where the cloud takes several
// ids in one call. A collection embeds it: a single one is a call with one id.
type Power struct {
	Most int // how many the cloud takes in one call

	Starts, Stops, Reboots, Deletes func(ctx context.Context, ids ...string) error
}

// Start implements resource.Starter.
func (p Power) Start(ctx context.Context, id string) error { return p.Starts(ctx, id) }

// Stop implements resource.Stopper.
func (p Power) Stop(ctx context.Context, id string) error { return p.Stops(ctx, id) }

// Reboot implements resource.Rebooter.
func (p Power) Reboot(ctx context.Context, id string) error { return p.Reboots(ctx, id) }

// Delete implements Deleter.
func (p Power) Delete(ctx context.Context, id string) error { return p.Deletes(ctx, id) }

// Batches implements Batcher, with as many as a batch can have for get: see [Shown.GetMany].
func (p Power) Batches() map[string]Batch {
	return map[string]Batch{
		VerbGet: {Most: MostMembers}, VerbDelete: Together(p.Most, p.Deletes),
		"start": Together(p.Most, p.Starts), "stop": Together(p.Most, p.Stops), "reboot": Together(p.Most, p.Reboots),
	}
}
