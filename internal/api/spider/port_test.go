package spider_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/api/spider"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// other stands for a machine that VMs are reached on: a port of TCP that is open, and one
// of UDP that is silent.
func other(t *testing.T) (dial func(ctx context.Context, network, address string) (net.Conn, error), asked *[]string) {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with the test
	require.NoError(t, err)
	t.Cleanup(func() { _ = tcp.Close() })
	udp, err := net.ListenPacket("udp", "127.0.0.1:0") //nolint:noctx // as above
	require.NoError(t, err)
	t.Cleanup(func() { _ = udp.Close() })
	asked = &[]string{}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		*asked = append(*asked, network+" "+address)
		_, port, err := net.SplitHostPort(address)
		switch {
		case err != nil:
			return nil, err
		case port == "23":
			return nil, errors.New("connection refused")
		case network == "udp":
			return (&net.Dialer{}).DialContext(ctx, "udp", udp.LocalAddr().String())
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", tcp.Addr().String())
	}, asked
}

func TestPortsAreTriedOfWhatIsManagedHere(t *testing.T) {
	dial, asked := other(t)
	a := registeredWith(t, enginetest.Options{}, func(c *spider.Config) { c.Dial = dial })
	a.network()
	a.ok(http.MethodPost, "/vm", a.vmBody("vm1"))
	vm, err := a.Get(t.Context(), connection, "vm", "vm1")
	require.NoError(t, err)
	var status resource.VMStatus
	require.NoError(t, json.Unmarshal(vm.Status, &status))
	host := status.PrivateAddress
	require.NotEmpty(t, host)

	assert.JSONEq(t, `{"message":"Success: TCP port 22 is open on `+host+`"}`, a.ok(http.MethodGet, "/check/tcp?HostName="+host+"&Port=22", "").body)
	assert.JSONEq(t, `{"message":"Success: UDP port 53 is open on `+host+`"}`, a.ok(http.MethodGet, "/check/udp?HostName="+host+"&Port=53", "").body)
	closed := a.call(http.MethodGet, "/check/tcp?HostName="+host+"&Port=23", "")
	assert.Equal(t, http.StatusServiceUnavailable, closed.status)
	assert.Contains(t, closed.message(t), "TCP port 23 is not open on "+host)
	assert.Equal(t, []string{"tcp " + host + ":22", "udp " + host + ":53", "tcp " + host + ":23"}, *asked)

	for query, want := range map[string]int{
		"HostName=127.0.0.1&Port=22": 403, "HostName=localhost&Port=22": 403, "HostName=169.254.169.254&Port=80": 403, "HostName=10.0.1&Port=22": 403, "HostName=vm1&Port=22": 403,
		"HostName=" + host + "&Port=0": 400, "HostName=" + host + "&Port=99999": 400, "HostName=" + host + "&Port=ssh": 400, "HostName=" + host: 400, "Port=22": 400,
	} {
		assert.Equal(t, want, a.call(http.MethodGet, "/check/tcp?"+query, "").status, query)
	}
	assert.Len(t, *asked, 3, "nothing else is connected to")
}

func TestThisMachineIsNotConnectedTo(t *testing.T) {
	for _, own := range []string{"127.0.0.1:22", "[::1]:22", "[::ffff:127.0.0.1]:22", "0.0.0.0:22", "169.254.169.254:80", "[fe80::1]:22", "224.0.0.1:5", "junk"} {
		assert.Error(t, spider.OnlyOthers(own), own)
	}
	for _, others := range []string{"10.0.0.5:22", "203.0.113.7:443", "[2001:db8::1]:22"} {
		assert.NoError(t, spider.OnlyOthers(others), others)
	}
}
