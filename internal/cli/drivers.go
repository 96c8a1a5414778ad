package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func (a *app) driverCommand() *cobra.Command {
	group := a.group("driver", groupSetup, "Clouds that the server can reach, and what they need",
		`A driver makes one cloud reachable. It says which values a credential needs, which
settings a connection has, and which kinds of resources the cloud offers.

Drivers are installed from repositories (see mcic repository) while the server runs.
Their signatures are verified, and all servers that share a database run the same.`,
		"  mcic driver list\n  mcic driver get aws\n  mcic driver capabilities aws\n  mcic driver search kubernetes\n  mcic driver install aws\n  mcic driver upgrade aws")
	group.Aliases = []string{"drivers"}
	nameOf := func(d driver.Description) string { return d.Name }
	drivers := func(ctx context.Context, c *client.Client) ([]driver.Description, error) {
		return client.Collect(c.Drivers(ctx))
	}
	group.AddCommand(
		setupList(a, "driver", drivers, nameOf, []column[driver.Description]{
			{"NAME", nameOf},
			{"TITLE", func(d driver.Description) string { return d.Title }},
			{"VERSION", func(d driver.Description) string { return d.Version }},
			{"REPOSITORY", func(d driver.Description) string {
				if d.Installed == nil {
					return ""
				}
				return d.Installed.Repository
			}},
			{"KINDS", func(d driver.Description) string {
				names := make([]string, len(d.Kinds))
				for i, k := range d.Kinds {
					names[i] = k.Name
				}
				return strings.Join(names, ",")
			}},
			{"PROBLEM", func(d driver.Description) string {
				if d.Installed == nil {
					return ""
				}
				return d.Installed.Problem
			}},
		}),
		a.driverGet(), a.driverCapabilities(),
		a.driverSearch(), a.driverInstall(),
		a.driverMove("upgrade", "Move an installed driver to a newer version", (*client.Client).UpgradeDriver),
		a.driverMove("downgrade", "Move an installed driver to an older version", (*client.Client).DowngradeDriver),
		a.driverVerify(), a.driverRemove(),
		a.driverNew(), a.driverKeygen(), a.driverPackage(), a.driverPublish(), a.driverConformance())
	return group
}

func (a *app) driverCapabilities() *cobra.Command {
	var (
		out   format
		kinds []string
	)
	cmd := &cobra.Command{
		Use: "capabilities NAME", Args: oneName, ValidArgsFunction: a.completeSetup("driver", 1),
		Short: "Show what works on a cloud and what that was tested against",
		Long: `Shows every verb, action and view of every kind, every catalog and every feed: whether
the driver has it, or why not, and what the last runs of the conformance suite have shown. A
connection may lack some of it: mcic connection capabilities NAME.`,
		Example: "  mcic driver capabilities aws\n  mcic driver capabilities aws --kind vm --kind disk -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			all, err := client.Collect(c.DriverCapabilities(cmd.Context(), args[0]))
			if err != nil {
				return err
			}
			if len(kinds) > 0 {
				all = slices.DeleteFunc(all, func(c driver.Capability) bool { return !slices.Contains(kinds, c.Kind) })
			}
			return printItems(a, out, all, "there is no such kind, catalog or feed; see: mcic driver capabilities "+clean(args[0]), func(c driver.Capability) string { return c.Kind + "/" + c.Verb }, []column[driver.Capability]{
				{"KIND", func(c driver.Capability) string { return c.Kind }},
				{"VERB", func(c driver.Capability) string { return c.Verb }},
				{"OFFERED", func(c driver.Capability) string { return yesOrNo(c.Offered) }},
				{"TESTED", testedOf},
				{"REMARK", remarkOf},
			})
		},
	}
	cmd.Flags().StringArrayVar(&kinds, "kind", nil, "only this `KIND`, catalog or feed; may be repeated")
	must(cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(resource.Offerable(), cobra.ShellCompDirectiveNoFileComp)))
	addOutput(cmd, &out)
	return cmd
}

func yesOrNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// testedOf says what a capability was tested against, and with how many checks.
func testedOf(c driver.Capability) string {
	var tests []string
	for _, t := range c.Tested {
		if t.Passed > 0 {
			tests = append(tests, fmt.Sprintf("%d checks, %s", t.Passed, t.Against))
		}
	}
	return strings.Join(tests, "; ")
}

// remarkOf says why a capability is not there, or what is otherwise with it.
func remarkOf(c driver.Capability) string {
	remarks := []string{c.Reason}
	if c.Kept {
		remarks = append(remarks, "the server keeps it")
	}
	for _, t := range c.Tested {
		for _, reason := range t.Reasons {
			if strings.HasPrefix(reason, string(driver.Deviates)) {
				remarks = append(remarks, reason)
			}
		}
	}
	return strings.Trim(strings.Join(remarks, "; "), "; ")
}

func (a *app) driverGet() *cobra.Command {
	var repository, version string
	cmd := setupGet(a, "driver", func(c *client.Client, ctx context.Context, name string) (*driver.Description, error) {
		if repository == "" {
			return c.Driver(ctx, name)
		}
		return c.RepositoryDriver(ctx, repository, name, version)
	}, func(d driver.Description) string { return d.Name })
	cmd.Example += "\n  mcic driver get aws --repository team"
	cmd.Flags().StringVar(&repository, "repository", "", "`NAME` of the repository that has it, to see what is not installed")
	cmd.Flags().StringVar(&version, "version", "", "`VERSION` in the repository (default: the newest that fits)")
	must(cmd.RegisterFlagCompletionFunc("repository", a.completeRepositories))
	return cmd
}

func (a *app) driverSearch() *cobra.Command {
	var (
		out        format
		repository string
	)
	cmd := &cobra.Command{
		Use: "search [WORD…]", Args: cobra.ArbitraryArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Short:   "Search the repositories for drivers",
		Long:    "Shows the drivers that the repositories have and whose name, title, description or\nkinds contain all words. No program is fetched for it.",
		Example: "  mcic driver search\n  mcic driver search kubernetes --repository team",
		RunE: func(cmd *cobra.Command, words []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			found, problems, err := c.SearchDrivers(cmd.Context(), strings.Join(words, " "), repository)
			if err != nil {
				return err
			}
			for _, p := range problems {
				fmt.Fprintln(a.env.Stderr, clean(fmt.Sprintf("the repository %s could not be searched: %s", p.Repository, p.Message)))
			}
			return printItems(a, out, found, "no repository has such a driver", func(r api.DriverRelease) string { return r.Name }, []column[api.DriverRelease]{
				{"NAME", func(r api.DriverRelease) string { return r.Name }},
				{"VERSION", func(r api.DriverRelease) string { return r.Version }},
				{"INSTALLED", func(r api.DriverRelease) string { return r.Installed }},
				{"UPGRADE", func(r api.DriverRelease) string { return r.Upgrade }},
				{"REPOSITORY", func(r api.DriverRelease) string { return r.Repository }},
				{"RUNS HERE", func(r api.DriverRelease) string { return yesOrNo(r.Compatible) }},
				{"TITLE", func(r api.DriverRelease) string { return r.Title }},
			})
		},
	}
	cmd.Flags().StringVar(&repository, "repository", "", "`NAME` of the one repository to search")
	must(cmd.RegisterFlagCompletionFunc("repository", a.completeRepositories))
	addOutput(cmd, &out)
	return cmd
}

func (a *app) driverInstall() *cobra.Command {
	var (
		out     format
		request api.DriverRequest
	)
	cmd := &cobra.Command{
		Use: "install NAME", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short:   "Install a driver from a repository",
		Long:    "Installs a driver on all servers that share the database: its signature is\nverified, it is fetched and tried, and the server uses it without a restart.\nInstalling it once more checks and repairs it.",
		Example: "  mcic driver install aws\n  mcic driver install aws --version 1.2.0 --repository team",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			request.Name = args[0]
			d, err := c.InstallDriver(cmd.Context(), request)
			if err != nil {
				return err
			}
			return a.showDriver(out, d, "installed")
		},
	}
	cmd.Flags().StringVar(&request.Version, "version", "", "`VERSION` to install (default: the newest that fits)")
	cmd.Flags().StringVar(&request.Repository, "repository", "", "`NAME` of the repository (default: the one with the highest priority that has the driver)")
	must(cmd.RegisterFlagCompletionFunc("repository", a.completeRepositories))
	addOutput(cmd, &out)
	return cmd
}

func (a *app) showDriver(out format, d *driver.Description, done string) error {
	return a.printObject(out, d, d.Name, func() error {
		return a.write(clean("driver "+d.Name+" "+d.Version+" "+done) + "\n")
	})
}

func (a *app) driverMove(verb, short string, move func(*client.Client, context.Context, string, api.DriverChange) (*driver.Description, error)) *cobra.Command {
	var (
		out    format
		change api.DriverChange
	)
	which := "the newest that fits"
	if verb == "downgrade" {
		which = "the one that was installed before"
	}
	cmd := &cobra.Command{
		Use: verb + " NAME", Args: oneName, ValidArgsFunction: a.completeSetup("driver", 1),
		Short:   short,
		Long:    short + ". No call fails: the other version is\nstarted beside the one that runs, takes over new calls once it has answered what it\nis, and the old one ends when its calls have. If it does not work, the old one stays.",
		Example: "  mcic driver " + verb + " aws\n  mcic driver " + verb + " aws --version 1.2.0",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			d, err := move(c, cmd.Context(), args[0], change)
			if err != nil {
				return err
			}
			return a.showDriver(out, d, "is used now")
		},
	}
	cmd.Flags().StringVar(&change.Version, "version", "", "`VERSION` to move to (default: "+which+")")
	cmd.Flags().StringVar(&change.Repository, "repository", "", "`NAME` of the repository (default: the one that the driver came from)")
	must(cmd.RegisterFlagCompletionFunc("repository", a.completeRepositories))
	addOutput(cmd, &out)
	return cmd
}

func (a *app) driverVerify() *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use: "verify NAME", Args: oneName, ValidArgsFunction: a.completeSetup("driver", 1),
		Short:   "Check the files and the signature of an installed driver",
		Long:    "Compares the files of an installed driver with what was installed, and verifies the\nsignature of its package in the repository once more. The files are also checked\nwhenever the driver starts.",
		Example: "  mcic driver verify aws",
		RunE: func(cmd *cobra.Command, args []string) error {
			return shown(a, cmd, out, func(v *api.DriverVerification) string { return v.Name }, func(ctx context.Context, c *client.Client) (*api.DriverVerification, error) {
				return c.VerifyDriver(ctx, args[0])
			})
		},
	}
	addOutput(cmd, &out)
	return cmd
}

func (a *app) driverRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Args: oneName, Aliases: []string{"delete", "rm"}, ValidArgsFunction: a.completeSetup("driver", 1),
		Short:   "Remove an installed driver",
		Long:    "Removes an installed driver from all servers. One that connections need is kept,\nunless the driver is found elsewhere too, such as beside mcic.",
		Example: "  mcic driver remove aws",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			if err := c.RemoveDriver(cmd.Context(), args[0]); err != nil {
				return err
			}
			return a.write(clean("driver "+args[0]+" removed") + "\n")
		},
	}
}
