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

// warnings collects what a call warns of, for the wire.
type warnings struct {
	mu    sync.Mutex
	found []resource.Warning
}

func (s *server) collect(ctx context.Context) (context.Context, *warnings) {
	w := &warnings{}
	return WithWarnings(ctx, func(one resource.Warning) {
		w.mu.Lock()
		defer w.mu.Unlock()
		one.Message = valid(s.secrets.redact(one.Message))
		w.found = append(w.found, one)
	}), w
}

func (w *warnings) toWire() []*driverv1.Warning {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sent []*driverv1.Warning
	for _, one := range w.found {
		sent = append(sent, &driverv1.Warning{Rule: valid(string(one.Rule)), Message: one.Message})
	}
	return sent
}

// pass tells the caller of a driver in another process what that warns of.
func pass(ctx context.Context, sent []*driverv1.Warning) {
	for _, one := range sent {
		w := resource.Warning{Message: one.GetMessage()}
		if rule := resource.WarningRule(one.GetRule()); slices.Contains(resource.WarningRules(), rule) { // else the message says it
			w.Rule = rule
		}
		warn(ctx, w)
	}
}
