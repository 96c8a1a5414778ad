package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// The exit codes that do not follow from an error code alone.
const (
	exitOK          = 0
	exitOther       = 1
	exitFailed      = 9
	exitTimedOut    = 10
	exitInterrupted = 130
)

// exitClass is an exit code with the error codes that lead to it.
type exitClass struct {
	exit    int
	meaning string
	codes   []resource.Code
}

func exitClasses() []exitClass {
	return []exitClass{
		{exitOK, "done", nil},
		{exitOther, "another failure; a defect in mcic, the server or a driver", []resource.Code{resource.CodeInternal}},
		{2, "the command line or the request is wrong", []resource.Code{resource.CodeInvalid}},
		{3, "it does not exist", []resource.Code{resource.CodeNotFound}},
		{4, "the name is taken, another change is running, or something else uses it", []resource.Code{resource.CodeAlreadyExists, resource.CodeConflict, resource.CodeDependency}},
		{5, "the token or the cloud's credential is missing, wrong or lacks a permission", []resource.Code{resource.CodeUnauthenticated, resource.CodeDenied}},
		{6, "a limit of the cloud is reached, it has none left, or it is asked too often", []resource.Code{resource.CodeQuota, resource.CodeCapacity, resource.CodeThrottled}},
		{7, "the server or the cloud cannot be reached", []resource.Code{resource.CodeUnavailable}},
		{8, "the cloud or its driver does not offer it", []resource.Code{resource.CodeUnsupported}},
		{exitFailed, "the operation failed for a reason that has no code of its own above", nil},
		{exitTimedOut, "--timeout was over before the operation ended; it goes on", nil},
		{exitNoSession, "of ssh: there was no session, or it did not end by itself; else the code is the command's", nil},
		{exitInterrupted, "interrupted by Ctrl-C; an operation that was waited for goes on", nil},
	}
}

// exitError is an error with an exit code of its own.
type exitError struct {
	exit int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// failures are those of a command that did the same to several names.
type failures []error

func (f failures) Error() string   { return errors.Join(f...).Error() }
func (f failures) Unwrap() []error { return f }

func exitCode(err error) int {
	if several, ok := errors.AsType[failures](err); ok {
		return exitCode(several[0])
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.exit
	}
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	code := resource.CodeOf(err)
	for _, class := range exitClasses() {
		for _, c := range class.codes {
			if c == code {
				return class.exit
			}
		}
	}
	return exitOther
}

func exitCodesTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString("mcic ends with a code that says what kind of failure it was:\n\n")
	for _, class := range exitClasses() {
		codes := make([]string, len(class.codes))
		for i, c := range class.codes {
			codes[i] = string(c)
		}
		fmt.Fprintf(&b, "  %3d  %s", class.exit, class.meaning)
		if len(codes) > 0 {
			fmt.Fprintf(&b, " (%s)", strings.Join(codes, ", "))
		}
		b.WriteString("\n")
	}
	b.WriteString("\nThe words in brackets are the error codes of the API. With --wait, an operation\nthat fails ends mcic with the code of its error. Of several failures the first counts.")
	return &cobra.Command{
		Use: "exit-codes", GroupID: groupOther,
		Short:   "What the exit codes mean (a help topic)",
		Long:    b.String(),
		Example: "  mcic help exit-codes",
	}
}

// usageError is a mistake in the command line.
func usageError(format string, args ...any) *resource.Error {
	return resource.Errorf(resource.CodeInvalid, format, args...)
}

// flagError turns what pflag says into a usage error, with the nearest flag as a help.
func flagError(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usageError("--%s: %w", e.GetFlag().Name, e.Unwrap())
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok && e.GetSpecifiedShortnames() == "" {
		result := usageError("%s has no flag --%s", cmd.CommandPath(), e.GetSpecifiedName())
		if near := nearest(e.GetSpecifiedName(), cmd.Flags()); near != "" {
			result.Message += "; did you mean --" + near + "?"
		}
		return result
	}
	return usageError("%w", err)
}

func nearest(name string, flags *pflag.FlagSet) string {
	best, bestDistance := "", 3
	flags.VisitAll(func(f *pflag.Flag) {
		if d := distance(name, f.Name); !f.Hidden && d < bestDistance {
			best, bestDistance = f.Name, d
		}
	})
	return best
}

// distance is the number of letters to add, drop or change to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// fieldError is an error whose fields have other names on the command line.
type fieldError struct {
	err  error
	name func(field string) string // "" keeps the field's own name
}

func (e *fieldError) Error() string { return e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// report writes what went wrong and what to do about it.
func (a *app) report(cmd *cobra.Command, err error) {
	if several, ok := errors.AsType[failures](err); ok {
		for _, e := range several {
			a.report(cmd, e)
		}
		return
	}
	if errors.Is(err, errSilent) {
		return
	}
	if _, ok := errors.AsType[*exitError](err); !ok && errors.Is(err, context.Canceled) {
		fmt.Fprintln(a.env.Stderr, "Interrupted.")
		return
	}
	e := resource.AsError(err)
	message := e.Message
	if len(e.Fields) > 0 && message == resource.Invalid(e.Fields...).Error() {
		message = "the request is not valid" // what is wrong follows, by flag
	}
	fmt.Fprintf(a.env.Stderr, "Error: %s\n", cleanLines(message))
	for _, p := range e.Fields {
		field := p.Field
		if named, ok := errors.AsType[*fieldError](err); ok {
			if name := named.name(field); name != "" {
				field = name
			}
		}
		fmt.Fprintf(a.env.Stderr, "  %s: %s\n", clean(field), cleanLines(p.Message))
	}
	if c := e.Cloud; c != nil {
		parts := []string{}
		for _, part := range []struct{ name, value string }{{"code", c.Code}, {"message", c.Message}, {"request id", c.RequestID}} {
			if part.value != "" {
				parts = append(parts, part.name+" "+clean(part.value))
			}
		}
		if len(parts) > 0 {
			fmt.Fprintf(a.env.Stderr, "The cloud's answer: %s\n", strings.Join(parts, ", "))
		}
	}
	if hint := a.hint(cmd, err, e); hint != "" {
		fmt.Fprintf(a.env.Stderr, "Hint: %s\n", clean(hint))
	}
}

// hint says what to do next, where the message cannot know it.
func (a *app) hint(cmd *cobra.Command, err error, e *resource.Error) string {
	if x, ok := errors.AsType[*exitError](err); ok && (x.exit == exitTimedOut || x.exit == exitInterrupted) {
		return "" // the message says how to go on
	}
	if _, ok := errors.AsType[*resource.Error](err); !ok {
		return "" // of this machine, or of a command that is not ours
	}
	if e.Code != resource.CodeInvalid && strings.Contains(e.Message, "mcic ") {
		return "" // the message says it
	}
	noun := ""
	if cmd.HasParent() && cmd.Parent().HasParent() {
		noun = cmd.Parent().CommandPath()
	}
	switch e.Code {
	case resource.CodeInvalid:
		return "see: " + cmd.CommandPath() + " --help"
	case resource.CodeNotFound, resource.CodeAlreadyExists:
		if noun != "" && hasCommand(cmd.Parent(), "list") {
			return "see what there is: " + noun + " list"
		}
	case resource.CodeConflict: // a change that is running names its operation; a cloud says what it goes against
		if e.Cloud == nil && noun != "" && cmd.Name() != "create" && hasCommand(cmd.Parent(), "get") {
			return "see how it is now: " + noun + " get NAME"
		}
	case resource.CodeUnauthenticated:
		if e.Cloud != nil {
			return "the cloud refuses the credential; check it: mcic connection check NAME"
		}
		return a.tokenHint()
	case resource.CodeThrottled:
		return "try again in a while"
	case resource.CodeUnsupported:
		return "see what a cloud's driver offers: mcic driver get CLOUD"
	case resource.CodeInternal:
		if e.Cloud == nil {
			return "this should not happen; the server's log may say more"
		}
	}
	return ""
}

func hasCommand(parent *cobra.Command, name string) bool {
	for _, c := range parent.Commands() {
		if c.Name() == name {
			return true
		}
	}
	return false
}
