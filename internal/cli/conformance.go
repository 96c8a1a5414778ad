package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// driverConformance runs the conformance suite on a driver, without a server.
func (a *app) driverConformance() *cobra.Command {
	var (
		targetFile, reportFile string
		update                 bool
	)
	cmd := &cobra.Command{
		Use: "conformance [EXECUTABLE]", Args: cobra.MaximumNArgs(1),
		Short: "Check that a driver keeps the rules",
		Long: `Run the conformance suite on a driver's executable and show each check as it ends.

The target file says how to connect and which images and machine types to use; what
the driver offers, the suite finds out by itself. It creates and deletes objects in
the account of the target: use one that is there for tests. No server is needed.

It fails if a check fails that is not in the target's file of deviations, or if one
that is there does not fail any more. See docs/driver-author.md.`,
		Example: "  mcic driver conformance ./mcic-driver-shelf --target target.yaml\n  mcic driver conformance ./mcic-driver-shelf --target target.yaml --report report.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if targetFile == "" {
				return usageError("which target? Give the file that says how to connect: --target target.yaml")
			}
			target, err := drivertest.ReadTarget(targetFile)
			if err != nil {
				return resource.Errorf(resource.CodeInvalid, "%w", err)
			}
			if len(args) == 1 {
				target.Command = []string{args[0]}
			}
			if len(target.Command) == 0 {
				return usageError("which driver? Give its executable, or a command in the target file")
			}
			if target.Command[0], err = filepath.Abs(target.Command[0]); err != nil { // it runs in a folder of its own
				return err
			}
			target.Update = update
			return a.conform(cmd, target, reportFile)
		},
	}
	cmd.Flags().StringVar(&targetFile, "target", "", "`FILE` that describes the target")
	cmd.Flags().StringVar(&reportFile, "report", "", "write the report as JSON to this `FILE`")
	cmd.Flags().BoolVar(&update, "update", false, "write the target's golden files anew instead of comparing with them")
	return cmd
}

func (a *app) conform(cmd *cobra.Command, target drivertest.Target, reportFile string) error {
	counts := map[driver.Outcome]int{}
	fmt.Fprintf(a.env.Stdout, "%-9s %-44s %8s  %s\n", "OUTCOME", "CHECK", "TIME", "REASON")
	report, err := drivertest.Conform(cmd.Context(), target, func(path string, result driver.Result, took time.Duration) {
		counts[result.Outcome]++
		fmt.Fprintf(a.env.Stdout, "%-9s %-44s %7.2fs  %s\n", result.Outcome, path, took.Seconds(), result.Reason)
	})
	if report != nil {
		fmt.Fprintf(a.env.Stdout, "\n%s against %s: %d passed, %d failed, %d deviate, %d skipped\n", report.Cloud, report.Against,
			counts[driver.Passed], counts[driver.Failed], counts[driver.Deviates], counts[driver.Skipped])
		if reportFile != "" {
			raw, err := json.MarshalIndent(report, "", "  ")
			if err != nil {
				return err
			}
			if err := os.WriteFile(reportFile, append(raw, '\n'), 0o644); err != nil { //nolint:gosec // a report is for everyone
				return fmt.Errorf("write the report: %w", err)
			}
		}
	}
	switch {
	case err != nil:
		return err
	case counts[driver.Failed] > 0:
		return resource.Errorf(resource.CodeInternal, "the driver fails %d checks", counts[driver.Failed])
	}
	return nil
}
