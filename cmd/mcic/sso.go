package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/sso"
)

// ssoOptions say which provider users come from by single sign-on.
type ssoOptions struct {
	sso.Config
	secretFile, caFile string
	publicURL          string
	given              *pflag.FlagSet
}

func (o *ssoOptions) flags(cmd *cobra.Command) {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.StringVar(&o.Issuer, "sso-issuer", "", "`URL` of the provider of single sign-on (OpenID Connect), as its tokens have it; without it there is none")
	f.StringVar(&o.Title, "sso-name", "", "`NAME` of the provider for people (default: the host of its URL)")
	f.StringVar(&o.Client, "sso-client", "mcic", "`ID` of the provider's client that is this server")
	f.StringVar(&o.secretFile, "sso-secret-file", "", "`file` with the secret of that client (default: none, for a public client)")
	f.StringVar(&o.CommandLine, "sso-cli-client", "", "`ID` of the provider's client that is the command line, for mcic login --sso")
	f.StringSliceVar(&o.Audiences, "sso-audience", nil, "further `ID` for which tokens of the provider are made that let in; may be repeated")
	f.StringSliceVar(&o.Scopes, "sso-scope", []string{"profile"}, "`SCOPE` that is asked for, beside openid; may be repeated")
	f.StringVar(&o.UserClaim, "sso-user-claim", "preferred_username", "`CLAIM` with the name of a user")
	f.StringVar(&o.GroupsClaim, "sso-groups-claim", "groups", "`CLAIM` with the groups of a user; a path such as realm_access.roles")
	f.StringToStringVar(&o.Groups, "sso-group", nil, "what one of the provider's groups is called here, as `THEIRS=OURS`; may be repeated (default: the same, for all)")
	f.StringVar(&o.GroupPrefix, "sso-group-prefix", "", "take the provider's groups that begin with a `TEXT`, without that, beside those of --sso-group")
	f.StringVar(&o.Required, "sso-required-group", "", "let in only who is in this `GROUP` of the provider")
	f.StringVar(&o.caFile, "sso-ca", "", "`file` with certificates in PEM that the provider is trusted by, beside the system's")
	f.StringVar(&o.publicURL, "public-url", "", "`URL` of this server as browsers have it, for a proxy that says another host (default: what they say)")
	f.VisitAll(func(flag *pflag.Flag) { flag.Usage += " (also " + variableOf(flag) + ")" })
	o.given = f
	cmd.Flags().AddFlagSet(f)
}

// variableOf is the variable of the environment that a flag can be given in.
func variableOf(f *pflag.Flag) string {
	return "MCIC_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
}

// read completes the flags from the environment.
func (o *ssoOptions) read(getenv func(string) string) (err error) {
	o.given.VisitAll(func(f *pflag.Flag) {
		text := getenv(variableOf(f))
		if f.Changed || text == "" {
			return
		}
		if wrong := f.Value.Set(text); wrong != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", variableOf(f), wrong))
		}
	})
	return err
}

// provider is the one that users come from, nil for none. Nothing is asked of it yet: the server
// starts and serves without it.
func (o *ssoOptions) provider(insecureHTTP bool) (*sso.Provider, error) {
	if u, err := url.Parse(o.publicURL); o.publicURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("--public-url %q is not a URL such as https://mcic.example.com", o.publicURL)
	}
	if o.Issuer == "" {
		return nil, nil //nolint:nilnil // which is what was asked for
	}
	if !insecureHTTP && !sso.OnThisMachine(o.Issuer) {
		return nil, fmt.Errorf("--sso-issuer: who can read along on the way to %s would have what lets users in; give an address with https://, or --insecure-http if nobody can read along, as on a private network of containers", o.Issuer)
	}
	if o.secretFile != "" {
		raw, err := os.ReadFile(o.secretFile)
		if err == nil {
			err = secret.CheckPrivate(o.secretFile)
		}
		if o.Secret = strings.TrimSpace(string(raw)); err == nil && o.Secret == "" {
			err = errors.New("the file is empty")
		}
		if err != nil {
			return nil, fmt.Errorf("--sso-secret-file: %w", err)
		}
	}
	if o.caFile != "" {
		var err error
		if o.CA, err = os.ReadFile(o.caFile); err != nil {
			return nil, fmt.Errorf("--sso-ca: %w", err)
		}
	}
	provider, err := sso.New(o.Config)
	if err != nil {
		return nil, fmt.Errorf("single sign-on: %w", err)
	}
	return provider, nil
}
