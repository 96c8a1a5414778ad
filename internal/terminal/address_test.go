package terminal_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/terminal"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestOnlyAddressesOfMachinesAreConnectedTo(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	terminals := terminal.New(terminal.Config{Store: e.Store, Sealer: e.Sealer, Most: 1})
	run := func(login resource.Login, r api.TerminalRequest) api.TerminalEnded {
		l := &terminal.Login{Login: login, Resource: &resource.Resource{Kind: "vm", Name: "vm1", Connection: "mock", UID: "u", State: resource.StateStopped}}
		return terminals.Run(t.Context(), l, r, terminal.Streams{})
	}
	for _, address := range []string{"169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1%eth0", "::", "::ffff:169.254.169.254"} {
		ended := run(resource.Login{Public: address, Port: 22, User: "u"}, api.TerminalRequest{Password: "p"})
		require.NotNil(t, ended.Error, address)
		assert.Equal(t, resource.CodeDenied, ended.Error.Code, "%s: %v", address, ended.Error)
	}
	for what, ended := range map[string]api.TerminalEnded{
		"a name":      run(resource.Login{Public: "localhost", Port: 22, User: "u"}, api.TerminalRequest{Password: "p"}),
		"none":        run(resource.Login{Port: 22, User: "u"}, api.TerminalRequest{Password: "p"}),
		"no private":  run(resource.Login{Public: "10.0.0.1", Port: 22, User: "u"}, api.TerminalRequest{Address: "private", Password: "p"}),
		"no public":   run(resource.Login{Private: "10.0.0.1", Port: 22, User: "u"}, api.TerminalRequest{Address: "public", Password: "p"}),
		"no key pair": run(resource.Login{Public: "10.0.0.1", Port: 22, User: "u"}, api.TerminalRequest{}),
		"nobody":      run(resource.Login{Public: "10.0.0.1", Port: 22}, api.TerminalRequest{Password: "p"}),
	} {
		require.NotNil(t, ended.Error, what)
		assert.Contains(t, []resource.Code{resource.CodeConflict, resource.CodeInvalid}, ended.Error.Code, "%s: %v", what, ended.Error)
	}
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := closed.Addr().(*net.TCPAddr).Port
	require.NoError(t, closed.Close())
	ended := run(resource.Login{Public: "127.0.0.1", Port: port, User: "u"}, api.TerminalRequest{Password: "p"})
	assert.Equal(t, api.EndUnreachable, ended.Reason)
	assert.Contains(t, ended.Error.Message, "stopped, as last seen")
}
