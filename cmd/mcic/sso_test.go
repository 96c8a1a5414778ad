package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ssoOf reads flags and variables as mcic server does.
func ssoOf(t *testing.T, env map[string]string, args ...string) (*ssoOptions, error) {
	t.Helper()
	o, cmd := &ssoOptions{}, &cobra.Command{}
	o.flags(cmd)
	require.NoError(t, cmd.ParseFlags(args))
	return o, o.read(func(name string) string { return env[name] })
}

func TestSingleSignOnIsSetByFlagsAndVariables(t *testing.T) {
	o, err := ssoOf(t, map[string]string{
		"MCIC_SSO_ISSUER": "https://of.the.variable", "MCIC_SSO_AUDIENCE": "shop,store", "MCIC_SSO_GROUP": "ops=operators", "MCIC_PUBLIC_URL": "https://mcic.example.com",
	}, "--sso-issuer", "https://of.the.flag", "--sso-name", "Main")
	require.NoError(t, err)
	p, err := o.provider(false)
	require.NoError(t, err)
	assert.Equal(t, "https://of.the.flag", p.Issuer)
	assert.Equal(t, []string{"shop", "store"}, p.Audiences)
	assert.Equal(t, map[string]string{"ops": "operators"}, p.Groups)
	assert.Equal(t, "https://mcic.example.com Main mcic", o.publicURL+" "+p.Title+" "+p.Client)

	o, err = ssoOf(t, nil)
	require.NoError(t, err)
	p, err = o.provider(false)
	require.NoError(t, err)
	assert.Nil(t, p, "without an issuer there is none")
	_, err = ssoOf(t, map[string]string{"MCIC_SSO_GROUP": "ops"})
	assert.ErrorContains(t, err, "MCIC_SSO_GROUP")
}

func TestSingleSignOnThatWouldBeReadAlongIsRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	for says, args := range map[string][]string{
		"--insecure-http":                         {"--sso-issuer", "http://sso.example.com"},
		"can be read by others":                   {"--sso-issuer", "https://x", "--sso-secret-file", write("open", "secret", 0o644)},
		"--sso-secret-file: the file is empty":    {"--sso-issuer", "https://x", "--sso-secret-file", write("empty", "\n", 0o600)},
		"--sso-secret-file: open":                 {"--sso-issuer", "https://x", "--sso-secret-file", filepath.Join(dir, "none")},
		"--sso-ca":                                {"--sso-issuer", "https://x", "--sso-ca", filepath.Join(dir, "none")},
		"BEGIN CERTIFICATE":                       {"--sso-issuer", "https://x", "--sso-ca", write("ca", "none", 0o600)},
		"--public-url":                            {"--public-url", "mcic.example.com"},
		"single sign-on: the issuer \"https://\"": {"--sso-issuer", "https://"},
	} {
		o, err := ssoOf(t, nil, args...)
		require.NoError(t, err)
		_, err = o.provider(false)
		assert.ErrorContains(t, err, says)
	}
	o, err := ssoOf(t, nil, "--sso-issuer", "http://sso", "--sso-secret-file", write("secret", "the secret\n", 0o600))
	require.NoError(t, err)
	p, err := o.provider(true)
	require.NoError(t, err)
	assert.Equal(t, "the secret", p.Secret)
}
