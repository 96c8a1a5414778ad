package aws

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/test/moto"
)

// cloud is moto behind a shim that answers as AWS documents it where moto does not. The
// driver under test knows nothing of either.
func cloud(t testing.TB) string {
	t.Helper()
	upstream, err := url.Parse(moto.Start(t))
	require.NoError(t, err)
	server := httptest.NewServer(&shim{
		upstream: upstream.String(), moto: httputil.NewSingleHostReverseProxy(upstream), launched: map[string]*httptest.ResponseRecorder{},
	})
	t.Cleanup(server.Close)
	return server.URL
}

type shim struct {
	upstream string
	moto     http.Handler

	launching sync.Mutex
	attaching sync.Mutex
	launched  map[string]*httptest.ResponseRecorder // answers of RunInstances by region and client token
}

// scope is where a signature says which region and service it is for.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
func scope(r *http.Request) (region, service string) {
	match := regexp.MustCompile(`Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request`).FindStringSubmatch(r.Header.Get("Authorization"))
	if match == nil {
		return "", ""
	}
	return match[1], match[2]
}

func (s *shim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	forward := func(w http.ResponseWriter) {
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.moto.ServeHTTP(w, r)
	}
	region, service := scope(r)
	switch service {
	case "pricing":
		pricingAPI(w, r, body)
		return
	case "servicequotas":
		quotaAPI(w, r, body)
		return
	case "eks":
		s.tellVPC(w, r, region, forward)
		return
	}
	form, err := url.ParseQuery(string(body))
	if (service != "ec2" && service != "elasticloadbalancing") || err != nil {
		forward(w)
		return
	}
	if code, message := s.refuses(r, region, form); code != "" {
		w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
		w.WriteHeader(http.StatusBadRequest)
		answer := errorXML(code, message)
		if service != "ec2" { // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/CommonErrors.html
			answer = "<ErrorResponse><Error><Code>" + code + "</Code><Message>" + message + "</Message></Error></ErrorResponse>"
		}
		_, _ = io.WriteString(w, answer) // a test's client
		return
	}
	if form.Get("Action") == "DescribeSpotPriceHistory" {
		spotAPI(w, form, region)
		return
	}
	if form.Get("Action") == "AttachVolume" {
		s.attach(w, r, region, form, forward)
		return
	}
	if token := form.Get("ClientToken"); form.Get("Action") == "RunInstances" && token != "" {
		s.launch(w, region+"/"+token, forward)
		return
	}
	forward(w)
}

// tellVPC adds the VPC to what moto tells of a cluster, as AWS does.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_VpcConfigResponse.html
func (s *shim) tellVPC(w http.ResponseWriter, r *http.Request, region string, forward func(http.ResponseWriter)) {
	answer := httptest.NewRecorder()
	forward(answer)
	raw := answer.Body.Bytes()
	var body struct {
		Cluster map[string]any `json:"cluster"`
	}
	if json.Unmarshal(raw, &body) == nil && body.Cluster != nil {
		config, _ := body.Cluster["resourcesVpcConfig"].(map[string]any)
		subnets, _ := config["subnetIds"].([]any)
		if len(subnets) > 0 {
			out, err := client(s.upstream, region).DescribeSubnets(r.Context(), &ec2.DescribeSubnetsInput{SubnetIds: []string{subnets[0].(string)}})
			if err == nil && len(out.Subnets) == 1 {
				config["vpcId"] = out.Subnets[0].VpcId
				raw, _ = json.Marshal(body) // what was JSON before
			}
		}
	}
	answer.Header().Del("Content-Length")
	replay(w, answer, raw)
}

func replay(w http.ResponseWriter, answer *httptest.ResponseRecorder, body []byte) {
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body) // a test's client
}

// attach refuses a name that another volume has on the instance, where moto loses the
// other one.
func (s *shim) attach(w http.ResponseWriter, r *http.Request, region string, form url.Values, forward func(http.ResponseWriter)) {
	s.attaching.Lock()
	defer s.attaching.Unlock()
	device := form.Get("Device")
	out, err := client(s.upstream, region).DescribeInstances(r.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{form.Get("InstanceId")}})
	if err == nil && len(out.Reservations) == 1 && slices.ContainsFunc(out.Reservations[0].Instances[0].BlockDeviceMappings, func(m types.InstanceBlockDeviceMapping) bool {
		return m.DeviceName != nil && *m.DeviceName == device
	}) {
		w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, errorXML("InvalidParameterValue", "Invalid value '"+device+"' for unixDevice. Attachment point "+device+" is already in use")) // a test's client
		return
	}
	forward(w)
}

// launch answers the same instance for the same client token, which moto passes over.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
func (s *shim) launch(w http.ResponseWriter, token string, forward func(http.ResponseWriter)) {
	s.launching.Lock()
	defer s.launching.Unlock()
	answer, again := s.launched[token]
	if !again {
		answer = httptest.NewRecorder()
		forward(answer)
		if answer.Code == http.StatusOK {
			s.launched[token] = answer
		}
	}
	replay(w, answer, answer.Body.Bytes())
}

// refuses answers the error of AWS for what moto lets pass.
// https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html
func (s *shim) refuses(r *http.Request, region string, form url.Values) (code, message string) {
	inUse := func(name string) bool {
		api := client(s.upstream, region)
		out, err := api.DescribeNetworkInterfaces(r.Context(), &ec2.DescribeNetworkInterfacesInput{
			Filters: []types.Filter{filter(name, form.Get("SubnetId")+form.Get("GroupId"))},
		})
		return err == nil && slices.ContainsFunc(out.NetworkInterfaces, func(x types.NetworkInterface) bool { return !ofTerminated(r, api, x) })
	}
	switch form.Get("Action") {
	case "DeleteSubnet":
		if inUse("subnet-id") {
			return "DependencyViolation", "The subnet has dependencies and cannot be deleted."
		}
	case "DeleteSecurityGroup":
		if inUse("group-id") {
			return "DependencyViolation", "resource " + form.Get("GroupId") + " has a dependent object"
		}
	case "CreateSecurityGroup":
		if id := form.Get("VpcId"); !strings.HasPrefix(id, "vpc-") {
			return "InvalidVpcID.NotFound", "The vpc ID '" + id + "' does not exist"
		}
	case "CreateNetworkInterface":
		if id := form.Get("SecurityGroupId.1"); id != "" && !strings.HasPrefix(id, "sg-") {
			return "InvalidGroup.NotFound", "The security group '" + id + "' does not exist"
		}
	case "RegisterTargets":
		if id := form.Get("Targets.member.1.Id"); !strings.HasPrefix(id, "i-") {
			return "InvalidTarget", "The following targets are not in a running state and cannot be registered: '" + id + "'"
		}
	case "CreateVolume":
		known := append(types.VolumeType("").Values(), "")
		if typ := form.Get("VolumeType"); !slices.Contains(known, types.VolumeType(typ)) {
			return "UnknownVolumeType", "Unsupported volume type '" + typ + "' for volume creation."
		}
	case "ReleaseAddress":
		out, err := client(s.upstream, region).DescribeAddresses(r.Context(), &ec2.DescribeAddressesInput{AllocationIds: []string{form.Get("AllocationId")}})
		if err == nil && len(out.Addresses) == 1 && out.Addresses[0].AssociationId != nil {
			return "InvalidIPAddress.InUse", "Address is in use."
		}
	case "DeleteNetworkInterface":
		out, err := client(s.upstream, region).DescribeNetworkInterfaces(r.Context(), &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{form.Get("NetworkInterfaceId")}})
		if err == nil && len(out.NetworkInterfaces) == 1 && out.NetworkInterfaces[0].Attachment != nil {
			return "InvalidParameterValue", "Network interface '" + form.Get("NetworkInterfaceId") + "' is currently in use."
		}
	}
	return "", ""
}

// ofTerminated reports whether an interface is one that moto keeps although its VM is
// terminated.
func ofTerminated(r *http.Request, api *ec2.Client, x types.NetworkInterface) bool {
	if x.Attachment == nil || x.Attachment.InstanceId == nil {
		return false
	}
	out, err := api.DescribeInstances(r.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{*x.Attachment.InstanceId}})
	return err == nil && len(out.Reservations) == 1 && out.Reservations[0].Instances[0].State.Name == types.InstanceStateNameTerminated
}
