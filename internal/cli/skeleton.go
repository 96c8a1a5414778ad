package cli

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"

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
			values := map[string]string{"Cloud": cloud, "Module": module, "Version": "v" + strings.TrimPrefix(a.build.Version, "v"), "Go": strings.TrimPrefix(runtime.Version(), "go")}
			if sources != "" {
				absolute, err := filepath.Abs(sources)
				if err != nil {
					return err
				}
				values["Version"], values["Replace"] = "v0.0.0", absolute
			}
			if err := writeSkeleton(dir, values); err != nil {
				return err
			}
			return a.write(clean(dir) + " is a driver to begin with; go on with:\n\n  cd " + clean(dir) + "\n  go mod tidy\n  go test ./...\n  mcic driver package .\n")
		},
	}
	cmd.Flags().StringVar(&module, "module", "", "`PATH` of the Go module (default: example.com/mcic-driver-CLOUD)")
	cmd.Flags().StringVar(&sources, "sources", "", "`FOLDER` with the source code of mc-infra-connector to build against")
	return cmd
}

func writeSkeleton(dir string, values map[string]string) error {
	templates, err := template.New("").Delims("[[", "]]").ParseFS(skeleton, "skeleton/*.tmpl") // braces are Go's
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // source code
		return usageError("%s cannot be made: %w", dir, err)
	}
	for _, t := range templates.Templates() {
		var text bytes.Buffer
		if err := t.Execute(&text, values); err != nil {
			return fmt.Errorf("write the skeleton: %w", err)
		}
		if err := writeNew(filepath.Join(dir, strings.TrimSuffix(t.Name(), ".tmpl")), text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
