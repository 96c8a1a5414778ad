package drivertest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEveryExpensiveVerbHasAReason: of the drivers of this repository.
func TestEveryExpensiveVerbHasAReason(t *testing.T) {
	files, err := filepath.Glob("../../drivers/*/testdata/calls.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		b, err := readBudget(file)
		require.NoError(t, err)
		assert.Empty(t, b.excesses(nil), file)
	}
}

func TestCeilings(t *testing.T) {
	for verb, most := range map[string]int{
		"vpc/get": 2, "vpc/list": 2, "vpc/create": 3, "vpc/label": 3, "cluster/list": 2, "cluster/create": 4, "nlb/list": 3, "nlb/settarget": 5,
	} {
		assert.Equal(t, most, ceilingOf(verb), verb)
	}
	file := filepath.Join(t.TempDir(), "calls.json")
	write := func(name, text string) { require.NoError(t, os.WriteFile(name, []byte(text), 0o600)) }
	write(file, `{"vpc/create":4,"vpc/get":2,"nlb/list":4}`)
	b, err := readBudget(file)
	require.NoError(t, err)
	assert.Len(t, b.excesses(nil), 2)
	assert.Contains(t, b.excesses(nil)[1], "vpc/create may cost 4 calls, and 3 is what")
	write(reasonsBeside(file), "vpc/create: it has a gateway\nnlb/list: it has parts\nvm/list: it is slow\n")
	b, err = readBudget(file)
	require.NoError(t, err)
	require.Len(t, b.excesses(nil), 1)
	assert.Contains(t, b.excesses(nil)[0], "says why vm/list is expensive")
	assert.Empty(t, b.unreasoned("vpc/create", 9))
	assert.NotEmpty(t, b.unreasoned("vpc/delete", 9))
	write(reasonsBeside(file), "vpc/create: ' '\n")
	_, err = readBudget(file)
	assert.ErrorContains(t, err, "vpc/create has no reason")
}
