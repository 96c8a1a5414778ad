package drivertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// toyCloud is a cloud with one HTTP API for all kinds, as correct as it can be: the
// defects are in the driver.
type toyCloud struct {
	URL string

	mu     sync.Mutex
	next   int
	images []resource.Image // the first is never changed
	turns  int              // how often they were
	things []*toyThing
	data   map[string]*toyData // by the things' ids
}

// toyThing is an object of the toy cloud.
type toyThing struct {
	Account string            `json:"account,omitempty"`
	Kind    string            `json:"kind,omitempty"`
	ID      string            `json:"id,omitempty"`
	Token   string            `json:"token,omitempty"`
	Name    string            `json:"name,omitempty"`
	Labels  map[string]string `json:"labels"`
	State   resource.State    `json:"state,omitempty"`
	Spec    json.RawMessage   `json:"spec,omitempty"`
	Status  json.RawMessage   `json:"status,omitempty"`

	looks int // how often it was looked at since it was made
}

// toyPage is a page of a list.
type toyPage struct {
	Items []toyThing `json:"items"`
	Next  string     `json:"next,omitempty"`
}

// toyAccounts are the accounts by their keys. The account small may have two VPCs.
func toyAccounts() map[string]string {
	return map[string]string{"key-of-one": "one", toyReadingKey: "one", toyWarnedKey: "one", "key-of-two": "two", "key-of-small": "small"}
}

// toyReadingKey may only read.
const toyReadingKey = "key-to-read"

// toyWarnedKey is warned of each change.
const toyWarnedKey = "key-that-is-warned"

const toyImage, toyMachine = "img-1", "large"

func newToyCloud(t *testing.T) *toyCloud {
	t.Helper()
	c := &toyCloud{images: []resource.Image{{ID: toyImage, Name: "one", Architecture: "x86_64"}, {ID: turned(0), Name: "two", Architecture: "arm64"}}}
	mux := http.NewServeMux()
	for pattern, handle := range map[string]toyHandler{
		"GET /{$}": func(w http.ResponseWriter, _ *http.Request, account string) {
			answer(w, http.StatusOK, map[string]string{"account": account})
		},
		"GET /metric": c.metric,
		"GET /images": c.listImages,
		"GET /permissions": func(w http.ResponseWriter, r *http.Request, _ string) {
			answer(w, http.StatusOK, map[string]bool{"write": r.Header.Get("Key") != toyReadingKey})
		},
		"GET /{kind}":         c.list,
		"POST /{kind}":        c.create,
		"GET /{kind}/{id}":    c.get,
		"PATCH /{kind}/{id}":  c.patch,
		"DELETE /{kind}/{id}": c.delete,
		"PATCH /{kind}":       c.together(c.patch),
		"DELETE /{kind}":      c.together(c.delete),

		"POST /data/{kind}/{id}/{call}": c.serveData,
	} {
		mux.HandleFunc(pattern, handle.serve)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.RequestURI, "/objects/") { // which a ServeMux would tidy
			c.serveObject(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

type toyHandler func(w http.ResponseWriter, r *http.Request, account string)

func (h toyHandler) serve(w http.ResponseWriter, r *http.Request) {
	account, ok := toyAccounts()[r.Header.Get("Key")]
	if !ok {
		answer(w, http.StatusUnauthorized, "who are you?")
		return
	}
	if r.Header.Get("Key") == toyReadingKey && r.Method != http.MethodGet {
		answer(w, http.StatusMethodNotAllowed, "you may only read")
		return
	}
	if r.Header.Get("Key") == toyWarnedKey && r.Method != http.MethodGet {
		w.Header().Set("Warning", "everyone can see it")
	}
	h(w, r, account)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// find answers a thing; the caller holds the lock.
func (c *toyCloud) find(account, kind, id string) *toyThing {
	for _, o := range c.things {
		if o.Account == account && o.Kind == kind && o.ID == id {
			return o
		}
	}
	return nil
}

// look is how a thing shows itself: it takes a few looks until it is ready.
func (o *toyThing) look() toyThing {
	o.looks++
	if o.State == resource.StateCreating && o.looks > 2 {
		o.State = resource.StateAvailable
		if o.Kind == "vm" {
			o.State = resource.StateRunning
		}
	}
	return *o
}

// toyImagePage is what the toy cloud tells of its images.
type toyImagePage struct {
	Version int              `json:"version"`
	Changes bool             `json:"changes"`
	Images  []resource.Image `json:"images"`
	Gone    []string         `json:"gone"`
}

// turn replaces all images but the first. How often that was is the version.
func (c *toyCloud) turn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turns++
	c.images = append(c.images[:1:1], resource.Image{ID: turned(c.turns), Name: "two", Architecture: "arm64"})
}

// turned is the id of the second image of a version.
func turned(version int) string { return fmt.Sprintf("img-2-%d", version) }

func (c *toyCloud) listImages(w http.ResponseWriter, r *http.Request, _ string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	page := toyImagePage{Version: c.turns, Images: c.images}
	if since, err := strconv.Atoi(r.URL.Query().Get("since")); err == nil && since <= c.turns {
		page.Changes, page.Images = true, nil
		for version := since; version < c.turns; version++ {
			page.Images, page.Gone = c.images[1:], append(page.Gone, turned(version))
		}
	}
	answer(w, http.StatusOK, page)
}

func (c *toyCloud) list(w http.ResponseWriter, r *http.Request, account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	page := toyPage{Items: []toyThing{}}
	for i, o := range c.things {
		if i < after || o.Account != account || o.Kind != r.PathValue("kind") {
			continue
		}
		if len(page.Items) == limit {
			page.Next = strconv.Itoa(i)
			break
		}
		page.Items = append(page.Items, o.look())
	}
	answer(w, http.StatusOK, page)
}

func (c *toyCloud) get(w http.ResponseWriter, r *http.Request, account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.find(account, r.PathValue("kind"), r.PathValue("id")); o != nil {
		answer(w, http.StatusOK, o.look())
		return
	}
	answer(w, http.StatusNotFound, "there is no such thing")
}

func (c *toyCloud) create(w http.ResponseWriter, r *http.Request, account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &toyThing{}
	if err := json.NewDecoder(r.Body).Decode(o); err != nil {
		answer(w, http.StatusBadRequest, err.Error())
		return
	}
	o.Account, o.Kind = account, r.PathValue("kind")
	for _, other := range c.things {
		if o.Token != "" && other.Token == o.Token && other.Account == account && r.URL.RawQuery == "" {
			answer(w, http.StatusOK, other)
			return
		}
		if r.URL.Query().Has("unique") && other.Name == o.Name && other.Kind == o.Kind && other.Account == account {
			answer(w, http.StatusConflict, "the name is taken")
			return
		}
	}
	if problem := c.problem(o); problem != "" {
		answer(w, http.StatusBadRequest, problem)
		return
	}
	if account == "small" && o.Kind == "vpc" && len(slices.DeleteFunc(slices.Clone(c.things), func(other *toyThing) bool { return other.Account != account || other.Kind != "vpc" })) >= 2 {
		answer(w, http.StatusForbidden, "two are enough")
		return
	}
	if r.URL.Query().Get("check") != "" {
		answer(w, http.StatusOK, o)
		return
	}
	c.next++
	o.ID, o.State, o.Status = fmt.Sprintf("%s-%d", o.Kind, c.next), resource.StateCreating, json.RawMessage(`{}`)
	if o.Kind == "cluster" {
		o.Status = json.RawMessage(`{"nodeGroups":[]}`)
	}
	c.things = append(c.things, o)
	answer(w, http.StatusOK, o)
}

// problem is what is wrong with a specification.
func (c *toyCloud) problem(o *toyThing) string {
	kind, err := resource.KindNamed(o.Kind)
	if err != nil {
		return err.Error()
	}
	refs, err := kind.Refs(o.Spec)
	if err != nil {
		return err.Error()
	}
	for _, ref := range refs {
		if c.find(o.Account, ref.Kind, ref.Name) == nil {
			return "there is no " + ref.Name
		}
	}
	switch o.Kind {
	case "subnet":
		var spec resource.SubnetSpec
		var vpc resource.VPCSpec
		if json.Unmarshal(o.Spec, &spec) != nil || json.Unmarshal(c.find(o.Account, "vpc", spec.VPC).Spec, &vpc) != nil {
			return "what is that?"
		}
		if !netip.MustParsePrefix(vpc.CIDR).Contains(netip.MustParsePrefix(spec.CIDR).Addr()) {
			return "the range is outside"
		}
	case "vm":
		var spec resource.VMSpec
		if json.Unmarshal(o.Spec, &spec) != nil || spec.Image != toyImage || spec.Spec != toyMachine {
			return "there is no such image or machine"
		}
	case "cluster":
		var spec resource.ClusterSpec
		if json.Unmarshal(o.Spec, &spec) != nil || spec.Version == "0.1" {
			return "there is no such version"
		}
	}
	return ""
}

func (c *toyCloud) patch(w http.ResponseWriter, r *http.Request, account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.find(account, r.PathValue("kind"), r.PathValue("id"))
	if o == nil {
		answer(w, http.StatusNotFound, "there is no such thing")
		return
	}
	var change toyThing
	if err := json.NewDecoder(r.Body).Decode(&change); err != nil {
		answer(w, http.StatusBadRequest, err.Error())
		return
	}
	for _, field := range []string{"Token", "Labels", "State", "Spec"} {
		if value := reflect.ValueOf(change).FieldByName(field); !value.IsZero() {
			reflect.ValueOf(o).Elem().FieldByName(field).Set(value)
		}
	}
	answer(w, http.StatusOK, o)
}

func (c *toyCloud) delete(w http.ResponseWriter, r *http.Request, account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := r.PathValue("id")
	if c.find(account, r.PathValue("kind"), id) == nil {
		answer(w, http.StatusNotFound, "there is no such thing")
		return
	}
	if slices.ContainsFunc(c.dataOf(id).objects, func(o *toyObject) bool { return o.upload == "" }) {
		answer(w, http.StatusConflict, "it is not empty")
		return
	}
	for _, other := range c.things {
		if strings.Contains(string(other.Spec), strconv.Quote(id)) && r.URL.Query().Get("force") == "" {
			answer(w, http.StatusConflict, "used by "+other.ID)
			return
		}
	}
	c.things = slices.DeleteFunc(c.things, func(o *toyThing) bool {
		return o.Account == account && (o.ID == id || r.URL.Query().Get("force") != "" && strings.Contains(string(o.Spec), strconv.Quote(id)))
	})
	answer(w, http.StatusOK, "it is gone for good")
}

// together does for several things what is done for one, if all of them are there.
func (c *toyCloud) together(do toyHandler) toyHandler {
	return func(w http.ResponseWriter, r *http.Request, account string) {
		body, _ := io.ReadAll(r.Body)
		ids := strings.Split(r.URL.Query().Get("ids"), ",")
		c.mu.Lock()
		missing := slices.ContainsFunc(ids, func(id string) bool { return c.find(account, r.PathValue("kind"), id) == nil })
		c.mu.Unlock()
		if missing {
			answer(w, http.StatusNotFound, "there is no such thing among them")
			return
		}
		for _, id := range ids {
			r.SetPathValue("id", id)
			r.Body = io.NopCloser(bytes.NewReader(body))
			do(httptest.NewRecorder(), r, account)
		}
		answer(w, http.StatusOK, toyThing{})
	}
}

// outside makes a VPC as people do in a console.
func (c *toyCloud) outside() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	o := &toyThing{Account: "one", Kind: "vpc", ID: fmt.Sprint("vpc-", c.next), State: resource.StateAvailable, Spec: json.RawMessage(`{"cidr":"10.9.0.0/16"}`), Status: json.RawMessage(`{}`)}
	c.things = append(c.things, o)
	return o.ID
}

// drop removes a thing whatever uses it.
func (c *toyCloud) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.things = slices.DeleteFunc(c.things, func(o *toyThing) bool { return o.ID == id })
}
