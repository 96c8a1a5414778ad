package spider_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/api/spider"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

func TestFavoritesAreKept(t *testing.T) {
	a := registered(t, enginetest.Options{})
	const path = "/vm/imagespecfavorite"
	list := func(query string) []string {
		t.Helper()
		var all []spider.VMFavoriteInfo
		require.NoError(t, json.Unmarshal([]byte(a.ok(http.MethodGet, path+query, "").body), &all))
		names := []string{}
		for _, one := range all {
			assert.NotEmpty(t, one.CreatedAt)
			names = append(names, one.ImageName)
		}
		return names
	}
	assert.Equal(t, `[]`, a.ok(http.MethodGet, path, "").body)
	assert.JSONEq(t, `{"message":"Successfully added to favorites"}`, a.ok(http.MethodPost, path, `{"CSP":"aws","Region":"ap-northeast-2","ImageName":"ami-1","SpecName":"t3.micro"}`).body)
	a.ok(http.MethodPost, path, `{"CSP":"AWS","Region":"ap-northeast-2","ImageName":"ami-1","SpecName":"t3.micro"}`)
	a.ok(http.MethodPost, path+"?CSP=MOCK&Region=mock-seoul&Zone=a&ImageName=img&SpecName=std", "")
	assert.JSONEq(t, `{"inserted":1,"skipped":2,"total":3}`, a.ok(http.MethodPost, path+"/bulk", `{"records":[
		{"CSP":"AWS","Region":"ap-northeast-2","ImageName":"ami-1","SpecName":"t3.micro"},
		{"CSP":"AWS","Region":"us-east-1","ImageName":"ami-2","SpecName":"t3.micro","CreatedAt":"2020-01-01T00:00:00Z"},
		{"CSP":"AWS","Region":"us-east-1","ImageName":"ami-2","SpecName":"t3.micro"}]}`).body, "what is there already is not there twice")
	assert.Equal(t, []string{"ami-1", "ami-2", "img"}, list("?SortBy=ImageName&SortOrder=asc"))
	assert.Equal(t, []string{"img", "ami-2", "ami-1"}, list("?SortBy=image_name&SortOrder=desc"))
	assert.Equal(t, "ami-2", list("")[2], "the newest first")
	assert.Equal(t, []string{"ami-1"}, list("?CSP=aws&Region=ap-northeast-2"))
	assert.Equal(t, []string{"img"}, list("?Zone=a"))

	a.ok(http.MethodDelete, path+"?CSP=AWS&Region=ap-northeast-2&ImageName=ami-1&SpecName=t3.micro", "")
	assert.Equal(t, []string{"ami-2", "img"}, list("?SortBy=ImageName&SortOrder=asc"))
	for body, field := range map[string]string{
		`{"Region":"r","ImageName":"i","SpecName":"s"}`: "CSP", `{"CSP":"AWS","Region":"r","SpecName":"s"}`: "ImageName", `{"CSP":"AWS","Region":"r","ImageName":["i"],"SpecName":"s"}`: "ImageName",
	} {
		r := a.call(http.MethodPost, path, body)
		assert.Equal(t, http.StatusBadRequest, r.status, body)
		assert.Contains(t, r.message(t), field)
	}
	assert.Equal(t, http.StatusBadRequest, a.call(http.MethodPost, path+"/bulk", `{"records":[{"CSP":"AWS"}]}`).status)
	assert.Equal(t, http.StatusBadRequest, a.call(http.MethodPost, path+"/bulk", `{}`).status)
	assert.Equal(t, http.StatusBadRequest, a.call(http.MethodGet, path+"?SortBy=beauty", "").status)
	assert.Len(t, list(""), 2)
}
