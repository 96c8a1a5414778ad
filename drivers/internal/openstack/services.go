package openstack

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Endpoint is where a region has a service.
type Endpoint struct {
	Region string // "" for what the connection itself says, which holds in all of them
	Type   string // of the service, as in OpenStack's catalogs: compute, network, …
	URL    string // "" if there is one that cannot be used
}

// Version is the version of a service's API.
type Version struct {
	Path         string // below an endpoint that names no version; {project} stands for the project's id
	Microversion string // "" where there are none
}

// service is one of OpenStack's services that the family uses.
type service struct {
	name   string   // for people
	types  []string // in the catalog; the first that is there holds
	speaks Version
	needs  []string // kinds and catalogs that need it
	client **gophercloud.ServiceClient
}

// services are what a session is made of. The microversions are the first ones with
// what the driver needs, so that old clouds can be used.
func (s *Session) services() []service {
	const newestOfRocky = "2.65"
	return []service{
		{"the compute service (Nova)", []string{"compute"}, Version{"v2.1", newestOfRocky}, []string{"zone", "spec", "keypair", "vm", "customimage"}, &s.compute},
		{"the network service (Neutron)", []string{"network", "networking"}, Version{"v2.0", ""}, []string{"vpc", "subnet", "securitygroup", "vm", "publicip", "nic", "nlb", "cluster"}, &s.network},
		{"the image service (Glance)", []string{"image"}, Version{"v2", ""}, []string{"image", "customimage"}, &s.image},
		// 3.42: attached volumes can grow
		{"the block storage service (Cinder)", []string{"volumev3", "block-storage"}, Version{"v3/{project}", "3.42"}, []string{"disktype", "disk", "snapshot"}, &s.volume},
		{"the load balancing service (Octavia)", []string{"load-balancer"}, Version{"v2.0", ""}, []string{"nlb"}, &s.balancer},
		// 1.9: node groups; 1.8: upgrades
		{"the container service (Magnum)", []string{"container-infra", "container-infrastructure", "container-infrastructure-management"}, Version{"v1", "1.9"}, []string{"cluster"}, &s.container},
	}
}

// openServices makes the clients of the region's services, and notes what is lacking.
// A client of a service that is not there fails with the reason.
func (s *Session) openServices() {
	s.lacks = map[string]string{}
	for _, v := range s.services() {
		endpoint, typ := s.catalog.endpoint(s.region, v.types...)
		if endpoint == "" {
			why := "the region " + s.region + " has no endpoint of " + v.name
			if s.region == "" {
				why = "the connection names no region; without one only regions can be listed"
			}
			for _, need := range v.needs {
				s.lacks[need] = why
			}
			*v.client = absent(why)
			continue
		}
		if own, ok := s.door.Versions[typ]; ok {
			v.speaks = own
		}
		if !hasVersion.MatchString(endpoint) {
			endpoint = gophercloud.NormalizeURL(endpoint + strings.ReplaceAll(v.speaks.Path, "{project}", s.project))
		}
		*v.client = &gophercloud.ServiceClient{ProviderClient: s.provider, Endpoint: endpoint, Type: typ, Microversion: v.speaks.Microversion}
	}
}

// client answers the client of a service by its type.
func (s *Session) client(typ string) *gophercloud.ServiceClient {
	for _, v := range s.services() {
		if slices.Contains(v.types, typ) {
			return *v.client
		}
	}
	return absent("the family of OpenStack knows no service " + typ)
}

// absent is a client whose calls all fail.
func absent(why string) *gophercloud.ServiceClient {
	return &gophercloud.ServiceClient{
		ProviderClient: &gophercloud.ProviderClient{HTTPClient: http.Client{Transport: refuser(why)}},
		Endpoint:       "http://absent.invalid/",
	}
}

type refuser string

func (why refuser) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, resource.Errorf(resource.CodeUnsupported, "%s", string(why))
}

// catalog is where the cloud's services are reached.
type catalog []Endpoint

// endpoint answers where one of the types is reached, with a slash at its end, or "".
func (c catalog) endpoint(region string, types ...string) (endpoint, typ string) {
	if region == "" {
		return "", ""
	}
	for _, of := range []string{"", region} {
		for _, typ := range types {
			for _, e := range c {
				if e.Region == of && e.Type == typ && e.URL != "" {
					return gophercloud.NormalizeURL(e.URL), typ
				}
			}
		}
	}
	return "", ""
}

// given reports whether the connection itself says where a service is.
func (c catalog) given(typ string) bool {
	return slices.ContainsFunc(c, func(e Endpoint) bool { return e.Region == "" && e.Type == typ })
}

// regions answers the regions that have any endpoint.
func (c catalog) regions() []string { return c.names(func(e Endpoint) string { return e.Region }) }

// types answers the types of the services that a region has.
func (c catalog) types(region string) []string {
	return c.names(func(e Endpoint) string {
		_, typ := c.endpoint(region, e.Type)
		return typ
	})
}

// names answers each name that endpoints have once.
func (c catalog) names(of func(Endpoint) string) []string {
	var names []string
	for _, e := range c {
		if name := of(e); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// hasVersion matches endpoints that name the version of the API.
var hasVersion = regexp.MustCompile(`/v\d[.\d]*(/|$)`)
