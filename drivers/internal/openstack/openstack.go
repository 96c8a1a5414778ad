// Package openstack is what the drivers of a family of clouds stand on: OpenStack itself, and
// clouds that are OpenStack behind doors of their own.
//
// A member of the family describes itself, says by a [Door] how it is entered, and offers what
// [Offers] answers, beside the kinds that it has of its own.
//
// Every file holds one kind or catalog in the same order: type, the collection with what it says
// of itself, List, Get, Make, Complete, Delete, actions, views, helpers, what an object shows; of
// these the ones that collection, neutron and cinder do not have. What is read goes through list
// and get, so that every list is complete; every error goes through coded, so that it has its code.
package openstack

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// UsedLag is how long, in seconds, Neutron and Cinder may take to notice that a server or
// load balancer is gone: the services tell each other afterwards.
const UsedLag = 30

// Door is how one cloud of the family is entered.
type Door struct {
	Title string // of the cloud, in errors
	// Login gives the provider a token, and the function that gets it another one when it has
	// run out. What it uses comes from the connection alone: neither variables of the
	// environment nor files of the machine may choose a cloud.
	Login func(ctx context.Context, provider *gophercloud.ProviderClient, c driver.Config) (Entry, error)
	// Advice says what to check when the login is refused.
	Advice string
	// Versions are those of services that are not OpenStack's, by the type of the service.
	Versions map[string]Version
	// Meanings are those of errors that are its own.
	Meanings driver.Meanings
	// VPC looks at a VPC for other kinds, where those of OpenStack are not the cloud's.
	VPC func(ctx context.Context, s *Session, id string) (driver.Object[resource.VPCSpec, resource.VPCStatus], error)
}

// Entry is what a login has opened.
type Entry struct {
	Project   string // its id
	User      string // who has key pairs, told from the users of other clouds; "" if that is not known
	Endpoints []Endpoint
}

// Session is an open connection to one project in one region.
type Session struct {
	door Door
	way  *transport.Transport
	log  *slog.Logger

	provider                                             *gophercloud.ProviderClient // of all services
	compute, network, image, volume, balancer, container *gophercloud.ServiceClient

	catalog  catalog
	lacks    map[string]string
	project  string
	user     string
	region   string
	zone     string // for what names none; may be ""
	settings driver.Values
}

// Open opens a session.
func Open(ctx context.Context, door Door, c driver.Config) (*Session, error) {
	way, err := transport.New(transport.Config{Settings: c.Settings, Logger: c.Logger, API: isAPI})
	if err != nil {
		return nil, err
	}
	s := &Session{door: door, way: way, log: c.Logger, region: c.Region, zone: c.Zone, settings: c.Settings}
	if err := s.open(ctx, c); err != nil {
		_ = s.Close() // never fails
		return nil, err
	}
	return s, nil
}

func (s *Session) open(ctx context.Context, c driver.Config) error {
	s.provider = &gophercloud.ProviderClient{
		HTTPClient: *s.way.Client(),
		RetryFunc: func(ctx context.Context, _, _ string, _ *gophercloud.RequestOpts, err error, _ uint) error { // never: the server does
			return s.door.says(ctx, err)
		},
	}
	s.provider.UseTokenLock()
	s.provider.UserAgent.Prepend("mc-infra-connector") // whom the services' logs show as the caller
	entry, err := s.door.Login(ctx, s.provider, c)
	if err = coded(err); resource.CodeOf(err) == resource.CodeUnauthenticated { // Keystone does not say why, so that nobody can try out names
		err = driver.Recode(err, resource.CodeUnauthenticated, cmp.Or(s.way.ClockAdvice(), s.door.Advice))
	}
	if err != nil {
		return err
	}
	s.project, s.user, s.catalog = entry.Project, entry.User, entry.Endpoints
	s.openServices()
	if c.Region == "" {
		return nil
	}
	return s.check(ctx, c)
}

// vpc looks at a VPC.
func (s *Session) vpc(ctx context.Context, id string) (vpc, error) {
	if s.door.VPC != nil {
		return s.door.VPC(ctx, s, id)
	}
	return s.vpcs().Get(ctx, id)
}

// Close lets go of the idle connections to the cloud.
func (s *Session) Close() error {
	s.way.CloseIdleConnections()
	return nil
}

// AccountID implements driver.Accounter: it is the project's id.
func (s *Session) AccountID() string { return s.project }

// Scopes implements driver.Scoper: key pairs belong to the user, in whatever project.
// https://docs.openstack.org/api-ref/compute/#keypairs-keypairs
func (s *Session) Scopes() map[string]string {
	if s.user == "" || s.region == "" {
		return nil
	}
	return map[string]string{resource.KeyPair.Name: "user " + s.user + " in " + s.region}
}

// Lacks answers what needs a service that is not in the region's catalog.
func (s *Session) Lacks() map[string]string { return s.lacks }

// check asks for the region's zones: that needs an endpoint that speaks Nova, and says
// whether the default zone exists. A Nova that is down for now only takes its own kinds
// with it.
func (s *Session) check(ctx context.Context, c driver.Config) error {
	if all := s.catalog.regions(); !slices.Contains(all, c.Region) {
		return resource.Invalid(resource.Problem{Field: "region", Message: "the cloud has no region " + c.Region + "; it has: " + strings.Join(all, ", ")})
	}
	var names []string
	for zone, err := range s.zones(ctx, nil) {
		switch code := resource.CodeOf(err); {
		case code == resource.CodeUnavailable && !s.catalog.given("compute"):
			s.log.WarnContext(ctx, "the zones cannot be listed; what needs Nova will fail until it is back", slog.Any("error", err))
			return nil
		case code == resource.CodeUnsupported: // no Nova
			return nil
		case err != nil:
			return err
		}
		names = append(names, zone.Name)
	}
	if c.Zone != "" && !slices.Contains(names, c.Zone) {
		return resource.Invalid(resource.Problem{Field: "zone", Message: "the region " + c.Region + " has no zone " + c.Zone + "; it has: " + strings.Join(names, ", ")})
	}
	return nil
}
