package openstack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// meanings are of the types of Neutron's errors, which alone of the services gives
// them names.
// https://docs.openstack.org/api-ref/network/v2/#general-faults
func meanings() driver.Meanings {
	return driver.Meanings{
		{Code: resource.CodeQuota, Advice: adviceQuota, Of: []string{"OverQuota"}},
		{Code: resource.CodeQuota, Advice: "the subnet has no free address; choose another one", Of: []string{"IpAddressGenerationFailure*"}},
		{Code: resource.CodeQuota, Advice: "the external network has no free address", Of: []string{"ExternalIpAddressExhausted"}},
		{Code: resource.CodeQuota, Of: []string{"NoNetworkAvailable"}},
		{Code: resource.CodeDenied, Of: []string{"PolicyNotAuthorized", "*NotAuthorized"}},
		{Code: resource.CodeDependency, Advice: "disassociate the public IPs first", Of: []string{"*InUseByFloatingIP"}},
		{Code: resource.CodeAlreadyExists, Of: []string{"SecurityGroupRuleExists", "IpAddressInUse*", "IpAddressAlreadyAllocated", "MacAddressInUse"}},
		{Code: resource.CodeDependency, Advice: "delete first what uses it", Of: []string{"*InUse"}},
		{Code: resource.CodeConflict, Advice: "it has a public IP already; disassociate that first", Of: []string{"*AlreadyAssociated"}},
		{Code: resource.CodeNotFound, Of: []string{"*NotFound"}},
		{Code: resource.CodeInvalid, Of: []string{"Invalid*"}},
		{Code: resource.CodeUnavailable, Of: []string{"RetryRequest"}},
	}
}

const adviceQuota = "remove what is not needed, or ask whoever runs the cloud for a higher quota"

const adviceCapacity = "another zone or spec may have room, or this one later"

// phrase tells apart what the other services answer with one status.
type phrase struct {
	status int
	text   string // in lower case; part of the message
	means  driver.Meaning
}

func phrases() []phrase {
	var (
		quota      = driver.Meaning{Code: resource.CodeQuota, Advice: adviceQuota}
		exists     = driver.Meaning{Code: resource.CodeAlreadyExists}
		dependency = driver.Meaning{Code: resource.CodeDependency, Advice: "delete or detach first what uses it"}
		notFound   = driver.Meaning{Code: resource.CodeNotFound}
	)
	return []phrase{
		{http.StatusForbidden, "quota", quota},
		{http.StatusForbidden, "maximum number of", quota},
		{http.StatusForbidden, "resource limit", quota},
		{http.StatusRequestEntityTooLarge, "", quota},
		{http.StatusConflict, "quota", quota},
		{http.StatusConflict, "already exists", exists},
		{http.StatusConflict, "in use", dependency},
		{http.StatusConflict, "is used by", dependency},
		{http.StatusBadRequest, "no valid host", driver.Meaning{Code: resource.CodeCapacity, Advice: adviceCapacity}},
		{http.StatusBadRequest, "already has a port on subnet", exists},
		{http.StatusBadRequest, "could not be found", notFound},
		{http.StatusBadRequest, "can not find", notFound},
		{http.StatusBadRequest, "not found", notFound},
		{http.StatusBadRequest, "and must not be migrating, attached", dependency}, // Cinder: in use, or has snapshots
		// Magnum deletes a cluster's node groups just before it, and cannot show it meanwhile.
		{http.StatusBadRequest, "attribute master_count", driver.Meaning{Code: resource.CodeUnavailable}},
		{http.StatusBadRequest, "status must be", driver.Meaning{Code: resource.CodeConflict}},
		{http.StatusBadRequest, "must be available", driver.Meaning{Code: resource.CodeConflict}},
		{http.StatusNotFound, "", notFound},
		{http.StatusConflict, "", driver.Meaning{Code: resource.CodeConflict}},
		{http.StatusMethodNotAllowed, "", driver.Meaning{Code: resource.CodeUnsupported}},
		{http.StatusNotAcceptable, "", driver.Meaning{Code: resource.CodeUnsupported, Advice: "this cloud is too old for it"}},
	}
}

// said is the error of a call of a session, which has its code.
type said struct{ error }

func (s said) Unwrap() error { return s.error }

// coded gives an error of the SDK its code and a message for people, unless it has them.
func coded(err error) error {
	if err == nil {
		return nil
	}
	if failed, ok := errors.AsType[*gophercloud.ErrUnableToReauthenticate](err); ok {
		return withAdvice(resource.AsError(coded(failed.ErrReauth)), "the token has run out and a new login failed; check the credential")
	}
	_, own := errors.AsType[*resource.Error](err)
	if pending, ok := errors.AsType[said](err); ok && !own {
		return pending.error
	}
	return transport.Failure("a call to the cloud", err)
}

// says is the error of every call that the SDK makes, whatever it answers, in the words of the
// member. What the cloud cannot do yet, because it is at work on the same object, is pending.
func (d Door) says(ctx context.Context, err error) error {
	answer, ok := errors.AsType[gophercloud.ErrUnexpectedResponseCode](err)
	switch {
	case !ok:
		return said{transport.Failure("a call to "+d.Title, err)}
	case transport.IsRaw(ctx):
		return err
	}
	refusal := d.refused(answer, err)
	if passing(answer) {
		return said{driver.Wait(pause, "%s is at work on it: %s", d.Title, refusal.Cloud.Message)}
	}
	return said{refusal}
}

// refused is the error that a service answered.
func (d Door) refused(answer gophercloud.ErrUnexpectedResponseCode, err error) *resource.Error {
	typ, message := faultOf(answer.Body)
	cloud := resource.CloudError{
		Code: cmp.Or(typ, strings.ReplaceAll(http.StatusText(answer.Actual), " ", "")), Message: cmp.Or(message, http.StatusText(answer.Actual)),
		RequestID: cmp.Or(answer.ResponseHeader.Get("X-Openstack-Request-Id"), answer.ResponseHeader.Get("X-Compute-Request-Id")),
	}
	means := meanings().Of(typ)
	if lower := strings.ToLower(message); means.Code == "" {
		for _, p := range phrases() {
			if p.status == answer.Actual && strings.Contains(lower, p.text) {
				means = p.means
				break
			}
		}
	}
	means.Code = cmp.Or(means.Code, transport.CodeOfStatus(answer.Actual), resource.CodeInternal)
	return driver.Refuse(d.Title, means, cloud, err)
}

// passing reports whether a refusal passes by itself: Octavia locks a load balancer while it
// is being changed, Nova a server, and Neutron lets one of two changes at a time.
// https://docs.openstack.org/api-ref/load-balancer/v2/#provisioning-status-codes
// https://docs.openstack.org/nova/latest/reference/vm-states.html
func passing(answer gophercloud.ErrUnexpectedResponseCode) bool {
	return answer.Actual == http.StatusConflict && slices.ContainsFunc(
		[]string{"immutable", "Invalid state PENDING_", "while it is in task_state", "concurrent operation"},
		func(text string) bool { return strings.Contains(string(answer.Body), text) })
}

// reasonCode is the code of a failed object, by the cloud's reason; "" if that says nothing
// that we know.
func reasonCode(reason string) resource.Code {
	lower := strings.ToLower(reason)
	for _, known := range []struct {
		text string
		code resource.Code
	}{
		{"no valid host", resource.CodeCapacity},
		{"no valid backend", resource.CodeCapacity},
		{"not enough hosts", resource.CodeCapacity},
		{"insufficient compute resources", resource.CodeCapacity},
		{"quota", resource.CodeQuota},
		{"limit exceeded", resource.CodeQuota},
		{"maximum number of", resource.CodeQuota},
	} {
		if strings.Contains(lower, known.text) {
			return known.code
		}
	}
	return ""
}

// faultOf reads what the services say in their own ways: Keystone, Nova and Cinder
// name a fault and wrap its message, Neutron gives it a type, Octavia has a
// faultstring, Magnum a list of errors, Glance a message alone.
func faultOf(body []byte) (typ, message string) {
	var top map[string]json.RawMessage
	if json.Unmarshal(body, &top) != nil {
		return "", strings.TrimSpace(string(body[:min(len(body), 300)]))
	}
	for _, key := range []string{"message", "faultstring"} {
		if json.Unmarshal(top[key], &message) == nil {
			return "", message
		}
	}
	type fault struct{ Type, Message, Detail, Title string }
	var list []fault
	if json.Unmarshal(top["errors"], &list) == nil && len(list) > 0 {
		return "", cmp.Or(list[0].Detail, list[0].Title)
	}
	for name, raw := range top { // only one
		var f fault
		if json.Unmarshal(raw, &f) == nil && f.Message != "" {
			if f.Type == "" && name != "error" {
				f.Type = name
			}
			return f.Type, f.Message
		}
		if json.Unmarshal(raw, &message) == nil && message != "" {
			return name, message
		}
	}
	return "", ""
}

// withAdvice adds what to do to an error.
func withAdvice(e *resource.Error, advice string) error {
	advised := *e
	advised.Message += "; " + advice
	return &advised
}

// isAPI reports whether an answer is of OpenStack's API. Answers without content name
// no type, and what is refused is sometimes said in plain text.
func isAPI(r *http.Response) bool {
	switch media := transport.MediaType(r); {
	case strings.HasSuffix(media, "json"):
		return true
	case media == "" || r.ContentLength == 0:
		return r.StatusCode < http.StatusMultipleChoices || r.StatusCode >= http.StatusBadRequest
	case media == "text/plain":
		return r.StatusCode >= http.StatusBadRequest
	case media == "text/html": // Nova answers 202 to actions so
		return r.StatusCode == http.StatusAccepted || r.StatusCode == http.StatusNoContent
	default:
		return false
	}
}
