package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func (a *app) createCommand(k *resource.Kind) *cobra.Command {
	var (
		connection, file string
		labels           []string
		count            int
		onFailure        string
		dryRun           bool
		w                waiting
		out              format
	)
	cmd := &cobra.Command{
		Use: "create NAME", ValidArgsFunction: cobra.NoFileCompletions,
		Short: "Create a " + word(k),
		Long: "Creates a " + word(k) + ".\n\nThe answer comes at once, with the operation that does it; --wait waits for its end.\n" +
			"--file takes the whole request as JSON or YAML, with the fields name, labels and\nspec, or a list of such requests as items; NAME and flags given beside it win.\n" +
			"What get -o yaml shows can be given so, too: state, status and the like are passed over.",
	}
	cmd.Flags().SortFlags = false
	spec := a.addStructFlags(cmd, "spec", k.SpecType())
	cmd.Flags().StringArrayVar(&labels, "label", nil, "label as `KEY=VALUE`; may be repeated")
	cmd.Flags().IntVar(&count, "count", 0, "create `N` at once, named NAME-1, NAME-2 and so on")
	cmd.Flags().StringVar(&onFailure, "on-failure", "", "`keep` what a failed creation leaves, to be tried again, or delete it, here and on the cloud (default keep)")
	must(cmd.RegisterFlagCompletionFunc("on-failure", cobra.FixedCompletions([]string{"keep", "delete"}, cobra.ShellCompDirectiveNoFileComp)))
	cmd.Flags().StringVar(&file, "file", "", "`FILE` with the request as JSON or YAML; - for standard input")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only check whether it could be created")
	secrets := addSecretFlags(cmd, k)
	a.addConnection(cmd, &connection)
	addWaiting(cmd, &w)
	addOutput(cmd, &out)
	cmd.Example = fmt.Sprintf("  mcic %[1]s create my-%[1]s -c %[2]s%[3]s --wait\n  mcic %[1]s create -c %[2]s --file %[1]s.yaml", k.Name, sampleConnection, spec.example()+secrets.example(k))
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if file != "" && len(args) == 0 {
			return nil
		}
		return oneName(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		if err := w.check(cmd); err != nil {
			return err
		}
		body, err := a.createBody(k, args, file, labels, count, onFailure, spec)
		if err != nil {
			return &fieldError{err, spec.name}
		}
		c, connection, err := a.openIn(ctx, connection)
		if err != nil {
			return err
		}
		if dryRun {
			return a.checked(ctx, c, k, connection, body, spec, out)
		}
		if err := secrets.reserve(); err != nil {
			return err
		}
		op, err := c.CreateJSON(ctx, k.Name, connection, body)
		if err != nil {
			secrets.release()
			return &fieldError{err, spec.name}
		}
		if err := a.created(ctx, c, k, op, secrets, w, out); err != nil {
			return &fieldError{err, spec.name}
		}
		return nil
	}
	return cmd
}

// createBody makes the request of a file, the flags, or both.
func (a *app) createBody(k *resource.Kind, args []string, file string, labels []string, count int, onFailure string, flags *structFlags) (json.RawMessage, error) {
	body := map[string]json.RawMessage{}
	if file != "" {
		if err := a.readObject(file, &body); err != nil {
			return nil, err
		}
	}
	if _, many := body["items"]; many {
		return json.Marshal(body)
	}
	for _, field := range answered(k) { // what get shows can be created again
		delete(body, field)
	}
	spec := map[string]json.RawMessage{}
	if raw, ok := body["spec"]; ok {
		if err := json.Unmarshal(raw, &spec); err != nil || spec == nil {
			return nil, usageError("--file: spec is not an object")
		}
	}
	if err := flags.fill(spec); err != nil {
		return nil, err
	}
	if err := flags.missing(spec); err != nil {
		return nil, resource.Invalid(append(resource.AsError(err).Fields, unknown(k, spec)...)...) // they may be the ones that are missing
	}
	given, err := pairs("label", labels)
	if err != nil {
		return nil, err
	}
	parts := map[string]any{"spec": spec}
	if len(args) > 0 {
		parts["name"] = args[0]
	}
	if count != 0 {
		parts["count"] = count
	}
	if onFailure != "" {
		parts["onFailure"] = onFailure
	}
	if len(given) > 0 {
		merged := map[string]string{}
		if raw, ok := body["labels"]; ok {
			if err := json.Unmarshal(raw, &merged); err != nil {
				return nil, usageError("--file: labels are not an object of texts")
			}
		}
		maps.Copy(merged, given)
		parts["labels"] = merged
	}
	for name, part := range parts {
		raw, err := json.Marshal(part)
		if err != nil {
			return nil, usageError("encode the request: %w", err)
		}
		body[name] = raw
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, usageError("encode the request: %w", err)
	}
	if file == "" { // a file may use fields that a newer server has
		if _, err := k.ParseCreate(raw); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

// answered are the fields that resources have and requests have not: what the server and
// the cloud say of one, such as its state.
func answered(k *resource.Kind) []string {
	var names []string
	for f := range reflect.TypeFor[resource.Resource]().Fields() {
		if name := resource.JSONName(f); fieldOf(k.CreateType(), name) == nil {
			names = append(names, name)
		}
	}
	return names
}

// unknown are the fields of a spec that there are not.
func unknown(k *resource.Kind, spec map[string]json.RawMessage) []resource.Problem {
	var problems []resource.Problem
	for _, name := range sortedKeys(spec) {
		if fieldOf(k.SpecType(), name) == nil {
			problems = append(problems, resource.Problem{Field: "spec." + name, Message: "there is no such field", Rule: resource.RuleUnknown})
		}
	}
	return problems
}

// readObject reads a file of JSON or YAML.
func (a *app) readObject(file string, object *map[string]json.RawMessage) error {
	raw, err := a.readFile(file)
	if err != nil {
		return usageError("--file: %w", err)
	}
	if !json.Valid(raw) { // JSON with tabs is not YAML
		if severalDocuments(raw) {
			return usageError("--file: %s holds several documents; give one request", file)
		}
		if raw, err = yaml.YAMLToJSONStrict(raw); err != nil {
			return usageError("--file: %s is neither JSON nor YAML: %w", file, err)
		}
	}
	if err := json.Unmarshal(raw, object); err != nil || *object == nil {
		return usageError("--file: %s is not an object with the fields name, labels and spec", file)
	}
	return nil
}

// severalDocuments reports whether a YAML file goes on after its first document,
// which the reader would pass over in silence.
func severalDocuments(raw []byte) bool {
	begun, ended := false, false
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "---" || strings.HasPrefix(line, "--- "):
			if ended = begun; ended && len(line) > 3 {
				return true
			}
			begun = begun || len(line) > 3
		case line == "...":
			ended = begun
		case line == "" || strings.HasPrefix(strings.TrimLeft(line, " "), "#") || !begun && strings.HasPrefix(line, "%"):
		case ended:
			return true
		default:
			begun = true
		}
	}
	return false
}

// created shows what a create answered. A secret is answered only once: it is kept
// before anything else, and shown whatever happens next.
func (a *app) created(ctx context.Context, c *client.Client, k *resource.Kind, op *api.Operation, files *secretFiles, w waiting, out format) error {
	saveErr := files.save(op)
	for _, name := range files.unused {
		fmt.Fprintf(a.env.Stderr, "Warning: the answer has no %s; nothing was written for --%s-out\n", name, kebab(name))
	}
	secrets := op.Secrets
	structured := out == formatJSON || out == formatYAML
	if !structured && len(secrets) > 0 {
		to := a.env.Stdout
		if out == formatName { // whoever reads the name must not get a key
			to = a.env.Stderr
		}
		for _, name := range sortedKeys(secrets) {
			fmt.Fprintf(a.env.Stderr, "Warning: keep the %s that follows: it is not shown again. Next time, --%s-out FILE saves it.\n", name, kebab(name))
			fmt.Fprintf(to, "%s\n", strings.TrimRight(cleanLines(secrets[name]), "\n"))
		}
	}
	if !w.wait {
		return errors.Join(a.printStarted(out, op, a.printObject), saveErr)
	}
	limited, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	done, err := a.wait(limited, c, op, out)
	if op.Items != nil {
		return a.createdMany(limited, c, done, err, out)
	}
	if err == nil {
		var r *resource.Resource
		if r, err = c.Get(limited, k.Name, op.Connection, op.Name); err == nil {
			r.Secrets = secrets
			return errors.Join(a.printResource(k, out, r), saveErr)
		}
	}
	if structured && len(secrets) > 0 {
		saveErr = errors.Join(saveErr, a.printObject(out, op, op.ID, nil))
	}
	if saveErr != nil {
		return failures{err, saveErr}
	}
	return err
}

// createdMany shows what came of the creation of several. Those that failed are told
// one by one.
func (a *app) createdMany(ctx context.Context, c *client.Client, op *api.Operation, err error, out format) error {
	if op == nil {
		return err
	}
	var failed failures
	if err != nil {
		failed = append(failed, err)
		for part, err := range c.Operations(ctx, client.ListOptions{Filter: []string{"parent=" + op.ID, "state!=" + string(api.OperationSucceeded)}}) {
			if err != nil {
				failed = append(failed, err)
				break
			}
			if part.Error != nil {
				failed = append(failed, fmt.Errorf("%s %s: %w", part.Kind, part.Name, part.Error))
			}
		}
	}
	printErr := a.printObject(out, op, op.ID, func() error { return a.printView(op, nil) })
	if len(failed) > 0 {
		return failed
	}
	return printErr
}

func (a *app) printResource(k *resource.Kind, out format, r *resource.Resource) error {
	return a.printObject(out, r, r.Name, func() error {
		shown := *r
		shown.Native, shown.Secrets = nil, nil
		shown.Effective = unasked(shown.Effective, shown.Spec)
		return a.printView(shown, typeOf(k))
	})
}

// unasked are the fields of what there is that are not as they were asked for.
func unasked(effective, spec json.RawMessage) json.RawMessage {
	var there, asked map[string]any
	if json.Unmarshal(effective, &there) != nil || json.Unmarshal(spec, &asked) != nil {
		return effective
	}
	maps.DeleteFunc(there, func(name string, value any) bool { return reflect.DeepEqual(value, asked[name]) })
	raw, err := json.Marshal(there)
	if err != nil { // it was JSON before
		return effective
	}
	return raw
}

// printStarted shows an operation that was started and is not waited for.
func (a *app) printStarted(out format, op *api.Operation, show func(format, any, string, func() error) error) error {
	return show(out, op, op.ID, func() error {
		text := fmt.Sprintf("%s %s: %s %s", op.Kind, op.Name, op.Verb, op.State)
		if !op.State.Ended() {
			text += "; follow it with: mcic operation wait " + op.ID
		}
		return a.write(clean(text) + "\n")
	})
}
