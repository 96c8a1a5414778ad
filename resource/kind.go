package resource

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"slices"
)

// Kind describes one type of resource. The rest of the project is driven by it.
type Kind struct {
	Name    string     // the word for it everywhere: "vpc"
	Title   string     // for people: "VPC"
	Doc     string     // what it is, in one sentence
	Secrets []Secret   // what a creation answers once and never again
	Actions []Action   // verbs beyond create and delete; every kind has label
	Views   []View     // what the cloud is asked for each time and nothing keeps
	Data    []DataCall // what is done with what it holds
	Recent  []string   // fields of the spec that hold texts: which combinations were created last is kept

	// Patience is how many times longer than others a change may take to settle; 0 means
	// once.
	Patience int

	spec, status, create reflect.Type
	bulk                 reflect.Type
	schema               *schema
	complete             func(spec any) (map[string]string, error)
	against              func(spec json.RawMessage, find Find) []Problem
	hidden               []string                                                                // fields of the spec that are only written
	kept                 func(spec json.RawMessage) (travels, status json.RawMessage, err error) // nil: the server cannot keep it
	login                func(spec, status json.RawMessage) (Login, error)                       // nil: there is nothing to log in to
	refs, statusRefs     []refField
	addresses            []string // fields of the status with the struct tag address
	parts                []partField
}

// Secret is a value that the creation of a resource answers once.
type Secret struct {
	Name string // JSON name in the envelope's secrets
	Doc  string
}

// Plural is the kind's path segment in the API.
func (k *Kind) Plural() string { return k.Name + "s" }

// SpecType, StatusType and CreateType are the Go types behind the kind's JSON,
// for generators of schemas and flags.
func (k *Kind) SpecType() reflect.Type { return k.spec }

// StatusType is the Go type of the status.
func (k *Kind) StatusType() reflect.Type { return k.status }

// CreateType is the Go type of the create request's body.
func (k *Kind) CreateType() reflect.Type { return k.create }

// BulkType is the Go type of the body that creates several.
func (k *Kind) BulkType() reflect.Type { return k.bulk }

// Action returns the action of that name.
func (k *Kind) Action(name string) (*Action, error) {
	for i := range k.Actions {
		if k.Actions[i].Name == name {
			return &k.Actions[i], nil
		}
	}
	return nil, Errorf(CodeUnsupported, "%s has no action %q; it has: %s", k.Name, name, joinNames(k.Actions, func(a Action) string { return a.Name }))
}

// View returns the view of that name.
func (k *Kind) View(name string) (*View, error) {
	for i := range k.Views {
		if k.Views[i].Name == name {
			return &k.Views[i], nil
		}
	}
	return nil, Errorf(CodeNotFound, "%s has no view %q; it has: %s", k.Name, name, joinNames(k.Views, func(v View) string { return v.Name }))
}

// Type is a kind together with its Go types, so that the compiler checks what a
// driver offers for it.
type Type[S, T any] struct{ *Kind }

// Action is a verb beyond create and delete.
type Action struct {
	Name  string  // "start"
	Doc   string  // what it does, in one sentence
	From  []State // settled states in which it makes sense; none: every one
	Until []State // settled states that end it; none: every one but failed

	params  input
	offered func(collection reflect.Type) bool
	call    func(ctx context.Context, collection any, id string, params json.RawMessage) error
	asked   func(spec, params json.RawMessage) (json.RawMessage, error) // nil: it changes no spec
	against func(params json.RawMessage, find Find) []Problem
}

// ParamsType is the Go type of the parameters, or nil if the action has none.
func (a *Action) ParamsType() reflect.Type { return a.params.typ }

// Offered reports whether a driver's collections of a type implement the action.
func (a *Action) Offered(collection reflect.Type) bool { return a.offered(collection) }

// Call runs the action on a driver's collection.
func (a *Action) Call(ctx context.Context, collection any, id string, params json.RawMessage) error {
	if !a.offered(reflect.TypeOf(collection)) {
		return Errorf(CodeUnsupported, "this driver does not offer the action %q", a.Name)
	}
	return a.call(ctx, collection, id, params)
}

// Against checks parameters against the resources that they refer to.
func (a *Action) Against(params json.RawMessage, find Find) error {
	if a.against == nil {
		return nil
	}
	return Invalid(a.against(params, find)...)
}

// Allowed reports whether the action makes sense in state s. Done reports that
// the resource already is where the action would bring it.
func (a *Action) Allowed(s State) (allowed, done bool) {
	if len(a.From) == 0 || slices.Contains(a.From, s) {
		return true, false
	}
	return false, slices.Contains(a.Until, s)
}

// Ends reports whether state s ends the action.
func (a *Action) Ends(s State) bool {
	if len(a.Until) == 0 {
		return s.Settled() && s != StateFailed
	}
	return slices.Contains(a.Until, s)
}

// ParseParams checks the parameters of an action as a user sent them.
func (a *Action) ParseParams(body []byte) (json.RawMessage, error) {
	return a.params.parse("the action "+a.Name, body)
}

// action describes an action without parameters. C is the one-method interface
// that a driver's collection implements to offer it; call is its method.
func action[C any](a Action, call func(C, context.Context, string) error) Action {
	a.offered = offers[C]
	a.call = func(ctx context.Context, collection any, id string, _ json.RawMessage) error {
		return call(collection.(C), ctx, id)
	}
	return a
}

// actionWith describes an action with parameters of type P.
func actionWith[C, P any](a Action, call func(C, context.Context, string, P) error) Action {
	a.params = inputOf[P]()
	a.offered = offers[C]
	a.against = againstOf[P]()
	a.call = func(ctx context.Context, collection any, id string, raw json.RawMessage) error {
		var params P
		if err := json.Unmarshal(raw, &params); err != nil {
			return Errorf(CodeInvalid, "decode the parameters of %s: %w", a.Name, err)
		}
		return call(collection.(C), ctx, id, params)
	}
	return a
}

// View is something about one resource that only the cloud knows, such as a
// cluster's kubeconfig: it is asked each time and kept nowhere.
type View struct {
	Name  string // "kubeconfig"
	Doc   string // what it answers, in one sentence
	Plain string // field of the answer that a terminal shows alone; "" shows all
	Right string // the right of its own that it needs, such as kubeconfig, since the answer lets in who has it, so that whoever asks is in the audit trail; "": to read the resource

	params  input
	answer  reflect.Type
	refs    []refField
	offered func(collection reflect.Type) bool
	read    func(ctx context.Context, collection any, id string, params json.RawMessage) (any, error)
}

// ParamsType is the Go type of the parameters, or nil if the view has none.
func (v *View) ParamsType() reflect.Type {
	if v.params.typ.NumField() == 0 {
		return nil
	}
	return v.params.typ
}

// ParseParams checks the parameters of a view as a user sent them.
func (v *View) ParseParams(body []byte) (json.RawMessage, error) {
	return v.params.parse("the view "+v.Name, body)
}

// QueryParams makes parameters of the query of an address, for ParseParams to check.
func (v *View) QueryParams(query map[string][]string) (json.RawMessage, error) {
	return v.params.fromQuery(query)
}

// AnswerType is the Go type of what the view answers.
func (v *View) AnswerType() reflect.Type { return v.answer }

// Answer reads an answer of the view as a driver gave it, as that of a data call.
func (v *View) Answer(raw json.RawMessage) (any, error) { return answerOf(v.answer, raw) }

// Offered reports whether a driver's collections of a type implement the view.
func (v *View) Offered(collection reflect.Type) bool { return v.offered(collection) }

// Read asks a driver's collection for the view of one object.
func (v *View) Read(ctx context.Context, collection any, id string, params json.RawMessage) (any, error) {
	if !v.offered(reflect.TypeOf(collection)) {
		return nil, Errorf(CodeUnsupported, "this driver does not offer the view %q", v.Name)
	}
	return v.read(ctx, collection, id, params)
}

// view describes a view without parameters that answers an R. C is the one-method
// interface that a driver's collection implements to offer it; read is its method.
func view[C, R any](v View, read func(C, context.Context, string) (R, error)) View {
	return viewWith(v, func(collection C, ctx context.Context, id string, _ struct{}) (R, error) {
		return read(collection, ctx, id)
	})
}

// viewWith describes a view with parameters of type P.
func viewWith[C, P, R any](v View, read func(C, context.Context, string, P) (R, error)) View {
	v.params = inputOf[P]()
	v.answer = reflect.TypeFor[R]()
	v.refs = refFields(v.answer)
	v.offered = offers[C]
	v.read = func(ctx context.Context, collection any, id string, raw json.RawMessage) (any, error) {
		var params P
		if err := json.Unmarshal(raw, &params); err != nil {
			return nil, Errorf(CodeInvalid, "decode the parameters of %s: %w", v.Name, err)
		}
		return read(collection.(C), ctx, id, params)
	}
	return v
}

func offers[C any](collection reflect.Type) bool { return collection.Implements(reflect.TypeFor[C]()) }

// validator is implemented by specs and parameters whose rules go beyond their
// schema. Problems returns what is wrong, with field paths below at.
type validator interface{ Problems(at string) []Problem }

// completer is implemented by specs that the server completes before they are
// recorded; it may answer secrets to show once.
type completer interface {
	Complete() (secrets map[string]string, err error)
}

// referrer is implemented by specs and parameters of actions that must agree with what they
// refer to.
type referrer interface{ ProblemsAgainst(find Find) []Problem }

// Find returns the spec and the status of another resource of the same connection, and
// whether it is known here.
type Find func(kind, name string) (spec, status json.RawMessage, known bool)

func define[S, T any](k Kind) Type[S, T] {
	k.spec, k.status = reflect.TypeFor[S](), reflect.TypeFor[T]()
	k.create, k.bulk = reflect.TypeFor[CreateRequest[S]](), reflect.TypeFor[BulkRequest[S]]()
	k.schema = newSchema(k.create)
	k.refs, k.statusRefs, k.hidden = refFields(k.spec), refFields(k.status), writeOnlyFields(k.spec)
	k.Actions = append(k.Actions, labelAction())
	k.login, k.kept = loginOf[S, T](), keptOf[S, T]()
	k.addresses, k.parts = addressFields(k.status), partFields(k.status)
	k.complete = func(spec any) (map[string]string, error) {
		if c, ok := spec.(completer); ok {
			return c.Complete()
		}
		return nil, nil
	}
	k.against = againstOf[S]()
	return Type[S, T]{&k}
}

// againstOf is the check of specs or parameters of type V against what they refer to.
func againstOf[V any]() func(raw json.RawMessage, find Find) []Problem {
	return func(raw json.RawMessage, find Find) []Problem {
		var value V
		if r, ok := any(&value).(referrer); ok && json.Unmarshal(raw, &value) == nil {
			return r.ProblemsAgainst(find)
		}
		return nil
	}
}

// ParseCreate checks the body of a create as a user sent it: syntax, unknown
// fields, types, limits and the kind's own rules.
func (k *Kind) ParseCreate(body []byte) (*CreateRequest[json.RawMessage], error) {
	value := reflect.New(k.create)
	if err := k.schema.decode(body, value.Interface()); err != nil {
		return nil, err
	}
	var (
		name   = value.Elem().FieldByName("Name").String()
		labels = value.Elem().FieldByName("Labels").Interface().(map[string]string)
		spec   = value.Elem().FieldByName("Spec").Addr().Interface()
	)
	then := value.Elem().FieldByName("Then").Interface().([]FollowUp)
	problems := append(LabelProblems("labels", labels), followUpProblems(k.Name, name, then)...)
	if v, ok := spec.(validator); ok {
		problems = append(problems, v.Problems("spec")...)
	}
	if err := Invalid(problems...); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, Errorf(CodeInternal, "encode the spec of %s %s: %w", k.Name, name, err)
	}
	count := int(value.Elem().FieldByName("Count").Int())
	onFailure := OnFailure(value.Elem().FieldByName("OnFailure").String())
	return &CreateRequest[json.RawMessage]{Name: name, Labels: labels, Spec: raw, OnFailure: onFailure, Then: then, Count: count}, nil
}

// Complete fills what the server decides before a spec is recorded and returns
// the secrets that the answer shows once.
func (k *Kind) Complete(raw json.RawMessage) (spec json.RawMessage, secrets map[string]string, err error) {
	value := reflect.New(k.spec).Interface()
	if err := json.Unmarshal(raw, value); err != nil {
		return nil, nil, Errorf(CodeInternal, "decode the spec of a %s: %w", k.Name, err)
	}
	if secrets, err = k.complete(value); err != nil {
		return nil, nil, err
	}
	spec, err = json.Marshal(value)
	return spec, secrets, err
}

// Against checks a spec against the resources that it refers to.
func (k *Kind) Against(spec json.RawMessage, find Find) error {
	return Invalid(k.against(spec, find)...)
}

// CheckObject reports whether spec and status, as a driver answered them, have
// the shape of this kind.
func (k *Kind) CheckObject(spec, status json.RawMessage) error {
	for _, part := range []struct {
		name string
		raw  json.RawMessage
		typ  reflect.Type
	}{{"spec", spec, k.spec}, {"status", status, k.status}} {
		if !bytes.HasPrefix(bytes.TrimSpace(part.raw), []byte("{")) {
			return Errorf(CodeInternal, "the %s is not a JSON object", part.name)
		}
		if err := json.Unmarshal(part.raw, reflect.New(part.typ).Interface()); err != nil {
			return Errorf(CodeInternal, "the %s is not that of a %s: %w", part.name, k.Name, err)
		}
	}
	return nil
}

// Kinds returns every kind, in the order in which resources depend on each other:
// what is used comes before what uses it.
func Kinds() []*Kind {
	return []*Kind{
		VPC.Kind, Subnet.Kind, SecurityGroup.Kind, KeyPair.Kind, VM.Kind, Disk.Kind, Snapshot.Kind, CustomImage.Kind,
		PublicIP.Kind, NIC.Kind, NATGateway.Kind, VPCPeering.Kind, VPNGateway.Kind, VPNConnection.Kind, RouteTable.Kind,
		NLB.Kind, Certificate.Kind, ALB.Kind, Cluster.Kind, Bucket.Kind, Queue.Kind,
		FileShare.Kind, Database.Kind, DBBackup.Kind, Broker.Kind,
	}
}

// Offerable returns the names of all that drivers can offer: kinds, catalogs and feeds.
func Offerable() []string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	for _, c := range Catalogs() {
		names = append(names, c.Name)
	}
	for _, f := range Feeds() {
		names = append(names, f.Name)
	}
	return names
}

// KindNamed returns the kind of that name.
func KindNamed(name string) (*Kind, error) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
	}
	return nil, Errorf(CodeNotFound, "there is no kind %q; the kinds are: %s", name, joinNames(Kinds(), func(k *Kind) string { return k.Name }))
}
