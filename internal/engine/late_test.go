package engine_test

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// lateFor is how long the cloud late takes to notice that a subnet is gone.
const lateFor = 300 * time.Millisecond

// goesRefused is the name of a VPC whose deletion it refuses and does.
const goesRefused = "gone"

// comesUnnamed is the name of a VPC that it makes without ever telling its id.
const comesUnnamed = "unnamed"

// staysAfterAll is the name of a VPC whose deletion it begins and then refuses, and that
// cannot be looked at just then.
const staysAfterAll = "stays"

// protected is what the names of VPCs begin with that it does not delete.
const protected = "protected-"

// late is the driver of a cloud with VPCs and subnets that goes on saying for a while
// that a VPC is used.
func late() *driver.Driver {
	cloud := &lateCloud{
		vpcs: map[string]driver.Object[resource.VPCSpec, resource.VPCStatus]{}, subnets: map[string]driver.Object[resource.SubnetSpec, resource.SubnetStatus]{},
		noticed: map[string]time.Time{}, refused: map[string]int{},
	}
	return driver.New(
		driver.About{Name: "late", Title: "Late", Version: "1.0.0", UsedLagSeconds: 1},
		func(context.Context, driver.Config) (*lateCloud, error) { return cloud, nil },
		driver.Kind(resource.VPC, func(c *lateCloud) lateVPCAbilities {
			return lateVPCs{lateShelf[resource.VPCSpec, resource.VPCStatus]{c, cloud.vpcs}}
		}, driver.ByToken),
		driver.Kind(resource.Subnet, func(c *lateCloud) driver.Managed[resource.SubnetSpec, resource.SubnetStatus] {
			return lateSubnets{lateShelf[resource.SubnetSpec, resource.SubnetStatus]{c, c.subnets}}
		}, driver.ByToken),
	)
}

type lateVPCAbilities interface {
	driver.Managed[resource.VPCSpec, resource.VPCStatus]
	driver.Batcher
}

type lateCloud struct {
	mu      sync.Mutex
	vpcs    map[string]driver.Object[resource.VPCSpec, resource.VPCStatus]
	subnets map[string]driver.Object[resource.SubnetSpec, resource.SubnetStatus]
	noticed map[string]time.Time // when it is noticed that a VPC has lost a subnet
	refused map[string]int       // calls about a VPC that stays after all
}

type lateShelf[S, T any] struct {
	*lateCloud
	objects map[string]driver.Object[S, T]
}

func (s lateShelf[S, T]) List(_ context.Context, _ driver.Filter) iter.Seq2[driver.Object[S, T], error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Collect(maps.Values(s.objects))
	return func(yield func(driver.Object[S, T], error) bool) {
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (s lateShelf[S, T]) Get(_ context.Context, id string) (driver.Object[S, T], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, there := s.objects[id]
	if !there {
		return o, resource.Errorf(resource.CodeNotFound, "there is no %s", id)
	}
	if s.refused[id] == 2 {
		s.refused[id]++
		return o, resource.Errorf(resource.CodeUnavailable, "the cloud does not answer")
	}
	return o, nil
}

func (s lateShelf[S, T]) Make(_ context.Context, r driver.Request[S]) (driver.Object[S, T], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[r.Token] = driver.Object[S, T]{ID: r.Token, Name: r.Name, Token: r.Token, State: resource.StateAvailable, Spec: r.Spec}
	if r.Name == comesUnnamed {
		return driver.Object[S, T]{}, driver.Wait(0, "the cloud has not given it an id yet")
	}
	return s.objects[r.Token], nil
}

type lateVPCs struct {
	lateShelf[resource.VPCSpec, resource.VPCStatus]
}

// Batches implements driver.Batcher: one that is refused fails all, and nothing is done.
func (v lateVPCs) Batches() map[string]driver.Batch {
	return map[string]driver.Batch{driver.VerbDelete: driver.Together(20, func(_ context.Context, ids ...string) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, id := range ids {
			if err := v.guarded(id); err != nil {
				return err
			}
		}
		for _, id := range ids {
			delete(v.objects, id)
		}
		return nil
	})}
}

// guarded refuses what is protected; the caller holds the lock.
func (v lateVPCs) guarded(id string) error {
	if name := v.objects[id].Name; strings.HasPrefix(name, protected) {
		return resource.Errorf(resource.CodeConflict, "the VPC %s is protected", name)
	}
	return nil
}

func (v lateVPCs) Delete(_ context.Context, id string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.guarded(id); err != nil {
		return err
	}
	for _, s := range v.subnets {
		if s.Spec.VPC == id {
			return resource.Errorf(resource.CodeDependency, "the VPC has a subnet")
		}
	}
	if time.Now().Before(v.noticed[id]) {
		return resource.Errorf(resource.CodeDependency, "the VPC seems to have a subnet")
	}
	name := v.objects[id].Name
	if name == staysAfterAll {
		if v.refused[id]++; v.refused[id] == 1 {
			return driver.Wait(0, "the cloud has begun")
		}
		return resource.Errorf(resource.CodeConflict, "the VPC is protected")
	}
	delete(v.objects, id)
	if name == goesRefused {
		return resource.Errorf(resource.CodeDependency, "the VPC is used")
	}
	return nil
}

type lateSubnets struct {
	lateShelf[resource.SubnetSpec, resource.SubnetStatus]
}

func (s lateSubnets) Delete(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noticed[s.objects[id].Spec.VPC] = time.Now().Add(lateFor)
	delete(s.objects, id)
	return nil
}
