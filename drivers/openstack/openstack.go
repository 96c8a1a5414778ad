// Package openstack is the driver for OpenStack: it describes it and logs in to it. The kinds
// are those of the family.
package openstack

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	family "github.com/m-cmp/mc-infra-connector/drivers/internal/openstack"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// conformance is the report of the last run of the conformance suite.
//
//go:embed conformance.json
var conformance []byte

// korean are the texts of the description in Korean.
//
//go:embed ko.json
var korean []byte

// New defines the driver.
func New() *driver.Driver { return driver.New(about(), connect, family.Offers[*family.Session]()...) }

func connect(ctx context.Context, c driver.Config) (*family.Session, error) {
	return family.Open(ctx, family.Door{
		Title:  "OpenStack",
		Login:  login,
		Advice: "check the user, the password and the project with their domains, or the application credential",
	}, c)
}

// Settings of a connection beside those of the family.
const (
	settingInterface = "interface"
	settingEndpoints = "endpoints"
)

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

		UsedLagSeconds: family.UsedLag,

		Tested: driver.ReadReports(conformance),
		Texts:  driver.Texts{"ko": driver.ReadTexts(korean, family.Korean(), transport.Korean())},
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
		}, family.Settings()...),
		Native: "service is a type of the catalog (compute, network, image, volumev3, load-balancer, …) and path is below the service's endpoint there, with the version if the endpoint has none: service compute, path /servers; service network, path /v2.0/networks. The token is added.",
		Missing: map[string]string{
			"vpc/addcidr":    noRanges,
			"vpc/removecidr": noRanges,
			"keypair/label":  "Nova keeps no tags with key pairs; the server keeps the labels",
			"cluster/label":  "Magnum's labels configure a cluster and cannot be changed later; the server keeps the labels",
			"cluster/token":  "Magnum's clusters know certificates, not tokens; use kubeconfig",
			"natgateway":     "private subnets, which a NAT gateway is for, are not offered yet; call routers with native calls to the service network",
			"vpcpeering":     "routers between two networks are not offered yet; call them with native calls to the service network",
			"vpngateway":     noVPN,
			"vpnconnection":  noVPN,
			"routetable":     "routes of routers are not offered yet; call them with native calls to the service network",
			"certificate":    "Barbican is not offered yet; where it is there, call it with native calls to the service key-manager",
			"alb":            "Octavia's policies for HTTP are not offered yet; call them with native calls to the service load-balancer",
			"bucket":         "Swift is not offered yet; call it with native calls to the service object-store",
			"queue":          "Zaqar, which few clouds have, is not offered yet; where it is there, call it with native calls to the service messaging",
			"fileshare":      "Manila, which few clouds have, is not offered yet; where it is there, call it with native calls to the service sharev2",
			"database":       "Trove, which few clouds have, is not offered yet; where it is there, call it with native calls to the service database",
			"dbbackup":       "Trove, which few clouds have, is not offered yet; where it is there, call it with native calls to the service database",
			"broker":         "OpenStack manages no brokers; run one on VMs",
			"dbengine":       "Trove, which few clouds have, is not offered yet; where it is there, call it with native calls to the service database",
			"dbspec":         "Trove, which few clouds have, is not offered yet; where it is there, call it with native calls to the service database",
			"k8sversion":     "Magnum has no list of versions: templates of clusters say which they run; list those with native calls to the service container-infra",
			"metric":         "Gnocchi, which few clouds have, is not read yet; where it is there, ask it with native calls to the service metric",
			"price":          "OpenStack has no API for prices; ask whoever runs the cloud",
		},
		Permissions: []string{"role member (in older clouds _member_) of the project", "role load-balancer_member of the project, for NLBs", "to list what is there: role reader"},
	}
}

// noVPN is why there are no VPNs.
const noVPN = "VPNaaS, which few clouds have, is not offered yet; where it is there, call it with native calls to the service network"

// noRanges is why the ranges of a VPC do not change.
const noRanges = "a network of Neutron has no ranges; the one that a VPC is asked for bounds its subnets here, so give it one that is wide enough, which costs nothing"

// login asks Keystone for a token of the project.
func login(ctx context.Context, provider *gophercloud.ProviderClient, c driver.Config) (family.Entry, error) {
	options, err := loginOf(c.Credential)
	if err != nil {
		return family.Entry{}, err
	}
	keystone, err := openstack.NewClient(options.IdentityEndpoint)
	if err != nil {
		return family.Entry{}, noURL()
	}
	provider.IdentityBase, provider.IdentityEndpoint = keystone.IdentityBase, keystone.IdentityEndpoint
	if err := openstack.AuthenticateV3(ctx, provider, options, gophercloud.EndpointOpts{}); err != nil {
		if code := resource.CodeOf(err); code == resource.CodeNotFound || code == resource.CodeInvalid {
			err = resource.Errorf(resource.CodeUnavailable, "auth_url leads to no Keystone v3: %w", err)
		}
		return family.Entry{}, err
	}
	token, ok := provider.GetAuthResult().(tokens.CreateResult)
	if !ok {
		return family.Entry{}, resource.Errorf(resource.CodeInternal, "Keystone's answer to the login is a %T", provider.GetAuthResult())
	}
	project, err := token.ExtractProject()
	if err != nil || project == nil {
		return family.Entry{}, resource.Errorf(resource.CodeInvalid, "the credential leads to no project; give project_name or project_id")
	}
	entry := family.Entry{Project: project.ID}
	if user, err := token.ExtractUser(); err == nil && user != nil {
		entry.User = user.ID + " of " + options.IdentityEndpoint
	}
	entry.Endpoints, err = endpointsOf(token, c.Settings)
	return entry, err
}

// endpointsOf are those of the settings, and of the catalog that came with a token.
func endpointsOf(token tokens.CreateResult, settings driver.Values) ([]family.Endpoint, error) {
	var all []family.Endpoint
	for entry := range strings.SplitSeq(settings[settingEndpoints], ",") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		typ, endpoint, _ := strings.Cut(strings.TrimSpace(entry), "=")
		if u, err := url.Parse(endpoint); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, resource.Invalid(resource.Problem{Field: "settings." + settingEndpoints, Message: fmt.Sprintf("%q is not service type=URL, such as compute=https://nova.example.com/v2.1", entry)})
		}
		all = append(all, family.Endpoint{Type: typ, URL: endpoint})
	}
	catalog, err := token.ExtractServiceCatalog()
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "read the catalog in Keystone's answer: %w", err)
	}
	for _, entry := range catalog.Entries {
		for _, e := range entry.Endpoints {
			if e.Interface != cmp.Or(settings[settingInterface], "public") {
				e.URL = "" // the region is there all the same
			}
			all = append(all, family.Endpoint{Region: cmp.Or(e.RegionID, e.Region), Type: entry.Type, URL: e.URL})
		}
	}
	return all, nil
}

func noURL() error {
	return resource.Invalid(resource.Problem{Field: "values.auth_url", Message: "is not a URL such as https://keystone.example.com:5000/v3"})
}

// loginOf reads the fields of a credential.
func loginOf(v driver.Values) (*gophercloud.AuthOptions, error) {
	login := &gophercloud.AuthOptions{IdentityEndpoint: v["auth_url"], AllowReauth: true}
	if err := transport.CheckURL(v, "auth_url"); err != nil {
		return nil, noURL()
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
