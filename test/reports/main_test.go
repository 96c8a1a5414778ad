package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every driver's report is looked at, from the folder of the project.
func TestReportsOfTheDrivers(t *testing.T) {
	var out bytes.Buffer
	require.Error(t, run(t.Context(), &out), "from another folder")
	t.Chdir("../..")
	require.NoError(t, run(t.Context(), &out))
	for _, driver := range []string{"aws", "mock", "openstack"} {
		assert.Regexp(t, `(?m)^`+driver+`: \d+ of \d\d groups are due$`, out.String())
	}
}
