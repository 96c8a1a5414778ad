package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/rest"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The Pond is a cloud with a REST API and no SDK. This is its driver, whole: it has disks.
func pond() *driver.Driver {
	about := driver.About{
		Name: "pond", Title: "The Pond", Version: "0.1.0",
		Credential: []driver.Field{{Name: "key", Title: "Key", Doc: "Key of the account.", Type: driver.TypeString, Secret: true, Required: true}},
		Settings:   append([]driver.Field{{Name: "endpoint", Title: "Endpoint", Doc: "URL of the API.", Type: driver.TypeString}}, transport.Settings()...),
		Native:     "path is below /v1.",
	}
	return driver.New(about, connect, driver.Kind(resource.Disk, func(s *session) driver.Managed[resource.DiskSpec, resource.DiskStatus] { return disks{s} }, driver.ByToken))
}

type session struct{ *rest.Client }

func connect(ctx context.Context, c driver.Config) (*session, error) {
	client, err := rest.New(rest.API{
		Title: "The Pond", Base: c.Settings["endpoint"] + "/v1", OnceHeader: "Idempotency-Key",
		Sign: func(r *http.Request, _ []byte, _ string) error {
			r.Header.Set("Authorization", "Key "+c.Credential["key"])
			return nil
		},
		Fault: func(_ int, header http.Header, body []byte) resource.CloudError {
			var said struct{ Fault, Text string }
			_ = json.Unmarshal(body, &said) // the status says enough
			return resource.CloudError{Code: said.Fault, Message: said.Text, RequestID: header.Get("Pond-Request")}
		},
		Meanings: driver.Meanings{
			{Code: resource.CodeNotFound, Of: []string{"NoSuchDisk"}},
			{Code: resource.CodeDependency, Of: []string{"InUse"}, Advice: "detach it first"},
			{Code: resource.CodeQuota, Of: []string{"Refused"}, Says: []string{"too many"}},
		},
	}, c)
	if err != nil {
		return nil, err
	}
	return &session{client}, client.Do(ctx, rest.Call{Path: "/account"}, nil)
}

type (
	disks struct{ *session }
	disk  = driver.Object[resource.DiskSpec, resource.DiskStatus]
)

// pondDisk is a disk as the Pond shows it.
type pondDisk struct {
	ID, Name, Token, State string
	GiB                    int
}

type pondDisks struct {
	Disks []json.RawMessage
	Next  string
}

// List answers all disks.
func (d disks) List(ctx context.Context, f driver.Filter) iter.Seq2[disk, error] {
	call := rest.Call{Path: "/disks", Query: url.Values{"limit": {"100"}}}
	if f.Token != "" {
		call.Query.Set("token", f.Token)
	}
	pages := rest.Pages(ctx, d.Client, call, func(p pondDisks) []json.RawMessage { return p.Disks }, rest.ByMarker("after", func(p pondDisks) string { return p.Next }))
	return driver.Items(pages, d.object)
}

// Get answers one disk.
func (d disks) Get(ctx context.Context, id string) (disk, error) {
	return d.ask(ctx, rest.Call{Path: "/disks/" + url.PathEscape(id)})
}

// Make makes a disk. The Pond makes one of one key of idempotency.
func (d disks) Make(ctx context.Context, r driver.Request[resource.DiskSpec]) (disk, error) {
	return d.ask(ctx, rest.Call{Method: http.MethodPost, Path: "/disks", Once: r.Token, Body: map[string]any{"name": r.Name, "token": r.Token, "gib": r.Spec.SizeGiB}})
}

// Delete removes a disk.
func (d disks) Delete(ctx context.Context, id string) error {
	return driver.Except(d.Do(ctx, rest.Call{Method: http.MethodDelete, Path: "/disks/" + url.PathEscape(id)}, nil), resource.CodeNotFound)
}

func (d disks) ask(ctx context.Context, call rest.Call) (disk, error) {
	var raw json.RawMessage
	err := d.Do(ctx, call, &raw)
	return d.object(raw), err
}

func (disks) object(raw json.RawMessage) disk {
	var is pondDisk
	_ = json.Unmarshal(raw, &is) // what is not as expected has no state that is known
	o := disk{ID: is.ID, Name: is.Name, Token: is.Token, Native: raw, Spec: resource.DiskSpec{SizeGiB: is.GiB}}
	o.State, o.CloudState = driver.StateOf(is.State, map[string]resource.State{"filling": resource.StateCreating, "full": resource.StateAvailable})
	return o
}

// The Pond itself, with one disk on each page.
func servePond(w http.ResponseWriter, r *http.Request) {
	fault := func(status int, fault, text string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"fault": %q, "text": %q}`, fault, text)
	}
	switch {
	case r.Header.Get("Authorization") != "Key "+secret:
		fault(http.StatusUnauthorized, "WhoAreYou", "The key is not ours.")
	case r.Method == http.MethodPost:
		fault(http.StatusForbidden, "Refused", "There are too many disks.")
	case r.Method == http.MethodDelete && r.URL.Path == "/v1/disks/d-1":
		fault(http.StatusBadRequest, "InUse", "The disk is used.")
	case r.URL.Path == "/v1/disks" && r.URL.Query().Get("after") == "":
		fmt.Fprint(w, `{"disks": [{"id": "d-1", "state": "full", "gib": 3}], "next": "d-1"}`)
	case r.URL.Path == "/v1/disks":
		fmt.Fprint(w, `{"disks": [{"id": "d-2", "state": "filling", "gib": 4}]}`)
	case r.URL.Path == "/v1/account":
	default:
		fault(http.StatusBadRequest, "NoSuchDisk", "There is no such disk.")
	}
}

func TestWholeDriver(t *testing.T) {
	config := driver.Config{Credential: driver.Values{"key": secret}, Region: "here", Settings: driver.Values{"endpoint": cloud(t, servePond)}}
	s, err := pond().Connect(t.Context(), config)
	require.NoError(t, err)
	var states []resource.State
	for item, err := range s.List(t.Context(), "disk", driver.Filter{}) {
		require.NoError(t, err)
		states = append(states, item.State)
	}
	assert.Equal(t, []resource.State{resource.StateAvailable, resource.StateCreating}, states)
	_, err = s.Get(t.Context(), "disk", "d-3")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	_, _, err = s.Create(t.Context(), "disk", driver.ItemRequest{Token: "t-1", Name: "new", Spec: []byte(`{"sizeGiB": 1}`)})
	assert.Equal(t, resource.CodeQuota, resource.CodeOf(err))
	_, err = s.Delete(t.Context(), "disk", "d-1")
	assert.EqualError(t, err, `The Pond: DELETE /disks/d-1: The disk is used; detach it first (cloud code "InUse", request "")`)
	_, err = s.Delete(t.Context(), "disk", "d-3")
	require.NoError(t, err)
	require.NoError(t, s.Close())

	config.Credential = driver.Values{"key": "wrong"}
	_, err = pond().Connect(t.Context(), config)
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))
}
