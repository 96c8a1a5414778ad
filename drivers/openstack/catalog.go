package openstack

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// service is one of OpenStack's services that the driver uses.
type service struct {
	name         string   // for people
	types        []string // in the catalog; the first that is there holds
	version      string   // path of the API below an endpoint that names no version
	microversion string   // that the driver is written for; "" where there are none
	needs        []string // kinds and catalogs that need it
	client       **gophercloud.ServiceClient
}

// services are what a session is made of. The microversions are the first ones with
// what the driver needs, so that old clouds can be used.
func (s *session) services() []service {
	const newestOfRocky = "2.65"
	return []service{
		{"the compute service (Nova)", []string{"compute"}, "v2.1", newestOfRocky, []string{"zone", "spec", "keypair", "vm", "customimage"}, &s.compute},
		{"the network service (Neutron)", []string{"network", "networking"}, "v2.0", "", []string{"vpc", "subnet", "securitygroup", "vm", "publicip", "nic", "nlb", "cluster"}, &s.network},
		{"the image service (Glance)", []string{"image"}, "v2", "", []string{"image", "customimage"}, &s.image},
		// 3.42: attached volumes can grow
		{"the block storage service (Cinder)", []string{"volumev3", "block-storage"}, "v3/" + s.project, "3.42", []string{"disktype", "disk", "snapshot"}, &s.volume},
		{"the load balancing service (Octavia)", []string{"load-balancer"}, "v2.0", "", []string{"nlb"}, &s.balancer},
		// 1.9: node groups; 1.8: upgrades
		{"the container service (Magnum)", []string{"container-infra", "container-infrastructure", "container-infrastructure-management"}, "v1", "1.9", []string{"cluster"}, &s.container},
	}
}

// openServices makes the clients of the region's services, and notes what is lacking.
// A client of a service that is not there fails with the reason.
func (s *session) openServices(provider *gophercloud.ProviderClient) {
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
		if !hasVersion.MatchString(endpoint) {
			endpoint += v.version + "/"
		}
		*v.client = &gophercloud.ServiceClient{ProviderClient: provider, Endpoint: endpoint, Type: typ, Microversion: v.microversion}
	}
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
type catalog struct {
	entries   []tokens.CatalogEntry
	reach     string            // public, internal or admin
	overrides map[string]string // endpoint by service type
}

func newCatalog(token tokens.CreateResult, settings driver.Values) (catalog, error) {
	c := catalog{reach: cmp.Or(settings[settingInterface], "public"), overrides: map[string]string{}}
	all, err := token.ExtractServiceCatalog()
	if err != nil {
		return c, resource.Errorf(resource.CodeInternal, "read the catalog in Keystone's answer: %w", err)
	}
	c.entries = all.Entries
	for entry := range strings.SplitSeq(settings[settingEndpoints], ",") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		typ, endpoint, _ := strings.Cut(strings.TrimSpace(entry), "=")
		if u, err := url.Parse(endpoint); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return c, resource.Invalid(resource.Problem{Field: "settings." + settingEndpoints, Message: fmt.Sprintf("%q is not service type=URL, such as compute=https://nova.example.com/v2.1", entry)})
		}
		c.overrides[typ] = gophercloud.NormalizeURL(endpoint)
	}
	return c, nil
}

// endpoint answers where one of the types is reached, with a slash at its end, or "".
func (c catalog) endpoint(region string, types ...string) (endpoint, typ string) {
	if region == "" {
		return "", ""
	}
	for _, typ := range types {
		if endpoint := c.overrides[typ]; endpoint != "" {
			return endpoint, typ
		}
	}
	for _, typ := range types {
		for _, entry := range c.entries {
			for _, e := range entry.Endpoints {
				if entry.Type == typ && e.Interface == c.reach && (e.Region == region || e.RegionID == region) {
					return gophercloud.NormalizeURL(e.URL), typ
				}
			}
		}
	}
	return "", ""
}

// regions answers the regions that have any endpoint.
func (c catalog) regions() []string {
	var names []string
	for _, entry := range c.entries {
		for _, e := range entry.Endpoints {
			names = append(names, cmp.Or(e.RegionID, e.Region))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// types answers the types of the services that a region has.
func (c catalog) types(region string) []string {
	var types []string
	for _, entry := range c.entries {
		if endpoint, _ := c.endpoint(region, entry.Type); endpoint != "" {
			types = append(types, entry.Type)
		}
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// hasVersion matches endpoints that name the version of the API.
var hasVersion = regexp.MustCompile(`/v\d[.\d]*(/|$)`)
