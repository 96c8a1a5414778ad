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

// UsedToken is the token that somebody came with. Who logged in with a browser has none.
type UsedToken struct {
	ID   string // in the list of tokens; Admin or Spider for what is in none
	Name string
}

type usedTokenKey struct{}

// With returns a context in which everything is asked for with a token.
func With(ctx context.Context, used UsedToken) context.Context {
	return context.WithValue(ctx, usedTokenKey{}, used)
}

// Used answers the token of a context.
func Used(ctx context.Context) UsedToken {
	used, _ := ctx.Value(usedTokenKey{}).(UsedToken)
	return used
}

// Asker is who asked for something, for what goes on when nobody waits any more.
type Asker struct{ By, From, Token, TokenName string }

// AskerOf answers the asker of a context.
func AskerOf(ctx context.Context) Asker {
	used := Used(ctx)
	return Asker{Who(ctx), Address(ctx), used.ID, used.Name}
}

// For returns a context in which everything is done for who asked.
func For(ctx context.Context, a Asker) context.Context {
	return With(From(As(ctx, a.By), a.From), UsedToken{a.Token, a.TokenName})
}

// Who answers the principal of a context. Where nobody asked, that is the server.
func Who(ctx context.Context) string {
	if who, ok := ctx.Value(principalKey{}).(string); ok {
		return who
	}
	return System
}
