package spider_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/api/spider"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

func TestAGETThatActsIsNotForBrowsersThatAreLedThere(t *testing.T) {
	a := registered(t, enginetest.Options{})
	own, err := url.Parse(a.url)
	require.NoError(t, err)
	const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	basic := func(name, secret string) string {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(name, secret)
		return r.Header.Get("Authorization")
	}
	assert.Equal(t, []string{"/controlvm/{Name}", "/check/tcp", "/check/udp"}, spider.Acting())
	for _, path := range spider.Acting() {
		path = strings.ReplaceAll(path, "{Name}", "nothing") + "?ConnectionName=" + connection + "&action=suspend"
		for name, tc := range map[string]struct {
			headers []string
			want    int // 0: it gets in
		}{
			"a program":                        {},
			"CB-Tumblebug":                     {headers: []string{"User-Agent", "go-resty/2.16.5 (https://github.com/go-resty/resty)"}},
			"the token of a program":           {headers: []string{"Authorization", "Bearer " + token}},
			"the token as a password":          {[]string{"Authorization", basic("any", token)}, http.StatusUnauthorized},
			"a login of the console":           {[]string{"Authorization", "", "Cookie", "mcic_session=x"}, http.StatusUnauthorized},
			"a page of this server":            {headers: []string{"User-Agent", browser, "Sec-Fetch-Site", "same-origin"}},
			"its script":                       {headers: []string{"User-Agent", browser, "Origin", "http://" + own.Host}},
			"its link, by HTTP":                {headers: []string{"User-Agent", browser, "Referer", "http://" + own.Host + "/x"}},
			"a page of another site":           {[]string{"User-Agent", browser, "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
			"a page of a neighbour":            {[]string{"User-Agent", browser, "Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
			"a link in a message":              {[]string{"User-Agent", browser, "Sec-Fetch-Site", "none"}, http.StatusForbidden},
			"a script of another site":         {[]string{"User-Agent", browser, "Origin", "https://evil.example"}, http.StatusForbidden},
			"a page without an origin":         {[]string{"User-Agent", browser, "Origin", "null"}, http.StatusForbidden},
			"a picture of another site":        {[]string{"User-Agent", browser, "Referer", "https://evil.example/page"}, http.StatusForbidden},
			"a picture that hides its site":    {[]string{"User-Agent", browser}, http.StatusForbidden},
			"a site that has our name in its":  {[]string{"User-Agent", browser, "Referer", "http://" + own.Host + ".evil.example/"}, http.StatusForbidden},
			"a site that has us in its path":   {[]string{"User-Agent", browser, "Referer", "http://evil.example/" + own.Host}, http.StatusForbidden},
			"what cannot be read":              {[]string{"User-Agent", browser, "Referer", "://"}, http.StatusForbidden},
			"a bearer token from another site": {[]string{"Authorization", "Bearer " + token, "Origin", "https://evil.example"}, http.StatusForbidden},
		} {
			got := a.call(http.MethodGet, path, "", tc.headers...).status
			if tc.want == 0 {
				assert.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, got, "%s: %s", path, name)
			} else {
				assert.Equal(t, tc.want, got, "%s: %s", path, name)
			}
		}
	}
	assert.Equal(t, http.StatusForbidden, a.call(http.MethodPost, "/regvpc", in(`{}`), "Origin", "https://evil.example").status, "so do all methods that change something")
	assert.NotEqual(t, http.StatusForbidden, a.call(http.MethodPost, "/regvpc", in(`{}`), "User-Agent", "Mozilla/5.0 (Windows NT; de-DE) PowerShell/7.5").status, "which browsers send with Origin")
	assert.Equal(t, http.StatusOK, a.call(http.MethodGet, "/driver", "", "User-Agent", browser, "Referer", "https://wiki.example").status)
	assert.Equal(t, http.StatusOK, a.call(http.MethodGet, "/driver", "", "Authorization", basic("any", token)).status, "the token reads")
}

// TestOtherGETsOnlyRead holds that no GET changes something that is not said to.
func TestOtherGETsOnlyRead(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	a.ok(http.MethodPost, "/vm", a.vmBody("vm1"))
	count := func() int {
		operations, _, err := a.Operations(t.Context(), store.Query{Limit: 500})
		require.NoError(t, err)
		return len(operations)
	}
	before, asked := count(), 0
	require.NotZero(t, before)
	names := strings.NewReplacer("{Name}", "vm1", "{ConnectionName}", connection, "{VPCName}", "v", "*", "x")
	for _, r := range spider.Routes() {
		path := names.Replace(strings.TrimPrefix(r.Path, spider.Prefix))
		if r.Method != http.MethodGet || slices.Contains(spider.Acting(), strings.TrimPrefix(r.Path, spider.Prefix)) || strings.Contains(path, "{") {
			continue
		}
		a.call(http.MethodGet, path+"?ConnectionName="+connection+"&action=suspend&ResourceType=vm", "")
		asked++
	}
	assert.Greater(t, asked, 100)
	assert.Equal(t, before, count())
}
