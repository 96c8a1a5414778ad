package openstack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/rest"
	family "github.com/m-cmp/mc-infra-connector/drivers/internal/openstack"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The Harbour is a member of the family, as a cloud may be one: its tokens are those of
// Keystone v2.0, a table says where its services are, its volumes are those of Cinder v2, VPCs
// are its own, and it has no clusters and no load balancers.
func harbour() *driver.Driver {
	about := driver.About{
		Name: "harbour", Title: "The Harbour", Version: "0.1.0",
		Credential: []driver.Field{
			{Name: "username", Title: "User", Doc: "User.", Type: driver.TypeText, Required: true},
			{Name: "password", Title: "Password", Doc: "Password.", Type: driver.TypeText, Secret: true, Required: true},
			{Name: "tenant", Title: "Tenant", Doc: "Tenant.", Type: driver.TypeString, Required: true},
		},
		Settings: append([]driver.Field{{Name: "base", Title: "Base", Doc: "URL of all services.", Type: driver.TypeString}}, family.Settings()...),
		Native:   "service is a type: compute, network, …",
		Missing:  map[string]string{"cluster": "its clusters are no part of the family", "nlb": "so are its load balancers"},
	}
	offers := append(family.Offers[*session]("vpc", "cluster", "nlb"), driver.Kind(resource.VPC, func(s *session) driver.Collection[resource.VPCSpec, resource.VPCStatus] { return berths{s} }))
	return driver.New(about, connect, offers...)
}

// session is the family's, and would have beside it what the Harbour's own kinds need.
type session struct{ *family.Session }

func connect(ctx context.Context, c driver.Config) (*session, error) {
	of, err := family.Open(ctx, family.Door{
		Title: "The Harbour", Login: login, Advice: "check the tenant",
		Versions: map[string]family.Version{"compute": {Path: "v2/{project}"}, "network": {Path: "v2.0"}, "volumev3": {Path: "v2/{project}"}},
		Meanings: driver.Meanings{{Code: resource.CodeQuota, Status: http.StatusBadRequest, Says: []string{"berths are taken"}}},
		VPC: func(ctx context.Context, s *family.Session, id string) (berth, error) {
			return berths{&session{s}}.Get(ctx, id)
		},
	}, c)
	return &session{of}, err
}

// login gets a token of Keystone v2.0.
// https://docs.openstack.org/api-ref/identity/v2/index.html
func login(ctx context.Context, provider *gophercloud.ProviderClient, c driver.Config) (family.Entry, error) {
	keystone, err := rest.New(rest.API{Title: "The Harbour", Base: c.Settings["base"] + "/identity/v2.0"}, c)
	if err != nil {
		return family.Entry{}, err
	}
	provider.ReauthFunc = func(ctx context.Context) error {
		var out struct {
			Access struct{ Token struct{ ID string } }
		}
		err := keystone.Do(ctx, rest.Call{Method: http.MethodPost, Path: "/tokens", Body: map[string]any{"auth": map[string]any{
			"tenantId": c.Credential["tenant"], "passwordCredentials": map[string]string{"username": c.Credential["username"], "password": c.Credential["password"]},
		}}}, &out)
		provider.SetToken(out.Access.Token.ID)
		return err
	}
	entry := family.Entry{Project: c.Credential["tenant"]}
	for service, typ := range map[string]string{"instance": "compute", "network": "network", "image": "image", "block-storage": "volumev3"} {
		for _, region := range []string{"KR1", "KR2"} {
			entry.Endpoints = append(entry.Endpoints, family.Endpoint{Region: region, Type: typ, URL: c.Settings["base"] + "/" + strings.ToLower(region) + "-api-" + service})
		}
	}
	return entry, provider.ReauthFunc(ctx)
}

// berths are the Harbour's VPCs.
type (
	berths struct{ *session }
	berth  = driver.Object[resource.VPCSpec, resource.VPCStatus]
)

func (b berths) List(ctx context.Context, _ driver.Filter) iter.Seq2[berth, error] {
	return func(yield func(berth, error) bool) {
		for raw, err := range family.Items[json.RawMessage](ctx, b.Session, "network", "vpcs", "vpcs", nil) {
			if !yield(b.object(raw), err) || err != nil {
				return
			}
		}
	}
}

func (b berths) Get(ctx context.Context, id string) (berth, error) {
	var out struct{ VPC json.RawMessage }
	err := b.Ask(ctx, "network", http.MethodGet, "vpcs/"+id, nil, &out)
	return b.object(out.VPC), err
}

func (berths) object(raw json.RawMessage) berth {
	var is struct{ ID, Name, CIDRv4 string }
	_ = json.Unmarshal(raw, &is) // "" for what is not there
	return berth{ID: is.ID, Name: is.Name, State: resource.StateAvailable, Spec: resource.VPCSpec{CIDR: is.CIDRv4}, Native: raw}
}

// sea is the Harbour itself: it notes what it is asked.
type sea struct {
	url, password, token string
	mu                   sync.Mutex
	asked                []string
	bodies               map[string]string
}

func newSea(t *testing.T) (*sea, driver.Config) {
	t.Helper()
	s := &sea{password: "secret-of-the-test", token: "token-1", bodies: map[string]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s, driver.Config{
		Region: "KR2", Logger: slog.New(slog.DiscardHandler), Settings: driver.Values{"base": server.URL},
		Credential: driver.Values{"username": "me", "password": s.password, "tenant": "t-1"},
	}
}

func (s *sea) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	call := r.Method + " " + r.URL.Path
	s.asked = append(s.asked, call)
	var body json.RawMessage
	_ = json.NewDecoder(r.Body).Decode(&body) // most have none
	s.bodies[call] = string(body)
	refuse := func(status int, text string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"badRequest": {"code": %d, "message": %q}}`, status, text)
	}
	if call == "POST /identity/v2.0/tokens" {
		if !strings.Contains(string(body), s.password) {
			refuse(http.StatusUnauthorized, "Unable to sign in.")
			return
		}
		fmt.Fprintf(w, `{"access": {"token": {"id": %q, "tenant": {"id": "t-1"}}}}`, s.token)
		return
	}
	if r.Header.Get("X-Auth-Token") != s.token {
		refuse(http.StatusUnauthorized, "The token is none.")
		return
	}
	disk := func(id string) string {
		return fmt.Sprintf(`{"id": %q, "name": "data", "size": 3, "status": "available", "volume_type": "SSD", "metadata": {"team": "web"}}`, id)
	}
	switch call {
	case "GET /kr2-api-instance/v2/t-1/os-availability-zone":
		fmt.Fprint(w, `{"availabilityZoneInfo": [{"zoneName": "kr2-a", "zoneState": {"available": true}}]}`)
	case "GET /kr2-api-block-storage/v2/t-1/volumes/detail":
		if r.URL.Query().Get("marker") == "" {
			fmt.Fprintf(w, `{"volumes": [%s], "volumes_links": [{"rel": "next", "href": "http://inside:8776/v2/t-1/volumes/detail?marker=d-1"}]}`, disk("d-1"))
			return
		}
		fmt.Fprintf(w, `{"volumes": [%s]}`, disk("d-2"))
	case "GET /kr2-api-block-storage/v2/t-1/volumes/d-1":
		fmt.Fprintf(w, `{"volume": %s}`, disk("d-1"))
	case "POST /kr2-api-block-storage/v2/t-1/volumes":
		if strings.Contains(string(body), `"size":9`) {
			refuse(http.StatusBadRequest, "All berths are taken.")
			return
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"volume": %s}`, disk("d-3"))
	case "GET /kr2-api-network/v2.0/vpcs":
		fmt.Fprint(w, `{"vpcs": [{"id": "v-1", "name": "pier", "cidrv4": "10.0.0.0/8"}]}`)
	case "GET /kr2-api-network/v2.0/vpcs/v-1":
		fmt.Fprint(w, `{"vpc": {"id": "v-1", "name": "pier", "cidrv4": "10.0.0.0/8"}}`)
	case "POST /kr2-api-network/v2.0/security-groups":
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"security_group": {"id": "g-1", "name": "web"}}`)
	case "GET /kr2-api-network/v2.0/security-groups":
		fmt.Fprint(w, `{"security_groups": []}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"itemNotFound": {"code": 404, "message": "There is no such thing."}}`)
	}
}

func all(t *testing.T, s driver.Session, kind string) map[string]driver.Item {
	t.Helper()
	found := map[string]driver.Item{}
	for item, err := range s.List(t.Context(), kind, driver.Filter{}) {
		require.NoError(t, err)
		found[item.ID] = item
	}
	return found
}

func TestMemberOffersWhatTheFamilyHasAndItsOwn(t *testing.T) {
	d, err := harbour().Describe(t.Context())
	require.NoError(t, err)
	assert.True(t, d.Offers("vm", "resize"))
	assert.True(t, d.Offers("disk", "create"))
	assert.True(t, d.Offers("vpc", "list"))
	assert.False(t, d.Offers("vpc", "create"), "the family's is not offered beside")
	assert.False(t, d.Offers("cluster", "list"))
	assert.NotEmpty(t, d.WhyNot("nlb", "list"))
}

func TestMemberStandsOnTheFamily(t *testing.T) {
	sea, c := newSea(t)
	s, err := harbour().Connect(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	place, err := s.Place(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "t-1", place.Account)
	assert.Empty(t, place.Lacks["disk"])

	disks := all(t, s, "disk")
	assert.Len(t, disks, 2)
	one, err := s.Get(t.Context(), "disk", "d-1")
	require.NoError(t, err)
	assert.Equal(t, disks["d-1"], one)
	assert.JSONEq(t, `{"sizeGiB": 3, "type": "SSD"}`, string(one.Spec))
	assert.Equal(t, map[string]string{"team": "web"}, one.Labels)
	_, err = s.Get(t.Context(), "disk", "d-9")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	made, pending, err := s.Create(t.Context(), "disk", driver.ItemRequest{Token: "t-1", Name: "new", Spec: []byte(`{"sizeGiB": 3}`)})
	require.NoError(t, err)
	assert.NotNil(t, pending)
	assert.Equal(t, "d-3", made.ID)
	assert.Contains(t, sea.bodies["POST /kr2-api-block-storage/v2/t-1/volumes"], `"mcic-uid":"t-1"`)

	berths := all(t, s, "vpc")
	assert.JSONEq(t, `{"cidr": "10.0.0.0/8"}`, string(berths["v-1"].Spec))
	_, err = s.Get(t.Context(), "cluster", "c-1")
	assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))

	// The family's kinds look at the member's VPCs.
	group := driver.ItemRequest{Token: "t-2", Name: "web", Spec: []byte(`{"vpc": "v-2"}`)}
	_, _, err = s.Create(t.Context(), "securitygroup", group)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	group.Spec = []byte(`{"vpc": "v-1"}`)
	_, _, err = s.Create(t.Context(), "securitygroup", group)
	require.NoError(t, err)
	assert.NotContains(t, sea.asked, "GET /kr2-api-network/v2.0/networks/v-1")

	answer, err := s.Native(t.Context(), driver.NativeRequest{Service: "network", Method: "GET", Path: "/v2.0/vpcs/v-1"})
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, answer.Status)
}

func TestErrorsOfAMember(t *testing.T) {
	sea, c := newSea(t)
	s, err := harbour().Connect(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	_, _, err = s.Create(t.Context(), "disk", driver.ItemRequest{Token: "t-1", Name: "new", Spec: []byte(`{"sizeGiB": 9}`)})
	assert.Equal(t, resource.CodeQuota, resource.CodeOf(err), "a word of its own")
	assert.ErrorContains(t, err, "The Harbour: All berths are taken")

	sea.mu.Lock()
	sea.token = "token-2" // the first has run out
	sea.mu.Unlock()
	_, err = s.Get(t.Context(), "disk", "d-1")
	require.NoError(t, err)

	c.Credential["password"] = "wrong"
	_, err = harbour().Connect(t.Context(), c)
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))
	assert.ErrorContains(t, err, "check the tenant")
	c.Region = "JP1"
	c.Credential["password"] = sea.password
	_, err = harbour().Connect(t.Context(), c)
	assert.ErrorContains(t, err, "it has: KR1, KR2")
}
