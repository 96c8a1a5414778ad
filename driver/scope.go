package driver

// Scoper is implemented by sessions with kinds whose objects do not belong to the account
// in the region alone. Scopes answers of each such kind what its objects belong to
// instead: an id that is the same in every session that sees the same objects, and in no
// other one, such as that of the account if all its regions have them, or of a user. It is
// asked once, when the session opens.
//
// It is the session that says so and not the kind, because clouds differ: a key pair is a
// region's on one of them, an account's on another, a user's on a third.
type Scoper interface {
	Scopes() map[string]string
}
