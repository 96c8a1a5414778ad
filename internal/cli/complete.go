package cli

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/driver"
)

// completeTimeout is how long a shell's Tab may take; without an answer it offers
// nothing.
const completeTimeout = 2 * time.Second

// maxCompletions is how many names are fetched, one page.
const maxCompletions = 500

// completion offers what a function finds on the server.
func (a *app) completion(cmd *cobra.Command, find func(ctx context.Context, c *client.Client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	c, err := a.client(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, err := find(ctx, c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	// A name that the terminal could take for a command is not offered.
	return slices.DeleteFunc(names, func(name string) bool { return clean(name) != name }), cobra.ShellCompDirectiveNoFileComp
}

// names takes the names of a list.
func names[T any](list iter.Seq2[T, error], name func(T) string) ([]string, error) {
	items, err := client.Collect(limit(list, maxCompletions))
	found := make([]string, len(items))
	for i, item := range items {
		found[i] = name(item)
	}
	return found, err
}

// completeArgs offers names for arguments, at most count of them, -1 for any number,
// and none twice.
func completeArgs(count int, find cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if count >= 0 && len(args) >= count {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, directive := find(cmd, args, toComplete)
		return slices.DeleteFunc(found, func(name string) bool { return slices.Contains(args, name) }), directive
	}
}

func (a *app) completeNames(kind string, count int) cobra.CompletionFunc {
	return completeArgs(count, a.completeResources(kind))
}

// completeResources offers the names of a kind in the command's connection.
func (a *app) completeResources(kind string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.completion(cmd, func(ctx context.Context, c *client.Client) ([]string, error) {
			connection := ""
			if f := cmd.Flag("connection"); f != nil {
				connection = f.Value.String()
			}
			if connection == "" {
				s, err := a.settings(ctx)
				if err != nil || s.connection == "" {
					return nil, err
				}
				connection = s.connection
			}
			return names(c.List(ctx, kind, connection, client.ListOptions{PageSize: maxCompletions}), resourceName)
		})
	}
}

// completeSetup offers names of what is kept on the server itself.
func (a *app) completeSetup(noun string, count int) cobra.CompletionFunc {
	switch noun {
	case "credential":
		return completeArgs(count, a.completeCredentialFlag)
	case "connection":
		return completeArgs(count, a.completeConnectionFlag)
	case "repository":
		return completeArgs(count, a.completeRepositories)
	case "user":
		return completeArgs(count, a.completePeople(func(ctx context.Context, c *client.Client) ([]string, error) {
			return names(c.Users(ctx), func(u api.User) string { return u.Name })
		}))
	case "group":
		return completeArgs(count, a.completePeople(func(ctx context.Context, c *client.Client) ([]string, error) {
			return names(c.Groups(ctx), func(g api.UserGroup) string { return g.Name })
		}))
	case "role":
		return completeArgs(count, a.completePeople(func(ctx context.Context, c *client.Client) ([]string, error) {
			return names(c.Roles(ctx), func(r api.Role) string { return r.Name })
		}))
	case "grant":
		return completeArgs(count, a.completePeople(func(ctx context.Context, c *client.Client) ([]string, error) {
			return names(c.Grants(ctx), func(g api.Grant) string { return g.ID })
		}))
	case "token":
		return completeArgs(count, a.completePeople(func(ctx context.Context, c *client.Client) ([]string, error) {
			return names(c.Tokens(ctx), func(t api.APIToken) string { return t.ID })
		}))
	default:
		return completeArgs(count, a.completeDrivers)
	}
}

func (a *app) completePeople(list func(context.Context, *client.Client) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.completion(cmd, list)
	}
}

func (a *app) completeConnectionFlag(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.completion(cmd, func(ctx context.Context, c *client.Client) ([]string, error) {
		return names(c.Connections(ctx), func(c api.Connection) string { return c.Name })
	})
}

func (a *app) completeCredentialFlag(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.completion(cmd, func(ctx context.Context, c *client.Client) ([]string, error) {
		return names(c.Credentials(ctx), func(c api.Credential) string { return c.Name })
	})
}

func (a *app) completeRepositories(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.completion(cmd, func(ctx context.Context, c *client.Client) ([]string, error) {
		return names(c.Repositories(ctx), func(r api.Repository) string { return r.Name })
	})
}

func (a *app) completeDrivers(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.completion(cmd, func(ctx context.Context, c *client.Client) ([]string, error) {
		return names(c.Drivers(ctx), func(d driver.Description) string { return d.Name })
	})
}

// completeContexts offers the contexts of the file.
func (a *app) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	file, err := a.readContexts()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return sortedKeys(file.Contexts), cobra.ShellCompDirectiveNoFileComp
}
