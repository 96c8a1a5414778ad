package driver

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"iter"
	"log/slog"
	"reflect"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Collection is what every kind must offer: finding what is there. S and T are
// the kind's spec and status; references in a spec are cloud ids.
//
// List answers at least what the filter asks for, all pages, in any order. Get answers
// an error with code not_found only when the cloud says that the object does not exist. What
// is shown in the state deleted is gone: lists are answered without it, and Get with not_found.
type Collection[S, T any] interface {
	List(ctx context.Context, f Filter) iter.Seq2[Object[S, T], error]
	Get(ctx context.Context, id string) (Object[S, T], error)
}

// Maker is implemented by collections that can create.
//
// Make asks the cloud for an object by the one call with which that accepts it, and
// answers as soon as there is an id. It does not look whether there is one already, does
// not wait until it is ready, and removes nothing: this package keeps one token to one
// object, in the way that the kind is offered with ([Found]).
type Maker[S, T any] interface {
	Make(ctx context.Context, r Request[S]) (Object[S, T], error)
}

// Completer is implemented by collections whose objects need more than one call.
//
// Complete takes what Make has begun further and answers the object as it is then. It is
// called again, also by another process, until it answers no [Wait]; what is done already
// it leaves as it is. If it fails for good, the object is removed by Delete, which
// therefore takes what is there only in part.
type Completer[S, T any] interface {
	Complete(ctx context.Context, r Request[S], o Object[S, T]) (Object[S, T], error)
}

// Deleter is implemented by collections that can delete. What is not there is deleted:
// not_found counts as done, so that a call for something else passes over its own with
// [Except]. Deleting what is in use answers the code dependency. What goes
// in several steps answers [Wait] until the last of them is accepted.
type Deleter interface {
	Delete(ctx context.Context, id string) error
}

// Managed is what a collection offers that can create and delete, Labelled one whose objects
// keep labels, and Stepwise one whose creations need more than one call.
type (
	Managed[S, T any] interface {
		Collection[S, T]
		Maker[S, T]
		Deleter
	}
	Labelled[S, T any] interface {
		Managed[S, T]
		resource.Labeler
	}
	Stepwise[S, T any] interface {
		Managed[S, T]
		Completer[S, T]
	}
)

// Lacker is implemented by sessions that may lack some of the driver's kinds, catalogs
// and feeds, because the region or the installation has no such service. Lacks is
// asked once, when the session opens; it answers them with the reason, for people.
// No call for one of them reaches the session.
type Lacker interface {
	Lacks() map[string]string
}

// Accounter is implemented by sessions that know the account which their credential opens.
// AccountID answers the cloud's id of it, the same for all credentials of the account. It is
// asked once, when the session opens.
type Accounter interface {
	AccountID() string
}

// Place is what a session has found out about where it is.
type Place struct {
	Account string            // the cloud's id of the account, "" if the driver does not tell
	Lacks   map[string]string // kinds, catalogs and feeds that the driver offers but not here, with the reason
	Scopes  map[string]string // what the objects of kinds belong to, if not to the account in the region; see Scoper
	Reach   Reach             // where signed requests go
}

// Lister is what every catalog must offer. A driver may use the query to ask the
// cloud for less; what it cannot use it ignores, the server filters again.
type Lister[E any] interface {
	List(ctx context.Context, q Query) iter.Seq2[E, error]
}

// Query narrows a catalog: field of the entry = value.
type Query map[string]string

// Object is a resource as the cloud shows it.
type Object[S, T any] struct {
	ID         string            `json:"id"`                   // the cloud's id
	Name       string            `json:"name,omitempty"`       // its name on the cloud
	Token      string            `json:"token,omitempty"`      // token it was created with, "" if it was made elsewhere
	State      resource.State    `json:"state"`                // common state
	CloudState string            `json:"cloudState,omitempty"` // the cloud's own word
	Reason     string            `json:"reason,omitempty"`     // why it failed, as far as the cloud says
	Code       resource.Code     `json:"code,omitempty"`       // what kind of failure that is; unavailable unless the cloud says more
	Labels     map[string]string `json:"labels"`               // the cloud's tags without those of the connector; to callers nil means that it keeps none of this kind
	Part       bool              `json:"part,omitempty"`       // whether it goes with what it names when that is deleted, as a VPC's default security group does
	Spec       S                 `json:"spec"`                 // as far as the cloud shows it; references are cloud ids
	Status     T                 `json:"status"`
	Native     any               `json:"native,omitempty"` // the cloud's own fields; no secrets
	CreatedAt  *time.Time        `json:"createdAt,omitempty"`

	// Secrets are what the cloud tells of it when it is made and never again, by the names
	// that the kind has for them. They are in the answer of Make alone; see [TellsOnce].
	Secrets map[string]string `json:"-"`
}

// Request asks for a new object.
type Request[S any] struct {
	Token  string            `json:"token"`            // idempotency token, at most 36 characters
	ID     string            `json:"id,omitempty"`     // what an earlier call with the token has answered, while it was pending
	Name   string            `json:"name"`             // wanted name on the cloud
	Labels map[string]string `json:"labels,omitempty"` // wanted tags
	Spec   S                 `json:"spec"`             // references are cloud ids

	// Failed is what an earlier call has answered so beside a Pending: what there is of the
	// object is to be removed.
	Failed *resource.Error `json:"failed,omitempty"`
}

// Again is the request of the call after one that was pending.
func (r Request[S]) Again(id string, p *Pending) Request[S] {
	r.ID, r.Failed = cmp.Or(id, r.ID), p.Failed
	return r
}

// Item and ItemRequest are objects and requests whose kind is known only by name.
type (
	Item        = Object[json.RawMessage, json.RawMessage]
	ItemRequest = Request[json.RawMessage]
)

// Config is what a connection gives to a driver.
type Config struct {
	Credential Values
	Region     string // "" only to list regions
	Zone       string // default zone, may be ""
	Settings   Values
	Logger     *slog.Logger // never nil inside a driver
}

// Client is a driver as its callers see it: in the same process ([Driver]) or in
// another one ([Plugins]).
type Client interface {
	Describe(ctx context.Context) (*Description, error)
	Connect(ctx context.Context, c Config) (Session, error)
}

// Session is an open connection to one region of a cloud. Close ends it.
//
// Create, Delete and Act are called again for as long as they answer a Pending. What Create
// answers beside one is there by then; beside an error it is what the cloud has made of it
// and what could not be removed, if it has an id.
type Session interface {
	Catalog(ctx context.Context, catalog string, q Query) iter.Seq2[json.RawMessage, error]
	Read(ctx context.Context, feed string, s Span, filter json.RawMessage) iter.Seq2[json.RawMessage, error]
	Changes(ctx context.Context, catalog, since string, head func(Head)) iter.Seq2[Change, error]
	List(ctx context.Context, kind string, f Filter) iter.Seq2[Item, error]
	Get(ctx context.Context, kind, id string) (Item, error)
	Create(ctx context.Context, kind string, r ItemRequest) (Item, *Pending, error)
	Check(ctx context.Context, kind string, r ItemRequest) error
	Delete(ctx context.Context, kind, id string) (*Pending, error)
	Act(ctx context.Context, kind, id, action string, params json.RawMessage) (*Pending, error)
	View(ctx context.Context, kind, id, view string, params json.RawMessage) (json.RawMessage, error)
	// Batch does a verb for several objects; the answers are in the order of the members.
	Batch(ctx context.Context, kind, verb string, members []Member, params json.RawMessage) ([]Answer, error)
	// Data does something with what an object holds; nobody repeats it.
	Data(ctx context.Context, kind, id, call string, params json.RawMessage) (json.RawMessage, error)
	// Sign answers a request for data of an object, which the caller sends.
	Sign(ctx context.Context, kind, id string, r resource.SignRequest) (resource.SignedRequest, error)
	Extend(ctx context.Context, extension string, input json.RawMessage) (json.RawMessage, error)
	Native(ctx context.Context, r NativeRequest) (NativeResponse, error)
	Permissions(ctx context.Context) ([]Permission, error)
	// Place answers what was found out when the session was opened.
	Place(ctx context.Context) (Place, error)
	io.Closer
}

// Driver is one cloud. S is its own type of an open session; if that has a method
// Close() error, it is called when the session ends.
type Driver struct {
	description Description
	connect     func(context.Context, Config) (any, error)
	offers      map[string]*offer
	catalogs    map[string]catalogOffer
	feeds       map[string]feedOffer
	extensions  map[string]extensionOffer
	creating    tokens
}

// New defines a driver. connect checks the credential with the cloud and opens a
// session; its errors should be unauthenticated, denied, invalid or unavailable.
func New[S any](about About, connect func(context.Context, Config) (S, error), offers ...Offer[S]) *Driver {
	d := &Driver{
		description: Description{About: about, ProtocolVersions: ProtocolVersions()},
		connect:     func(ctx context.Context, c Config) (any, error) { return connect(ctx, c) },
		offers:      map[string]*offer{},
		catalogs:    map[string]catalogOffer{},
		feeds:       map[string]feedOffer{},
		extensions:  map[string]extensionOffer{},
		creating:    tokens{taken: map[string]chan struct{}{}},
	}
	if native := reflect.TypeFor[S]().Implements(reflect.TypeFor[Native]()); native != (about.Native != "") {
		panic("driver " + about.Name + ": sessions with the method Native, and only they, need the text Native in About")
	}
	for _, o := range offers {
		o.add(d)
	}
	if reaches := reflect.TypeFor[S]().Implements(reflect.TypeFor[Reacher]()); !reaches && d.signs() {
		panic("driver " + about.Name + ": sessions with a kind that signs requests need the method Reach")
	}
	for _, f := range about.Settings {
		if f.Secret {
			panic("driver " + about.Name + ": the setting " + f.Name + " is secret; settings are shown, make it a field of the credential")
		}
	}
	if err := d.description.checkMissing(); err != nil {
		panic(err.Error())
	}
	return d
}

// Describe implements Client.
func (d *Driver) Describe(context.Context) (*Description, error) { return &d.description, nil }

// Connect implements Client.
func (d *Driver) Connect(ctx context.Context, c Config) (Session, error) {
	var err error
	if c.Credential, err = d.description.CheckCredential(c.Credential); err != nil {
		return nil, err
	}
	if c.Settings, err = d.description.CheckSettings(c.Settings); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	own, err := d.connect(ctx, c)
	if err != nil {
		return nil, err
	}
	s := &session{driver: d, own: own}
	if l, ok := own.(Lacker); ok {
		s.place.Lacks = l.Lacks()
	}
	if a, ok := own.(Accounter); ok {
		s.place.Account = a.AccountID()
	}
	if o, ok := own.(Scoper); ok {
		s.place.Scopes = o.Scopes()
	}
	if r, ok := own.(Reacher); ok {
		s.place.Reach = r.Reach()
	}
	return s, nil
}

// signs reports whether a kind is offered whose requests are signed.
func (d *Driver) signs() bool {
	for _, o := range d.offers {
		if signing := o.kind.Signing(); signing != nil && signing.Offered(o.abilities) {
			return true
		}
	}
	return false
}

// session runs calls on the collections of a driver in this process.
type session struct {
	driver *Driver
	own    any
	place  Place
}

// has refuses a kind, catalog or feed that the cloud does not have here.
func (s *session) has(name string) error {
	if reason, lacks := s.place.Lacks[name]; lacks {
		return resource.Errorf(resource.CodeUnsupported, "this connection has no %s: %s", name, reason)
	}
	return nil
}

func (s *session) collection(kind string) (*offer, any, error) {
	o, ok := s.driver.offers[kind]
	if !ok {
		return nil, nil, resource.Errorf(resource.CodeUnsupported, "the driver %s does not offer the kind %q", s.driver.description.Name, kind)
	}
	if err := s.has(kind); err != nil {
		return nil, nil, err
	}
	return o, o.open(s.own), nil
}

func (s *session) Catalog(ctx context.Context, catalog string, q Query) iter.Seq2[json.RawMessage, error] {
	o, err := s.catalog(catalog)
	if err != nil {
		return fail[json.RawMessage](err)
	}
	return o.list(ctx, s.own, q)
}

func (s *session) List(ctx context.Context, kind string, f Filter) iter.Seq2[Item, error] {
	o, c, err := s.collection(kind)
	if err != nil {
		return fail[Item](err)
	}
	return o.list(ctx, c, f)
}

func (s *session) Get(ctx context.Context, kind, id string) (Item, error) {
	o, c, err := s.collection(kind)
	if err != nil {
		return Item{}, err
	}
	return o.get(ctx, c, id)
}

func (s *session) Create(ctx context.Context, kind string, r ItemRequest) (Item, *Pending, error) {
	o, c, err := s.collection(kind)
	if err != nil {
		return Item{}, nil, err
	}
	free, err := s.driver.creating.take(ctx, r.Token)
	if err != nil {
		return Item{}, nil, err
	}
	defer free()
	item, err := o.create(ctx, c, r)
	pending, err := pendingIn(err)
	return item, pending, err
}

func (s *session) Delete(ctx context.Context, kind, id string) (*Pending, error) {
	o, c, err := s.collection(kind)
	if err != nil {
		return nil, err
	}
	return pendingIn(o.remove(ctx, c, id))
}

func (s *session) Act(ctx context.Context, kind, id, action string, params json.RawMessage) (*Pending, error) {
	o, c, err := s.collection(kind)
	if err != nil {
		return nil, err
	}
	a, err := o.kind.Action(action)
	if err == nil && !a.Offered(o.abilities) {
		err = resource.Errorf(resource.CodeUnsupported, "this driver does not offer the action %q of a %s", action, kind)
	}
	if err != nil {
		return nil, err
	}
	return pendingIn(o.act(ctx, c, a, id, params))
}

// act runs an action on an object of a collection, if it is the one that is meant.
func (o *offer) act(ctx context.Context, c any, a *resource.Action, id string, params json.RawMessage) error {
	if a.Name == resource.ActionLabel {
		var change resource.LabelChange
		if err := json.Unmarshal(params, &change); err != nil {
			return resource.Errorf(resource.CodeInvalid, "decode the change of labels: %w", err)
		}
		if err := checkLabels(c, "set", change.Set); err != nil {
			return err
		}
	}
	if err := o.meant(ctx, c, id); err != nil {
		return err
	}
	return a.Call(ctx, c, id, params)
}

func (s *session) View(ctx context.Context, kind, id, view string, params json.RawMessage) (json.RawMessage, error) {
	o, c, err := s.collection(kind)
	if err != nil {
		return nil, err
	}
	v, err := o.kind.View(view)
	if err == nil && !v.Offered(o.abilities) {
		err = resource.Errorf(resource.CodeUnsupported, "this driver does not offer the view %q of a %s", view, kind)
	}
	if err != nil {
		return nil, err
	}
	if params, err = v.ParseParams(params); err != nil {
		return nil, err
	}
	if err := o.meant(ctx, c, id); err != nil {
		return nil, err
	}
	answer, err := v.Read(ctx, c, id, params)
	if err != nil {
		return nil, err
	}
	return encode(answer)
}

func (s *session) Extend(ctx context.Context, extension string, input json.RawMessage) (json.RawMessage, error) {
	o, ok := s.driver.extensions[extension]
	if !ok {
		return nil, resource.Errorf(resource.CodeUnsupported, "the driver %s has no extension %.64q", s.driver.description.Name, extension)
	}
	return o.run(ctx, s.own, input)
}

func (s *session) Place(context.Context) (Place, error) { return s.place, nil }

func (s *session) Close() error {
	if c, ok := s.own.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// fail is a sequence that only fails.
func fail[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		yield(zero, err)
	}
}
