package resource

// State is where a resource is in its life. The cloud's own word is kept beside
// it in the envelope.
type State string

// The common states. Each kind uses a subset; see its descriptor.
const (
	StatePending   State = "pending"   // recorded here, not yet accepted by the cloud
	StateCreating  State = "creating"  // accepted by the cloud, being built
	StateAvailable State = "available" // ready (kinds that do not run)
	StateRunning   State = "running"   // ready and powered on
	StateStarting  State = "starting"  // powering on
	StateStopping  State = "stopping"  // powering off
	StateStopped   State = "stopped"   // powered off, kept
	StateRebooting State = "rebooting" // restarting
	StateUpdating  State = "updating"  // being changed
	StateDeleting  State = "deleting"  // being removed
	StateDeleted   State = "deleted"   // gone from the cloud
	StateFailed    State = "failed"    // the cloud or the creation reports a failure; see error
	StateUnknown   State = "unknown"   // the cloud uses a word that the driver does not know
)

// States returns every state.
func States() []State {
	return []State{
		StatePending, StateCreating, StateAvailable, StateRunning, StateStarting, StateStopping, StateStopped,
		StateRebooting, StateUpdating, StateDeleting, StateDeleted, StateFailed, StateUnknown,
	}
}

// Settled reports whether nothing more happens by itself in this state.
func (s State) Settled() bool {
	switch s {
	case StateAvailable, StateRunning, StateStopped, StateDeleted, StateFailed:
		return true
	default:
		return false
	}
}

// Usable reports whether other resources can be built on one in this state.
func (s State) Usable() bool {
	return s == StateAvailable || s == StateRunning || s == StateStopped
}
