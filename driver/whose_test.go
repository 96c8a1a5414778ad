package driver_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/m-cmp/mc-infra-connector/driver"
)

func TestWhoseSomethingIs(t *testing.T) {
	for _, test := range []struct {
		mark, of string
		named    bool
		want     driver.Whose
	}{
		{"mine", "mine", false, driver.Own},
		{"mine", "mine", true, driver.Own},
		{"", "mine", true, driver.Part},
		{"", "mine", false, driver.Stranger},
		{"theirs", "mine", true, driver.Stranger}, // what the object names may be managed by itself
		{"theirs", "mine", false, driver.Stranger},
		{"", "", true, driver.Stranger}, // as may what others have made
		{"", "", false, driver.Stranger},
	} {
		assert.Equal(t, test.want, driver.WhoseIs(test.mark, test.of, test.named), "%+v", test)
	}
}
