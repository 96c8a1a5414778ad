package mock

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// call is what every call of the cloud's API goes through, before anything else.
func (s *session) call(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return unanswered(err)
	}
	n := s.calls.Add(1)
	s.cloud.calls.Add(1)
	if !s.cloud.rates.take(s.place, s.rateLimit, s.cloud.now()) {
		return refuse(resource.CodeThrottled, "RequestLimitExceeded", "more than %v calls per second; wait a moment and try again", s.rateLimit)
	}
	if s.callLatency > 0 {
		timer := time.NewTimer(s.callLatency)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return unanswered(ctx.Err())
		case <-timer.C:
		}
	}
	if s.chance(s.failCall, "call", strconv.FormatUint(n, 10)) {
		return refuse(resource.CodeUnavailable, "ServiceUnavailable", "the cloud is out of order for a moment (setting failCall) and did nothing; try again")
	}
	return nil
}

// callRegion is the call of an API that lives in a region.
func (s *session) callRegion(ctx context.Context) error {
	if s.Region == "" {
		return refuse(resource.CodeInvalid, "MissingRegion", "the connection names no region, so that it can only list the regions; give it one of: %s", s.offer.regionNames())
	}
	return s.call(ctx)
}

// stay blocks a call until its caller gives up.
func (s *session) stay(ctx context.Context) error {
	<-ctx.Done()
	return unanswered(ctx.Err())
}

// quota is how many objects of a kind the account may have in the region, and
// whether there is such a limit.
func (s *session) quota(kind string) (limit int, limited bool) {
	if kind == resource.VM.Name && s.quotaVMs > 0 {
		return s.quotaVMs, true
	}
	limit, limited = s.quotas[kind]
	return limit, limited
}

// checkQuota refuses one more object of a kind than the account may have.
func (s *session) checkQuota(kind *resource.Kind) error {
	limit, limited := s.quota(kind.Name)
	if have := s.count(kind.Name); limited && have >= limit {
		return refuse(resource.CodeQuota, noun(kind)+"LimitExceeded", "the account %s has %d of the kind %s in the region %s and may have %d (settings quotas and quotaVMs); delete some, or raise the quota", s.Account, have, kind.Name, s.Region, limit)
	}
	return nil
}

// chance draws with probability p. The draw depends on nothing but the seed and
// what it is for, so that with a seed everything happens the same way again.
func (s *session) chance(p float64, what, of string) bool {
	if p <= 0 {
		return false
	}
	sum := sha256.Sum256([]byte(s.seed + "\x00" + what + "\x00" + of))
	return float64(binary.BigEndian.Uint64(sum[:])>>11)/(1<<53) < p
}

// refuse is an error that the cloud answers.
func refuse(code resource.Code, cloudCode, format string, args ...any) *resource.Error {
	e := resource.Errorf(code, format, args...)
	e.Cloud = &resource.CloudError{Code: cloudCode, Message: e.Message, RequestID: "req-" + rand.Text()}
	return e
}

// refuseField is the cloud's answer to a request with a wrong field.
func refuseField(field, cloudCode, format string, args ...any) *resource.Error {
	e := refuse(resource.CodeInvalid, cloudCode, format, args...)
	e.Fields = []resource.Problem{{Field: field, Message: e.Message}}
	e.Message = field + ": " + e.Message
	return e
}

// below is the path of a field of what is at a path, which may be the request itself.
func below(at, field string) string { return strings.TrimPrefix(at+"."+field, ".") }

// warnField is the setting that has the cloud warn.
func warnField() driver.Field {
	f := driver.Field{Name: "warn", Title: "Warnings", Type: driver.TypeString, Doc: "What kind of warning each creation, action and deletion is done with. Default: none, there are no warnings."}
	for _, rule := range resource.WarningRules() {
		f.Enum = append(f.Enum, string(rule))
	}
	return f
}

// need is the cloud's answer to a request that lacks a field.
func need(field, value string) error {
	if value != "" {
		return nil
	}
	return refuseField(field, "MissingParameter", "this is missing; give it")
}

// refuseProblems is the cloud's answer to what breaks the rules of a kind.
func refuseProblems(problems []resource.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	e := refuseField(problems[0].Field, "InvalidParameterValue", "%s", problems[0].Message)
	e.Fields = problems
	return e
}

// unanswered is a call whose caller gave up before the cloud answered.
func unanswered(err error) error {
	return resource.Errorf(resource.CodeUnavailable, "the mock cloud did not answer in time: %w", err)
}

// rates holds back accounts that call too often. For each it remembers only when
// the last call that it let through was due (the generic cell rate algorithm), so
// that sessions with different limits can share it.
type rates struct {
	mu  sync.Mutex
	due map[place]time.Time
}

func (r *rates) take(p place, perSecond float64, now time.Time) bool {
	if perSecond <= 0 {
		return true
	}
	var (
		interval = time.Duration(float64(time.Second) / max(perSecond, 1e-6)) // the least keeps it within a Duration
		burst    = time.Duration(float64(interval) * max(1, perSecond))
	)
	r.mu.Lock()
	defer r.mu.Unlock()
	due := r.due[p]
	if due.Before(now) {
		due = now
	}
	due = due.Add(interval)
	if due.Sub(now) > burst {
		return false
	}
	r.due[p] = due
	return true
}
