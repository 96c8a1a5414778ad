package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
)

func (a *app) credentialCommand() *cobra.Command {
	group := a.group("credential", groupSetup, "Secrets that open a cloud",
		"A credential is a set of secrets for one cloud. The server seals them and never\nshows them again. Which ones a cloud needs, where to get them, and the permissions\nthat they must have: mcic driver get CLOUD.",
		"  mcic credential create my-key --cloud aws --set accessKeyId=AKIA… --set secretAccessKey=-\n  mcic credential list")
	group.Aliases = []string{"credentials"}

	var (
		cloud       string
		set, files  []string
		expires     string
		createOut   format
		columns     = a.credentialColumns()
		nameOf      = func(c api.Credential) string { return c.Name }
		credentials = func(ctx context.Context, c *client.Client) ([]api.Credential, error) {
			return client.Collect(c.Credentials(ctx))
		}
	)
	create := &cobra.Command{
		Use: "create NAME --cloud CLOUD", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short:   "Record a credential",
		Long:    "Records a credential. What is written on the command line can be seen by others on\nthis machine and stays in the shell's history: write - instead of a secret to be\nasked for it, or, when standard input is no terminal, to have it read from there\n(several: one on each line, in the order of the flags).",
		Example: "  mcic credential create my-key --cloud aws --set accessKeyId=AKIA… --set secretAccessKey=-\n  mcic credential create my-gcp --cloud gcp --set-file key=service-account.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if cloud == "" {
				return usageError("--cloud is required: the cloud that the credential is for; see: mcic driver list")
			}
			values, err := a.credentialValues(cmd.Context(), set, files)
			if err != nil {
				return err
			}
			request := api.CredentialRequest{Name: args[0], Cloud: cloud, Values: values}
			if request.ExpiresAt, err = expiry(expires); err != nil {
				return err
			}
			return flagged(shown(a, cmd, createOut, credentialName, func(ctx context.Context, c *client.Client) (*api.Credential, error) {
				return c.CreateCredential(ctx, request)
			}))
		},
	}
	create.Flags().StringVar(&cloud, "cloud", "", "`CLOUD` that it is for (required)")
	create.Flags().StringArrayVar(&set, "set", nil, "a value as `KEY=VALUE`; KEY=- asks for it; may be repeated")
	create.Flags().StringArrayVar(&files, "set-file", nil, "a value that is in a file, as `KEY=FILE`; may be repeated")
	addExpiry(create, &expires)
	must(create.RegisterFlagCompletionFunc("cloud", a.completeDrivers))
	addOutput(create, &createOut)

	group.AddCommand(create,
		setupList(a, "credential", credentials, nameOf, columns),
		setupGet(a, "credential", (*client.Client).Credential, nameOf),
		setupDelete(a, "credential", (*client.Client).DeleteCredential), a.credentialUpdate())
	return group
}

func (a *app) credentialUpdate() *cobra.Command {
	var (
		set, files []string
		expires    string
		noCheck    bool
		out        format
	)
	cmd := &cobra.Command{
		Use: "update NAME", Args: oneName, ValidArgsFunction: a.completeSetup("credential", 1),
		Short:   "Replace values of a credential",
		Long:    "Replaces values of a credential, such as a key that was rotated. What is not given stays; KEY= removes\na value. The new values are first tried in every connection that uses the credential, and each must\nlead to the same account as before. Nothing else changes, and nothing that is under way ends.",
		Example: "  mcic credential update my-key --set accessKeyId=AKIA… --set secretAccessKey=-\n  mcic credential update my-key --expires 2027-03-31",
		RunE: func(cmd *cobra.Command, args []string) error {
			values, err := a.credentialValues(cmd.Context(), set, files)
			if err != nil {
				return err
			}
			change := api.CredentialChange{Values: values}
			if change.ExpiresAt, err = expiry(expires); err != nil {
				return err
			}
			if len(values) == 0 && change.ExpiresAt == nil {
				return usageError("nothing to change; give --set, --set-file or --expires")
			}
			return flagged(shown(a, cmd, out, credentialName, func(ctx context.Context, c *client.Client) (*api.Credential, error) {
				return c.UpdateCredential(ctx, args[0], change, !noCheck)
			}))
		},
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "a value as `KEY=VALUE`; KEY=- asks for it; may be repeated")
	cmd.Flags().StringArrayVar(&files, "set-file", nil, "a value that is in a file, as `KEY=FILE`; may be repeated")
	addExpiry(cmd, &expires)
	cmd.Flags().BoolVar(&noCheck, "no-check", false, "replace them without trying them on the cloud")
	addOutput(cmd, &out)
	return cmd
}

// addExpiry defines --expires.
func addExpiry(cmd *cobra.Command, expires *string) {
	cmd.Flags().StringVar(expires, "expires", "", "`WHEN` the cloud will not take it any more, as 2027-03-31 or 2027-03-31T12:00:00Z, or never; you are warned before")
	must(cmd.RegisterFlagCompletionFunc("expires", cobra.FixedCompletions([]string{"never"}, cobra.ShellCompDirectiveNoFileComp)))
}

// expiry reads --expires, nil where it is not given.
func expiry(text string) (*time.Time, error) {
	switch text {
	case "":
		return nil, nil //nolint:nilnil // not given
	case "never":
		return &time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return &at, nil
		}
	}
	return nil, usageError("--expires: %q is not a day like 2027-03-31, a time like 2027-03-31T12:00:00Z, or never", text)
}

// ends says when a credential ends, and when that is soon.
func ends(c api.Credential) string {
	switch {
	case c.ExpiresAt == nil:
		return ""
	case c.Expiry != "":
		return fmt.Sprintf("%s (%s)", c.ExpiresAt.Format(time.DateOnly), c.Expiry)
	}
	return c.ExpiresAt.Format(time.DateOnly)
}

func (a *app) credentialColumns() []column[api.Credential] {
	return []column[api.Credential]{
		{"NAME", func(c api.Credential) string { return c.Name }},
		{"CLOUD", func(c api.Credential) string { return c.Cloud }},
		{"FIELDS", func(c api.Credential) string { return strings.Join(c.Fields, ",") }},
		{"ENDS", ends},
		{"AGE", func(c api.Credential) string { return age(a.env.Now(), c.CreatedAt) }},
	}
}

// credentialValues reads the values of --set and --set-file.
func (a *app) credentialValues(ctx context.Context, set, files []string) (map[string]string, error) {
	values, err := pairs("set", set)
	if err != nil {
		return nil, err
	}
	var hidden []string // in the order of the flags
	for _, text := range set {
		if key, value, _ := strings.Cut(text, "="); value == "-" {
			hidden = append(hidden, key)
		}
	}
	switch {
	case a.env.ReadSecret != nil:
		for _, key := range hidden {
			if values[key], err = a.env.ReadSecret(ctx, key+": "); err != nil {
				return nil, fmt.Errorf("read %s: %w", key, err)
			}
		}
	case len(hidden) == 1: // a secret may have several lines
		raw, err := io.ReadAll(a.env.Stdin)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", hidden[0], err)
		}
		values[hidden[0]] = withoutNewline(string(raw))
	default:
		lines := bufio.NewReader(a.env.Stdin)
		for _, key := range hidden {
			line, err := lines.ReadString('\n')
			if err != nil && line == "" {
				return nil, usageError("--set %s=-: standard input has no line for it", key)
			}
			values[key] = withoutNewline(line)
		}
	}
	return values, addFiles(values, "set", files)
}

// addFiles adds the values that are in files, as KEY=PATH of the flag that is another
// one's with -file.
func addFiles(values map[string]string, flag string, files []string) error {
	fileFlag := flag + "-file"
	paths, err := pairs(fileFlag, files)
	if err != nil {
		return err
	}
	for _, key := range sortedKeys(paths) {
		if _, double := values[key]; double {
			return usageError("--%s: %s is given with --%s too", fileFlag, key, flag)
		}
		raw, err := os.ReadFile(paths[key])
		if err != nil {
			return usageError("--%s: %w", fileFlag, err)
		}
		values[key] = withoutNewline(string(raw))
	}
	return nil
}

// withoutNewline drops the end of the last line, which editors and echo add.
func withoutNewline(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") }

func (a *app) connectionCommand() *cobra.Command {
	group := a.group("connection", groupSetup, "Clouds with a credential and a region, under a name",
		"A connection is a name for a cloud with a credential, a region and settings. Every\nresource lives in one.",
		"  mcic connection create my-cloud --cloud aws --credential my-key --region ap-northeast-2\n  mcic connection check my-cloud")
	group.Aliases = []string{"connections"}

	var (
		request     api.ConnectionRequest
		setting     []string
		patience    []string
		labels      []string
		filter      []string
		settingFile []string
		noCheck     bool
		createOut   format
		nameOf      = func(c api.Connection) string { return c.Name }
		connections = func(ctx context.Context, c *client.Client) ([]api.Connection, error) {
			return client.Collect(c.Connections(ctx, filter...))
		}
	)
	create := &cobra.Command{
		Use: "create NAME --cloud CLOUD", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short:   "Record a connection",
		Long:    "Tries a connection on its cloud and records it. A cloud that does not answer is given up after 30 seconds.\nWhich settings a cloud has, and whether it needs a credential and a region: mcic driver get CLOUD.",
		Example: "  mcic connection create my-cloud --cloud aws --credential my-key --region ap-northeast-2\n  mcic connection create mock --cloud mock --region mock-seoul",
		RunE: func(cmd *cobra.Command, args []string) error {
			if request.Cloud == "" {
				return usageError("--cloud is required: the cloud to reach; see: mcic driver list")
			}
			settings, err := pairs("setting", setting)
			if err != nil {
				return err
			}
			if err := addFiles(settings, "setting", settingFile); err != nil {
				return err
			}
			if request.Patience, err = pairs("patience", patience); err != nil {
				return err
			}
			if request.Labels, err = pairs("label", labels); err != nil {
				return err
			}
			request.Name, request.Settings = args[0], settings
			return flagged(shown(a, cmd, createOut, connectionName, func(ctx context.Context, c *client.Client) (*api.Connection, error) {
				return c.CreateConnection(ctx, request, !noCheck)
			}))
		},
	}
	create.Flags().SortFlags = false
	create.Flags().StringVar(&request.Cloud, "cloud", "", "`CLOUD` to reach (required)")
	create.Flags().StringVar(&request.Credential, "credential", "", "`NAME` of a credential for that cloud")
	create.Flags().StringVar(&request.Region, "region", "", "`REGION` to work in")
	create.Flags().StringVar(&request.Zone, "zone", "", "`ZONE` for what names none")
	create.Flags().StringArrayVar(&setting, "setting", nil, "a setting as `KEY=VALUE`; may be repeated")
	create.Flags().StringArrayVar(&settingFile, "setting-file", nil, "a setting as `KEY=PATH` whose value is in a file, such as a certificate")
	create.Flags().StringArrayVar(&labels, "label", nil, "label of the connection as `KEY=VALUE`, by which rights can be given; may be repeated")
	addPatience(create, &patience)
	create.Flags().BoolVar(&noCheck, "no-check", false, "record it without trying it on the cloud")
	must(create.RegisterFlagCompletionFunc("cloud", a.completeDrivers))
	must(create.RegisterFlagCompletionFunc("credential", a.completeCredentialFlag))
	addOutput(create, &createOut)

	var checkOut format
	check := &cobra.Command{
		Use: "check NAME", Args: oneName, ValidArgsFunction: a.completeSetup("connection", 1),
		Short:   "Ask the cloud whether the connection's credential works",
		Example: "  mcic connection check my-cloud",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			if err := c.CheckConnection(cmd.Context(), args[0]); err != nil {
				return err
			}
			return a.printObject(checkOut, map[string]any{"name": args[0], "ok": true}, args[0], func() error {
				return a.write("connection " + clean(args[0]) + " works\n")
			})
		},
	}
	addOutput(check, &checkOut)

	list := setupList(a, "connection", connections, nameOf, []column[api.Connection]{
		{"NAME", nameOf},
		{"CLOUD", func(c api.Connection) string { return c.Cloud }},
		{"CREDENTIAL", func(c api.Connection) string { return c.Credential }},
		{"REGION", func(c api.Connection) string { return c.Region }},
		{"ZONE", func(c api.Connection) string { return c.Zone }},
		{"LABELS", func(c api.Connection) string { return joinedPairs(c.Labels) }},
		{"AGE", func(c api.Connection) string { return age(a.env.Now(), c.CreatedAt) }},
	})
	list.Long = "Lists the connections.\n\n" + filterHelp + "\nThe fields are name, cloud, credential, region, zone, account, labels.KEY and settings.KEY."
	list.Flags().StringArrayVar(&filter, "filter", nil, "`CONDITION` field=value, field!=value or field~text; may be repeated")
	group.AddCommand(create, list,
		setupGet(a, "connection", (*client.Client).Connection, nameOf),
		setupDelete(a, "connection", (*client.Client).DeleteConnection),
		check, a.connectionUpdate(), a.connectionAdopt(), a.connectionInventory(), a.connectionCapabilities(), a.connectionPermissions(), a.connectionDestroy())
	return group
}

// addPatience defines --patience.
func addPatience(cmd *cobra.Command, patience *[]string) {
	cmd.Flags().StringArrayVar(patience, "patience", nil, "how long a change may take on the cloud, as `KIND=DURATION` such as cluster=2h; may be repeated")
}

func (a *app) connectionUpdate() *cobra.Command {
	var (
		patience, setting, settingFile []string
		labels                         []string
		usual, noSettings, noCheck     bool
		noLabels                       bool
		credential, zone               string
		out                            format
	)
	cmd := &cobra.Command{
		Use: "update NAME", Args: oneName, ValidArgsFunction: a.completeSetup("connection", 1),
		Short: "Change a connection",
		Long: "Changes a connection; what is not given stays as it is. Another credential, zone or other settings are\nfirst tried on the cloud, and must lead to the same account. " +
			"--setting and --patience\nreplace all that was set so far, for changes that are under way too; --label replaces all labels, by which\nrights may be given.",
		Example: "  mcic connection update my-cloud --credential my-new-key\n  mcic connection update my-cloud --patience cluster=2h --patience nlb=45m\n  mcic connection update my-cloud --usual-patience",
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := connectionChange(patience, setting, settingFile, usual, noSettings)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("credential") {
				change.Credential = &credential
			}
			if cmd.Flags().Changed("zone") {
				change.Zone = &zone
			}
			switch {
			case noLabels && len(labels) > 0:
				return usageError("give either --label KEY=VALUE or --no-labels")
			case noLabels || len(labels) > 0:
				if change.Labels, err = pairs("label", labels); err != nil {
					return err
				}
			}
			if change.Patience == nil && change.Settings == nil && change.Labels == nil && change.Credential == nil && change.Zone == nil {
				return usageError("nothing to change; see: mcic connection update --help")
			}
			return flagged(shown(a, cmd, out, connectionName, func(ctx context.Context, c *client.Client) (*api.Connection, error) {
				return c.UpdateConnection(ctx, args[0], change, !noCheck)
			}))
		},
	}
	cmd.Flags().StringVar(&credential, "credential", "", "`NAME` of another credential for the same account")
	cmd.Flags().StringVar(&zone, "zone", "", "`ZONE` for what names none; \"\" for the cloud's choice")
	cmd.Flags().StringArrayVar(&setting, "setting", nil, "a setting as `KEY=VALUE`; may be repeated")
	cmd.Flags().StringArrayVar(&settingFile, "setting-file", nil, "a setting as `KEY=PATH` whose value is in a file, such as a certificate")
	cmd.Flags().StringArrayVar(&labels, "label", nil, "a label of the connection as `KEY=VALUE`; may be repeated")
	cmd.Flags().BoolVar(&noLabels, "no-labels", false, "remove all labels")
	cmd.Flags().BoolVar(&noSettings, "no-settings", false, "remove all settings")
	addPatience(cmd, &patience)
	cmd.Flags().BoolVar(&usual, "usual-patience", false, "go back to the usual times")
	cmd.Flags().BoolVar(&noCheck, "no-check", false, "change it without trying it on the cloud")
	must(cmd.RegisterFlagCompletionFunc("credential", a.completeCredentialFlag))
	addOutput(cmd, &out)
	return cmd
}

// connectionChange reads the flags that replace several values at once.
func connectionChange(patience, setting, settingFile []string, usual, noSettings bool) (change api.ConnectionChange, err error) {
	switch {
	case usual && len(patience) > 0:
		return change, usageError("give either --patience KIND=DURATION or --usual-patience")
	case noSettings && len(setting)+len(settingFile) > 0:
		return change, usageError("give either --setting KEY=VALUE or --no-settings")
	}
	if usual || len(patience) > 0 {
		if change.Patience, err = pairs("patience", patience); err != nil {
			return change, err
		}
	}
	if noSettings || len(setting)+len(settingFile) > 0 {
		if change.Settings, err = pairs("setting", setting); err == nil {
			err = addFiles(change.Settings, "setting", settingFile)
		}
	}
	return change, err
}

// joinedPairs shows labels as they are given.
func joinedPairs(labels map[string]string) string {
	var texts []string
	for _, key := range sortedKeys(labels) {
		texts = append(texts, key+"="+labels[key])
	}
	return strings.Join(texts, ",")
}

func credentialName(c *api.Credential) string { return c.Name }
func connectionName(c *api.Connection) string { return c.Name }

// flagged has an error of a credential's or a connection's request name flags.
func flagged(err error) error {
	if err == nil {
		return nil
	}
	return &fieldError{err, setupFlag}
}

// setupFlag is the flag of a field of a credential's or a connection's request.
func setupFlag(field string) string {
	if flag := requestFlag(field); flag != "" {
		return flag
	}
	switch field {
	case "cloud", "credential", "region", "zone":
		return "--" + field
	default:
		return ""
	}
}

// shown runs a command that shows what it has made.
func shown[T any](a *app, cmd *cobra.Command, out format, nameOf func(*T) string, do func(context.Context, *client.Client) (*T, error)) error {
	c, err := a.client(cmd.Context())
	if err != nil {
		return err
	}
	made, err := do(cmd.Context(), c)
	if err != nil {
		return err
	}
	return a.printObject(out, made, nameOf(made), func() error { return a.printView(made, nil) })
}

// setupList, setupGet and setupDelete are the same for what is kept on the server
// itself and needs no operation.
func setupList[T any](a *app, noun string, list func(context.Context, *client.Client) ([]T, error), nameOf func(T) string, columns []column[T]) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use: "list", Args: noArgs, Aliases: []string{"ls"},
		Short:   "List the " + plural(noun),
		Example: "  mcic " + noun + " list\n  mcic " + noun + " list -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			items, err := list(cmd.Context(), c)
			if err != nil {
				return err
			}
			return printItems(a, out, items, "there is no "+noun, nameOf, columns)
		},
	}
	addOutput(cmd, &out)
	return cmd
}

func setupGet[T any](a *app, noun string, get func(*client.Client, context.Context, string) (*T, error), nameOf func(T) string) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use: "get NAME", Args: oneName, ValidArgsFunction: a.completeSetup(noun, 1),
		Short:   "Show a " + noun,
		Example: "  mcic " + noun + " get " + sampleOf(noun),
		RunE: func(cmd *cobra.Command, args []string) error {
			return shown(a, cmd, out, func(item *T) string { return nameOf(*item) }, func(ctx context.Context, c *client.Client) (*T, error) {
				return get(c, ctx, args[0])
			})
		},
	}
	addOutput(cmd, &out)
	return cmd
}

func setupDelete(a *app, noun string, remove func(*client.Client, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME…", Args: someNames, Aliases: []string{"rm"}, ValidArgsFunction: a.completeSetup(noun, -1),
		Short:   "Forget " + plural(noun),
		Long:    "Forgets " + plural(noun) + ". One that is in use is kept.",
		Example: "  mcic " + noun + " delete " + sampleOf(noun),
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			var failed failures
			for _, name := range names {
				if err := remove(c, cmd.Context(), name); err != nil {
					failed = append(failed, fmt.Errorf("%s %s: %w", noun, name, err))
					continue
				}
				if err := a.write(clean(noun+" "+name+" deleted") + "\n"); err != nil {
					return err
				}
			}
			if len(failed) > 0 {
				return failed
			}
			return nil
		},
	}
}

func plural(noun string) string {
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return stem + "ies"
	}
	return noun + "s"
}

func sampleOf(noun string) string {
	switch noun {
	case "driver":
		return "aws"
	case "connection":
		return sampleConnection
	case "repository":
		return "team"
	case "user":
		return "anna"
	case "group":
		return "team-a"
	case "role":
		return "starter"
	case "grant", "token":
		return "0199c0de-0000-7000-8000-000000000001"
	default:
		return "my-key"
	}
}
