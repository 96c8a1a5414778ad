package v1

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// KindInfo is what a program needs to know of a kind to offer everything that it has.
type KindInfo struct {
	Name    string          `json:"name" doc:"The kind, such as vm."`
	Plural  string          `json:"plural" doc:"Its segment in paths, such as vms."`
	Title   string          `json:"title" doc:"Its name for people."`
	Doc     string          `json:"doc" doc:"What it is."`
	Create  json.RawMessage `json:"create" doc:"JSON Schema of the body of a creation. A property with x-kind names resources of that kind; one with x-catalog is chosen from that catalog."`
	Status  json.RawMessage `json:"status" doc:"JSON Schema of the status."`
	Secrets []SecretInfo    `json:"secrets" nullable:"false" doc:"What a creation answers once and never again."`
	Actions []ActionInfo    `json:"actions" nullable:"false" doc:"Verbs beyond create and delete. Which of them a cloud has is in its driver's description."`
	Views   []ViewInfo      `json:"views" nullable:"false" doc:"What the cloud is asked for each time."`
	Login   bool            `json:"login" doc:"Whether one can log in to it by SSH: it has a terminal and host keys."`
}

// SecretInfo is a value that is shown once.
type SecretInfo struct {
	Name string `json:"name" doc:"Its name in the answer's secrets."`
	Doc  string `json:"doc" doc:"What it is."`
}

// ActionInfo is a verb of a kind.
type ActionInfo struct {
	Name   string           `json:"name" doc:"The verb, such as start."`
	Doc    string           `json:"doc" doc:"What it does."`
	From   []resource.State `json:"from" nullable:"false" doc:"States in which it is possible; none: every one."`
	Params json.RawMessage  `json:"params,omitempty" doc:"JSON Schema of its parameters; absent if it has none."`
}

// ViewInfo is something of a resource that the cloud is asked for each time.
type ViewInfo struct {
	Name   string          `json:"name" doc:"Its segment in paths, such as kubeconfig."`
	Doc    string          `json:"doc" doc:"What it answers."`
	Plain  string          `json:"plain,omitempty" doc:"The field of the answer that is worth showing alone."`
	Params json.RawMessage `json:"params,omitempty" doc:"JSON Schema of its parameters, which are given in the query; absent if it has none."`
	Answer json.RawMessage `json:"answer" doc:"JSON Schema of the answer."`
	Right  string          `json:"right,omitempty" doc:"The right of its own that it needs, such as kubeconfig; absent if who may read the resource has it."`
}

// CatalogInfo is what a program needs to know of a catalog to show it.
type CatalogInfo struct {
	Name   string          `json:"name" doc:"The catalog, such as image."`
	Plural string          `json:"plural" doc:"Its segment in paths, such as images."`
	Title  string          `json:"title" doc:"Its name for people."`
	Doc    string          `json:"doc" doc:"What an entry is."`
	Entry  json.RawMessage `json:"entry" doc:"JSON Schema of an entry."`
}

// registerKinds registers what describes the API to programs that offer all of it,
// such as the web console.
func (s *server) registerKinds(routes *doors) {
	kinds, catalogs := kindInfos(), catalogInfos()
	answer(routes, anybody(), huma.Operation{
		OperationID: "list-kinds", Method: http.MethodGet, Path: "/v1/kinds", Tags: []string{"Kinds"},
		Summary: "List the kinds of resources with the schemas of all that they take and answer", Description: "What is used comes before what uses it.",
	}, func(context.Context, *struct{}) (list[KindInfo], error) {
		return list[KindInfo]{Items: kinds}, nil
	})
	answer(routes, anybody(), huma.Operation{
		OperationID: "list-catalogs", Method: http.MethodGet, Path: "/v1/catalogs", Tags: []string{"Catalog"},
		Summary: "List the catalogs with the schemas of their entries",
	}, func(context.Context, *struct{}) (list[CatalogInfo], error) {
		return list[CatalogInfo]{Items: catalogs}, nil
	})
}

func kindInfos() []KindInfo {
	var infos []KindInfo
	for _, k := range resource.Kinds() {
		info := KindInfo{
			Name: k.Name, Plural: k.Plural(), Title: k.Title, Doc: k.Doc,
			Create: resource.JSONSchema(k.CreateType()), Status: resource.JSONSchema(k.StatusType()),
			Secrets: []SecretInfo{}, Actions: []ActionInfo{}, Views: []ViewInfo{}, Login: k.HasLogin(),
		}
		for _, secret := range k.Secrets {
			info.Secrets = append(info.Secrets, SecretInfo(secret))
		}
		for _, a := range k.Actions {
			action := ActionInfo{Name: a.Name, Doc: a.Doc, From: append([]resource.State{}, a.From...)}
			if a.ParamsType() != nil {
				action.Params = resource.JSONSchema(a.ParamsType())
			}
			info.Actions = append(info.Actions, action)
		}
		for _, v := range k.Views {
			view := ViewInfo{Name: v.Name, Doc: v.Doc, Plain: v.Plain, Answer: resource.JSONSchema(v.AnswerType()), Right: v.Right}
			if v.ParamsType() != nil {
				view.Params = resource.JSONSchema(v.ParamsType())
			}
			info.Views = append(info.Views, view)
		}
		infos = append(infos, info)
	}
	return infos
}

func catalogInfos() []CatalogInfo {
	var infos []CatalogInfo
	for _, c := range resource.Catalogs() {
		infos = append(infos, CatalogInfo{Name: c.Name, Plural: c.Plural(), Title: c.Title, Doc: c.Doc, Entry: resource.JSONSchema(c.EntryType())})
	}
	return infos
}
