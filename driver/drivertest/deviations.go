package drivertest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"sync"
)

// deviations are the checks that a target cannot satisfy, each with the reason: a YAML
// object of a check's path to a text. In a path, * stands for any one part or a piece
// of it. Such a check is run all the same; one that has come to pass makes the suite
// fail, so that the file stays true.
type deviations struct {
	file    string
	reasons map[string]string

	mu   sync.Mutex
	used map[string]bool
}

func readDeviations(file string) (*deviations, error) {
	d := &deviations{file: file, used: map[string]bool{}}
	if file == "" {
		return d, nil
	}
	if err := readYAML(file, &d.reasons); err != nil {
		return nil, fmt.Errorf("read the deviations: %w", err)
	}
	for pattern, reason := range d.reasons {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("%s: %q is no pattern of a check's path: %w", file, pattern, err)
		}
		if reason == "" {
			return nil, fmt.Errorf("%s: %s has no reason", file, pattern)
		}
	}
	return d, nil
}

// reason is why a check that has failed was to.
func (d *deviations) reason(check string) (string, bool) {
	for _, pattern := range slices.Sorted(maps.Keys(d.reasons)) {
		if matches, _ := path.Match(pattern, check); matches { // the pattern is known to be one
			d.mu.Lock()
			d.used[pattern] = true
			d.mu.Unlock()
			return d.reasons[pattern], true
		}
	}
	return "", false
}

// stale are the patterns that no failed check needs, nor might one of those that were not
// run.
func (d *deviations) stale(notRun []string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var stale []string
	for _, pattern := range slices.Sorted(maps.Keys(d.reasons)) {
		might := func(check string) bool {
			matches, _ := path.Match(pattern, check) // the pattern is known to be one
			return matches
		}
		if !d.used[pattern] && !slices.ContainsFunc(notRun, might) {
			stale = append(stale, fmt.Sprintf("%s: %s does not deviate any more; remove it", d.file, pattern))
		}
	}
	return stale
}
