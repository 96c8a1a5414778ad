// Package openstack gives tests a project of their own on a running OpenStack cloud,
// such as cloud.sh starts.
package openstack

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/applicationcredentials"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/projects"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/roles"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/users"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// variable names the file with the administrator's login that cloud.sh writes.
const variable = "MCIC_OPENSTACK"

// Cloud is a running cloud, seen by its administrator.
type Cloud struct {
	AuthURL string
	Region  string

	provider *gophercloud.ProviderClient
	identity *gophercloud.ServiceClient
	login    map[string]string
}

// Project is a project with one user, who may do what members may.
type Project struct {
	ID, Name       string
	UserID         string
	User, Password string

	cloud *Cloud
}

// Open answers the running cloud. Without one the test is skipped.
func Open(t testing.TB) *Cloud {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("SKIPPED: %s names no running OpenStack cloud; make test-openstack starts one", variable)
	}
	c := &Cloud{login: openrc(t, path)}
	c.AuthURL, c.Region = c.login["OS_AUTH_URL"], c.login["OS_REGION_NAME"]
	var err error
	c.provider, err = openstack.AuthenticatedClient(t.Context(), gophercloud.AuthOptions{
		IdentityEndpoint: c.AuthURL, Username: c.login["OS_USERNAME"], Password: c.login["OS_PASSWORD"],
		DomainName: c.login["OS_USER_DOMAIN_NAME"], TenantName: c.login["OS_PROJECT_NAME"], AllowReauth: true,
	})
	require.NoError(t, err, "log in to the cloud of %s", path)
	c.identity, err = openstack.NewIdentityV3(c.provider, gophercloud.EndpointOpts{})
	require.NoError(t, err)
	return c
}

// openrc reads the variables that a file of shell commands exports.
func openrc(t testing.TB, path string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err, "%s names a file that cannot be read", variable)
	login := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		if name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "="); ok {
			login[name] = value
		}
	}
	return login
}

// Project makes a project with a user. Both are removed at the end of the test.
func (c *Cloud) Project(t testing.TB) *Project {
	t.Helper()
	p := &Project{Name: "test-" + rand.Text(), User: "user-" + rand.Text(), Password: rand.Text(), cloud: c}
	project, err := projects.Create(t.Context(), c.identity, projects.CreateOpts{Name: p.Name, DomainID: "default"}).Extract()
	require.NoError(t, err)
	user, err := users.Create(t.Context(), c.identity, users.CreateOpts{Name: p.User, DomainID: "default", Password: p.Password}).Extract()
	require.NoError(t, err)
	p.ID, p.UserID = project.ID, user.ID
	all, err := roles.List(c.identity, nil).AllPages(t.Context())
	require.NoError(t, err)
	known, err := roles.ExtractRoles(all)
	require.NoError(t, err)
	for _, role := range known {
		switch role.Name {
		case "member", "load-balancer_member", "creator":
			require.NoError(t, roles.Assign(t.Context(), c.identity, role.ID, roles.AssignOpts{UserID: user.ID, ProjectID: project.ID}).ExtractErr())
		}
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context()) // which is over by now
		assert.NoError(t, users.Delete(ctx, c.identity, user.ID).ExtractErr())
		assert.NoError(t, projects.Delete(ctx, c.identity, project.ID).ExtractErr())
	})
	return p
}

// ApplicationCredential makes an application credential of the project's user and
// answers the fields of a credential with it.
func (p *Project) ApplicationCredential(t testing.TB) map[string]string {
	t.Helper()
	own, err := openstack.AuthenticatedClient(t.Context(), p.options())
	require.NoError(t, err)
	identity, err := openstack.NewIdentityV3(own, gophercloud.EndpointOpts{})
	require.NoError(t, err)
	var made *applicationcredentials.ApplicationCredential
	require.Eventually(t, func() bool { // Keystone caches for a moment what roles a user has
		made, err = applicationcredentials.Create(t.Context(), identity, p.UserID, applicationcredentials.CreateOpts{Name: "test"}).Extract()
		return err == nil
	}, time.Minute, time.Second, "the application credential is not made")
	return map[string]string{"auth_url": p.cloud.AuthURL, "application_credential_id": made.ID, "application_credential_secret": made.Secret}
}

// Limit sets quotas of the project. service is a type of the catalog; path is where that
// service keeps the project's quotas, and body what it wants there.
func (p *Project) Limit(t testing.TB, service, path string, body any) {
	t.Helper()
	_, err := p.cloud.provider.Request(t.Context(), http.MethodPut, p.cloud.Endpoint(t, service)+path, &gophercloud.RequestOpts{JSONBody: body, OkCodes: []int{200, 202}}) //nolint:bodyclose // the SDK closes it
	require.NoError(t, err)
}

// Client answers a client of a service that is logged in as the project's user, to look
// at the cloud from the other side.
func (p *Project) Client(t testing.TB, service string) *gophercloud.ServiceClient {
	t.Helper()
	own, err := openstack.AuthenticatedClient(t.Context(), p.options())
	require.NoError(t, err)
	endpoint, err := own.EndpointLocator(gophercloud.EndpointOpts{Type: service, Availability: gophercloud.AvailabilityPublic})
	require.NoError(t, err)
	return &gophercloud.ServiceClient{ProviderClient: own, Endpoint: endpoint, Type: service}
}

// Endpoint is where a service of the catalog is reached, with a slash at its end.
func (c *Cloud) Endpoint(t testing.TB, service string) string {
	t.Helper()
	endpoint, err := c.provider.EndpointLocator(gophercloud.EndpointOpts{Type: service, Availability: gophercloud.AvailabilityPublic})
	require.NoError(t, err)
	return endpoint
}

func (p *Project) options() gophercloud.AuthOptions {
	return gophercloud.AuthOptions{
		IdentityEndpoint: p.cloud.AuthURL, Username: p.User, Password: p.Password, DomainName: "Default", TenantName: p.Name,
	}
}

// Values are the fields of a credential for the project's user.
func (p *Project) Values() map[string]string {
	return map[string]string{
		"auth_url": p.cloud.AuthURL, "username": p.User, "password": p.Password, "project_name": p.Name,
	}
}
