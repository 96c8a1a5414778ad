package resource_test

import (
	"strings"
	"testing"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestNameFrom(t *testing.T) {
	for text, want := range map[string]string{
		"vpc-01": "vpc-01", "my vpc": "my-vpc", "서울": "seoul", "한글 이름": "hangeul-ireum", "운영/네트워크": "unyeong-neteuwokeu",
		"Büro": "Buro", "a/b%c?d#e": "a-b-c-d-e", "  ": "none", "東京": "none", "-x-": "x", "_a.b_": "a.b", "as-it-is-": "as-it-is-",
		strings.Repeat("n", 270): strings.Repeat("n", 128),
	} {
		if got := resource.NameFrom(text, "none"); got != want {
			t.Errorf("the name of %q is %q, not %q", text, got, want)
		}
	}
}
