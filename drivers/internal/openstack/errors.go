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

const (
	adviceQuota    = "remove what is not needed, or ask whoever runs the cloud for a higher quota"
	adviceCapacity = "another zone or spec may have room, or this one later"
	adviceUsed     = "delete or detach first what uses it"
)

// meanings are those of all services. Neutron alone gives its errors names; the others
// answer many things with one status, which their messages tell apart.
// https://docs.openstack.org/api-ref/network/v2/#general-faults
func meanings() driver.Meanings {
	return driver.Meanings{
		// Octavia locks a load balancer while it is being changed, Nova a server, and Neutron lets one of two changes at a time.
		// https://docs.openstack.org/api-ref/load-balancer/v2/#provisioning-status-codes
		// https://docs.openstack.org/nova/latest/reference/vm-states.html
		{Wait: pause, Status: http.StatusConflict, Says: []string{"immutable", "invalid state pending_", "while it is in task_state", "concurrent operation"}},

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

		{Code: resource.CodeQuota, Advice: adviceQuota, Status: http.StatusForbidden, Says: []string{"quota", "maximum number of", "resource limit"}},
		{Code: resource.CodeQuota, Advice: adviceQuota, Status: http.StatusRequestEntityTooLarge},
		{Code: resource.CodeQuota, Advice: adviceQuota, Status: http.StatusConflict, Says: []string{"quota"}},
		{Code: resource.CodeAlreadyExists, Status: http.StatusConflict, Says: []string{"already exists"}},
		{Code: resource.CodeDependency, Advice: adviceUsed, Status: http.StatusConflict, Says: []string{"in use", "is used by"}},
		{Code: resource.CodeCapacity, Advice: adviceCapacity, Status: http.StatusBadRequest, Says: []string{"no valid host"}},
		{Code: resource.CodeAlreadyExists, Status: http.StatusBadRequest, Says: []string{"already has a port on subnet"}},
		{Code: resource.CodeNotFound, Status: http.StatusBadRequest, Says: []string{"could not be found", "can not find", "not found"}},
		{Code: resource.CodeDependency, Advice: adviceUsed, Status: http.StatusBadRequest, Says: []string{"and must not be migrating, attached"}}, // Cinder: in use, or has snapshots
		// Magnum deletes a cluster's node groups just before it, and cannot show it meanwhile.
		{Code: resource.CodeUnavailable, Status: http.StatusBadRequest, Says: []string{"attribute master_count"}},
		{Code: resource.CodeConflict, Status: http.StatusBadRequest, Says: []string{"status must be", "must be available"}},
		{Code: resource.CodeNotFound, Status: http.StatusNotFound},
		{Code: resource.CodeConflict, Status: http.StatusConflict},
		{Code: resource.CodeUnsupported, Status: http.StatusMethodNotAllowed},
		{Code: resource.CodeUnsupported, Advice: "this cloud is too old for it", Status: http.StatusNotAcceptable},
	}
}

// reasons are those of failed objects. Nova gives up when it has tried all hosts.
// https://opendev.org/openstack/nova/src/branch/master/nova/conductor/manager.py
func reasons() driver.Meanings {
	return driver.Meanings{
		{Code: resource.CodeCapacity, Says: []string{"no valid host", "no valid backend", "not enough hosts", "exhausted all hosts", "insufficient compute resources"}},
		{Code: resource.CodeQuota, Says: []string{"quota", "limit exceeded", "maximum number of"}},
	}
}

// reasonCode is the code of a failed object, by the cloud's reason; "" if that says nothing
// that we know.
func reasonCode(reason string) resource.Code { return reasons().Of(0, "", reason).Code }

// said is the error of a call of a session, which has its code.
type said struct{ error }

func (s said) Unwrap() error { return s.error }

// coded gives an error of the SDK its code and a message for people, unless it has them.
func coded(err error) error {
	if err == nil {
		return nil
	}
	if failed, ok := errors.AsType[*gophercloud.ErrUnableToReauthenticate](err); ok {
		err := coded(failed.ErrReauth)
		return driver.Recode(err, resource.CodeOf(err), "the token has run out and a new login failed; check the credential")
	}
	_, own := errors.AsType[*resource.Error](err)
	if pending, ok := errors.AsType[said](err); ok && !own {
		return pending.error
	}
	return transport.Failure("a call to the cloud", err)
}

// says is the error of every call that the SDK makes, whatever it answers; the member's own
// meanings go before the family's.
func (d Door) says(ctx context.Context, err error) error {
	answer, ok := errors.AsType[gophercloud.ErrUnexpectedResponseCode](err)
	switch {
	case !ok:
		return said{transport.Failure("a call to "+d.Title, err)}
	case transport.IsRaw(ctx):
		return err
	}
	typ, message := faultOf(answer.Body)
	return said{append(slices.Clone(d.Meanings), meanings()...).Refuse(driver.Refusal{Doing: d.Title, Status: answer.Actual, Err: err, Cloud: resource.CloudError{
		Code: cmp.Or(typ, strings.ReplaceAll(http.StatusText(answer.Actual), " ", "")), Message: cmp.Or(message, http.StatusText(answer.Actual)),
		RequestID: cmp.Or(answer.ResponseHeader.Get("X-Openstack-Request-Id"), answer.ResponseHeader.Get("X-Compute-Request-Id")),
	}})}
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
