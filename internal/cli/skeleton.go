package cli

import (
	"embed"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/internal/repository"
)

// skeleton is a driver to begin with.
//
//go:embed skeleton/*.tmpl
var skeleton embed.FS

func (a *app) driverNew() *cobra.Command {
	var module, sources string
	cmd := &cobra.Command{
		Use: "new CLOUD", Args: oneFile,
		Short: "Write the skeleton of a driver in Go",
		Long: `Writes the folder mcic-driver-CLOUD with a driver that runs: a region and VPCs, kept in
memory, and the test that runs the conformance suite on it. Put the cloud's SDK in their
place, then add kinds.

The module's version is that of this mcic. With --sources the driver is built against a
copy of mc-infra-connector's source code instead.`,
		Example: "  mcic driver new shelf\n  mcic driver new shelf --module example.com/mcic-driver-shelf --sources ../mc-infra-connector",
		RunE: func(_ *cobra.Command, args []string) error {
			cloud := args[0]
			if err := repository.CheckName(cloud); err != nil {
				return err
			}
			dir := "mcic-driver-" + cloud
			if module == "" {
				module = "example.com/" + dir
			}
			version, replace := "v"+strings.TrimPrefix(a.build.Version, "v"), ""
			if sources != "" {
				absolute, err := filepath.Abs(sources)
				if err != nil {
					return err
				}
				version, replace = "v0.0.0", "\nreplace github.com/m-cmp/mc-infra-connector => "+absolute+"\n"
			}
			if err := writeSkeleton(dir, "[[.Cloud]]", cloud, "[[.Module]]", module, "[[.Version]]", version, "[[.Go]]", strings.TrimPrefix(runtime.Version(), "go"), "[[.Replace]]\n", replace); err != nil {
				return err
			}
			return a.write(clean(dir) + " is a driver to begin with; go on with:\n\n  cd " + clean(dir) + "\n  go mod tidy\n  go test ./...\n  mcic driver package .\n")
		},
	}
	cmd.Flags().StringVar(&module, "module", "", "`PATH` of the Go module (default: example.com/mcic-driver-CLOUD)")
	cmd.Flags().StringVar(&sources, "sources", "", "`FOLDER` with the source code of mc-infra-connector to build against")
	return cmd
}

// writeSkeleton writes the files of the skeleton with values, which are given as name, value, ….
// They are no templates of text/template, because of which the linker would keep every method of
// every type.
func writeSkeleton(dir string, values ...string) error {
	files, err := skeleton.ReadDir("skeleton")
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // source code
		return usageError("%s cannot be made: %w", dir, err)
	}
	for _, f := range files {
		text, err := skeleton.ReadFile("skeleton/" + f.Name())
		if err != nil {
			return err
		}
		name := filepath.Join(dir, strings.TrimSuffix(f.Name(), ".tmpl"))
		if err := writeNew(name, []byte(strings.NewReplacer(values...).Replace(string(text))), 0o644); err != nil {
			return err
		}
	}
	return nil
}
