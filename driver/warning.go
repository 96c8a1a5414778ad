package driver

import (
	"context"
	"fmt"
	"slices"
	"sync"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type warningKey struct{}

// Warn tells whoever asked for a change something that they should know although it is
// done, such as a field that means nothing on this cloud. It is for Make, Complete, Check,
// Delete and actions; what goes wrong is an error instead. What is told in a call that fails
// is lost, and what is told again in each call of a change that is pending counts once.
func Warn(ctx context.Context, rule resource.WarningRule, format string, args ...any) {
	warn(ctx, resource.Warning{Rule: rule, Message: fmt.Sprintf(format, args...)})
}

func warn(ctx context.Context, w resource.Warning) {
	if note, ok := ctx.Value(warningKey{}).(func(resource.Warning)); ok {
		note(w)
	}
}

// WithWarnings has note told what calls with the context warn of.
func WithWarnings(ctx context.Context, note func(resource.Warning)) context.Context {
	return context.WithValue(ctx, warningKey{}, note)
}

// warnings collects what a call warns of.
type warnings struct {
	mu    sync.Mutex
	found []resource.Warning
}

func collect(ctx context.Context) (context.Context, *warnings) {
	w := &warnings{}
	return WithWarnings(ctx, func(one resource.Warning) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.found = append(w.found, one)
	}), w
}

// all are those of the call, which has ended.
func (w *warnings) all() []resource.Warning {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.found
}

func (s *server) warnings(all []resource.Warning) []*driverv1.Warning {
	var sent []*driverv1.Warning
	for _, one := range all {
		sent = append(sent, &driverv1.Warning{Rule: valid(string(one.Rule)), Message: valid(s.secrets.redact(one.Message))})
	}
	return sent
}

// pass tells the caller of a driver in another process what that warns of.
func pass(ctx context.Context, sent []*driverv1.Warning) {
	for _, w := range warningsFrom(sent) {
		warn(ctx, w)
	}
}

func warningsFrom(sent []*driverv1.Warning) []resource.Warning {
	var all []resource.Warning
	for _, one := range sent {
		w := resource.Warning{Message: storable(one.GetMessage())}
		if rule := resource.WarningRule(one.GetRule()); slices.Contains(resource.WarningRules(), rule) { // else the message says it
			w.Rule = rule
		}
		all = append(all, w)
	}
	return all
}
