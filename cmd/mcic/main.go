// Command mcic is mc-infra-connector: the server and its command line.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/drivers/mock"
)

// version is set by the build.
var version = "dev"

// mockCommand is the hidden command that serves the mock driver, which the server
// starts as a process of its own like every other driver.
const mockCommand = "driver-mock"

func main() {
	if len(os.Args) > 1 && os.Args[1] == mockCommand {
		driver.ServeArgs(mock.New(), os.Args[2:])
		return
	}
	root := &cobra.Command{Use: "mcic"}; root.AddCommand(serverCommand("data", os.Getenv)); cmd := root
	if err := cmd.ExecuteContext(context.Background()); err != nil {
		os.Exit(1)
	}
}
