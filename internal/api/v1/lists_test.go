package v1_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// query is a query string of name, value, …
func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return "?" + values.Encode()
}

// all follows the pages of a list and returns the names of each page.
func (a *routes) all(path string, pairs ...string) (pages [][]string) {
	a.t.Helper()
	next := ""
	for {
		full := path + query(append(pairs, "pageToken", next)...)
		pages = append(pages, a.names(full))
		next = into[page[any]](a.t, a.get(full)).NextPageToken
		if next == "" {
			return pages
		}
		require.Less(a.t, len(pages), 1000, "the list does not end")
	}
}

func TestListsOfResources(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		a := start(t, enginetest.Options{Store: open()})
		a.Connect("other", "latency", "0s")
		names := []string{"a1", "a2", "a3", "b1", "b2", "c_1", "c11"}
		for i, name := range names {
			body := fmt.Sprintf(`{"name":%q,"labels":{"env":%q,"a.b":"1"},"spec":{"cidr":"10.%d.0.0/16"}}`, name, []string{"dev", "prod"}[i%2], i)
			got := a.post("/v1/connections/mock/vpcs?wait=30s", body)
			require.Equal(t, http.StatusCreated, got.status, "%s", got.body)
		}
		a.create("other", "vpc", "a1", `{"cidr":"10.0.0.0/16"}`)
		a.create("mock", "subnet", "s", `{"vpc":"a1","cidr":"10.0.1.0/24"}`)
		const list = "/v1/connections/mock/vpcs"
		// The order of the database: letters come by their code.
		sorted := slices.Sorted(slices.Values(names))

		for _, size := range []int{1, 2, len(names) - 1, len(names), len(names) + 1, 1000} {
			pages := a.all(list, "pageSize", fmt.Sprint(size))
			assert.ElementsMatch(t, names, slices.Concat(pages...), "pages of %d", size)
			assert.Len(t, pages, (len(names)+size-1)/size, "pages of %d", size)
			for _, order := range []string{"name", "-name", "createdAt", "-createdAt", "updatedAt", "state", "-uid", "cloudId", "connection"} {
				paged := slices.Concat(a.all(list, "pageSize", fmt.Sprint(size), "sort", order)...)
				assert.Equal(t, a.names(list+query("sort", order)), paged, "%s in pages of %d", order, size)
			}
		}
		assert.Equal(t, sorted, a.names(list))
		slices.Reverse(sorted)
		assert.Equal(t, sorted, a.names(list+query("sort", "-name")))
		assert.Equal(t, names, a.names(list+query("sort", "createdAt")))

		for filter, want := range map[string][]string{
			"name=a1":               {"a1"},
			"name!=a1":              {"a2", "a3", "b1", "b2", "c11", "c_1"},
			"name~A":                {"a1", "a2", "a3"},
			"name~_":                {"c_1"},
			"name~%":                {},
			"labels.env=dev":        {"a1", "a3", "b2", "c11"},
			"labels.env!=dev":       {"a2", "b1", "c_1"},
			"labels.env~PRO":        {"a2", "b1", "c_1"},
			"labels.none!=x":        names,
			"labels.none=":          {},
			"labels.a.b=1":          names,
			"spec.cidr=10.3.0.0/16": {"b1"},
			"spec.cidr~.3.":         {"b1"},
			"state=available":       names,
			"state!=available":      {},
			"status.default=true":   {},
			"kind=vpc":              names,
			"name=a1' OR '1'='1":    {},
			"name==a1":              {},
			"name=\U0001F600":       {},
		} {
			got := a.names(list + query("filter", filter))
			assert.ElementsMatch(t, want, got, filter)
			pages := slices.Concat(a.all(list, "filter", filter, "pageSize", "2")...)
			assert.ElementsMatch(t, want, pages, filter)
		}
		assert.Equal(t, []string{"a1", "a3"}, a.names(list+query("filter", "name~a", "filter", "labels.env=dev")))
		assert.ElementsMatch(t, append([]string{"a1"}, names...), a.names("/v1/vpcs"))
		assert.ElementsMatch(t, append([]string{"a1"}, names...), slices.Concat(a.all("/v1/vpcs", "pageSize", "2")...))
		assert.Equal(t, []string{"a1"}, a.names("/v1/vpcs"+query("filter", "connection=other")))
		assert.Equal(t, []string{"s"}, a.names("/v1/subnets"))
		assert.Empty(t, a.names("/v1/vms"))
		isProblem(t, http.StatusNotFound, a.get("/v1/connections/nowhere/vpcs"))
		isProblem(t, http.StatusNotFound, a.get("/v1/connections/nowhere/vpcs/a1"))

		for q, want := range map[string][]string{
			"C_1": {"c_1"}, "env=prod": {"a2", "b1", "c_1"}, "ENV=prod 10.3.0.0": {"b1"}, "10.3.": {"b1"}, "%": {}, "nothing": {},
		} {
			assert.ElementsMatch(t, want, a.names(list+query("q", q)), q)
			assert.ElementsMatch(t, want, slices.Concat(a.all(list, "q", q, "pageSize", "1")...), q)
		}
		assert.Equal(t, []string{"a1", "a1"}, a.names("/v1/vpcs"+query("q", "10.0.0.0/16")))
		for name, value := range map[string]string{"q": strings.Repeat("x", 257), "fresh": "maybe"} {
			namesField(t, isProblem(t, http.StatusUnprocessableEntity, a.get(list+query(name, value))), value, name)
		}
		namesField(t, isProblem(t, http.StatusUnprocessableEntity, a.get(list+query("q", strings.Repeat("a ", 11)))), "words", "q")
		namesField(t, isProblem(t, http.StatusUnprocessableEntity, a.get("/v1/operations?q=a")), "operations", "q")

		operations := a.names("/v1/operations")
		assert.Len(t, operations, 9)
		assert.Equal(t, "s", operations[0], "the newest comes first")
		assert.Equal(t, operations, slices.Concat(a.all("/v1/operations", "pageSize", "2")...))
		assert.Equal(t, []string{"s"}, a.names("/v1/operations"+query("filter", "kind=subnet", "filter", "verb=create", "filter", "state=succeeded")))
		assert.Equal(t, "a1", a.names("/v1/operations" + query("sort", "createdAt", "pageSize", "1"))[0])
		assert.Len(t, slices.Concat(a.all("/v1/operations", "sort", "-endedAt", "pageSize", "2")...), 9)

		a.badLists(list, "/v1/vpcs", "/v1/operations")
		a.badPaths()
		token := into[page[any]](t, a.get(list+query("sort", "name", "pageSize", "1"))).NextPageToken
		namesField(t, isProblem(t, http.StatusUnprocessableEntity, a.get(list+query("sort", "-name", "pageToken", token))), "another order", "pageToken")
		namesField(t, isProblem(t, http.StatusUnprocessableEntity, a.get("/v1/operations"+query("pageToken", token))), "another list", "pageToken")
	})
}

func TestCounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		a := start(t, enginetest.Options{Store: open()})
		require.Equal(t, http.StatusCreated, a.post("/v1/connections", `{"name":"far","cloud":"mock","region":"mock-tokyo"}`).status)
		for i, connection := range []string{"mock", "mock", "mock", "far"} {
			body := fmt.Sprintf(`{"name":"v%d","labels":{"env":%q},"spec":{"cidr":"10.%d.0.0/16"}}`, i, []string{"dev", "prod"}[i%2], i)
			got := a.post("/v1/connections/"+connection+"/vpcs?wait=30s", body)
			require.Equal(t, http.StatusCreated, got.status, "%s", got.body)
		}
		a.create("mock", "vpc", "bare", `{"cidr":"10.0.0.0/16"}`)

		for groupBy, want := range map[string]string{
			"":           `[]`,
			"state":      `[{"value":"available","count":5}]`,
			"cloud":      `[{"value":"mock","count":5}]`,
			"region":     `[{"value":"mock-seoul","count":4},{"value":"mock-tokyo","count":1}]`,
			"connection": `[{"value":"mock","count":4},{"value":"far","count":1}]`,
			"labels.env": `[{"value":"dev","count":2},{"value":"prod","count":2},{"value":"","count":1}]`,
			"spec.cidr": `[{"value":"10.0.0.0/16","count":2},{"value":"10.1.0.0/16","count":1},{"value":"10.2.0.0/16","count":1},` +
				`{"value":"10.3.0.0/16","count":1}]`,
		} {
			assert.JSONEq(t, `{"total":5,"groups":`+want+`}`, string(a.get("/v1/vpcs:count"+query("groupBy", groupBy)).body), groupBy)
		}
		assert.JSONEq(t, `{"total":1,"groups":[{"value":"mock-seoul","count":1}]}`,
			string(a.get("/v1/vpcs:count"+query("groupBy", "region", "filter", "labels.env=prod", "filter", "region=mock-seoul", "q", "10.1.")).body))
		assert.JSONEq(t, `{"total":0,"groups":[]}`, string(a.get("/v1/vms:count?groupBy=state").body))
		assert.Equal(t, []string{"v3"}, a.names("/v1/vpcs"+query("filter", "region=mock-tokyo", "filter", "cloud=mock")))
		assert.Equal(t, []string{"v3"}, a.names("/v1/vpcs"+query("filter", "region~TOKYO")))
		for name, value := range map[string]string{"groupBy": "createdAt", "filter": "color=red", "q": strings.Repeat("a ", 11)} {
			namesField(t, isProblem(t, http.StatusUnprocessableEntity, a.get("/v1/vpcs:count"+query(name, value))), value, name)
		}
		namesField(t, isProblem(t, http.StatusUnprocessableEntity, a.get("/v1/vpcs?sort=region")), "sort", "sort")
	})
}

func TestAFreshList(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.create("mock", "vpc", "v", `{"cidr":"10.0.0.0/8"}`)
	a.Connect("locked", "failCall", "1")
	a.Connect("other")
	_, err := a.AdoptAll(t.Context(), "other")
	require.NoError(t, err)
	got := a.delete("/v1/connections/other/vpcs/v?wait=30s")
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	type fresh struct {
		Items []resource.Resource
		Stale []api.Stale
	}
	old := into[fresh](t, a.get("/v1/vpcs"))
	require.Len(t, old.Items, 1)
	assert.Equal(t, resource.StateAvailable, old.Items[0].State, "what was last recorded")
	now := into[fresh](t, a.get("/v1/vpcs?fresh=true"))
	require.Len(t, now.Items, 1)
	assert.Equal(t, resource.StateDeleted, now.Items[0].State)
	assert.Empty(t, now.Stale)
	assert.NotContains(t, string(a.get("/v1/vpcs?fresh=true").body), "stale")

	require.NoError(t, a.Store.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
		row, err := q.Resource(ctx, "mock", "vpc", "v")
		if err != nil {
			return err
		}
		row.UID, row.Connection, row.CloudID = "u", "locked", "x"
		return q.InsertResource(ctx, row, nil)
	}))
	for path, items := range map[string]int{"/v1/vpcs": 2, "/v1/connections/locked/vpcs": 1} {
		now = into[fresh](t, a.get(path+"?fresh=true"))
		assert.Len(t, now.Items, items, path)
		require.Len(t, now.Stale, 1, path)
		assert.Equal(t, "locked", now.Stale[0].Connection)
		assert.Equal(t, resource.CodeUnavailable, now.Stale[0].Error.Code)
	}
	isProblem(t, http.StatusNotFound, a.get("/v1/connections/nowhere/vpcs?fresh=true"))
}

func TestTheAuditTrailAndForce(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.create("mock", "vpc", "v", `{"cidr":"10.0.0.0/8"}`)
	got := a.delete("/v1/connections/mock/vpcs/v?force=true&wait=30s")
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	op := into[api.Operation](t, got)
	assert.True(t, op.Force)
	assert.Equal(t, "admin", op.By)
	entries := into[page[api.AuditEntry]](t, a.get("/v1/audit?filter=verb=delete")).Items
	require.Len(t, entries, 1)
	assert.Equal(t, "admin", entries[0].Who)
	assert.Equal(t, op.ID, entries[0].Operation)
	assert.Equal(t, "ok", entries[0].Outcome)
	namesField(t, isProblem(t, http.StatusUnprocessableEntity, a.get("/v1/audit?sort=detail")), "sort", "sort")
	namesField(t, isProblem(t, http.StatusUnprocessableEntity, a.delete("/v1/connections/mock/vpcs/v?force=perhaps")), "force", "force")
	isProblem(t, http.StatusNotFound, a.delete("/v1/connections/mock/vpcs/v?force=true"))
}

// badLists asks lists for what makes no sense.
func (a *routes) badLists(lists ...string) {
	a.t.Helper()
	long := strings.Repeat("x", 60_000)
	for _, list := range lists {
		for _, bad := range []struct{ name, value string }{
			{"pageSize", "0"},
			{"pageSize", "-1"},
			{"pageSize", "1001"},
			{"pageSize", "ten"},
			{"pageSize", "1e2"},
			{"pageSize", "99999999999999999999"},
			{"sort", "color"},
			{"sort", "--name"},
			{"sort", "-"},
			{"sort", "name;drop table resource"},
			{"sort", long},
			{"filter", "name"},
			{"filter", "="},
			{"filter", "=x"},
			{"filter", "color=red"},
			{"filter", "name>1"},
			{"filter", "createdAt=1"},
			{"filter", "name~" + long},
			{"filter", "name=" + long},
			{"filter", "!name=x"},
			{"filter", "spec=x"},
			{"filter", "spec.=x"},
			{"filter", `"name"=x`},
			{"pageToken", "x"},
			{"pageToken", "-1"},
			{"pageToken", "bnVsbA"},
			{"pageToken", "e30"},
			{"pageToken", "99999999999999999999"},
			{"pageToken", long},
		} {
			got := a.get(list + query(bad.name, bad.value))
			namesField(a.t, isProblem(a.t, http.StatusUnprocessableEntity, got), got.about, bad.name, bad.name+"[0]")
		}
		got := a.get(list + query("color", "red"))
		namesField(a.t, isProblem(a.t, http.StatusUnprocessableEntity, got), got.about, "color")
		got = a.get(list + "?" + strings.Repeat("filter=name=x&", 21))
		namesField(a.t, isProblem(a.t, http.StatusUnprocessableEntity, got), got.about, "filter")
	}
}

// badPaths asks for what is not text, and for texts that a database may take for
// something else than text.
func (a *routes) badPaths() {
	a.t.Helper()
	for _, escaped := range []string{"%00", "a%00b", "%FF", "%C3%28", "%ED%A0%80", "%0A", "%7F", "%C2%85"} {
		for _, path := range []string{
			"/v1/connections/" + escaped, "/v1/connections/mock/vpcs/" + escaped, "/v1/connections/" + escaped + "/vpcs",
			"/v1/operations/" + escaped, "/v1/" + escaped, "/v1/connections/mock/" + escaped + "s",
		} {
			got := a.get(path)
			namesField(a.t, isProblem(a.t, http.StatusBadRequest, got), got.about, "path")
		}
		for _, q := range []string{"?filter=name=" + escaped, "?" + escaped + "=1", "?sort=" + escaped, "?pageToken=" + escaped, "?filter=labels." + escaped + "=1"} {
			got := a.get("/v1/vpcs" + q)
			namesField(a.t, isProblem(a.t, http.StatusBadRequest, got), got.about, "query")
		}
	}
	for _, q := range []string{"?filter=%", "?filter=%zz", "?a;b", "?filter=name=%C3&filter=%A9=x", "?filter%C3=%A9"} {
		got := a.get("/v1/vpcs" + q)
		namesField(a.t, isProblem(a.t, http.StatusBadRequest, got), got.about, "query")
	}
	for _, field := range []string{
		"$", "$.x", "$[", "[0]", "#-1", `"`, `a"b`, "'", "a'b", "0", "-1", "*", `\`, `env\`, `env"x`, `env".x`, "..", "?", "?1", ":x", "@x", "%", "\U0001F600", strings.Repeat("x", 900),
	} {
		for _, object := range []string{"labels", "spec", "status"} {
			for _, op := range []string{"=", "!=", "~"} {
				got := a.get("/v1/vpcs" + query("filter", object+"."+field+op+"x"))
				if got.status != http.StatusOK { // a list may refuse what no member can be called
					namesField(a.t, isProblem(a.t, http.StatusUnprocessableEntity, got), got.about, "filter")
				}
			}
		}
	}
	for _, name := range []string{"..", "%2E%2E", "a%2Fb", "%25", "%2500", "'", `"`, "a%20b", "%F0%9F%98%80", strings.Repeat("x", 128), "x:start", "%3Astart", "*", "?", "a;b", "a+b"} {
		for _, path := range []string{"/v1/connections/" + name, "/v1/connections/mock/vpcs/" + name, "/v1/operations/" + strings.TrimSuffix(name, strings.Repeat("x", 64)), "/v1/credentials/" + name, "/v1/drivers/" + name} {
			if strings.HasSuffix(path, "?") { // a query without anything in it
				continue
			}
			isProblem(a.t, http.StatusNotFound, a.get(path))
		}
	}
	for path, field := range map[string]string{
		"/v1/connections/" + strings.Repeat("x", 10_000):           "name",
		"/v1/connections/mock/vpcs/" + strings.Repeat("x", 10_000): "name",
		"/v1/connections/" + strings.Repeat("x", 129) + "/vpcs":    "connection",
		"/v1/operations/" + strings.Repeat("x", 65):                "id",
		"/v1/vpcs?" + strings.Repeat("x", 10_000):                  strings.Repeat("x", 10_000),
	} {
		got := a.get(path)
		namesField(a.t, isProblem(a.t, http.StatusUnprocessableEntity, got), got.about, field)
	}
}

func TestListsOfTheCatalog(t *testing.T) {
	a := start(t, enginetest.Options{}, "pageSize", "7")
	catalog := func(catalog string, pairs ...string) string {
		return "/v1/catalog/" + catalog + query(append([]string{"connection", "mock"}, pairs...)...)
	}
	assert.Equal(t, []string{"mock-seoul", "mock-tokyo", "mock-virginia", "mock-frankfurt"}, a.names(catalog("regions")), "the cloud's own order")
	assert.Equal(t, []string{"mock-frankfurt", "mock-seoul", "mock-tokyo", "mock-virginia"}, a.names(catalog("regions", "sort", "name")))
	assert.NotEmpty(t, a.names(catalog("zones")))

	specs := a.names(catalog("specs", "pageSize", "1000"))
	assert.Greater(t, len(specs), 150)
	for _, size := range []string{"1", "2", "100", fmt.Sprint(len(specs)), "1000"} {
		pages := a.all("/v1/catalog/specs", "connection", "mock", "pageSize", size)
		assert.Equal(t, specs, slices.Concat(pages...), "pages of %s", size)
	}
	assert.Len(t, a.names(catalog("specs")), 100, "the default size of a page")

	big := into[page[resource.Spec]](t, a.get(catalog("specs", "sort", "-memoryMiB", "filter", "architectures=arm64", "filter", "vcpus=32"))).Items
	require.NotEmpty(t, big)
	assert.True(t, slices.IsSortedFunc(big, func(a, b resource.Spec) int { return b.MemoryMiB - a.MemoryMiB }), "numbers sort as numbers")
	for _, s := range big {
		assert.Equal(t, 32, s.VCPUs)
		assert.Contains(t, s.Architectures, "arm64")
	}
	images := into[page[resource.Image]](t, a.get(catalog("images", "filter", "name~UBUNTU", "filter", "architecture!=arm64"))).Items
	require.Len(t, images, 3)
	for _, i := range images {
		assert.Equal(t, "ubuntu", i.OS)
		assert.Equal(t, "x86_64", i.Architecture)
	}
	assert.Empty(t, a.names(catalog("images", "filter", "os=beos")))
	assert.Empty(t, a.names(catalog("images", "pageToken", "9223372036854775807")))

	for _, c := range resource.Catalogs() {
		for _, bad := range [][2]string{
			{"filter", "color=red"},
			{"filter", "name"},
			{"sort", "color"},
			{"sort", "--name"},
			{"pageToken", "x"},
			{"pageToken", "-1"},
			{"pageToken", "99999999999999999999"},
			{"pageSize", "0"},
			{"pageSize", "1001"},
			{"color", "red"},
		} {
			got := a.get(catalog(c.Plural(), bad[0], bad[1]))
			namesField(t, isProblem(t, http.StatusUnprocessableEntity, got), got.about, bad[0])
		}
		namesField(t, isProblem(t, http.StatusUnprocessableEntity, a.get("/v1/catalog/"+c.Plural())), c.Name, "connection")
		isProblem(t, http.StatusNotFound, a.get("/v1/catalog/"+c.Plural()+"?connection=nowhere"))
	}
	isProblem(t, http.StatusNotFound, a.get("/v1/catalog/rockets?connection=mock"))
}

func TestACatalogIsLookedUpBeforeThereIsAConnection(t *testing.T) {
	a := start(t, enginetest.Options{})
	const regions = "/v1/drivers/mock/catalog/regions"
	look := func(path, body string) []string {
		got := a.post(path, body)
		require.Equal(t, http.StatusOK, got.status, "%s", got.body)
		var names []string
		for _, r := range into[page[resource.Region]](t, got).Items {
			names = append(names, r.Name)
		}
		return names
	}
	require.Equal(t, http.StatusCreated, a.post("/v1/credentials", `{"name":"good","cloud":"mock","values":{"password":"p"}}`).status)
	require.Equal(t, http.StatusCreated, a.post("/v1/credentials", `{"name":"bad","cloud":"mock","values":{"password":"wrong"}}`).status)
	known := a.names("/v1/catalog/regions?connection=mock")
	before := a.state()
	assert.Equal(t, known, look(regions, `{"values":{"password":"secret"},"region":"mock-seoul"}`))
	assert.Equal(t, []string{"mock-tokyo"}, look(regions+query("filter", "name~TOKYO"), `{"credential":"good","region":"mock-seoul","settings":{"latency":"1ms"}}`))
	assert.Equal(t, []string{"mock-tokyo-a", "mock-tokyo-b"}, look("/v1/drivers/mock/catalog/zones?pageSize=2", `{"region":"mock-tokyo"}`))

	for _, body := range []string{`{"values":{"password":"wrong"},"region":"mock-seoul"}`, `{"credential":"bad","region":"mock-seoul"}`} {
		p := isProblem(t, http.StatusUnauthorized, a.post(regions, body))
		assert.Equal(t, "AuthFailure", p.Cloud.Code, body)
	}
	for body, field := range map[string]string{
		`{"credential":"good","values":{"password":"p"}}`: "values",
		`{"credential":"none"}`:                           "credential",
		`{"values":{"colour":"red"}}`:                     "values",
		`{"settings":{"colour":"red"}}`:                   "settings",
	} {
		a.refuses(http.StatusUnprocessableEntity, a.post(regions, body), body, field)
	}
	namesField(t, isProblem(t, http.StatusUnprocessableEntity, a.post(regions+"?sort=colour", `{}`)), "sort", "sort")
	isProblem(t, http.StatusNotFound, a.post("/v1/drivers/nosuch/catalog/regions", `{}`))
	assert.Equal(t, before, a.state(), "nothing of it is kept")
}
