package spider_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/api/spider"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

func TestRecentImagesAndSpecsAreCounted(t *testing.T) {
	a := registered(t, enginetest.Options{})
	const path = "/vm/imagespecrecent"
	list := func(query string) []spider.VMRecentInfo {
		t.Helper()
		var all []spider.VMRecentInfo
		require.NoError(t, json.Unmarshal([]byte(a.ok(http.MethodGet, path+query, "").body), &all))
		return all
	}
	assert.Equal(t, `[]`, a.ok(http.MethodGet, path, "").body)
	a.network()
	a.ok(http.MethodPost, "/vm", a.vmBody("vm1"))
	a.ok(http.MethodPost, "/vm", a.vmBody("vm2"))
	all := list("")
	require.Len(t, all, 1)
	one := all[0]
	assert.Equal(t, []string{"MOCK", "mock-seoul", a.Image, a.Spec}, []string{one.CSP, one.Region, one.ImageName, one.SpecName})
	assert.EqualValues(t, 2, one.CreationCount)
	assert.Positive(t, one.AvgCreationTime)
	_, err := time.Parse(time.RFC3339, one.LastCreatedAt)
	require.NoError(t, err)
	assert.Equal(t, "x86_64", one.OSArch)
	assert.Equal(t, "Linux/UNIX", one.OsPlatform)
	assert.Regexp(t, `^\d+/[\d.]+ GiB$`, one.CPUInfo)

	bulk := `{"records":[
		{"CSP":"AWS","Region":"r1","ImageName":"ami-1","SpecName":"t3.micro","AvgCreationTime":12.5,"CreationCount":7,"LastCreatedAt":"2020-01-01T00:00:00Z","OSArch":"arm64"},
		{"CSP":"AWS","Region":"r2","Zone":"z","ImageName":"ami-2","SpecName":"t3.micro","AvgCreationTime":3,"CreationCount":1,"LastCreatedAt":"2021-01-01T00:00:00Z"}]}`
	assert.JSONEq(t, `{"inserted":2,"skipped":0,"total":2}`, a.ok(http.MethodPost, path+"/bulk", bulk).body)
	assert.JSONEq(t, `{"inserted":0,"skipped":2,"total":2}`, a.ok(http.MethodPost, path+"/bulk", bulk).body)
	images := func(query string) []string {
		t.Helper()
		names := []string{}
		for _, one := range list(query) {
			names = append(names, one.ImageName)
		}
		return names
	}
	assert.Equal(t, []string{a.Image, "ami-2", "ami-1"}, images(""), "the latest first")
	assert.Equal(t, []string{"ami-1", a.Image, "ami-2"}, images("?SortBy=creation_count"))
	assert.Equal(t, []string{"ami-2", "ami-1"}, images("?CSP=aws&SortBy=AvgCreationTime&SortOrder=asc"))
	assert.Equal(t, []string{a.Image}, images("?Limit=1"))
	assert.Equal(t, []string{"ami-2"}, images("?Zone=z"))
	assert.Equal(t, []string{a.Image}, images("?ConnectionName="+connection))
	imported := list("?Region=r1")[0]
	assert.Equal(t, spider.VMRecentInfo{
		CSP: "AWS", Region: "r1", ImageName: "ami-1", SpecName: "t3.micro", OSArch: "arm64", AvgCreationTime: 12.5, CreationCount: 7, LastCreatedAt: "2020-01-01T00:00:00Z",
	}, imported)

	a.ok(http.MethodDelete, path+"?CSP=AWS&Region=r1&ImageName=ami-1&SpecName=t3.micro", "")
	assert.Equal(t, []string{"ami-2"}, images("?CSP=AWS"))
	for body, field := range map[string]string{
		`{}`: "records", `{"records":[{"CSP":"AWS"}]}`: "Region",
		`{"records":[{"CSP":"AWS","Region":"r","ImageName":"i","SpecName":"s","CreationCount":-1}]}`:        "CreationCount",
		`{"records":[{"CSP":"AWS","Region":"r","ImageName":"i","SpecName":"s","AvgCreationTime":1e300}]}`:   "AvgCreationTime",
		`{"records":[{"CSP":"AWS","Region":"r","ImageName":"i","SpecName":"s","LastCreatedAt":"today"}]}`:   "LastCreatedAt",
		`{"records":[{"CSP":"AWS","Region":"r","ImageName":"i\u0000","SpecName":"s","CreationCount":1}]}`:   "ImageName",
		`{"records":[{"CSP":"AWS","Region":"r","ImageName":"i","SpecName":"s","CreationCount":"several"}]}`: "CreationCount",
	} {
		r := a.call(http.MethodPost, path+"/bulk", body)
		assert.Equal(t, http.StatusBadRequest, r.status, body)
		assert.Contains(t, r.message(t), field)
	}
	assert.Equal(t, http.StatusBadRequest, a.call(http.MethodPost, "/vm/imagespecfavorite/bulk", `{"records":[{"CSP":"AWS","Region":"r","ImageName":"i\u0000","SpecName":"s"}]}`).status)
	for query, status := range map[string]int{"?Limit=0": 400, "?Limit=x": 400, "?SortBy=beauty": 400, "?ConnectionName=none": 404} {
		assert.Equal(t, status, a.call(http.MethodGet, path+query, "").status, query)
	}
	assert.Equal(t, http.StatusBadRequest, a.call(http.MethodDelete, path+"?CSP=AWS", "").status)
	assert.Len(t, list(""), 2)
}
