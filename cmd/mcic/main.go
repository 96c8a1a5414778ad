// Command mcic is mc-infra-connector: the server and its command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/drivers/mock"
	"github.com/m-cmp/mc-infra-connector/internal/cli"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	server := serverCommand(cli.DefaultDataDir(os.Getenv), os.Getenv)
	os.Exit(cli.Run(ctx, os.Args[1:], cli.Build{Version: version}, cli.OSEnv(), server))
}
