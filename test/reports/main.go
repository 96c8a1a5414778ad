// Command reports says which groups of the conformance suite have to be run again for each
// driver, and why the others need not.
package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	reports, err := filepath.Glob(filepath.Join("drivers", "*", "conformance.json"))
	if err != nil || len(reports) == 0 {
		return fmt.Errorf("there is no drivers/*/conformance.json; run this in the folder of the project")
	}
	for _, report := range reports {
		dir := filepath.Dir(report)
		due, err := drivertest.Outstanding(ctx, dir)
		if err != nil {
			return fmt.Errorf("look at %s: %w", dir, err)
		}
		groups := map[string][]string{} // by the reason why they are not run
		for _, group := range slices.Sorted(maps.Keys(due)) {
			groups[due[group]] = append(groups[due[group]], group)
		}
		fmt.Fprintf(out, "%s: %d of %d groups are due\n", filepath.Base(dir), len(groups[""]), len(due))
		for _, why := range slices.Sorted(maps.Keys(groups)) {
			what := "not run, " + why
			if why == "" {
				what = "run"
			}
			fmt.Fprintf(out, "  %s: %s\n", what, strings.Join(groups[why], ", "))
		}
	}
	return nil
}
