// Command mcic-driver-shelf is the driver of a toy cloud, written to be read:
// docs/writing-a-driver.md walks through it.
package main

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func main() { driver.Serve(shelf(&cloud{})) }

// shelf is the driver: what it is, how it connects, what it offers.
func shelf(c *cloud) *driver.Driver {
	about := driver.About{
		Name: "shelf", Title: "The Shelf", Version: "0.1.0",
		Doc: "A toy cloud in the driver's memory. It forgets everything when the driver ends.",
		Credential: []driver.Field{{
			Name: "token", Title: "Token", Doc: "Any text that begins with shelf-.", Where: "Make one up.",
			Type: driver.TypeString, Secret: true, Required: true,
		}},
		Settings: []driver.Field{{Name: "boot", Title: "Boot time", Doc: "How long a VM takes to start. Default: at once.", Type: driver.TypeDuration}},
	}
	connect := func(_ context.Context, config driver.Config) (*session, error) {
		if !c.knows(config.Credential["token"]) {
			return nil, coded(badToken)
		}
		if config.Region != "" && config.Region != "top" && config.Region != "bottom" {
			return nil, resource.Errorf(resource.CodeInvalid, "there is no region %q; there are: top, bottom", config.Region)
		}
		config.Logger.Info("connected", "region", config.Region)
		return &session{cloud: c, region: config.Region, boot: config.Settings.Duration("boot")}, nil
	}
	return driver.New(about, connect,
		driver.Catalog(resource.Regions, func(*session) entries[resource.Region] {
			return entries[resource.Region]{{Name: "top", Title: "The upper board"}, {Name: "bottom", Title: "The lower board"}}
		}),
		driver.Catalog(resource.Zones, func(s *session) entries[resource.Zone] {
			return entries[resource.Zone]{{Name: s.region + "-left", Region: s.region, Available: true}}
		}),
		driver.Catalog(resource.Images, func(*session) entries[resource.Image] {
			return entries[resource.Image]{{ID: debian, Name: "Debian 12", OS: "debian", OSVersion: "12", Architecture: "x86_64", DiskSizeGiB: 10}}
		}),
		driver.Catalog(resource.Specs, func(*session) entries[resource.Spec] {
			return entries[resource.Spec]{{Name: shoebox, VCPUs: 1, MemoryMiB: 1024, Architectures: []string{"x86_64"}}}
		}),
		driver.Kind(resource.VPC, func(s *session) driver.Labelled[resource.VPCSpec, resource.VPCStatus] {
			return vpcs{s, "vpc", showVPC, askVPC}
		}, driver.ByToken),
		driver.Kind(resource.Subnet, func(s *session) driver.Labelled[resource.SubnetSpec, resource.SubnetStatus] {
			return subnets{s, "subnet", showSubnet, askSubnet}
		}, driver.ByToken),
		driver.Kind(resource.VM, func(s *session) vmAbilities {
			return vms{things[resource.VMSpec, resource.VMStatus]{s, "vm", showVM, askVM}}
		}, driver.ByToken),
	)
}

// session is an open connection to one region.
type session struct {
	cloud  *cloud
	region string
	boot   time.Duration
}

// entries is a catalog that never changes.
type entries[E any] []E

func (e entries[E]) List(context.Context, driver.Query) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for _, entry := range e {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// things is the collection of a kind. The toy cloud has one call for every kind,
// so one type serves them all; with a real cloud each kind has a file of its own.
type things[S, T any] struct {
	*session
	kind string
	show func(thing) (S, T)
	ask  func(S) thing
}

func (c things[S, T]) object(t thing) driver.Object[S, T] {
	spec, status := c.show(t)
	o := driver.Object[S, T]{ID: t.ID, Name: t.Name, Token: t.Token, Labels: t.Labels, CreatedAt: &t.Made, Spec: spec, Status: status, Native: t}
	o.State, o.CloudState = t.state()
	return o
}

// List answers every object: this cloud cannot be asked for less. One that pages is
// read page by page.
func (c things[S, T]) List(ctx context.Context, _ driver.Filter) iter.Seq2[driver.Object[S, T], error] {
	var objects entries[driver.Object[S, T]]
	for _, t := range c.cloud.list(c.region, c.kind) {
		objects = append(objects, c.object(t))
	}
	return objects.List(ctx, nil)
}

func (c things[S, T]) Get(_ context.Context, id string) (driver.Object[S, T], error) {
	t, err := c.cloud.get(c.region, c.kind, id)
	if err != nil {
		return driver.Object[S, T]{}, coded(err)
	}
	return c.object(t), nil
}

// Make hands the token to the cloud, which answers the same thing to the same token
// (driver.ByToken), and returns as soon as there is an id.
func (c things[S, T]) Make(_ context.Context, r driver.Request[S]) (driver.Object[S, T], error) {
	t := c.ask(r.Spec)
	t.Region, t.Kind, t.Token, t.Name, t.Labels = c.region, c.kind, r.Token, r.Name, r.Labels
	t, err := c.cloud.put(t, c.boot)
	if err != nil {
		return driver.Object[S, T]{}, coded(err)
	}
	return c.object(t), nil
}

// Delete takes what is not there for done.
func (c things[S, T]) Delete(_ context.Context, id string) error {
	if err := c.cloud.remove(c.region, c.kind, id); !errors.Is(err, noSuchThing) {
		return coded(err)
	}
	return nil
}

// Label makes the action label, which every kind can have.
func (c things[S, T]) Label(_ context.Context, id string, change resource.LabelChange) error {
	return coded(c.cloud.change(c.region, c.kind, id, func(t *thing) { t.Labels = change.Apply(t.Labels) }))
}

type (
	vpcs    = things[resource.VPCSpec, resource.VPCStatus]
	subnets = things[resource.SubnetSpec, resource.SubnetStatus]
)

// vmAbilities are what VMs are offered with: more than other kinds, namely the actions start
// and stop.
type vmAbilities interface {
	driver.Labelled[resource.VMSpec, resource.VMStatus]
	resource.Starter
	resource.Stopper
}

type vms struct {
	things[resource.VMSpec, resource.VMStatus]
}

func (c vms) Start(_ context.Context, id string) error { return c.power(id, true) }
func (c vms) Stop(_ context.Context, id string) error  { return c.power(id, false) }

func (c vms) power(id string, on bool) error {
	return coded(c.cloud.change(c.region, c.kind, id, func(t *thing) { t.On, t.Ready = on, time.Now().Add(c.boot) }))
}

// What is asked for and shown is the only thing in which the kinds differ.
func askVPC(s resource.VPCSpec) thing       { return thing{Range: s.CIDR} }
func askSubnet(s resource.SubnetSpec) thing { return thing{Range: s.CIDR, Inside: s.VPC} }
func askVM(s resource.VMSpec) thing {
	return thing{Inside: s.Subnet, Image: s.Image, Size: s.Spec, On: true}
}

func showVPC(t thing) (resource.VPCSpec, resource.VPCStatus) {
	return resource.VPCSpec{CIDR: t.Range}, resource.VPCStatus{}
}

func showSubnet(t thing) (resource.SubnetSpec, resource.SubnetStatus) {
	return resource.SubnetSpec{VPC: t.Inside, CIDR: t.Range, Zone: t.Region + "-left"}, resource.SubnetStatus{}
}

func showVM(t thing) (resource.VMSpec, resource.VMStatus) {
	return resource.VMSpec{Image: t.Image, Spec: t.Size, Subnet: t.Inside}, resource.VMStatus{Zone: t.Region + "-left"}
}

// coded gives the cloud's errors a code and keeps the cloud's own.
func coded(err error) error {
	f, ok := errors.AsType[fault](err)
	if !ok {
		return err
	}
	return driver.Meanings{
		{Code: resource.CodeNotFound, Of: []string{"NoSuchThing"}},
		{Code: resource.CodeDependency, Of: []string{"InUse"}, Advice: "remove first what is in it"},
		{Code: resource.CodeInvalid, Of: []string{"BadRequest"}},
		{Code: resource.CodeUnauthenticated, Of: []string{"BadToken"}},
	}.Refuse(driver.Refusal{Doing: "the Shelf", Cloud: resource.CloudError{Code: string(f), Message: f.Error()}, Err: err})
}
