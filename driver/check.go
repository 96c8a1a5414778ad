package driver

import (
	"context"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Checker is implemented by collections that can say beforehand whether the cloud would
// accept a creation: a range that overlaps, an image that there is not, a quota that is
// reached. Check makes nothing and refuses what it refuses with the error of the creation.
// What passes may still fail, for nothing is kept free for it.
type Checker[S any] interface {
	Check(ctx context.Context, r Request[S]) error
}

// checkOf takes the types off a collection's Check, if that is offered.
func checkOf[S any](kind *resource.Kind, offered bool) func(context.Context, any, ItemRequest) error {
	return func(ctx context.Context, c any, r ItemRequest) error {
		checker, ok := c.(Checker[S])
		if !ok || !offered {
			return resource.Errorf(resource.CodeUnsupported, "this driver does not check the creation of a %s", kind.Name)
		}
		typed, err := requestOf[S](kind, r)
		if err != nil {
			return err
		}
		return checker.Check(ctx, typed)
	}
}

func (s *session) Check(ctx context.Context, kind string, r ItemRequest) error {
	o, c, err := s.collection(kind)
	if err != nil {
		return err
	}
	return o.check(ctx, c, r)
}
