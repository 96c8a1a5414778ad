package driver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestOffersOfAFamilyWithoutAMembersOwn(t *testing.T) {
	open := func(*keys) Collection[resource.KeyPairSpec, resource.KeyPairStatus] { return openKeys() }
	shared := func() []Offer[*keys] {
		return []Offer[*keys]{
			Kind(resource.KeyPair, open),
			Catalog(resource.Zones, func(*keys) ListerFunc[resource.Zone] { return nil }),
		}
	}
	d := New(About{Name: "member"}, func(context.Context, Config) (*keys, error) { return nil, nil }, Without(shared(), "zone")...)
	assert.True(t, d.description.Offers("keypair", "list"))
	assert.Empty(t, d.description.Catalogs)
	assert.Len(t, Without(shared()), 2)
	assert.Empty(t, Without(shared(), "zone", "keypair"))
}

func TestEachIsAskedForByItself(t *testing.T) {
	broken := errors.New("broken")
	get := func(_ context.Context, id string) (string, error) {
		switch id {
		case "gone":
			return "", resource.Errorf(resource.CodeNotFound, "there is none")
		case "broken":
			return "", broken
		}
		return "the " + id, nil
	}
	all, err := Collect(GetEach(t.Context(), []string{"one", "gone", "other"}, get))
	require.NoError(t, err)
	assert.Equal(t, []string{"the one", "the other"}, all)
	_, err = Collect(GetEach(t.Context(), []string{"broken", "one"}, get))
	require.ErrorIs(t, err, broken)
}

func TestStepThatOthersFollow(t *testing.T) {
	broken := errors.New("broken")
	require.ErrorIs(t, Then(broken, time.Second, "the rest follows"), broken)
	pending, err := pendingIn(Then(nil, time.Second, "the %s follows", "rest"))
	require.NoError(t, err)
	assert.Equal(t, &Pending{Reason: "the rest follows", After: time.Second}, pending)
}
