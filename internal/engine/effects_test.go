package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// The page of the protocol has the table that the engine goes by.
func TestThePageHasTheEffects(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "driver-protocol.md"))
	require.NoError(t, err)
	var table strings.Builder
	table.WriteString("| code | `Create` | `Delete` | an action | `Get` and `List` |\n| --- | --- | --- | --- | --- |\n")
	explained := map[effect]bool{}
	for _, code := range resource.Codes() {
		row, ok := effects()[code]
		require.True(t, ok, code)
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", code, row[creates], row[deletes], row[acts], row[reads])
		for _, e := range row {
			explained[e] = true
		}
	}
	assert.Contains(t, string(page), table.String(), "the table in the page is to be:\n%s", table.String())
	for e := range explained {
		assert.Contains(t, string(page), "| *"+string(e)+"* | ")
	}
	assert.Len(t, effects(), len(resource.Codes()))
}

// What a code says by its nature of a repeat is what the table says.
func TestTheEffectsRepeatWhatARepeatCanHelp(t *testing.T) {
	for code, row := range effects() {
		for _, c := range []call{creates, deletes, acts} {
			repeats := slices.Contains([]effect{again, againAs, steadily}, row[c])
			assert.Equal(t, resource.Errorf(code, "no").Retryable, repeats, "%s %d", code, c)
		}
	}
}
