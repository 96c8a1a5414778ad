//go:build race

package host_test

// raceDetector reports whether the race detector runs, which needs more memory than the
// limit that is tested.
const raceDetector = true
