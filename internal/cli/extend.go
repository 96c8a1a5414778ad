package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// extensionCommand returns the commands for what only one driver has.
func (a *app) extensionCommand() *cobra.Command {
	group := a.group("extension", groupResources, "Operations that only one driver has",
		"Some drivers have operations that no other has. What they are given and what they answer is in their description.",
		"  mcic extension list -c "+sampleConnection+"\n  mcic extension run echo -c "+sampleConnection+" --set text=hello")
	group.Aliases = []string{"extensions"}
	group.AddCommand(a.extensionList(), a.extensionRun())
	return group
}

func (a *app) extensionList() *cobra.Command {
	var (
		connection string
		out        format
	)
	cmd := &cobra.Command{
		Use: "list", Args: noArgs, Aliases: []string{"ls"},
		Short:   "List the extensions of a connection",
		Long:    "Lists the operations that only the connection's driver has. With -o json also the\nschemas of what they are given and answer.",
		Example: "  mcic extension list -c " + sampleConnection + "\n  mcic extension list -c " + sampleConnection + " -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, connection, err := a.openIn(cmd.Context(), connection)
			if err != nil {
				return err
			}
			has, err := c.Capabilities(cmd.Context(), connection)
			if err != nil {
				return err
			}
			return printItems(a, out, has.Extensions, "the driver "+clean(has.Cloud)+" has no extension", nameOfExtension, []column[driver.ExtensionOffer]{
				{"NAME", nameOfExtension},
				{"FIELDS", func(e driver.ExtensionOffer) string { return strings.Join(fieldsOf(e), ",") }},
				{"DESCRIPTION", func(e driver.ExtensionOffer) string { return e.Doc }},
			})
		},
	}
	a.addConnection(cmd, &connection)
	addOutput(cmd, &out)
	return cmd
}

func nameOfExtension(e driver.ExtensionOffer) string { return e.Name }

// inputSchema is as much of an extension's input as the command line needs.
type inputSchema struct {
	Ref        string                 `json:"$ref"`
	Defs       map[string]inputSchema `json:"$defs"`
	Type       any                    `json:"type"`
	Properties map[string]inputSchema `json:"properties"`
}

// schemaOf is the schema of an extension's input. A driver may be written in any
// language: what cannot be read has no fields.
func schemaOf(e driver.ExtensionOffer) inputSchema {
	var s inputSchema
	if json.Unmarshal(e.Input, &s) != nil {
		return inputSchema{}
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		return s.Defs[name]
	}
	return s
}

func fieldsOf(e driver.ExtensionOffer) []string { return sortedKeys(schemaOf(e).Properties) }

func (a *app) extensionRun() *cobra.Command {
	var (
		connection, file string
		set              []string
		out              format
	)
	cmd := &cobra.Command{
		Use: "run NAME", Args: oneName,
		Short:   "Run an extension",
		Long:    "Runs an operation that only the connection's driver has and shows its answer as JSON.\nIt is not tried again. Only the audit trail says that it was called, and by whom.",
		Example: "  mcic extension run echo -c " + sampleConnection + " --set text=hello\n  mcic extension run echo -c " + sampleConnection + " --file input.yaml -o yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, connection, err := a.openIn(cmd.Context(), connection)
			if err != nil {
				return err
			}
			input := map[string]json.RawMessage{}
			if file != "" {
				if err := a.readObject(file, &input); err != nil {
					return err
				}
			}
			if err := setFields(cmd.Context(), c, connection, args[0], set, input); err != nil {
				return err
			}
			answer, err := c.Extend(cmd.Context(), connection, args[0], input)
			if err != nil {
				return err
			}
			return a.printObject(out, answer, args[0], func() error { return a.printJSON(answer, "  ") })
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringArrayVar(&set, "set", nil, "field of the input, as `NAME=VALUE`. May be repeated.")
	cmd.Flags().StringVar(&file, "file", "", "`FILE` with the input as JSON or YAML; - for standard input")
	must(cmd.RegisterFlagCompletionFunc("set", cobra.NoFileCompletions))
	a.addConnection(cmd, &connection)
	addOutput(cmd, &out)
	cmd.ValidArgsFunction = completeArgs(1, a.completeExtensions(&connection))
	return cmd
}

// setFields adds to the input of an extension what --set gives. Its schema says
// whether a value is text or JSON.
func setFields(ctx context.Context, c *client.Client, connection, name string, set []string, input map[string]json.RawMessage) error {
	given, err := pairs("set", set)
	if err != nil || len(given) == 0 {
		return err
	}
	has, err := c.Capabilities(ctx, connection)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(has.Extensions, func(e driver.ExtensionOffer) bool { return e.Name == name })
	if i < 0 {
		return resource.Errorf(resource.CodeNotFound, "the driver %s has no extension %.64q; see: mcic extension list", has.Cloud, name)
	}
	fields := schemaOf(has.Extensions[i]).Properties
	for key, value := range given {
		raw := json.RawMessage(value)
		if field, known := fields[key]; !known || field.Type == "string" || !json.Valid(raw) {
			if raw, err = json.Marshal(value); err != nil {
				return usageError("--set %s: %w", key, err)
			}
		}
		input[key] = raw
	}
	return nil
}

// completeExtensions offers the extensions of a connection.
func (a *app) completeExtensions(connection *string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.completion(cmd, func(ctx context.Context, c *client.Client) ([]string, error) {
			name := *connection
			if name == "" {
				s, err := a.settings(ctx)
				if err != nil {
					return nil, err
				}
				name = s.connection
			}
			has, err := c.Capabilities(ctx, name)
			if err != nil {
				return nil, err
			}
			names := make([]string, len(has.Extensions))
			for i, e := range has.Extensions {
				names[i] = e.Name
			}
			return names, nil
		})
	}
}

// nativeCommand passes a request to the cloud's own API.
func (a *app) nativeCommand() *cobra.Command {
	var (
		connection, body string
		query, headers   []string
		request          driver.NativeRequest
		out              format
	)
	cmd := &cobra.Command{
		Use: "native SERVICE", GroupID: groupResources, Args: oneService,
		Short: "Call the cloud's own API",
		Long: "Passes a request to a service of the connection's cloud, signed with its credential, and\nshows the body of the answer; with -o json also status and headers. How services and\npaths are written: mcic connection capabilities NAME, under native.\n\n" +
			"It is not tried again. Only the audit trail says that it was called, and by whom. An answer\nthat is no success ends with an exit code of its kind.",
		Example: "  mcic native ec2 -c " + sampleConnection + " --query Action=DescribeVpcs --query Version=2016-11-15\n  mcic native network -c " + sampleConnection + " --method POST --path /v2.0/networks --body @network.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, connection, err := a.openIn(cmd.Context(), connection)
			if err != nil {
				return err
			}
			request.Service, request.Query = args[0], map[string][]string{}
			for _, text := range query {
				key, value, ok := strings.Cut(text, "=")
				if !ok || key == "" {
					return usageError("--query: %q is not key=value", text)
				}
				request.Query[key] = append(request.Query[key], value)
			}
			if request.Headers, err = pairs("header", headers); err != nil {
				return err
			}
			if request.Body, err = a.textOf("--body", body); err != nil {
				return err
			}
			answer, err := c.Native(cmd.Context(), connection, request)
			if err != nil {
				return err
			}
			text := answer.Body
			if text != "" && !strings.HasSuffix(text, "\n") {
				text += "\n"
			}
			if err := a.printObject(out, answer, args[0], func() error { return a.write(text) }); err != nil {
				return err
			}
			return statusError(answer.Status)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	a.addConnection(cmd, &connection)
	flags.StringVar(&request.Method, "method", "", "HTTP `METHOD` (default GET)")
	flags.StringVar(&request.Path, "path", "", "`PATH` below the service's address (default /)")
	flags.StringArrayVar(&query, "query", nil, "query parameter, as `KEY=VALUE`. May be repeated.")
	flags.StringArrayVar(&headers, "header", nil, "header, as `KEY=VALUE`. May be repeated.")
	flags.StringVar(&body, "body", "", "`TEXT` of the body; @FILE for that of a file, @- for standard input")
	must(cmd.RegisterFlagCompletionFunc("method", cobra.FixedCompletions([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, cobra.ShellCompDirectiveNoFileComp)))
	addOutput(cmd, &out)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

func oneService(_ *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return usageError("which service of the cloud? Give one, such as: mcic native ec2")
	}
	return nil
}

// statusError is the error of an answer of a cloud that is no success.
func statusError(status int) error {
	var code resource.Code
	switch {
	case status < http.StatusBadRequest:
		return nil
	case status == http.StatusUnauthorized:
		code = resource.CodeUnauthenticated
	case status == http.StatusForbidden:
		code = resource.CodeDenied
	case status == http.StatusNotFound:
		code = resource.CodeNotFound
	case status == http.StatusConflict:
		code = resource.CodeConflict
	case status == http.StatusTooManyRequests:
		code = resource.CodeThrottled
	case status >= http.StatusInternalServerError:
		code = resource.CodeUnavailable
	default:
		code = resource.CodeInvalid
	}
	return resource.Errorf(code, "the cloud answered with the status %d %s", status, http.StatusText(status))
}

func (a *app) connectionCapabilities() *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use: "capabilities NAME", Args: oneName, ValidArgsFunction: a.completeSetup("connection", 1),
		Short:   "Show what a connection offers",
		Long:    "Shows what the connection's driver offers, without what the cloud does not have there,\nwith the reasons.",
		Example: "  mcic connection capabilities " + sampleConnection,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			has, err := c.Capabilities(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.printObject(out, has, args[0], func() error { return a.printCapabilities(has) })
		},
	}
	addOutput(cmd, &out)
	return cmd
}

func namesOf[T any](items []T, name func(T) string) string {
	names := make([]string, len(items))
	for i, item := range items {
		names[i] = name(item)
	}
	return strings.Join(names, ", ")
}

func (a *app) printCapabilities(has *driver.Capabilities) error {
	extensions := namesOf(has.Extensions, func(e driver.ExtensionOffer) string { return e.Name })
	feeds := namesOf(has.Feeds, func(f driver.FeedOffer) string { return f.Name })
	var b strings.Builder
	for _, line := range [][2]string{
		{"Cloud:", has.Cloud}, {"Catalogs:", strings.Join(has.Catalogs, ", ")}, {"Feeds:", feeds}, {"Extensions:", extensions}, {"Native:", has.Native},
	} {
		if line[1] != "" {
			fmt.Fprintf(&b, "%-12s%s\n", line[0], clean(line[1]))
		}
	}
	for _, l := range has.Lacks {
		fmt.Fprintf(&b, "%-12s%s\n", "Lacks:", clean(l.Name+": "+l.Reason))
	}
	if err := a.write(b.String() + "\n"); err != nil {
		return err
	}
	return printItems(a, formatTable, has.Kinds, "it offers no kind", func(k driver.KindOffer) string { return k.Name }, []column[driver.KindOffer]{
		{"KIND", func(k driver.KindOffer) string { return k.Name }},
		{"VERBS", func(k driver.KindOffer) string { return strings.Join(k.Verbs, ",") }},
		{"ACTIONS", func(k driver.KindOffer) string { return strings.Join(k.Actions, ",") }},
		{"VIEWS", func(k driver.KindOffer) string { return strings.Join(k.Views, ",") }},
		{"KEPT-BY", func(k driver.KindOffer) string {
			if k.Kept {
				return "server"
			}
			return "cloud"
		}},
	})
}
