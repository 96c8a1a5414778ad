package v1

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/once"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// registerDrivers registers drivers and the repositories that they come from.
func (s *server) registerDrivers(routes *doors) {
	schemas := routes.OpenAPI().Components.Schemas
	tags := func(tag string, o huma.Operation) huma.Operation {
		o.Tags = []string{tag}
		return o
	}

	const drivers = "Drivers"
	answer(routes, ofSome(people.Driver), tags(drivers, huma.Operation{
		OperationID: "list-drivers", Method: http.MethodGet, Path: "/v1/drivers", Summary: "List the drivers with what they offer",
	}), func(ctx context.Context, _ *struct{}) (list[*driver.Description], error) {
		items, err := s.Drivers.Annotate(ctx, s.Registry.Drivers(ctx))
		return list[*driver.Description]{Items: items}, err
	})
	answer(routes, ofAll(people.Read, people.Repository), tags(drivers, huma.Operation{
		OperationID: "search-drivers", Method: http.MethodGet, Path: "/v1/drivers:search", Summary: "Search the repositories for drivers",
		Description: "Answers the drivers that the repositories have, without fetching their programs.",
	}), func(ctx context.Context, in *struct {
		Text       string `query:"text" doc:"Words that name, title, description or kinds must contain. Default: all drivers." maxLength:"256"`
		Repository string `query:"repository" doc:"Name of a repository. Default: all." maxLength:"63"`
	},
	) (releaseList, error) {
		items, problems, err := s.Drivers.Search(ctx, in.Text, in.Repository)
		return releaseList{items, problems}, err
	})
	creates(s, routes, ofAll(people.Manage, people.Driver), tags(drivers, huma.Operation{
		OperationID: "install-driver", Path: "/v1/drivers",
		Summary:     "Install a driver from a repository",
		Description: "Its signature is verified, it is fetched and tried, and all servers run it from then on. Installing what is installed already checks and repairs it. It is answered when the driver runs, and goes on if the caller leaves.",
	}), reflect.TypeFor[api.DriverRequest](), func(ctx context.Context, body []byte) (*driver.Description, error) {
		var request api.DriverRequest
		if err := resource.Decode(body, &request); err != nil {
			return nil, err
		}
		return s.Drivers.Install(ctx, request)
	}, s.driver)
	answer(routes, ofSome(people.Driver), tags(drivers, huma.Operation{
		OperationID: "list-capabilities", Method: http.MethodGet, Path: "/v1/drivers/{name}/capabilities",
		Summary:     "List what works on a cloud, and what it was tested against",
		Description: "Every verb, action and view of every kind, and every catalog: whether the driver offers it, and what the last runs of the conformance suite have shown.",
	}), func(ctx context.Context, in *Named) (list[driver.Capability], error) {
		d, err := s.Registry.Driver(ctx, in.Name)
		if err != nil {
			return list[driver.Capability]{}, err
		}
		return list[driver.Capability]{Items: d.Capabilities()}, nil
	})
	answer(routes, ofSome(people.Driver), tags(drivers, huma.Operation{
		OperationID: "get-driver", Method: http.MethodGet, Path: "/v1/drivers/{name}", Summary: "Get what a driver is and offers",
	}), func(ctx context.Context, in *Named) (*driver.Description, error) { return s.driver(ctx, in.Name) })
	for _, move := range []struct {
		verb, summary string
		do            func(context.Context, string, api.DriverChange) (*driver.Description, error)
	}{
		{"upgrade", "Move an installed driver to a newer version", func(ctx context.Context, name string, c api.DriverChange) (*driver.Description, error) {
			return s.Drivers.Upgrade(ctx, name, c)
		}},
		{"downgrade", "Move an installed driver to an older version", func(ctx context.Context, name string, c api.DriverChange) (*driver.Description, error) {
			return s.Drivers.Downgrade(ctx, name, c)
		}},
	} {
		path := "/v1/drivers/{name}:" + move.verb
		answer(routes, ofAll(people.Manage, people.Driver), tags(drivers, huma.Operation{
			OperationID: move.verb + "-driver", Method: http.MethodPost, Path: path, Summary: move.summary,
			Description: "The other version is started beside the one that runs. New calls go to it once it has answered what it is; calls that run end in the old one. If it does not work, the old one stays.",
		}), func(ctx context.Context, in *struct {
			Named
			JSONBody
			ChangeKeyParam
		},
		) (*driver.Description, error) {
			var change api.DriverChange
			if err := resource.Decode(in.raw, &change); err != nil {
				return nil, err
			}
			return once.Change(ctx, s.Once, func(ctx context.Context) (*driver.Description, error) {
				return move.do(ctx, in.Name, change)
			}, func(ctx context.Context) (*driver.Description, error) { return s.driver(ctx, in.Name) })
		})
		takes(routes, path, schemas.Schema(reflect.TypeFor[api.DriverChange](), true, ""), false)
	}
	answer(routes, ofSome(people.Driver), tags(drivers, huma.Operation{
		OperationID: "verify-driver", Method: http.MethodPost, Path: "/v1/drivers/{name}:verify", Summary: "Check an installed driver",
		Description: "Compares its files with what was installed, and verifies the signature of its package in the repository once more.",
	}), func(ctx context.Context, in *struct {
		Named
		JSONBody
	},
	) (*api.DriverVerification, error) {
		if err := resource.Decode(in.raw, &struct{}{}); err != nil {
			return nil, err
		}
		return s.Drivers.Verify(ctx, in.Name)
	})
	takes(routes, "/v1/drivers/{name}:verify", nothing(), false)
	s.remove(routes, ofAll(people.Manage, people.Driver), tags(drivers, huma.Operation{
		OperationID: "remove-driver", Path: "/v1/drivers/{name}", Summary: "Remove an installed driver that no connection needs",
	}), func(ctx context.Context, name string) error { return s.Drivers.Remove(ctx, name) })

	const repositories = "Repositories"
	answer(routes, ofAll(people.Read, people.Repository), tags(repositories, huma.Operation{
		OperationID: "list-repositories", Method: http.MethodGet, Path: "/v1/repositories", Summary: "List the repositories of drivers, the one with the highest priority first",
	}), func(ctx context.Context, _ *struct{}) (list[api.Repository], error) {
		items, err := s.Drivers.List(ctx)
		return list[api.Repository]{Items: items}, err
	})
	creates(s, routes, ofAll(people.Manage, people.Repository), tags(repositories, huma.Operation{
		OperationID: "create-repository", Path: "/v1/repositories", Summary: "Register a repository of drivers",
	}), reflect.TypeFor[api.RepositoryRequest](), s.Drivers.Register, s.Drivers.Repository)
	answer(routes, ofAll(people.Read, people.Repository), tags(repositories, huma.Operation{
		OperationID: "get-repository", Method: http.MethodGet, Path: "/v1/repositories/{name}", Summary: "Get a repository",
	}), func(ctx context.Context, in *Named) (*api.Repository, error) {
		return s.Drivers.Repository(ctx, in.Name)
	})
	answer(routes, ofAll(people.Manage, people.Repository), tags(repositories, huma.Operation{
		OperationID: "update-repository", Method: http.MethodPatch, Path: "/v1/repositories/{name}", Summary: "Change a repository",
		Description: "What is absent stays as it is. What was installed from the repository stays installed, also if the key that it was verified with is trusted no more.",
	}), func(ctx context.Context, in *struct {
		Named
		JSONBody
		ChangeKeyParam
	},
	) (*api.Repository, error) {
		return once.Change(ctx, s.Once, func(ctx context.Context) (*api.Repository, error) {
			return s.Drivers.Change(ctx, in.Name, in.raw)
		}, func(ctx context.Context) (*api.Repository, error) { return s.Drivers.Repository(ctx, in.Name) })
	})
	takes(routes, "/v1/repositories/{name}", schemas.Schema(reflect.TypeFor[api.RepositoryChange](), true, ""), false)
	answer(routes, ofAll(people.Read, people.Repository), tags(repositories, huma.Operation{
		OperationID: "get-release", Method: http.MethodGet, Path: "/v1/repositories/{name}/drivers/{driver}", Summary: "Get what a driver in a repository is and offers",
		Description: "Answers what the driver would say of itself, such as the fields of a credential, before it is installed. Its program is not fetched. Its signature is verified only when it is installed.",
	}), func(ctx context.Context, in *struct {
		Named
		Driver  string `path:"driver" doc:"The cloud's name." maxLength:"32"`
		Version string `query:"version" doc:"Semantic version. Default: the newest that is no pre-release and fits this server." maxLength:"128"`
	},
	) (*driver.Description, error) {
		return s.Drivers.Describe(ctx, in.Name, in.Driver, in.Version)
	})
	s.remove(routes, ofAll(people.Manage, people.Repository), tags(repositories, huma.Operation{
		OperationID: "delete-repository", Path: "/v1/repositories/{name}", Summary: "Delete a repository that no installed driver came from",
	}), func(ctx context.Context, name string) error { return s.Drivers.Unregister(ctx, name) })
}

// driver is what a driver is and offers, with how it was installed.
func (s *server) driver(ctx context.Context, name string) (*driver.Description, error) {
	d, err := s.Registry.Driver(ctx, name)
	if err != nil {
		return nil, err
	}
	annotated, err := s.Drivers.Annotate(ctx, []*driver.Description{d})
	for _, a := range annotated {
		if a.Name == d.Name {
			d = a
		}
	}
	return d, err
}

// releaseList is the body of the search for drivers.
type releaseList struct {
	Items    []api.DriverRelease     `json:"items" nullable:"false" doc:"The drivers that were found, by name."`
	Problems []api.RepositoryProblem `json:"problems,omitempty" doc:"The repositories that could not be searched, so that what they have is missing here."`
}
