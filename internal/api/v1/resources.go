package v1

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/api/respond"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// InConnection names a connection in the path.
type InConnection struct {
	Connection string `path:"connection" doc:"Name of the connection." maxLength:"128"`
}

// OneResource names a resource in the path.
type OneResource struct {
	InConnection
	Name string `path:"name" doc:"Name of the resource." maxLength:"128"`
}

// JSONBody is a request body that the model checks, not the HTTP layer, so that
// every interface checks alike. takes documents it.
type JSONBody struct{ raw []byte }

// Resolve implements huma.Resolver. What can go wrong went wrong in bufferBody.
func (b *JSONBody) Resolve(ctx huma.Context) []error {
	var err error
	if b.raw, err = io.ReadAll(ctx.BodyReader()); err != nil {
		return []error{err}
	}
	return nil
}

// Query is the query of a request that the model checks, not the HTTP layer. queryParams
// documents it.
type Query struct{ query url.Values }

// Resolve implements huma.Resolver.
func (q *Query) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	q.query = u.Query()
	return nil
}

// queryParams documents the fields of a struct, nil for none, that are given in the query.
func queryParams(schemas huma.Registry, t reflect.Type) []*huma.Param {
	if t == nil {
		return nil
	}
	var params []*huma.Param
	properties := huma.SchemaFromType(schemas, t).Properties
	for f := range t.Fields() {
		name := resource.JSONName(f)
		params = append(params, &huma.Param{Name: name, In: "query", Description: properties[name].Description, Schema: properties[name]})
	}
	return params
}

// changed is the answer to what changes a resource: the operation, or what came
// out of it.
type changed struct {
	Status       int
	Location     string `header:"Location"`
	CacheControl string `header:"Cache-Control"`
	Body         any
}

// registerKind registers all routes of one kind.
func (s *server) registerKind(routes *doors, k *resource.Kind) {
	base := "/v1/connections/{connection}/" + k.Plural()
	one := base + "/{name}"
	title := strings.ToLower(k.Title[:1]) + k.Title[1:]
	if strings.ToUpper(k.Title) == k.Title {
		title = k.Title
	}
	schemas := routes.OpenAPI().Components.Schemas
	object := envelopeSchema(schemas, k)
	page := &huma.Schema{Type: huma.TypeObject, Required: []string{"items"}, Properties: map[string]*huma.Schema{
		"items":         {Type: huma.TypeArray, Items: object, Description: "The items of this page."},
		"nextPageToken": {Type: huma.TypeString, Description: "Token of the next page; absent on the last."},
		"stale": {
			Type: huma.TypeArray, Items: schemas.Schema(reflect.TypeFor[api.Stale](), true, ""),
			Description: "With fresh: the connections whose clouds could not be asked. What is shown of those is what was last recorded.",
		},
	}}
	operation := schemas.Schema(reflect.TypeFor[api.Operation](), true, "")
	described := func(o huma.Operation, responses map[string]*huma.Schema) huma.Operation {
		o.Tags = []string{k.Title}
		o.Responses = map[string]*huma.Response{}
		for code, schema := range responses {
			o.Responses[code] = &huma.Response{
				Description: describe(code),
				Content:     map[string]*huma.MediaType{"application/json": {Schema: schema}},
			}
		}
		return problems(schemas, o)
	}

	register(routes, ofList(people.Read, k.Name), described(huma.Operation{
		OperationID: "list-" + k.Plural(), Method: http.MethodGet, Path: base,
		Summary: "List the " + title + "s of a connection", Description: k.Doc,
	}, map[string]*huma.Schema{"200": page}),
		func(ctx context.Context, in *struct {
			InConnection
			ResourceListParams
		},
		) (*huma.StreamResponse, error) {
			return s.listResources(ctx, in.Connection, k, in.ResourceListParams)
		})

	register(routes, ofSome(k.Name), described(huma.Operation{
		OperationID: "list-all-" + k.Plural(), Method: http.MethodGet, Path: "/v1/" + k.Plural(),
		Summary: "List the " + title + "s of all connections", Description: k.Doc,
	}, map[string]*huma.Schema{"200": page}),
		func(ctx context.Context, in *ResourceListParams) (*huma.StreamResponse, error) {
			return s.listResources(ctx, "", k, *in)
		})

	answer(routes, ofSome(k.Name), huma.Operation{
		OperationID: "count-" + k.Plural(), Method: http.MethodGet, Path: "/v1/" + k.Plural() + ":count", Tags: []string{k.Title},
		Summary:     "Count the " + title + "s of all connections, by the values of a field",
		Description: "Counts what a list with the same filters and search has on all its pages.",
	}, func(ctx context.Context, in *struct {
		FilterParams
		SearchParams
		GroupBy string `query:"groupBy" doc:"Field whose values are counted, too: any that lists are filtered by, such as state, cloud, region, connection, labels.env or effective.zone." maxLength:"128"`
	},
	) (counts, error) {
		return s.count(ctx, k, in.FilterParams, in.Search, in.GroupBy)
	})

	if len(k.Recent) > 0 {
		s.registerRecent(routes, k, title)
	}

	register(routes, ofOne(people.Read, k.Name), described(huma.Operation{
		OperationID: "get-" + k.Name, Method: http.MethodGet, Path: one,
		Summary: "Get a " + title,
	}, map[string]*huma.Schema{"200": object}),
		func(ctx context.Context, in *OneResource) (*huma.StreamResponse, error) {
			return s.cached(ctx, func(ctx context.Context) ([]byte, error) {
				document, err := s.Inventory.Document(ctx, in.Connection, k.Name, in.Name)
				if err != nil {
					return nil, err
				}
				return append(document.Append(nil), '\n'), nil
			}, k.Name, in.Connection, in.Name)
		})

	register(routes, ofCreation(k), described(huma.Operation{
		OperationID: "create-" + k.Name, Method: http.MethodPost, Path: base, DefaultStatus: http.StatusCreated,
		Summary: "Create a " + title, Description: k.Doc + " Answers the operation at once, or the settled resource with wait. With count or a list of items it creates several, with then it does more after the creation, and answers one operation for all.",
	}, map[string]*huma.Schema{"200": operation, "201": object, "202": operation}),
		func(ctx context.Context, in *struct {
			InConnection
			WaitParam
			KeyParam
			JSONBody
		},
		) (*changed, error) {
			return s.change(ctx, in.WaitParam, http.StatusCreated, func() (*api.Operation, error) {
				return s.Engine.Create(ctx, in.Connection, k.Name, in.raw)
			})
		})
	creation := &huma.Schema{OneOf: []*huma.Schema{
		schemas.Schema(k.CreateType(), true, ""), schemas.Schema(k.BulkType(), true, ""),
	}}
	takes(routes, base, creation, true)

	answer(routes, ofCreation(k), huma.Operation{
		OperationID: "check-" + k.Name, Method: http.MethodPost, Path: base + ":check", Tags: []string{k.Title},
		Summary:     "Check whether a " + title + " could be created",
		Description: "Takes the request of a creation and answers what that would be refused with. Nothing is recorded, and nothing is made on the cloud, which is asked where its driver can say beforehand what it would refuse.",
	}, func(ctx context.Context, in *struct {
		InConnection
		JSONBody
	},
	) (*api.CreationCheck, error) {
		return s.Engine.CheckCreation(ctx, in.Connection, k.Name, in.raw)
	})
	takes(routes, base+":check", creation, true)

	register(routes, ofOne(people.Delete, k.Name), described(huma.Operation{
		OperationID: "delete-" + k.Name, Method: http.MethodDelete, Path: one,
		Summary:     "Delete a " + title,
		Description: "Refused while something uses it. Answers the operation, ended with wait. With force it is forgotten here even if the cloud refuses or cannot be asked; warnings then say what may be left there.",
	}, map[string]*huma.Schema{"200": operation, "202": operation}),
		func(ctx context.Context, in *struct {
			OneResource
			WaitParam
			KeyParam
			Force bool `query:"force" doc:"Forget it here even if the cloud does not delete it." default:"false"`
		},
		) (*changed, error) {
			return s.change(ctx, in.WaitParam, http.StatusOK, func() (*api.Operation, error) {
				if in.Force {
					return s.Engine.ForceDelete(ctx, in.Connection, k.Name, in.Name)
				}
				return s.Engine.Delete(ctx, in.Connection, k.Name, in.Name)
			})
		})

	for _, v := range k.Views {
		register(routes, ofOne(cmp.Or(v.Right, people.Read), k.Name), described(huma.Operation{
			OperationID: v.Name + "-" + k.Name, Method: http.MethodGet, Path: one + "/" + v.Name,
			Summary: v.Doc, Description: "Asked of the cloud each time and kept nowhere.",
			Parameters: queryParams(schemas, v.ParamsType()), SkipValidateParams: v.ParamsType() != nil, // which huma does not know
		}, map[string]*huma.Schema{"200": schemas.Schema(v.AnswerType(), true, "")}),
			func(ctx context.Context, in *struct {
				OneResource
				Query
			},
			) (*unrecorded, error) {
				params, err := v.QueryParams(in.query)
				if err != nil {
					return nil, problem(err)
				}
				answer, err := s.Inventory.View(ctx, in.Connection, k.Name, in.Name, v.Name, params)
				if err != nil {
					return nil, problem(err)
				}
				return &unrecorded{noStore, answer}, nil // it may have secrets, as a kubeconfig has
			})
	}

	for _, a := range k.Actions {
		path := one + ":" + a.Name
		register(routes, ofAction(k, a), described(huma.Operation{
			OperationID: a.Name + "-" + k.Name, Method: http.MethodPost, Path: path,
			Summary: a.Doc, Description: "Answers the operation at once, or the settled resource with wait.",
		}, map[string]*huma.Schema{"200": object, "202": operation}),
			func(ctx context.Context, in *struct {
				OneResource
				WaitParam
				KeyParam
				JSONBody
			},
			) (*changed, error) {
				return s.change(ctx, in.WaitParam, http.StatusOK, func() (*api.Operation, error) {
					return s.Engine.Act(ctx, in.Connection, k.Name, in.Name, a.Name, in.raw)
				})
			})
		if a.ParamsType() != nil {
			takes(routes, path, schemas.Schema(a.ParamsType(), true, ""), true)
		} else {
			takes(routes, path, nothing(), false)
		}
	}
	s.registerMany(routes, k, title)
}

// registerRecent registers the routes of the choices that were made before.
func (s *server) registerRecent(routes *doors, k *resource.Kind, title string) {
	path := "/v1/" + k.Plural() + ":recent"
	answer(routes, ofAll(people.Read, k.Name), huma.Operation{
		OperationID: "list-recent-" + k.Plural(), Method: http.MethodGet, Path: path, Tags: []string{k.Title},
		Summary:     "List what was chosen for " + title + "s that were created, the latest first",
		Description: "Each combination of " + strings.Join(k.Recent, ", ") + " in each cloud, region and zone once, with how often, how long and when. Filters: cloud, region, zone and choice.FIELD; sorts: those but the last, count and lastAt.",
	}, func(ctx context.Context, in *ListParams) (list[api.Recent], error) {
		query, err := in.query(ctx)
		if err != nil {
			return list[api.Recent]{}, err
		}
		items, next, err := s.Inventory.Recent(ctx, k.Name, query)
		return list[api.Recent]{Items: items, NextPageToken: next}, err
	})
	register(routes, ofAll(people.Delete, k.Name), problems(routes.OpenAPI().Components.Schemas, huma.Operation{
		OperationID: "forget-recent-" + k.Name, Method: http.MethodDelete, Path: path + "/{id}", Tags: []string{k.Title}, DefaultStatus: http.StatusNoContent,
		Summary: "Forget what was chosen for " + title + "s",
	}), func(ctx context.Context, in *struct {
		ID string `path:"id" doc:"Id of the choice." maxLength:"64"`
	},
	) (*struct{}, error) {
		if err := s.Inventory.ForgetRecent(ctx, k.Name, in.ID); err != nil {
			return nil, problem(err)
		}
		return nil, nil //nolint:nilnil // no body
	})
}

func (s *server) listResources(ctx context.Context, connection string, k *resource.Kind, p ResourceListParams) (*huma.StreamResponse, error) {
	query, err := p.query(ctx)
	if err != nil {
		return nil, problem(err)
	}
	query.Search = p.Search
	var stale []api.Stale
	if p.Fresh && p.PageToken == "" {
		if stale, err = s.Inventory.Freshen(ctx, connection, k.Name); err != nil {
			return nil, problem(err)
		}
		stale = slices.DeleteFunc(stale, func(one api.Stale) bool {
			return s.People.Decide(ctx, people.Read, people.What{Kind: k.Name, Connection: one.Connection}) == people.Denied
		})
	}
	return s.cached(ctx, func(ctx context.Context) ([]byte, error) {
		items, next, err := s.Inventory.Documents(ctx, connection, k.Name, query)
		if err != nil {
			return nil, err
		}
		return resourceList{next, stale}.with(items)
	}, k.Plural(), connection, query, stale)
}

// readTime is how long what is read for all who ask may take, because none of them can end it.
const readTime = 30 * time.Second

// cached answers JSON that is put together from what is recorded, once for all requests for the same, of
// those who see the same, until something changes.
func (s *server) cached(ctx context.Context, read func(context.Context) ([]byte, error), what ...any) (*huma.StreamResponse, error) {
	version, err := s.Engine.Version(ctx)
	if err != nil {
		return nil, problem(err)
	}
	key, err := json.Marshal(append(what, seen(ctx).Key()))
	if err != nil {
		return nil, problem(err)
	}
	found, err := s.answers.Get(version, string(key), func() (*respond.Answer, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime) // it is read for others, too
		defer cancel()
		raw, err := read(ctx)
		if err != nil {
			return nil, err
		}
		return s.codings.New(raw, "application/json"), nil
	})
	if err != nil {
		return nil, problem(err)
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humachi.Unwrap(ctx)
		found.Write(w, r)
	}}, nil
}

// counts is how many resources there are, and of which kinds.
type counts struct {
	Total  int     `json:"total" doc:"How many there are."`
	Groups []group `json:"groups" nullable:"false" doc:"With groupBy: the field's values, the most frequent first, 1,000 at most."`
}

type group struct {
	Value string `json:"value" doc:"The value. Empty for what has none."`
	Count int    `json:"count" doc:"How many have it."`
}

func (s *server) count(ctx context.Context, k *resource.Kind, p FilterParams, search, field string) (counts, error) {
	filters, err := p.filters()
	if err != nil {
		return counts{}, err
	}
	total, groups, err := s.Inventory.Count(ctx, k.Name, field, store.Query{Filters: filters, Search: search, Sees: seen(ctx)})
	answer := counts{Total: total, Groups: []group{}}
	for _, g := range groups {
		answer.Groups = append(answer.Groups, group(g))
	}
	return answer, err
}

// change starts an operation and answers it, or, if the client waits and it ends
// in time, what came out of it.
func (s *server) change(ctx context.Context, w WaitParam, done int, start func() (*api.Operation, error)) (*changed, error) {
	wait, err := w.duration()
	if err != nil {
		return nil, problem(err)
	}
	op, err := s.Once.Operation(ctx, start)
	if err != nil {
		return nil, problem(err)
	}
	secrets, keep := op.Secrets, ""
	if len(secrets) > 0 {
		keep = noStore
	}
	if wait > 0 {
		if op, err = s.Engine.Wait(ctx, op.ID, wait); err != nil {
			return nil, problem(err)
		}
	}
	switch {
	case op.Items != nil && op.State.Ended(): // what failed is told for each item
		return &changed{Status: http.StatusOK, Body: op}, nil
	case op.State.Ended() && op.State != api.OperationSucceeded:
		p := problem(op.Error)
		p.Operation = op.ID
		return nil, p
	case op.State != api.OperationSucceeded || wait == 0: // what is done here alone has ended at once
		op.Secrets = secrets
		return &changed{Status: http.StatusAccepted, Location: "/v1/operations/" + op.ID, CacheControl: keep, Body: op}, nil
	case op.Verb == api.VerbDelete:
		return &changed{Status: done, Body: op}, nil
	}
	found, err := s.Inventory.Get(ctx, op.Connection, op.Kind, op.Name)
	if err != nil {
		return nil, problem(err)
	}
	found.Secrets = secrets
	return &changed{Status: done, CacheControl: keep, Body: found}, nil
}

// envelopeSchema is the envelope with the kind's own spec and status.
func envelopeSchema(schemas huma.Registry, k *resource.Kind) *huma.Schema {
	name := huma.DefaultSchemaNamer(k.SpecType(), "")
	name = strings.TrimSuffix(name, "Spec")
	ref := &huma.Schema{Ref: "#/components/schemas/" + name}
	common := schemas.SchemaFromRef(schemas.Schema(reflect.TypeFor[resource.Resource](), true, "Resource").Ref)
	object := *common
	object.Properties = map[string]*huma.Schema{}
	for field, schema := range common.Properties {
		object.Properties[field] = schema
	}
	for field, t := range map[string]reflect.Type{"spec": k.SpecType(), "status": k.StatusType()} {
		object.Properties[field] = schemas.Schema(t, true, "")
	}
	schemas.Map()[name] = &object
	return ref
}

// takes documents the body of a POST, or else a PATCH, that is registered already. If
// huma knew it before, it would check it, too, and otherwise than the model.
func takes(routes *doors, path string, schema *huma.Schema, required bool) {
	at := routes.OpenAPI().Paths[path]
	operation := at.Post
	if operation == nil {
		operation = at.Patch
	}
	operation.RequestBody = &huma.RequestBody{
		Required: required, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}
}

// nothing is the schema of a body that holds nothing.
func nothing() *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false}
}

// problems documents the answers that are not a success.
func problems(schemas huma.Registry, o huma.Operation) huma.Operation {
	schema := schemas.Schema(reflect.TypeFor[ProblemDocument](), true, "")
	if o.Responses == nil {
		o.Responses = map[string]*huma.Response{}
	}
	o.Responses["default"] = &huma.Response{
		Description: "A problem; its code says which.",
		Content:     map[string]*huma.MediaType{problemType: {Schema: schema}},
	}
	return o
}

func describe(code string) string {
	switch code {
	case "201":
		return "The settled resource, with wait."
	case "202":
		return "The operation goes on; follow it at Location."
	default:
		return "Done."
	}
}
