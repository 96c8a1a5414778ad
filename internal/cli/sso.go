package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/internal/sso"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// ssoLogin is what a context keeps of a login by single sign-on, beside the token.
type ssoLogin struct {
	Issuer    string    `json:"issuer"`
	Client    string    `json:"client"`
	Refresh   string    `json:"refresh,omitempty"`
	ExpiresAt time.Time `json:"expiresAt"` // of the token
}

// renewBefore is how long before its end a token is renewed.
const renewBefore = 30 * time.Second

// commandLine is this program as the provider knows it.
func (l ssoLogin) commandLine(w way) (sso.CommandLine, error) {
	if !w.InsecureHTTP && !sso.OnThisMachine(l.Issuer) {
		return sso.CommandLine{}, resource.Errorf(resource.CodeInvalid, "who can read along on the way to the provider of single sign-on at %s would have what lets you in; it needs https://, or allow it where nobody can: --insecure-http", l.Issuer)
	}
	var ca []byte
	if w.CA != "" {
		var err error
		if ca, err = os.ReadFile(w.CA); err != nil {
			return sso.CommandLine{}, usageError("--ca: %w", err)
		}
	}
	web, err := sso.Client(ca)
	return sso.CommandLine{Issuer: l.Issuer, Client: l.Client, HTTP: web}, err
}

// logInBySSO logs in to the server of a context with a browser, and keeps that.
func (a *app) logInBySSO(ctx context.Context, name string, kept serverContext) error {
	if kept.Server == "" {
		return usageError("--server is required the first time: where to log in")
	}
	w := a.way.or(wayOf(a.env.Getenv)).or(kept.way)
	c, err := a.clientOf(settings{server: kept.Server, way: w})
	if err != nil {
		return err
	}
	ways, err := c.LoginWays(ctx)
	switch {
	case err != nil:
		return err
	case ways.SingleSignOn == nil:
		return resource.Errorf(resource.CodeUnsupported, "the server at %s has no single sign-on; log in with a password: mcic login %s --user NAME", kept.Server, name)
	case ways.SingleSignOn.Client == "":
		return resource.Errorf(resource.CodeUnsupported, "the single sign-on of the server at %s is for browsers alone; whoever runs it can give the command line a client of the provider (--sso-cli-client). Until then make a token in the console, and keep it with: mcic context set %s --token-file -", kept.Server, name)
	}
	login := ssoLogin{Issuer: ways.SingleSignOn.Issuer, Client: ways.SingleSignOn.Client}
	line, err := login.commandLine(w)
	if err != nil {
		return err
	}
	got, err := line.LogIn(ctx, func(address, code string, until time.Time) {
		fmt.Fprintf(a.env.Stderr, "Open %s in a browser, on any machine, see that it shows the code %s, and log in%s.\n", clean(address), clean(code), before(until))
	})
	if err != nil {
		return err
	}
	kept.User, kept.Token = "", got.Access
	login.Refresh, login.ExpiresAt = got.Refresh, got.Until
	kept.SSO = &login
	if c, err = a.clientOf(settings{server: kept.Server, token: kept.Token, way: w}); err != nil {
		return err
	}
	me, err := c.Me(ctx)
	if err != nil {
		return err
	}
	err = a.changeContexts(func(file *contextFile) { file.Contexts[name], file.Current = kept, name })
	if err != nil {
		return err
	}
	return a.write(clean("logged in at "+kept.Server+" as "+me.Name+"; the current context is "+name) + "\n")
}

func before(until time.Time) string {
	if until.IsZero() {
		return ""
	}
	return " before " + until.Local().Format("15:04:05")
}

// changeContexts changes the file of contexts as it is now.
func (a *app) changeContexts(change func(*contextFile)) error {
	file, err := a.readContexts()
	if err != nil {
		return err
	}
	change(&file)
	return a.writeContexts(file)
}

// renewing answers the token of a context that logs in by single sign-on at each moment, and
// keeps what it got anew.
func (a *app) renewing(name string, w way) func(context.Context) (string, error) {
	var (
		mu   sync.Mutex
		have serverContext
	)
	good := func(c serverContext) bool {
		return c.SSO != nil && a.env.Now().Before(c.SSO.ExpiresAt.Add(-renewBefore))
	}
	return func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if good(have) {
			return have.Token, nil
		}
		look := func() error {
			file, err := a.readContexts()
			have = file.Contexts[name]
			return err
		}
		if err := look(); err != nil || good(have) {
			return have.Token, err
		}
		ended := resource.Errorf(resource.CodeUnauthenticated, "the login of the context %s has ended; log in again: mcic login %[1]s --sso", name)
		if have.SSO == nil || have.SSO.Refresh == "" {
			return "", ended
		}
		line, err := have.SSO.commandLine(w)
		if err != nil {
			return "", err
		}
		got, err := line.Renew(ctx, have.SSO.Refresh)
		if resource.CodeOf(err) == resource.CodeUnauthenticated {
			if err := look(); err != nil || good(have) { // another command was first
				return have.Token, err
			}
			return "", ended
		}
		if err != nil {
			return "", err
		}
		have.Token = got.Access
		have.SSO = &ssoLogin{Issuer: have.SSO.Issuer, Client: have.SSO.Client, Refresh: cmp.Or(got.Refresh, have.SSO.Refresh), ExpiresAt: got.Until}
		return have.Token, a.changeContexts(func(file *contextFile) { file.Contexts[name] = have })
	}
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout [CONTEXT]", GroupID: groupPeople, Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeArgs(1, a.completeContexts),
		Short:   "Log out",
		Long:    "Ends the login of a context, or else of the current one, at the server, or with single\nsign-on at the provider, and forgets it. The context stays, for mcic login.",
		Example: "  mcic logout\n  mcic logout lab",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := a.readContexts()
			if err != nil {
				return err
			}
			name := cmp.Or(append(args, a.context, file.Current)...)
			kept, there := file.Contexts[name]
			switch {
			case !there:
				return usageError("there is no context %q; see: mcic context list", name)
			case kept.SSO == nil && kept.User == "":
				return usageError("the context %s has no login, but a token that was given to it; remove it with: mcic context delete %[1]s", name)
			}
			w := a.way.or(wayOf(a.env.Getenv)).or(kept.way)
			if kept.SSO != nil {
				err = a.logOutBySSO(cmd.Context(), *kept.SSO, w)
			} else {
				err = a.revokeOwn(cmd.Context(), settings{server: kept.Server, token: kept.Token, way: w})
			}
			if err != nil {
				fmt.Fprintf(a.env.Stderr, "Warning: the login is forgotten here, but could not be ended: %s\n", cleanLines(err.Error()))
			}
			kept.Token, kept.SSO = "", nil
			if err := a.changeContexts(func(file *contextFile) { file.Contexts[name] = kept }); err != nil {
				return err
			}
			return a.write(clean("logged out of "+kept.Server) + "\n")
		},
	}
}

func (a *app) logOutBySSO(ctx context.Context, login ssoLogin, w way) error {
	line, err := login.commandLine(w)
	if err != nil {
		return err
	}
	ended, err := line.LogOut(ctx, login.Refresh)
	if err == nil && !ended {
		err = fmt.Errorf("the provider at %s has no way to do so; the login ends there when it is not used", login.Issuer)
	}
	return err
}

// revokeOwn revokes the token that a login with a password got on this machine.
func (a *app) revokeOwn(ctx context.Context, s settings) error {
	c, err := a.clientOf(s)
	if err != nil {
		return err
	}
	tokens, err := client.Collect(c.Tokens(ctx))
	if err != nil {
		return err
	}
	me, err := c.Me(ctx)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.User == me.User && t.Name == "cli-"+machine() {
			return c.RevokeToken(ctx, t.ID)
		}
	}
	return nil
}
