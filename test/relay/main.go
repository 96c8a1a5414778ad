// Command relay is a driver that is none: it carries the calls to the process of
// another driver, whose socket lies beside it. Servers that use it share one Mock
// cloud, like they share any other cloud.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/m-cmp/mc-infra-connector/driver"
)

// socket is the name of the other driver's socket.
const socket = "cloud.sock"

func main() {
	if err := relay(); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// relay carries calls until the server that has started it is gone.
func relay() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	address := filepath.Join(os.Getenv(driver.EnvSocketDir), fmt.Sprintf("relay-%d", os.Getpid()))
	listener, err := net.Listen("unix", address) //nolint:noctx // it takes no time
	if err != nil {
		return err
	}
	go func() {
		for {
			server, err := listener.Accept()
			if err != nil {
				return
			}
			go carry(server, filepath.Join(filepath.Dir(self), socket))
		}
	}()
	fmt.Printf("1|1|unix|%s|grpc|\n", address)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// carry joins a connection of the server with one to the other driver.
func carry(server net.Conn, address string) {
	defer func() { _ = server.Close() }()
	cloud, err := net.Dial("unix", address) //nolint:noctx // it takes no time
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return
	}
	go func() {
		_, _ = io.Copy(cloud, server)
		_ = cloud.Close() // ends the other direction
	}()
	_, _ = io.Copy(server, cloud)
}
