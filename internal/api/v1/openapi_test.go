package v1_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v1 "github.com/m-cmp/mc-infra-connector/internal/api/v1"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// documented is the document as a client reads it.
func documented(t *testing.T) map[string]any {
	t.Helper()
	raw, err := json.Marshal(v1.Document(version))
	require.NoError(t, err)
	var d map[string]any
	require.NoError(t, json.Unmarshal(raw, &d))
	return d
}

// at follows a path of keys; nil if there is nothing.
func at(value any, keys ...string) any {
	for _, key := range keys {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	return value
}

func TestTheDocumentIsWhole(t *testing.T) {
	d := documented(t)
	assert.Regexp(t, `^3\.1\.`, at(d, "openapi"))
	assert.Equal(t, version, at(d, "info", "version"))
	assert.NotEmpty(t, at(d, "security"))
	assert.NotEmpty(t, at(d, "components", "securitySchemes", "token"))

	var walk func(value any, where string)
	walk = func(value any, where string) {
		switch v := value.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				keys, local := strings.CutPrefix(ref, "#/")
				assert.True(t, local && at(d, strings.Split(keys, "/")...) != nil, "%s refers to %s, which is not there", where, ref)
			}
			for key, inner := range v {
				walk(inner, where+"/"+key)
			}
		case []any:
			for i, inner := range v {
				walk(inner, fmt.Sprint(where, "/", i))
			}
		case string:
			assert.NotContains(t, v, "PRIVATE KEY", where)
		}
	}
	walk(d, "#")
	schemas, _ := at(d, "components", "schemas").(map[string]any)
	for name, schema := range schemas {
		if strings.HasSuffix(name, "List") {
			assert.Equal(t, "array", at(schema, "properties", "items", "type"), name)
			assert.NotNil(t, at(schema, "properties", "items", "items", "$ref"), name)
		}
	}

	ids := map[string]string{}
	variable := regexp.MustCompile(`\{([^}]+)\}`)
	paths, _ := at(d, "paths").(map[string]any)
	for path, item := range paths {
		methods, _ := item.(map[string]any)
		for method, o := range methods {
			where := method + " " + path
			id, _ := at(o, "operationId").(string)
			assert.NotEmpty(t, id, where)
			assert.Empty(t, ids[id], "%s has the id of %s", where, ids[id])
			ids[id] = where
			assert.NotEmpty(t, at(o, "summary"), where)
			assert.NotEmpty(t, at(o, "tags"), where)
			assert.Equal(t, "#/components/schemas/ProblemDocument",
				at(o, "responses", "default", "content", problemType, "schema", "$ref"), "%s does not document its problems", where)

			parameters, _ := at(o, "parameters").([]any)
			described := map[string]bool{}
			for _, p := range parameters {
				name, _ := at(p, "name").(string)
				described[name] = true
				assert.NotEmpty(t, at(p, "description"), "%s does not describe %s", where, name)
				if at(p, "in") == "path" {
					assert.Equal(t, true, at(p, "required"), "%s: %s", where, name)
					assert.Contains(t, path, "{"+name+"}", where)
				}
			}
			for _, v := range variable.FindAllStringSubmatch(path, -1) {
				assert.True(t, described[v[1]], "%s does not describe %s", where, v[1])
			}
			body := at(o, "requestBody", "content", jsonType, "schema")
			if method == "post" || method == "patch" {
				object, _ := body.(map[string]any)
				if either, ok := object["oneOf"].([]any); ok {
					object, _ = either[0].(map[string]any)
				}
				if ref, ok := object["$ref"].(string); ok {
					object, _ = at(d, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...).(map[string]any)
				}
				assert.Equal(t, "object", object["type"], "%s does not document its body", where)
				assert.Equal(t, id == "run-extension", object["additionalProperties"], where) // whose input only its driver knows
			} else {
				assert.Nil(t, body, where)
			}
		}
	}
}

func TestTheDocumentHasEveryKind(t *testing.T) {
	d := documented(t)
	answers := func(method, path string, codes ...string) any {
		t.Helper()
		o := at(d, "paths", path, method)
		require.NotNil(t, o, "%s %s is not documented", method, path)
		responses, _ := at(o, "responses").(map[string]any)
		var have []string
		for code := range responses {
			have = append(have, code)
		}
		assert.ElementsMatch(t, append(codes, "default"), have, "%s %s", method, path)
		return o
	}
	for _, k := range resource.Kinds() {
		base := "/v1/connections/{connection}/" + k.Plural()
		one := base + "/{name}"
		answers("get", "/v1/"+k.Plural(), "200")
		answers("get", base, "200")
		answers("get", one, "200")
		answers("delete", one, "200", "202")
		create := answers("post", base, "200", "201", "202")
		assert.Equal(t, true, at(create, "requestBody", "required"))
		either, _ := at(create, "requestBody", "content", jsonType, "schema", "oneOf").([]any)
		require.Len(t, either, 2, k.Name)
		for i, name := range []string{"CreateRequest", "BulkRequest"} {
			ref, _ := at(either[i], "$ref").(string)
			assert.True(t, strings.HasPrefix(ref, "#/components/schemas/"+name), "%s: %q", k.Name, ref)
		}
		for _, a := range k.Actions {
			action := answers("post", one+":"+a.Name, "200", "202")
			assert.Equal(t, a.ParamsType() != nil, at(action, "requestBody", "required") == true, a.Name)
		}
	}
	for _, c := range resource.Catalogs() {
		answers("get", "/v1/catalog/"+c.Plural(), "200")
	}
}

// The document is made by a library, and what bodies are checked against by resource, of the
// same types.
func TestTheDocumentSaysWhatIsChecked(t *testing.T) {
	d := documented(t)
	compared := 0
	for _, k := range resource.Kinds() {
		types := []reflect.Type{k.CreateType(), k.BulkType(), k.StatusType()}
		for _, a := range k.Actions {
			if a.ParamsType() != nil {
				types = append(types, a.ParamsType())
			}
		}
		for _, v := range k.Views {
			types = append(types, v.AnswerType())
		}
		for _, c := range k.Data {
			types = append(types, c.ParamsType(), c.AnswerType())
		}
		for _, typ := range types {
			raw := strings.ReplaceAll(string(resource.JSONSchema(typ)), "#/$defs/", "#/components/schemas/")
			var checked struct {
				Defs map[string]map[string]any `json:"$defs"`
			}
			require.NoError(t, json.Unmarshal([]byte(raw), &checked))
			for name, want := range checked.Defs {
				got, ok := at(d, "components", "schemas", name).(map[string]any)
				if !ok { // given in the query
					continue
				}
				compared++
				delete(want, "x-order")
				assert.Equal(t, want, got, name)
			}
		}
	}
	assert.Greater(t, compared, 100)
}

func TestTheServedDocumentIsTheDocument(t *testing.T) {
	a := start(t, enginetest.Options{})
	got := a.get("/openapi.json")
	require.Equal(t, http.StatusOK, got.status)
	served := into[map[string]any](t, got)
	assert.Equal(t, documented(t), served)

	moved := a.get("/docs")
	assert.Equal(t, http.StatusMovedPermanently, moved.status)
	assert.Equal(t, "/docs/", moved.header.Get("Location"))
	page := a.get("/docs/")
	assert.Equal(t, http.StatusOK, page.status)
	assert.Contains(t, string(page.body), "/openapi.json")
}

// Who uses a method that a path does not have is told all that it has. HEAD would take what
// GET takes, and show nothing of it.
func TestWhatIsAllowedIsWhatIsDocumented(t *testing.T) {
	a := start(t, enginetest.Options{})
	variable := regexp.MustCompile(`\{[^}]+\}`)
	paths, _ := at(documented(t), "paths").(map[string]any)
	takes := map[string]bool{}
	for _, k := range resource.Kinds() {
		for _, c := range k.Data {
			if c.Takes {
				takes["/v1/connections/{connection}/"+k.Plural()+"/{name}/"+c.Path] = true
			}
		}
	}
	for path, item := range paths {
		if strings.Contains(path, ":") { // an action's path is also that of a resource with such a name
			continue
		}
		methods, _ := item.(map[string]any)
		var want []string
		for method := range methods {
			want = append(want, strings.ToUpper(method))
		}
		if methods["get"] != nil && methods["head"] == nil && !takes[path] {
			want = append(want, http.MethodHead)
		}
		got := a.send(a.request("BREW", variable.ReplaceAllString(path, "x"), nil))
		assert.Equal(t, http.StatusMethodNotAllowed, got.status, path)
		assert.ElementsMatch(t, want, got.header.Values("Allow"), path)
	}
}

func TestMetricsKnowRoutesNotPaths(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.create("mock", "vpc", "raw-name", `{"cidr":"10.0.0.0/16"}`)
	a.get("/v1/connections/mock/vpcs/raw-name")
	a.get("/v1/connections/mock/vpcs/raw-missing")
	a.get("/raw-nothing")
	a.send(a.request("BREW", "/v1/vpcs", nil))
	a.send(a.request(http.MethodPut, "/v1/connections/raw-put", nil))
	denied := a.request(http.MethodGet, "/v1/connections/raw-denied", nil)
	denied.Header.Del("Authorization")
	a.send(denied)
	got := a.get("/metrics")
	require.Equal(t, http.StatusOK, got.status)
	for _, labels := range []string{
		`method="POST",route="/v1/connections/{connection}/vpcs",status="201"`,
		`method="GET",route="/v1/connections/{connection}/vpcs/{name}",status="200"`,
		`method="GET",route="/v1/connections/{connection}/vpcs/{name}",status="404"`,
		`method="GET",route="unknown",status="404"`,
		`method="other",route="unknown",status="405"`,
		`method="GET",route="/v1/connections/{name}",status="401"`,
	} {
		assert.Contains(t, string(got.body), "mcic_http_request_duration_seconds_count{"+labels+"} 1\n")
	}
	for _, raw := range []string{"raw-", "BREW", "mock"} {
		assert.NotContains(t, string(got.body), raw)
	}
}
