package auth

import "context"

// The principals that there are so far.
const (
	Admin  = "admin"  // who has the admin token
	Spider = "spider" // who has the password of CB-Spider's clients
	System = "system" // the server itself
	Nobody = "nobody" // who has not said who it is
)

type principalKey struct{}

// As returns a context in which everything is done by a principal.
func As(ctx context.Context, principal string) context.Context {
	return context.WithValue(ctx, principalKey{}, principal)
}

type addressKey struct{}

// From returns a context in which everything is asked for from an address.
func From(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

// Address answers the address of a context; the server's own work has none.
func Address(ctx context.Context) string {
	address, _ := ctx.Value(addressKey{}).(string)
	return address
}

// Who answers the principal of a context. Where nobody asked, that is the server.
func Who(ctx context.Context) string {
	if who, ok := ctx.Value(principalKey{}).(string); ok {
		return who
	}
	return System
}
