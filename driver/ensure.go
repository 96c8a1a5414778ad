package driver

import (
	"context"
	"fmt"
	"iter"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Ensure answers what was made with a token, and makes it if it is not there. It is
// for clouds without client tokens: found looks for what carries the token.
func Ensure[E any](found iter.Seq2[E, error], create func() (E, error)) (item E, created bool, err error) {
	item, ok, err := First(found)
	if err != nil || ok {
		return item, false, err
	}
	item, err = create()
	return item, err == nil, err
}

// Completed handles the error of a step after the first of a creation. If a repeat
// can help, what is there stays for it to complete. Otherwise nobody would come back
// for what this call created, so that undo removes it.
func Completed(ctx context.Context, err error, created bool, undo func(context.Context) error) error {
	if err == nil {
		return nil
	}
	// What the creation has just made may not be seen everywhere at once.
	// https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
	if resource.CodeOf(err) == resource.CodeNotFound {
		return resource.Errorf(resource.CodeUnavailable, "the cloud does not show everywhere yet what it has just created: %w", err)
	}
	if resource.AsError(err).Retryable || ctx.Err() != nil || !created {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if left := undo(ctx); left != nil {
		return fmt.Errorf("%w; removing what was created before failed too: %w", err, left)
	}
	return err
}
