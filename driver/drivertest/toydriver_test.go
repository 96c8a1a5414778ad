package drivertest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// toy is a driver of the toy cloud with one defect, or none.
type toy struct {
	defect string

	mu       sync.Mutex
	memory   map[string]string // what it should not keep
	sessions map[*toySession]bool
	first    *toySession
}

// has reports whether the driver has a defect.
func (d *toy) has(defect string) bool { return d.defect == defect }

// way is how VPCs are found again: what the driver says, and what the cloud is like.
type way struct {
	found driver.Found
	query string // has the cloud do otherwise than with tokens
	later bool   // whether the token is set by a second call
}

// ways are those beside the cloud's tokens, right and wrong ones.
func ways() map[string]way {
	return map[string]way{
		"by tag": {found: driver.ByTag, query: "?again=1"}, "by name": {found: driver.ByName, query: "?unique=1"},
		"by a token that the cloud passes over": {found: driver.ByToken, query: "?again=1"},
		"by a tag that is set later":            {found: driver.ByTag, query: "?again=1", later: true},
		"by a name that others can have":        {found: driver.ByName, query: "?again=1"},
	}
}

func (d *toy) way() way {
	if w, ok := ways()[d.defect]; ok {
		return w
	}
	return way{found: driver.ByToken}
}

type toySession struct {
	*toy
	url, key string
	page     int
	log      *slog.Logger
	http     *http.Client
}

// newToy makes the driver; each call is a new process, as far as the suite can tell.
func newToy(defect string) func() *driver.Driver {
	return func() *driver.Driver {
		d := &toy{defect: defect, memory: map[string]string{}, sessions: map[*toySession]bool{}}
		about := driver.About{
			Name: "toy", Title: "Toy", Version: "1.0.0", Doc: "A cloud for tests of the suite.", Native: "Paths of the toy cloud.",
			Permissions: []string{toyRead, toyWrite},
			Credential:  []driver.Field{{Name: "key", Title: "Key", Doc: "The key.", Where: "Ask.", Type: driver.TypeString, Secret: true, Required: true}},
			Settings: []driver.Field{
				{Name: "endpoint", Title: "Endpoint", Doc: "URL of the cloud.", Type: driver.TypeString},
				{Name: "pageSize", Title: "Page size", Doc: "Objects in a page. Default: 100.", Type: driver.TypeInt},
			},
		}
		if d.has("half translated") {
			about.Texts = driver.Texts{"ko": {"Key": "키", "The key.": "키입니다."}}
		}
		if d.has("undocumented") {
			about.Settings[0].Doc = ""
		}
		offers := []driver.Offer[*toySession]{
			driver.Catalog(resource.Regions, func(s *toySession) entries[resource.Region] {
				if s.has("no regions") {
					return nil
				}
				return entries[resource.Region]{{Name: "here"}}
			}),
			driver.Catalog(resource.Images, func(s *toySession) toyImages { return toyImages{s} }),
			driver.Catalog(resource.Specs, func(s *toySession) filtered {
				return filtered{entries[resource.Spec]{{Name: toyMachine, VCPUs: 1, MemoryMiB: 1024}}, s.has("filter loses")}
			}),
			driver.Feed(resource.Metrics, driver.Keeps{Step: toyStep, For: toyKept, Points: 20}, func(s *toySession) toyMetrics { return toyMetrics{s} }),
			driver.Kind(resource.VPC, func(s *toySession) checked[resource.VPCSpec, resource.VPCStatus] { return of(s, resource.VPC) }, d.way().found),
			driver.Kind(resource.Subnet, func(s *toySession) checked[resource.SubnetSpec, resource.SubnetStatus] {
				return of(s, resource.Subnet)
			}, driver.ByToken),
			driver.Kind(resource.SecurityGroup, func(s *toySession) groupAbilities { return groups{of(s, resource.SecurityGroup)} }, driver.ByToken, driver.ReusedIDs),
			driver.Kind(resource.VM, func(s *toySession) vmAbilities { return vms{of(s, resource.VM)} }, driver.ByToken),
			driver.Kind(resource.Cluster, func(s *toySession) clusterAbilities { return clusters{of(s, resource.Cluster)} }, driver.ByToken),
			driver.Kind(resource.Bucket, func(s *toySession) bucketAbilities { return buckets{of(s, resource.Bucket)} }, driver.ByToken),
			driver.Kind(resource.Queue, func(s *toySession) queueAbilities { return queues{of(s, resource.Queue)} }, driver.ByToken),
			driver.Extension("echo", "Says it again.", func(_ context.Context, s *toySession, in word) (word, error) {
				if s.has("broken extension") {
					return in, errors.New("no")
				}
				return in, nil
			}),
			driver.Kept[*toySession](resource.KeyPair),
		}
		if d.has("takes calls for what is kept") {
			offers = append(offers, driver.Kind(resource.KeyPair, func(s *toySession) checked[resource.KeyPairSpec, resource.KeyPairStatus] {
				return of(s, resource.KeyPair)
			}))
		}
		return driver.New(about, d.connect, offers...)
	}
}

// word is what the extension echo takes and answers.
type word struct {
	Word string `json:"word" doc:"What is said."`
}

func (d *toy) connect(ctx context.Context, c driver.Config) (*toySession, error) {
	s := &toySession{toy: d, url: c.Settings["endpoint"], key: c.Credential["key"], page: cmp.Or(c.Settings.Int("pageSize"), 100), log: c.Logger}
	s.http = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: d.has("any certificate")},
	}}
	d.mu.Lock()
	d.sessions[s] = true
	if d.first == nil {
		d.first = s
	}
	first := d.first
	d.mu.Unlock()
	if d.has("mixes accounts") {
		return first, nil
	}
	if d.has("does not ask") {
		return s, nil
	}
	if c.Region != "" && c.Region != "here" && !d.has("any region") {
		return nil, resource.Errorf(resource.CodeInvalid, "there is no region %q", c.Region)
	}
	err := s.call(ctx, http.MethodGet, "/", nil, &struct{}{})
	if err != nil && d.has("trouble is a wrong key") {
		return nil, resource.Errorf(resource.CodeUnauthenticated, "the key is wrong")
	}
	return s, err
}

// Close implements io.Closer.
func (s *toySession) Close() error {
	s.http.CloseIdleConnections()
	if s.has("closes all sessions") {
		s.mu.Lock()
		defer s.mu.Unlock()
		for other := range s.sessions {
			other.key = ""
		}
	}
	return nil
}

// Native implements driver.Native.
func (s *toySession) Native(ctx context.Context, r driver.NativeRequest) (driver.NativeResponse, error) {
	if s.has("broken native") {
		return driver.NativeResponse{Status: http.StatusBadRequest}, nil
	}
	var body any
	err := s.call(ctx, http.MethodGet, r.Path, nil, &body)
	return driver.NativeResponse{Status: http.StatusOK, Body: fmt.Sprint(body)}, err
}

// What the keys of the toy cloud may do.
const toyRead, toyWrite = "toy:read", "toy:write"

// Permissions implements driver.PermissionReader.
func (s *toySession) Permissions(ctx context.Context) ([]driver.Permission, error) {
	read := driver.Permission{Name: toyRead, Uses: []string{"vpc/list", "vpc/get"}, Has: driver.HasIt}
	write := driver.Permission{Name: toyWrite, Uses: []string{"vpc/create", "vpc/delete"}, Has: driver.HasIt}
	var may struct{ Write bool }
	if err := s.call(ctx, http.MethodGet, "/permissions", nil, &may); err != nil {
		return nil, err
	}
	switch {
	case s.has("forgets a permission"):
		return []driver.Permission{read}, nil
	case s.has("lacks the wrong one"):
		read.Has = driver.LacksIt
	case s.has("may do all"):
	case !may.Write:
		write.Has, write.Reason = driver.LacksIt, "the key is for reading"
	}
	return []driver.Permission{read, write}, nil
}

// call makes one call of the cloud's API.
func (s *toySession) call(ctx context.Context, method, path string, in, out any) error {
	if s.has("keeps no deadline") || s.has("goes on") {
		ctx = context.WithoutCancel(ctx)
	}
	if s.has("asks twice") && path != "/" {
		_ = s.call(ctx, http.MethodGet, "/", nil, new(any))
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Header.Set("Key", s.key)
	if s.has("tells the key in its log") {
		s.log.Info("asking", "key", base64.StdEncoding.EncodeToString([]byte(s.key)))
	}
	response, err := s.http.Do(r)
	if err != nil {
		return s.away(err)
	}
	defer func() { _ = response.Body.Close() }()
	var body []byte
	if s.has("reads once") {
		body = make([]byte, 1<<20)
		n, _ := response.Body.Read(body)
		body = body[:n]
	} else {
		body, err = io.ReadAll(response.Body)
	}
	if err != nil {
		return s.away(err)
	}
	if response.StatusCode != http.StatusOK {
		code := map[int]resource.Code{
			http.StatusUnauthorized: resource.CodeUnauthenticated, http.StatusNotFound: resource.CodeNotFound, http.StatusBadRequest: resource.CodeInvalid,
			http.StatusForbidden: resource.CodeQuota, http.StatusMethodNotAllowed: resource.CodeDenied, http.StatusConflict: resource.CodeDependency,
			http.StatusTooManyRequests: resource.CodeThrottled, http.StatusServiceUnavailable: resource.CodeUnavailable,
		}[response.StatusCode]
		switch {
		case code == resource.CodeQuota && s.has("quota is a failure"), s.has("no codes"):
			code = resource.CodeInternal
		case code == resource.CodeThrottled && s.has("throttled is denied"):
			code = resource.CodeDenied
		}
		e := resource.Errorf(code, "%s", strings.TrimSpace(string(body)))
		if s.has("never try again") {
			e.Retryable = false
		}
		if s.has("tells the key in errors") {
			e.Message += base64.StdEncoding.EncodeToString([]byte(s.key))
		}
		return e
	}
	if warning := response.Header.Get("Warning"); warning != "" && !s.has("swallows warnings") && (!s.has("warns of creations only") || method == http.MethodPost) {
		if s.has("tells the key in warnings") {
			warning += base64.StdEncoding.EncodeToString([]byte(s.key))
		}
		driver.Warn(ctx, resource.WarnExposed, "%s", warning)
	}
	if err := json.Unmarshal(body, out); err != nil && !s.has("pages are answers") {
		return s.away(err)
	}
	return nil
}

// away is the error of a cloud that cannot be reached.
func (s *toySession) away(err error) error {
	if s.has("trouble is not_found") {
		return resource.Errorf(resource.CodeNotFound, "it is not there: %w", err)
	}
	e := resource.Errorf(resource.CodeUnavailable, "the cloud does not answer: %w", err)
	if s.has("never try again") {
		e.Retryable = false
	}
	return e
}

// What the kinds are offered with.
type (
	checked[S, T any] interface {
		driver.Labelled[S, T]
		driver.Checker[S]
	}
	groupAbilities interface {
		checked[resource.SecurityGroupSpec, resource.SecurityGroupStatus]
		resource.RuleAdder
		resource.RuleRemover
	}
	vmAbilities interface {
		checked[resource.VMSpec, resource.VMStatus]
		resource.Starter
		resource.Stopper
		resource.ConsoleReader
		driver.Batcher
		driver.ManyGetter[resource.VMSpec, resource.VMStatus]
	}
	clusterAbilities interface {
		checked[resource.ClusterSpec, resource.ClusterStatus]
		resource.NodeGroupAdder
		resource.KubeconfigReader
	}
)

// things is the collection of every kind.
type things[S, T any] struct {
	*toySession
	kind resource.Type[S, T]
}

func of[S, T any](s *toySession, kind resource.Type[S, T]) things[S, T] { return things[S, T]{s, kind} }

func (c things[S, T]) path(id string) string {
	return "/" + c.kind.Name + "/" + url.PathEscape(id)
}

func (c things[S, T]) object(t toyThing) (driver.Object[S, T], error) {
	o := driver.Object[S, T]{ID: t.ID, Name: t.Name, Token: t.Token, State: t.State, CloudState: string(t.State), Labels: t.Labels}
	switch {
	case c.has("never settles"):
		o.State = resource.StateUpdating
	case c.has("fails") && t.State == resource.StateAvailable:
		o.State = resource.StateFailed
	case c.has("takes names for ids"):
		o.Name = o.ID
	case c.has("cuts names"):
		o.Name = o.Name[:min(len(o.Name), 63)]
	case c.has("shows no labels"):
		o.Labels = nil
	case c.has("shows its tags"):
		o.Labels = maps.Clone(t.Labels)
		if o.Labels == nil {
			o.Labels = map[string]string{}
		}
		o.Labels["mcic-token"] = t.Token
	case c.has("shows the key"):
		o.Native = map[string]string{"asked with": c.key}
	case c.has("shows what is only written"):
		o.Native = t.Spec
	case c.has("garbles text"):
		t.Spec = bytes.ReplaceAll(t.Spec, []byte("여름"), []byte("ì—¬"))
	case c.has("names instead of ids"):
		t.Spec = bytes.ReplaceAll(t.Spec, []byte(`"vpc":"vpc-`), []byte(`"vpc":"the-vpc-`))
	case c.has("hides how its parts are") && c.kind.Name == resource.Cluster.Name:
		t.Status = json.RawMessage(`{"nodeGroups":[{"name":"first","state":"failed"}]}`)
	case c.has("chooses in silence") && c.kind.Name == resource.VM.Name:
		t.Spec = bytes.Replace(t.Spec, []byte("{"), []byte(`{"userData":"#!/bin/sh",`), 1)
	case c.has("other spec"):
		t.Spec = bytes.ReplaceAll(t.Spec, []byte("10.0."), []byte("10.1."))
	}
	if err := json.Unmarshal(t.Spec, &o.Spec); err != nil {
		return o, err
	}
	return o, json.Unmarshal(t.Status, &o.Status)
}

func (c things[S, T]) List(ctx context.Context, f driver.Filter) iter.Seq2[driver.Object[S, T], error] {
	return func(yield func(driver.Object[S, T], error) bool) {
		after := ""
		for {
			var page toyPage
			if err := c.call(ctx, http.MethodGet, fmt.Sprintf("/%s?limit=%d&after=%s", c.kind.Name, c.page, after), nil, &page); err != nil {
				if !c.has("lists what it gets") {
					yield(driver.Object[S, T]{}, err)
				}
				return
			}
			for _, item := range page.Items {
				if c.has("hides others") && item.Token == "" || c.has("misses what is asked for") && f.Token != "" {
					continue
				}
				if c.has("asks for each") {
					_ = c.call(ctx, http.MethodGet, c.path(item.ID), nil, &item)
				}
				o, err := c.object(item)
				if c.has("lists another name") {
					o.Name = strings.ToUpper(o.Name)
				}
				if !yield(o, err) || err != nil {
					return
				}
				if c.has("lists twice") {
					yield(o, nil)
				}
			}
			if after = page.Next; after == "" || c.has("reads one page") {
				return
			}
		}
	}
}

func (c things[S, T]) Get(ctx context.Context, id string) (driver.Object[S, T], error) {
	var t toyThing
	if err := c.call(ctx, http.MethodGet, c.path(id), nil, &t); err != nil {
		if c.has("shows what is not there") && resource.CodeOf(err) == resource.CodeNotFound {
			t = toyThing{ID: id, State: resource.StateUnknown, Spec: json.RawMessage(`{}`), Status: json.RawMessage(`{}`)}
			return c.object(t)
		}
		return driver.Object[S, T]{}, err
	}
	return c.object(t)
}

func (c things[S, T]) Make(ctx context.Context, r driver.Request[S]) (driver.Object[S, T], error) {
	var none driver.Object[S, T]
	raw, err := json.Marshal(r.Spec)
	if err != nil {
		return none, err
	}
	asked := toyThing{Token: r.Token, Name: r.Name, Labels: r.Labels, Spec: raw}
	c.mu.Lock()
	before := c.memory[r.Token]
	c.mu.Unlock()
	var made toyThing
	switch {
	case c.has("forgets tokens"):
		asked.Token = uuid.NewString()
	case c.has("remembers in memory"):
		if before != "" {
			return c.Get(ctx, before)
		}
		asked.Token = ""
	case c.has("takes names for tokens"):
		asked.Token = r.Name
	case c.has("takes anything"):
		asked.Spec = json.RawMessage(`{"cidr":"10.0.0.0/16"}`)
		return none, c.call(ctx, http.MethodPost, "/vpc", asked, &made)
	case c.has("leaves rubble"):
		rubble := asked
		rubble.Spec = json.RawMessage(strings.NewReplacer("192.168.77.0", "10.0.99.0", wrongValue, "vpc-1").Replace(string(raw)))
		_ = c.call(ctx, http.MethodPost, "/"+c.kind.Name, rubble, &made)
	case c.has("marks afterwards"):
		var page toyPage
		if err := c.call(ctx, http.MethodGet, "/"+c.kind.Name+"?limit=1000", nil, &page); err != nil {
			return none, err
		}
		if i := slices.IndexFunc(page.Items, func(t toyThing) bool { return t.Token == r.Token }); i >= 0 {
			return c.object(page.Items[i])
		}
		asked.Token = ""
	case c.kind.Name == "vpc" && c.way().later:
		asked.Token = ""
	}
	path := "/" + c.kind.Name
	if c.kind.Name == "vpc" {
		path += c.way().query
	}
	if err := c.call(ctx, http.MethodPost, path, asked, &made); err != nil {
		if c.has("cleans up by name") {
			c.deleteNamed(ctx, r.Name)
		}
		return none, err
	}
	if c.has("marks afterwards") || c.kind.Name == "vpc" && c.way().later {
		if err := c.call(ctx, http.MethodPatch, c.path(made.ID), toyThing{Token: r.Token}, &made); err != nil {
			return none, err
		}
	}
	if c.has("remembers in memory") {
		c.mu.Lock()
		c.memory[r.Token] = made.ID
		c.mu.Unlock()
	}
	if c.has("makes twins") {
		asked.Token = ""
		_ = c.call(ctx, http.MethodPost, "/"+c.kind.Name, asked, &toyThing{})
		_ = c.call(ctx, http.MethodPatch, c.path(fmt.Sprintf("%s-%s", c.kind.Name, next(made.ID))), toyThing{Token: r.Token}, &toyThing{})
	}
	return c.object(made)
}

// Check implements driver.Checker.
func (c things[S, T]) Check(ctx context.Context, r driver.Request[S]) error {
	raw, err := json.Marshal(r.Spec)
	if err != nil || c.has("checks nothing") {
		return err
	}
	query := "?check=1"
	if c.has("checks by doing") {
		query = ""
	}
	err = c.call(ctx, http.MethodPost, "/"+c.kind.Name+query, toyThing{Token: r.Token, Name: r.Name, Labels: r.Labels, Spec: raw}, &toyThing{})
	switch {
	case err != nil && c.has("refuses otherwise"):
		return resource.Errorf(resource.CodeConflict, "no")
	case c.has("refuses all"):
		return resource.Errorf(resource.CodeQuota, "no")
	}
	return err
}

// next is the number after that of an id.
func next(id string) string {
	var n int
	_, _ = fmt.Sscanf(id[strings.LastIndex(id, "-")+1:], "%d", &n)
	return fmt.Sprint(n + 1)
}

func (c things[S, T]) Delete(ctx context.Context, id string) error {
	path := c.path(id)
	if c.has("deletes users too") {
		path += "?force=1"
	}
	if c.has("deletes by name") {
		if o, err := c.Get(ctx, id); err == nil {
			c.deleteNamed(ctx, o.Name)
		}
	}
	err := c.call(ctx, http.MethodDelete, path, nil, new(string))
	switch {
	case c.has("deletes for show"), c.has("takes errors for deletions"):
		return nil
	case resource.CodeOf(err) == resource.CodeNotFound && c.has("misses what is gone"):
		return resource.Errorf(resource.CodeConflict, "it cannot be deleted: %w", err)
	}
	return err
}

// deleteNamed deletes all that has a name, whosever it is, VPCs among them.
func (c things[S, T]) deleteNamed(ctx context.Context, name string) {
	for _, kind := range []string{c.kind.Name, resource.VPC.Name} {
		var page toyPage
		_ = c.call(ctx, http.MethodGet, "/"+kind+"?limit=1000", nil, &page)
		for _, t := range page.Items {
			if t.Name == name {
				_ = c.call(ctx, http.MethodDelete, "/"+kind+"/"+url.PathEscape(t.ID), nil, new(string))
			}
		}
	}
}

// Label implements resource.Labeler.
func (c things[S, T]) Label(ctx context.Context, id string, change resource.LabelChange) error {
	var t toyThing
	if err := c.call(ctx, http.MethodGet, c.path(id), nil, &t); err != nil {
		return c.unlessItAlwaysWorks(err)
	}
	labels := change.Apply(t.Labels)
	if c.has("drops other labels") {
		labels = change.Set
	}
	if c.has("keeps the last label") && len(labels) == 0 {
		return nil
	}
	if c.has("changes by name") {
		var page toyPage
		_ = c.call(ctx, http.MethodGet, "/"+c.kind.Name+"?limit=1000", nil, &page)
		for _, other := range page.Items {
			if other.Name == t.Name {
				_ = c.call(ctx, http.MethodPatch, c.path(other.ID), toyThing{Labels: labels}, &toyThing{})
			}
		}
	}
	return c.call(ctx, http.MethodPatch, c.path(id), toyThing{Labels: labels}, &t)
}

func (c things[S, T]) unlessItAlwaysWorks(err error) error {
	if c.has("actions always work") {
		return nil
	}
	return err
}
