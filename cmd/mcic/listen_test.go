package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhereOthersListenTheServerWantsTLS(t *testing.T) {
	for _, test := range []struct {
		address string
		flags   []string
		refused string // what is said, if anything
	}{
		{address: "127.0.0.1:0"},
		{address: "localhost:0"},
		{address: "[::1]:0"},
		{address: ":0", refused: "could read the token"},
		{address: "0.0.0.0:0", refused: "could read the token"},
		{address: "[::]:0", refused: "could read the token"},
		{address: "192.0.2.1:0", refused: "could read the token"},
		{address: "0.0.0.0:0", flags: []string{"--insecure-http"}},
		{address: "0.0.0.0:0", flags: []string{"--behind-proxy"}},
		{address: "0.0.0.0:0", flags: []string{"--tls-cert", "c", "--tls-key", "k"}},
		{address: "127.0.0.1:0", flags: []string{"--tls-cert", "c"}, refused: "belong together"},
		{address: "127.0.0.1:0", flags: []string{"--tls-client-ca", "c"}, refused: "belong together"},
		{address: "0.0.0.0:0", flags: []string{"--tls-cert", "c", "--tls-key", "k", "--insecure-http"}, refused: "exclude each other"},
	} {
		var o listenOptions
		cmd := serverCommand(t.TempDir(), func(string) string { return "" })
		cmd.ResetFlags()
		o.flags(cmd)
		require.NoError(t, cmd.ParseFlags(append(test.flags, "--listen", test.address)))
		if err := o.check(); test.refused != "" {
			assert.ErrorContains(t, err, test.refused, test)
		} else {
			assert.NoError(t, err, test)
		}
	}
}

func TestAServerThatRefusesItsAddressTouchesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	cmd := serverCommand(dir, func(string) string { return "" })
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	cmd.SetArgs([]string{"--listen", "0.0.0.0:0"})
	require.ErrorContains(t, cmd.ExecuteContext(t.Context()), "--behind-proxy")
	_, err := os.Stat(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAServerIsReadyWhenAllOfItIs(t *testing.T) {
	var broken error
	r := &readiness{healthy: func(context.Context) error { return broken }, door: &door{}}
	ready := func() error {
		notice, err := r.ready(t.Context())
		assert.Empty(t, notice)
		return err
	}
	require.NoError(t, ready())
	r.set(errStarting())
	require.ErrorContains(t, ready(), "the connection mock of --dev is not registered yet")
	r.set(nil)
	require.NoError(t, ready())
	broken = errors.New("no database")
	require.ErrorIs(t, ready(), broken)
}
