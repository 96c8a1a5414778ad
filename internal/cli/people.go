package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
)

// peopleCommands manage who may do what.
func (a *app) peopleCommands() []*cobra.Command {
	return []*cobra.Command{a.userCommand(), a.userGroupCommand(), a.roleCommand(), a.grantCommand(), a.tokenCommand(), a.totpCommand(), a.loginCommand(), a.logoutCommand(), a.whoamiCommand()}
}

func userName(u *api.User) string { return u.Name }

func (a *app) userCommand() *cobra.Command {
	group := a.group("user", groupPeople, "Who may use the server",
		"A user is a person, or a program. What it may do, roles say that are granted to it, or\nto a group that it is in: mcic grant create. Programs use tokens: mcic token create.",
		"  mcic group create team-a\n  mcic user create anna --title \"Anna Kim\" --group team-a\n  mcic user invite anna\n  mcic user list")
	group.Aliases = []string{"users"}
	var (
		createOut, updateOut, inviteOut format
		request                         api.UserRequest
		askPassword, newPassword        bool
		title                           string
		groups                          []string
		disable, enable, unlock, noTOTP bool
	)
	create := &cobra.Command{
		Use: "create NAME", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short:   "Record a user",
		Long:    "Records a user. Without --password the user has none: invite it to choose one with\nmcic user invite, or let it use tokens alone.",
		Example: "  mcic user create anna --title \"Anna Kim\" --group team-a\n  mcic user create robot",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			request.Name = args[0]
			if askPassword {
				if request.Password, err = a.askSecret(cmd.Context(), "Password of "+args[0]+": "); err != nil {
					return err
				}
			}
			return shown(a, cmd, createOut, userName, func(ctx context.Context, c *client.Client) (*api.User, error) { return c.CreateUser(ctx, request) })
		},
	}
	create.Flags().StringVar(&request.Title, "title", "", "`NAME` for people")
	create.Flags().StringSliceVar(&request.Groups, "group", nil, "`GROUP` that it is in; may be repeated")
	create.Flags().BoolVar(&askPassword, "password", false, "ask for a password")
	addOutput(create, &createOut)
	update := &cobra.Command{
		Use: "update NAME", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short:   "Change a user",
		Long:    "Changes what is given and leaves the rest as it is. A user that is disabled is kept\nout at once, with all tokens. A new password ends all logins in browsers.",
		Example: "  mcic user update anna --group team-a --group team-b\n  mcic user update anna --disable\n  mcic user update anna --unlock\n  mcic user update anna --no-totp",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			change := api.UserChange{Unlock: unlock}
			if cmd.Flags().Changed("title") {
				change.Title = &title
			}
			if cmd.Flags().Changed("group") {
				change.Groups = &groups
			}
			if noTOTP {
				change.TOTP = new(bool)
			}
			switch {
			case disable && enable:
				return usageError("--disable and --enable are both given; give one of them")
			case disable || enable:
				change.Disabled = &disable
			}
			if newPassword {
				given, err := a.askSecret(cmd.Context(), "New password of "+args[0]+": ")
				if err != nil {
					return err
				}
				change.Password = &given
			}
			return shown(a, cmd, updateOut, userName, func(ctx context.Context, c *client.Client) (*api.User, error) {
				return c.UpdateUser(ctx, args[0], change)
			})
		},
	}
	update.Flags().StringVar(&title, "title", "", "`NAME` for people")
	update.Flags().StringSliceVar(&groups, "group", nil, "all groups that it is in, a `GROUP` each; \"\" for none")
	update.Flags().BoolVar(&disable, "disable", false, "keep it out")
	update.Flags().BoolVar(&enable, "enable", false, "let it in again")
	update.Flags().BoolVar(&unlock, "unlock", false, "let it try passwords again at once")
	update.Flags().BoolVar(&noTOTP, "no-totp", false, "take away its second step, which it has lost")
	update.Flags().BoolVar(&newPassword, "password", false, "ask for a new password")
	addOutput(update, &updateOut)
	invite := &cobra.Command{
		Use: "invite NAME", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short:   "Invite a user to choose a password",
		Long:    "Makes an invitation, which is good once and for three days, in the place of those\nbefore. Hand it over in a way that you trust: whoever has it can choose the password.",
		Example: "  mcic user invite anna",
		RunE: func(cmd *cobra.Command, args []string) error {
			return shown(a, cmd, inviteOut, func(i *api.Invitation) string { return i.Code }, func(ctx context.Context, c *client.Client) (*api.Invitation, error) {
				return c.InviteUser(ctx, args[0])
			})
		},
	}
	addOutput(invite, &inviteOut)
	nameOf := func(u api.User) string { return u.Name }
	group.AddCommand(create, update, invite,
		setupList(a, "user", func(ctx context.Context, c *client.Client) ([]api.User, error) { return client.Collect(c.Users(ctx)) }, nameOf, []column[api.User]{
			{"NAME", nameOf},
			{"TITLE", func(u api.User) string { return u.Title }},
			{"GROUPS", func(u api.User) string { return strings.Join(u.Groups, ",") }},
			{"STATE", func(u api.User) string {
				switch {
				case u.Disabled:
					return "disabled"
				case u.LockedUntil != nil:
					return "locked"
				case u.SingleSignOn != "":
					return "single sign-on"
				case !u.Password:
					return "no password"
				}
				return "active"
			}},
			{"SECOND STEP", func(u api.User) string {
				if u.TOTP {
					return "yes"
				}
				return ""
			}},
			{"AGE", func(u api.User) string { return age(a.env.Now(), u.CreatedAt) }},
		}),
		setupGet(a, "user", (*client.Client).User, nameOf), setupDelete(a, "user", (*client.Client).DeleteUser))
	return group
}

// askSecret reads a secret from the terminal, or a line of standard input.
func (a *app) askSecret(ctx context.Context, prompt string) (string, error) {
	if a.env.ReadSecret != nil {
		text, err := a.env.ReadSecret(ctx, prompt)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return text, nil
	}
	if a.lines == nil {
		a.lines = bufio.NewReader(a.env.Stdin)
	}
	line, err := a.lines.ReadString('\n')
	switch {
	case errors.Is(err, io.EOF) && line == "":
		return "", usageError("standard input has no line for: %s", strings.TrimSuffix(prompt, ": "))
	case err != nil && !errors.Is(err, io.EOF):
		return "", fmt.Errorf("read the password: %w", err)
	}
	return withoutNewline(line), nil
}

func (a *app) userGroupCommand() *cobra.Command {
	group := a.group("group", groupPeople, "Groups of users",
		"A role that is granted to a group is that of all who are in it. Who is in it is said of\nthe users: mcic user update NAME --group GROUP.",
		"  mcic group create team-a\n  mcic grant create --group team-a --role operator -c my-cloud")
	group.Aliases = []string{"groups"}
	var (
		out     format
		request api.UserGroupRequest
	)
	nameOf := func(g api.UserGroup) string { return g.Name }
	create := &cobra.Command{
		Use: "create NAME", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short: "Record a group", Example: "  mcic group create team-a --doc \"Who builds the shop\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			request.Name = args[0]
			return shown(a, cmd, out, func(g *api.UserGroup) string { return g.Name }, func(ctx context.Context, c *client.Client) (*api.UserGroup, error) {
				return c.CreateGroup(ctx, request)
			})
		},
	}
	create.Flags().StringVar(&request.Doc, "doc", "", "`TEXT` that says who is in it")
	addOutput(create, &out)
	group.AddCommand(create,
		setupList(a, "group", func(ctx context.Context, c *client.Client) ([]api.UserGroup, error) {
			return client.Collect(c.Groups(ctx))
		}, nameOf, []column[api.UserGroup]{
			{"NAME", nameOf},
			{"MEMBERS", func(g api.UserGroup) string { return strings.Join(g.Members, ",") }},
			{"DOC", func(g api.UserGroup) string { return g.Doc }},
		}),
		setupGet(a, "group", (*client.Client).Group, nameOf), setupDelete(a, "group", (*client.Client).DeleteGroup))
	return group
}

func (a *app) roleCommand() *cobra.Command {
	group := a.group("role", groupPeople, "What may be done",
		`A role is a list of rules, each of which allows verbs on kinds, in all connections or
some, of all resources or those with some labels. A rule is written as

  VERBS:KINDS[@CONNECTIONS][?LABELS]

with commas between several: read,start,stop:vm@aws-*?team=a. Connections are names,
patterns such as aws-*, and what their own labels must be: @stage=test. Verbs are read, create,
delete, the actions of kinds, update, adopt and release; change is all of these but read;
kubeconfig, login, password, data, native, extend, credentials, cost and manage are rights
of their own; * is everything. Kinds are those of resources and catalogs, and connection,
credential, driver, repository, audit, person and server; resource is all kinds of
resources, catalog all catalogs, * everything.

Every server has the roles admin, operator, viewer and auditor: mcic role list.`,
		"  mcic role create starter --rule read:resource --rule start,stop:vm?team=a\n  mcic role get operator")
	group.Aliases = []string{"roles"}
	var (
		createOut, updateOut format
		doc                  string
		rules                []string
	)
	nameOf := func(r api.Role) string { return r.Name }
	pointed := func(r *api.Role) string { return r.Name }
	flags := func(cmd *cobra.Command, out *format) {
		cmd.Flags().StringArrayVar(&rules, "rule", nil, "`RULE`, as VERBS:KINDS[@CONNECTIONS][?LABELS]; may be repeated")
		cmd.Flags().StringVar(&doc, "doc", "", "`TEXT` that says what it is for")
		addOutput(cmd, out)
	}
	create := &cobra.Command{
		Use: "create NAME --rule RULE", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short: "Make a role of your own", Example: "  mcic role create starter --rule read:resource --rule start,stop:vm@aws-*?team=a",
		RunE: func(cmd *cobra.Command, args []string) error {
			parsed, err := parseRules(rules)
			if err != nil {
				return err
			}
			return shown(a, cmd, createOut, pointed, func(ctx context.Context, c *client.Client) (*api.Role, error) {
				return c.CreateRole(ctx, api.RoleRequest{Name: args[0], Doc: doc, Rules: parsed})
			})
		},
	}
	flags(create, &createOut)
	update := &cobra.Command{
		Use: "update NAME", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short: "Change a role of your own", Long: "Changes a role, at once for all who have it. The rules that are given take the place\nof all that it had.",
		Example: "  mcic role update starter --rule read:resource --rule start,stop,reboot:vm",
		RunE: func(cmd *cobra.Command, args []string) error {
			var change api.RoleChange
			if cmd.Flags().Changed("doc") {
				change.Doc = &doc
			}
			if len(rules) > 0 {
				var err error
				if change.Rules, err = parseRules(rules); err != nil {
					return err
				}
			}
			return shown(a, cmd, updateOut, pointed, func(ctx context.Context, c *client.Client) (*api.Role, error) {
				return c.UpdateRole(ctx, args[0], change)
			})
		},
	}
	flags(update, &updateOut)
	group.AddCommand(create, update,
		setupList(a, "role", func(ctx context.Context, c *client.Client) ([]api.Role, error) { return client.Collect(c.Roles(ctx)) }, nameOf, []column[api.Role]{
			{"NAME", nameOf},
			{"BUILT IN", func(r api.Role) string {
				if r.BuiltIn {
					return "yes"
				}
				return ""
			}},
			{"DOC", func(r api.Role) string { return r.Doc }},
		}),
		setupGet(a, "role", (*client.Client).Role, nameOf), setupDelete(a, "role", (*client.Client).DeleteRole))
	return group
}

// parseRules reads rules as they are written on the command line.
func parseRules(texts []string) ([]api.RoleRule, error) {
	if len(texts) == 0 {
		return nil, usageError("--rule is required: what the role allows, such as read:resource; see: mcic role --help")
	}
	var rules []api.RoleRule
	for _, text := range texts {
		rest, labels, labelled := strings.Cut(text, "?")
		rest, connections, some := strings.Cut(rest, "@")
		verbs, kinds, ok := strings.Cut(rest, ":")
		if !ok || verbs == "" || kinds == "" || labelled && labels == "" || some && connections == "" {
			return nil, usageError("--rule %q is not VERBS:KINDS[@CONNECTIONS][?LABELS], such as read,start:vm@aws-*?team=a", text)
		}
		rule := api.RoleRule{Verbs: strings.Split(verbs, ","), Kinds: strings.Split(kinds, ",")}
		if some {
			for _, one := range strings.Split(connections, ",") {
				if strings.Contains(one, "=") {
					rule.ConnectionLabels = append(rule.ConnectionLabels, one)
				} else {
					rule.Connections = append(rule.Connections, one)
				}
			}
		}
		if labelled {
			rule.Labels = strings.Split(labels, ",")
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func (a *app) grantCommand() *cobra.Command {
	group := a.group("grant", groupPeople, "Who has which role",
		"A grant gives a role to a user or a group, everywhere or in some connections. It holds\nat once, on all servers, and so does taking it away.",
		"  mcic grant create --user anna --role operator -c my-cloud\n  mcic grant create --group team-a --role viewer\n  mcic grant list")
	group.Aliases = []string{"grants"}
	var (
		out     format
		request api.GrantRequest
	)
	create := &cobra.Command{
		Use: "create --user NAME --role ROLE", Args: noArgs,
		Short: "Grant a role", Example: "  mcic grant create --user anna --role operator -c my-cloud\n  mcic grant create --group team-a --role viewer -c 'aws-*'\n  mcic grant create --group team-a --role operator --connection-label stage=test",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if request.Role == "" || (request.User == "") == (request.Group == "") {
				return usageError("--role is required, and one of --user and --group: who is to have it")
			}
			return shown(a, cmd, out, func(g *api.Grant) string { return g.ID }, func(ctx context.Context, c *client.Client) (*api.Grant, error) {
				return c.CreateGrant(ctx, request)
			})
		},
	}
	create.Flags().StringVar(&request.User, "user", "", "`NAME` of the user who is to have it")
	create.Flags().StringVar(&request.Group, "group", "", "`NAME` of the group whose members are to have it")
	create.Flags().StringVar(&request.Role, "role", "", "`NAME` of the role (required)")
	create.Flags().StringSliceVarP(&request.Connections, "connection", "c", nil, "`NAME` of a connection, or a pattern such as aws-*, that it is for; may be repeated (default: all)")
	create.Flags().StringArrayVar(&request.ConnectionLabels, "connection-label", nil, "what a label of the connections must be, as `KEY=VALUE` or KEY!=VALUE; may be repeated")
	addOutput(create, &out)
	idOf := func(g api.Grant) string { return g.ID }
	group.AddCommand(create,
		setupList(a, "grant", func(ctx context.Context, c *client.Client) ([]api.Grant, error) { return client.Collect(c.Grants(ctx)) }, idOf, []column[api.Grant]{
			{"ID", idOf},
			{"TO", func(g api.Grant) string {
				if g.Group != "" {
					return "group " + g.Group
				}
				return g.User
			}},
			{"ROLE", func(g api.Grant) string { return g.Role }},
			{"CONNECTIONS", func(g api.Grant) string {
				if len(g.Connections)+len(g.ConnectionLabels) == 0 {
					return "all"
				}
				return strings.Join(slices.Concat(g.Connections, g.ConnectionLabels), ",")
			}},
			{"BY", func(g api.Grant) string { return g.GrantedBy }},
		}),
		setupDelete(a, "grant", (*client.Client).DeleteGrant))
	return group
}

func (a *app) tokenCommand() *cobra.Command {
	group := a.group("token", groupPeople, "Let programs in",
		"A token lets a program in as a user, with all roles of the user or some, until it\nexpires or is revoked. The server keeps only a hash of it: it is shown once.",
		"  mcic token create ci --role operator --expires 720h\n  mcic token list\n  mcic token delete ID")
	group.Aliases = []string{"tokens"}
	var (
		out     format
		request api.APITokenRequest
	)
	create := &cobra.Command{
		Use: "create NAME", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short: "Make a token", Long: "Makes a token for yourself, or with --user for somebody, if you may manage users. It\nis shown this once: give it to the program as MCIC_TOKEN, or in a file.",
		Example: "  mcic token create ci --role operator --expires 720h\n  mcic token create robot --user robot -o name > robot.token",
		RunE: func(cmd *cobra.Command, args []string) error {
			request.Name = args[0]
			return shown(a, cmd, out, func(t *api.IssuedToken) string { return t.Token }, func(ctx context.Context, c *client.Client) (*api.IssuedToken, error) {
				return c.CreateToken(ctx, request)
			})
		},
	}
	create.Flags().StringVar(&request.User, "user", "", "`NAME` of the user whose it is (default: you)")
	create.Flags().StringSliceVar(&request.Roles, "role", nil, "`ROLE` of the user that it has; may be repeated (default: all)")
	create.Flags().StringVar(&request.ExpiresIn, "expires", "", "how long it lets in, such as `720h` (default: 2160h, 90 days)")
	addOutput(create, &out)
	idOf := func(t api.APIToken) string { return t.ID }
	moment := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Local().Format("2006-01-02 15:04")
	}
	group.AddCommand(create,
		setupList(a, "token", func(ctx context.Context, c *client.Client) ([]api.APIToken, error) {
			return client.Collect(c.Tokens(ctx))
		}, idOf, []column[api.APIToken]{
			{"ID", idOf},
			{"USER", func(t api.APIToken) string { return t.User }},
			{"NAME", func(t api.APIToken) string { return t.Name }},
			{"ROLES", func(t api.APIToken) string {
				if len(t.Roles) == 0 {
					return "all"
				}
				return strings.Join(t.Roles, ",")
			}},
			{"EXPIRES", func(t api.APIToken) string { return moment(t.ExpiresAt) }},
			{"LAST USED", func(t api.APIToken) string { return moment(t.LastUsedAt) }},
		}),
		setupDelete(a, "token", (*client.Client).RevokeToken))
	return group
}

func (a *app) loginCommand() *cobra.Command {
	var (
		user, expires string
		single        bool
	)
	cmd := &cobra.Command{
		Use: "login CONTEXT --server URL [--user NAME | --sso]", GroupID: groupPeople, Args: oneName, ValidArgsFunction: completeArgs(1, a.completeContexts),
		Short: "Log in with a password, or by single sign-on",
		Long: `Asks for a user's password, and for a code if the user has a second step, gets a token
for it and keeps that in a context, which
becomes the current one. The token ends after --expires; then log in again. One that an
earlier login on this machine got is revoked.

With --sso it shows an address and a code for a browser, on any machine, in which you
log in at the provider of the server's single sign-on. What the provider gives is
kept in the context too, and renewed for as long as the provider lets it.`,
		Example: "  mcic login lab --server https://mcic.example.com --user anna\n  mcic login lab --server https://mcic.example.com --sso\n  mcic login lab",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := a.readContexts()
			if err != nil {
				return err
			}
			kept, err := a.pointed(file.Contexts[args[0]])
			if err != nil {
				return err
			}
			if user != "" {
				kept.User, kept.SSO = user, nil
			}
			switch {
			case single && user != "":
				return usageError("--user and --sso are both given; give one of them")
			case single || kept.SSO != nil:
				return a.logInBySSO(cmd.Context(), args[0], kept)
			}
			if kept.Server == "" || kept.User == "" {
				return usageError("--server and --user are required the first time: where to log in, and as whom")
			}
			password, err := a.askSecret(cmd.Context(), "Password of "+kept.User+": ")
			if err != nil {
				return err
			}
			c, err := a.clientOf(settings{server: kept.Server, way: a.way.or(wayOf(a.env.Getenv)).or(kept.way)})
			if err != nil {
				return err
			}
			request := api.LoginRequest{User: kept.User, Password: password, Name: "cli-" + machine(), ExpiresIn: expires}
			made, err := c.Login(cmd.Context(), request)
			if codeMissing(err) {
				if request.Code, err = a.askSecret(cmd.Context(), codePrompt); err != nil {
					return err
				}
				made, err = c.Login(cmd.Context(), request)
			}
			if err != nil {
				return err
			}
			kept.Token, file.Current = made.Token, args[0]
			file.Contexts[args[0]] = kept
			if err := a.writeContexts(file); err != nil {
				return err
			}
			until := ""
			if made.ExpiresAt != nil {
				until = " until " + made.ExpiresAt.Local().Format("2006-01-02 15:04")
			}
			return a.write(clean("logged in at "+kept.Server+" as "+kept.User+until+"; the current context is "+args[0]) + "\n")
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "`NAME` of the user")
	cmd.Flags().BoolVar(&single, "sso", false, "log in by single sign-on, with a browser")
	cmd.Flags().StringVar(&expires, "expires", "", "how long the login lasts, such as `12h` (default), at most 720h")
	return cmd
}

// machine is a name for this machine that a token can have.
func machine() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "here"
	}
	name = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' {
			return c
		}
		return '-'
	}, name)
	return name[:min(len(name), 48)]
}

func (a *app) whoamiCommand() *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use: "whoami", GroupID: groupPeople, Args: noArgs,
		Short: "Show who you are, and what you may do", Example: "  mcic whoami\n  mcic whoami -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return shown(a, cmd, out, func(m *api.Me) string { return m.Name }, func(ctx context.Context, c *client.Client) (*api.Me, error) { return c.Me(ctx) })
		},
	}
	addOutput(cmd, &out)
	return cmd
}
