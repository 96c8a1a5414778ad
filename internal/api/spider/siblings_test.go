package spider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

// TestNoListOffersWhatItsSiblingRefuses asks for each entry of a list, as clients do that
// show lists to choose from.
func TestNoListOffersWhatItsSiblingRefuses(t *testing.T) {
	a := registered(t, enginetest.Options{})
	query := "ConnectionName=" + connection
	type entry = map[string]any
	named := func(e any) string { return e.(entry)["Name"].(string) }
	itself := func(e any) string { return e.(string) }
	for _, region := range []string{"mock-seoul", "default"} {
		a.connect(region)
		for _, test := range []struct {
			list, envelope string
			name           func(entry any) string
			ask            func(name string) string
		}{
			{"/cloudos", "cloudos", itself, func(n string) string { return "/cloudos/metainfo/" + n }},
			{"/driver", "driver", func(e any) string { return e.(entry)["DriverName"].(string) }, func(n string) string { return "/driver/" + n }},
			{"/region", "region", func(e any) string { return e.(entry)["RegionName"].(string) }, func(n string) string { return "/region/" + n }},
			{"/credential", "credential", func(e any) string { return e.(entry)["CredentialName"].(string) }, func(n string) string { return "/credential/" + n }},
			{"/connectionconfig", "connectionconfig", func(e any) string { return e.(entry)["ConfigName"].(string) }, func(n string) string { return "/connectionconfig/" + n }},
			{"/quotaservicetype?" + query, "ServiceTypes", itself, func(n string) string { return "/quotainfo?" + query + "&ServiceType=" + url.QueryEscape(n) }},
			{"/regionzone?" + query, "regionzone", named, func(n string) string { return "/regionzone/" + n + "?" + query }},
			{"/vmspec?" + query, "vmspec", named, func(n string) string { return "/vmspec/" + n + "?" + query }},
			{"/vmspec?" + query, "vmspec", named, func(n string) string { return "/vmorgspec/" + n + "?" + query }},
			{"/vmimage?" + query, "image", func(e any) string { return e.(entry)["IId"].(entry)["NameId"].(string) }, func(n string) string { return "/vmimage/" + url.PathEscape(n) + "?" + query }},
			{"/priceinfo/vm/" + region + "?simple&" + query, "PriceList", func(e any) string { return e.(entry)["ProductInfo"].(entry)["VMSpecName"].(string) }, func(n string) string { return "/vmspec/" + n + "?" + query }},
			{"/preconfig/regionzone?DriverName=mock-driver01&CredentialName=mock-credential01", "regionzone", named, func(n string) string {
				return "/preconfig/regionzone/" + n + "?DriverName=mock-driver01&CredentialName=mock-credential01"
			}},
		} {
			var answer map[string]json.RawMessage
			var entries []any
			require.NoError(t, json.Unmarshal([]byte(a.ok(http.MethodGet, test.list, "").body), &answer))
			require.NoError(t, json.Unmarshal(answer[test.envelope], &entries))
			require.NotEmpty(t, entries, test.list)
			asked := map[string]bool{}
			for _, e := range entries {
				name := test.name(e)
				require.NotEmpty(t, name, test.list)
				if !asked[name] && len(asked) < 30 { // the others are of the same kind
					asked[name] = true
					got := a.ok(http.MethodGet, test.ask(name), "").body
					require.NotContains(t, got, `"Quotas":[]`, name)
					require.NotContains(t, got, `"Credential":null`, name)
				}
			}
		}
		// What can be priced at all can be asked in the region, and nowhere else.
		require.Equal(t, http.StatusBadRequest, a.call(http.MethodGet, "/productfamily/elsewhere?"+query, "").status)
	}
}
