package host_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// speak serves as a driver of some versions of the protocol, written as 1,2: it names
// the newest that the server speaks too, or else one of its own. What it then speaks is
// version 1 all the same; the test is about how the two agree.
func speak(versions string) {
	const key = "PLUGIN_PROTOCOL_VERSIONS"
	named := ""
	for _, own := range strings.Split(versions, ",") { // one digit each
		if named == "" || strings.Contains(os.Getenv(key), own) {
			named = own
		}
	}
	if err := os.Setenv(key, "1"); err != nil {
		panic(err)
	}
	server := os.Stdout
	said, stdout, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	os.Stdout = stdout // what is said of the version is replaced
	go func() {
		lines := bufio.NewReader(said)
		line, _ := lines.ReadString('\n')
		fmt.Fprint(server, strings.Replace(line, "1|1|", "1|"+named+"|", 1))
		_, _ = io.Copy(io.Discard, lines)
	}()
	driver.ServeArgs(toy("toy"), nil)
}

// A server that speaks a version of the protocol and the one before it runs drivers of
// both, agrees with those that speak both on the newer one, and tells the others what
// would do.
func TestTwoVersionsOfTheProtocolAreSpoken(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for _, c := range []struct {
		server []int // speaks
		driver string
		agreed int // 0: none
	}{
		{[]int{1, 2}, "1", 1},
		{[]int{1, 2}, "2", 2},
		{[]int{1, 2}, "1,2", 2},
		{[]int{1, 2}, "2,3", 2},
		{[]int{1}, "1,2", 1}, // a newer driver with an older server
		{[]int{2, 3}, "1,2", 2},
		{[]int{1, 2}, "3", 0},
		{[]int{2, 3}, "1", 0},
	} {
		t.Run(fmt.Sprintf("server %v driver %s", c.server, c.driver), func(t *testing.T) {
			t.Parallel()
			times := map[int]*atomic.Int32{}
			h := newHost(t, func(config *host.Config) {
				config.BuiltIn["toy"] = []string{self, "speaks", c.driver}
				config.Protocols = driver.Versions{}
				for _, v := range c.server {
					times[v] = &atomic.Int32{}
					config.Protocols[v] = func(conn grpc.ClientConnInterface) driver.Client {
						times[v].Add(1)
						return driver.Spoken()[1](conn)
					}
				}
			})
			assert.Equal(t, c.server, h.Protocols())
			_, err := h.Session(target("toy", "r")).Get(t.Context(), "vpc", "x")
			if c.agreed == 0 {
				assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err), "%v", err)
				assert.ErrorContains(t, err, fmt.Sprintf("this server, which speaks %d and %d; install a version of the driver that does, or upgrade the server", c.server[0], c.server[1]))
				assert.ErrorContains(t, err, "it speaks version "+c.driver)
			} else {
				assert.NoError(t, err)
			}
			for v, n := range times {
				assert.Equal(t, v == c.agreed, n.Load() > 0, "version %d", v)
			}
		})
	}
}
