package driver

import (
	"context"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type telling bool

func (tells telling) of(o *offer) { o.tellsOnce = bool(tells) }

// TellsOnce is for kinds of which the cloud tells a secret when it makes an object, and never
// again, such as an access key. Make answers it in [Object.Secrets]. If that answer is lost,
// what it has made is of no use to anybody: this package removes it and has it made again.
// The cloud must not itself make one object of one token ([ByToken]): nothing would tell
// whether the answer is the first one.
const TellsOnce telling = true

// untold reports whether an object that was found is one whose secret nobody has: whoever
// has got the answer with the secret has the id, too.
func (o *offer) untold(r ItemRequest, item Item) bool { return o.tellsOnce && item.ID != r.ID }

// anew removes an object whose secret nobody has, so that the next call makes another. It
// answers no id: that would say that the secret is known.
func (o *offer) anew(ctx context.Context, c any, item Item) error {
	pending, err := pendingIn(o.remove(ctx, c, item.ID))
	if err != nil {
		return resource.Errorf(resource.CodeUnavailable, "%s cannot be removed yet, whose secret was lost with an answer: %w", item.ID, err)
	}
	reason, after := "", confirmAfter
	if pending != nil {
		reason, after = ": "+pending.Reason, pending.After
	}
	return Wait(after, "%s is removed and made again, since its secret was lost with an answer%s", item.ID, reason)
}

// secretsIn reads the secrets of an answer.
func secretsIn(kind string, told map[string]string) (map[string]string, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	for name := range told {
		if !slices.ContainsFunc(k.Secrets, func(s resource.Secret) bool { return s.Name == name }) {
			return nil, nonsense(kind, fmt.Errorf("it has no secret %.64q", name))
		}
	}
	return told, nil
}

// CheckTold refuses the answer to a creation that is the first one with the object's id, and
// does not tell the secret that no other answer can.
func (d *Description) CheckTold(kind string, r ItemRequest, made Item) error {
	first := made.ID != "" && r.ID == ""
	if first && len(made.Secrets) == 0 && slices.ContainsFunc(d.Kinds, func(k KindOffer) bool { return k.Name == kind && k.TellsOnce }) {
		return nonsense(kind, fmt.Errorf("%.64q comes without its secret, which is told once", made.ID))
	}
	return nil
}
