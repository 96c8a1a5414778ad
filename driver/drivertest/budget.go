package drivertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
)

// budget is how many calls each verb may cost: a file with a JSON object of kind/verb to a
// ceiling, which is what it cost when the file was written.
type budget struct {
	file    string
	golden  map[string]int
	reasons map[string]string // why verbs cost more than others

	mu       sync.Mutex
	measured map[string]int
}

func readBudget(file string) (*budget, error) {
	b := &budget{file: file, measured: map[string]int{}}
	if file == "" {
		return b, nil
	}
	if err := b.readReasons(); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(file) //nolint:gosec // the target names it
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &b.golden)
	}
	if err != nil {
		return nil, fmt.Errorf("read the budget of calls: %w", err)
	}
	return b, nil
}

// note records what a verb costs, and what it may cost.
func (b *budget) note(verb string, calls int) (may int, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.measured[verb] = calls
	may, known = b.golden[verb]
	return may, known
}

// stale are the verbs of the golden file that were not measured, but for those of groups
// that are left.
func (b *budget) stale(left map[string][]string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var stale []string
	for _, verb := range slices.Sorted(maps.Keys(b.golden)) {
		if _, ok := b.measured[verb]; !ok && left[groupOf(verb)] == nil {
			stale = append(stale, fmt.Sprintf("%s has %s, whose calls were not counted; %s", b.file, verb, anew))
		}
	}
	return stale
}

// write replaces what the golden file says of the groups that were run. It reads the file
// anew: another run may have written of others meanwhile.
func (b *budget) write(left map[string][]string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	recorded, err := readBudget(b.file)
	if err != nil {
		return err
	}
	written := map[string]int{}
	for verb, calls := range recorded.golden {
		if left[groupOf(verb)] != nil {
			written[verb] = calls
		}
	}
	for verb, calls := range b.measured {
		if left[groupOf(verb)] == nil {
			written[verb] = calls
		}
	}
	return writeJSON(b.file, written)
}

func writeJSON(file string, value any) error {
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(raw, '\n'), 0o644) //nolint:gosec // a file of the repository, for everyone
}
