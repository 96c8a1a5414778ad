// Package openstack is the driver for OpenStack.
//
// Every file holds one kind or catalog in the same order: type, List, Get, Make, Complete,
// Delete, actions, views, helpers. What is read goes through list and get, so that
// every list is complete; every error goes through coded, so that it has its code.
package openstack

import (
	"cmp"
	"context"
	_ "embed"
	"log/slog"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// conformance is the report of the last run of the conformance suite.
//
//go:embed conformance.json
var conformance []byte

// program is what the services' logs show as the caller.
const program = "mc-infra-connector"

// New defines the driver.
func New() *driver.Driver {
	return driver.New(about(), connect,
		driver.Catalog(resource.Regions, func(s *session) regions { return regions{s} }),
		driver.Catalog(resource.Zones, func(s *session) zones { return zones{s} }),
		driver.Catalog(resource.Images, func(s *session) images { return images{s} }),
		driver.Catalog(resource.Specs, func(s *session) specs { return specs{s} }),
		driver.Catalog(resource.DiskTypes, func(s *session) diskTypes { return diskTypes{s} }),
		driver.Catalog(resource.Quotas, func(s *session) quotas { return quotas{s} }),
		driver.Kind(resource.VPC, newVPCs),
		driver.Kind(resource.Subnet, newSubnets),
		driver.Kind(resource.SecurityGroup, newSecurityGroups),
		driver.Kind(resource.KeyPair, func(s *session) keyPairs { return keyPairs{s} }, driver.ByName),
		driver.Kind(resource.VM, func(s *session) vms { return vms{s} }),
		driver.Kind(resource.Disk, func(s *session) disks { return disks{s} }),
		driver.Kind(resource.Snapshot, func(s *session) snapshots { return snapshots{s} }),
		driver.Kind(resource.CustomImage, func(s *session) customImages { return customImages{s} }),
		driver.Kind(resource.PublicIP, newPublicIPs),
		driver.Kind(resource.NIC, newNICs),
		driver.Kind(resource.NLB, func(s *session) nlbs { return nlbs{s} }),
		driver.Kind(resource.Cluster, func(s *session) clusters { return clusters{s} }),
	)
}

// Settings of a connection.
const (
	settingInterface = "interface"
	settingEndpoints = "endpoints"
	settingExternal  = "externalNetwork"
	settingDNS       = "dnsServers"
	settingDrive     = "configDrive"
	settingPageSize  = "pageSize"
)

// usedLag is how long, in seconds, Neutron and Cinder may take to notice that a server or
// load balancer is gone: the services tell each other afterwards.
const usedLag = 30

func about() driver.About {
	const (
		rc   = "Horizon, Project, API Access, Download OpenStack RC File or clouds.yaml"
		user = "Whoever runs the cloud; also in Horizon's clouds.yaml"
		keys = "Horizon, Identity, Application Credentials, Create; or: openstack application credential create NAME"
	)
	return driver.About{
		Name:    "openstack",
		Title:   "OpenStack",
		Version: "0.1.0",

		UsedLagSeconds: usedLag,

		Tested: driver.ReadReports(conformance),
		Doc:    "OpenStack clouds from the release Rocky on (load balancers from Stein, clusters from Train), through Keystone v3; tested on the real services of Zed. The fields of a credential are those of a clouds.yaml. Give either user and password with a project, or an application credential.",
		Credential: []driver.Field{
			{Name: "auth_url", Title: "Auth URL", Doc: "Address of Keystone, such as https://keystone.example.com:5000/v3.", Where: rc, Type: driver.TypeString, Required: true, Keys: driver.Keys{Spider: "IdentityEndpoint", Cloud: "IdentityEndpoint"}},
			{Name: "application_credential_id", Title: "Application credential ID", Doc: "Id of an application credential. It brings its project with it and can be withdrawn without changing a password.", Where: keys, Type: driver.TypeString},
			{Name: "application_credential_secret", Title: "Application credential secret", Doc: "Its secret, which is shown only when it is created.", Where: keys, Type: driver.TypeText, Secret: true},
			{Name: "username", Title: "User name", Doc: "Name of the user. Not with an application credential.", Where: user, Type: driver.TypeText, Keys: driver.Keys{Spider: "Username", Cloud: "Username"}},
			{Name: "password", Title: "Password", Doc: "Password of the user. Not with an application credential.", Where: user, Type: driver.TypeText, Secret: true, Keys: driver.Keys{Spider: "Password", Cloud: "Password"}},
			{Name: "user_domain_name", Title: "User domain", Doc: "Domain of the user. Default: Default.", Where: rc, Type: driver.TypeText, Keys: driver.Keys{Spider: "DomainName", Cloud: "DomainName"}},
			{Name: "project_name", Title: "Project", Doc: "Name of the project to work in. Give it or its id.", Where: rc, Type: driver.TypeText},
			{Name: "project_id", Title: "Project ID", Doc: "Id of the project to work in.", Where: rc, Type: driver.TypeString, Keys: driver.Keys{Spider: "ProjectID", Cloud: "ProjectID"}},
			{Name: "project_domain_name", Title: "Project domain", Doc: "Domain of the project. Default: the user's.", Where: rc, Type: driver.TypeText},
		},
		Facts: driver.Facts{NameLengths: []int{255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 255}},
		Settings: append([]driver.Field{
			{Name: settingInterface, Title: "Interface", Doc: "Which of the catalog's endpoints to use. Default: public.", Type: driver.TypeString, Enum: []string{"public", "internal", "admin"}},
			{Name: settingEndpoints, Title: "Endpoints", Doc: "Endpoints to use instead of the catalog's, as service type=URL with commas between, such as compute=https://nova.example.com/v2.1,network=https://neutron.example.com. Default: none.", Type: driver.TypeText},
			{Name: settingExternal, Title: "External network", Doc: "Name or id of the network that routers and public IPs lead to. Default: the only one, or the first by name.", Where: "openstack network list --external", Type: driver.TypeText},
			{Name: settingDNS, Title: "Name servers", Doc: "Addresses of the name servers of new subnets, with commas between, such as 1.1.1.1,8.8.8.8. Default: those of the cloud.", Type: driver.TypeText},
			{Name: settingDrive, Title: "Config drive", Doc: "Whether VMs get their user data from a drive instead of the metadata service. Default: false.", Type: driver.TypeBool},
			{Name: settingPageSize, Title: "Page size", Doc: "How much to ask of a list at once; a service may answer less. Default: 1000.", Type: driver.TypeInt},
		}, transport.Settings()...),
		Native: "service is a type of the catalog (compute, network, image, volumev3, load-balancer, …) and path is below the service's endpoint there, with the version if the endpoint has none: service compute, path /servers; service network, path /v2.0/networks. The token is added.",
		Missing: map[string]string{
			"keypair/label": "Nova keeps no tags with key pairs; the server keeps the labels",
			"cluster/label": "Magnum's labels configure a cluster and cannot be changed later; the server keeps the labels",
			"cluster/token": "Magnum's clusters know certificates, not tokens; use kubeconfig",
			"price":         "OpenStack has no API for prices; ask whoever runs the cloud",
		},
		Permissions: []string{"role member (in older clouds _member_) of the project", "role load-balancer_member of the project, for NLBs", "to list what is there: role reader"},
	}
}

// session is an open connection to one project in one region.
type session struct {
	way *transport.Transport
	log *slog.Logger

	compute, network, image, volume, balancer, container *gophercloud.ServiceClient

	catalog  catalog
	lacks    map[string]string
	project  string
	region   string
	zone     string // for what names none; may be ""
	settings driver.Values
}

// Close lets go of the idle connections to the cloud.
func (s *session) Close() error {
	s.way.CloseIdleConnections()
	return nil
}

// AccountID implements driver.Accounter: it is the project's id.
func (s *session) AccountID() string { return s.project }

// Lacks answers what needs a service that is not in the region's catalog.
func (s *session) Lacks() map[string]string { return s.lacks }

// connect logs in. What it uses comes from the connection alone: neither variables of
// the environment nor files of the machine may choose a cloud.
func connect(ctx context.Context, c driver.Config) (*session, error) {
	way, err := transport.New(transport.Config{Settings: c.Settings, Logger: c.Logger, API: isAPI})
	if err != nil {
		return nil, err
	}
	s := &session{way: way, log: c.Logger, region: c.Region, zone: c.Zone, settings: c.Settings}
	if err := s.open(ctx, c); err != nil {
		_ = s.Close() // never fails
		return nil, err
	}
	return s, nil
}

func (s *session) open(ctx context.Context, c driver.Config) error {
	login, err := loginOf(c.Credential)
	if err != nil {
		return err
	}
	provider, err := openstack.NewClient(login.IdentityEndpoint)
	if err != nil {
		return resource.Invalid(resource.Problem{Field: "values.auth_url", Message: "is not a URL such as https://keystone.example.com:5000/v3"})
	}
	provider.HTTPClient = *s.way.Client()
	provider.UserAgent.Prepend(program)
	if err := openstack.AuthenticateV3(ctx, provider, login, gophercloud.EndpointOpts{}); err != nil {
		return s.loginFailed(err)
	}
	token, ok := provider.GetAuthResult().(tokens.CreateResult)
	if !ok {
		return resource.Errorf(resource.CodeInternal, "Keystone's answer to the login is a %T", provider.GetAuthResult())
	}
	project, err := token.ExtractProject()
	if err != nil || project == nil {
		return resource.Errorf(resource.CodeInvalid, "the credential leads to no project; give project_name or project_id")
	}
	s.project = project.ID
	if s.catalog, err = newCatalog(token, c.Settings); err != nil {
		return err
	}
	s.openServices(provider)
	if c.Region == "" {
		return nil
	}
	return s.check(ctx, c)
}

// loginOf reads the fields of a credential.
func loginOf(v driver.Values) (*gophercloud.AuthOptions, error) {
	login := &gophercloud.AuthOptions{IdentityEndpoint: v["auth_url"], AllowReauth: true}
	if err := transport.CheckURL(v, "auth_url"); err != nil {
		return nil, resource.Invalid(resource.Problem{Field: "values.auth_url", Message: "is not a URL such as https://keystone.example.com:5000/v3"})
	}
	if id, secret := v["application_credential_id"], v["application_credential_secret"]; id != "" || secret != "" {
		if id == "" || secret == "" || v["password"] != "" {
			return nil, resource.Invalid(resource.Problem{Field: "values.application_credential_id", Message: "an application credential has an id and a secret; give both and no password"})
		}
		login.ApplicationCredentialID, login.ApplicationCredentialSecret = id, secret
		return login, nil
	}
	var missing []resource.Problem
	for _, name := range []string{"username", "password"} {
		if v[name] == "" {
			missing = append(missing, resource.Problem{Field: "values." + name, Message: "is required without an application credential"})
		}
	}
	if v["project_name"] == "" && v["project_id"] == "" {
		missing = append(missing, resource.Problem{Field: "values.project_name", Message: "is required without an application credential, or project_id"})
	}
	if err := resource.Invalid(missing...); err != nil {
		return nil, err
	}
	login.Username, login.Password = v["username"], v["password"]
	login.DomainName = cmp.Or(v["user_domain_name"], "Default")
	login.Scope = &gophercloud.AuthScope{ProjectID: v["project_id"]}
	if login.Scope.ProjectID == "" {
		login.Scope.ProjectName, login.Scope.DomainName = v["project_name"], cmp.Or(v["project_domain_name"], login.DomainName)
	}
	return login, nil
}

// loginFailed is the error of a login. Keystone does not say what is wrong, so that
// nobody can try out names.
func (s *session) loginFailed(err error) error {
	err = coded(err)
	e := resource.AsError(err)
	switch {
	case e.Code == resource.CodeUnauthenticated && s.way.ClockAdvice() != "":
		return withAdvice(e, s.way.ClockAdvice())
	case e.Code == resource.CodeUnauthenticated:
		return withAdvice(e, "check the user, the password and the project with their domains, or the application credential")
	case e.Code == resource.CodeNotFound || e.Code == resource.CodeInvalid:
		return resource.Errorf(resource.CodeUnavailable, "auth_url leads to no Keystone v3: %w", err)
	}
	return err
}

// check asks for the region's zones: that needs an endpoint that speaks Nova, and says
// whether the default zone exists. A Nova that is down for now only takes its own kinds
// with it.
func (s *session) check(ctx context.Context, c driver.Config) error {
	if all := s.catalog.regions(); !slices.Contains(all, c.Region) {
		return resource.Invalid(resource.Problem{Field: "region", Message: "the cloud has no region " + c.Region + "; it has: " + strings.Join(all, ", ")})
	}
	var names []string
	for zone, err := range (zones{s}).List(ctx, nil) {
		if resource.CodeOf(err) == resource.CodeUnavailable && c.Settings[settingEndpoints] == "" {
			s.log.WarnContext(ctx, "the zones cannot be listed; what needs Nova will fail until it is back", slog.Any("error", err))
			return nil
		}
		if resource.CodeOf(err) == resource.CodeUnsupported { // no Nova
			return nil
		}
		if err != nil {
			return err
		}
		names = append(names, zone.Name)
	}
	if c.Zone != "" && !slices.Contains(names, c.Zone) {
		return resource.Invalid(resource.Problem{Field: "zone", Message: "the region " + c.Region + " has no zone " + c.Zone + "; it has: " + strings.Join(names, ", ")})
	}
	return nil
}
