package moto_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/m-cmp/mc-infra-connector/test/moto"
)

func TestServersAreApartAndEndWithTheirTest(t *testing.T) {
	var endpoints []string
	t.Run("two at once", func(t *testing.T) {
		endpoints = []string{moto.Bare(t), moto.Bare(t)}
		for _, endpoint := range endpoints {
			if !answers(t, endpoint) {
				t.Errorf("%s does not answer", endpoint)
			}
		}
	})
	if len(endpoints) == 0 { // skipped
		return
	}
	if endpoints[0] == endpoints[1] {
		t.Errorf("both are %s", endpoints[0])
	}
	for _, endpoint := range endpoints {
		if answers(t, endpoint) {
			t.Errorf("%s still answers", endpoint)
		}
	}
}

func answers(t *testing.T, endpoint string) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoint+"/moto-api/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return false
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	return true
}
