package aws

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func testCluster(t *testing.T, endpoint string) {
	c := config(endpoint, seoul)
	c.Settings[settingNodeRole] = "arn:aws:iam::123456789012:role/nodes"
	s := open(t, c)
	vpc := create(t, s, resource.VPC, "eks", nil, resource.VPCSpec{CIDR: "10.22.0.0/16"})
	subnet := create(t, s, resource.Subnet, "eks", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.22.1.0/24"})
	key := create(t, s, resource.KeyPair, "eks", nil, resource.KeyPairSpec{PublicKey: publicKey})
	ask := driver.ItemRequest{Token: "eks.prod-cluster", Name: "eks.prod", Spec: must(json.Marshal(resource.ClusterSpec{
		VPC: vpc.ID, Subnets: []string{subnet.ID}, NodeGroups: []resource.NodeGroup{{Name: "first", Spec: "t3.medium", DesiredNodes: 2, MinNodes: 1, MaxNodes: 4, Autoscaling: true, RootDiskSizeGiB: 30, KeyPair: key.ID}},
	}))}
	var item driver.Item
	waiting := waits(t, func(ctx context.Context) (pending *driver.Pending, err error) {
		item, pending, err = s.Session.Create(ctx, "cluster", ask)
		if pending != nil {
			ask = ask.Again(item.ID, pending)
		}
		return pending, err
	})
	assert.Contains(t, waiting, "node groups are made when it runs")
	made := decoded[resource.ClusterSpec, resource.ClusterStatus](t, item)
	assert.Equal(t, "eks-prod", made.ID)
	assert.Equal(t, resource.StateUpdating, made.State, "its node group is being made")
	native, err := eks.NewFromConfig(sdk(endpoint, seoul)).DescribeNodegroup(t.Context(), &eks.DescribeNodegroupInput{ClusterName: aws.String(made.ID), NodegroupName: aws.String("first")})
	require.NoError(t, err)
	assert.Equal(t, []string{"sg-0123456789abcdef0"}, native.Nodegroup.RemoteAccess.SourceSecurityGroups, "SSH from the cluster's security group, not from the internet")
	shown := get(t, s, resource.Cluster, made.ID)
	assert.Equal(t, "eks.prod", shown.Name)
	assert.Equal(t, resource.StateAvailable, shown.State)
	require.Len(t, shown.Spec.NodeGroups, 1)
	group := shown.Spec.NodeGroups[0]
	assert.Equal(t, []any{"first", "t3.medium", 2, 1, 4, true, 30}, []any{group.Name, group.Spec, group.DesiredNodes, group.MinNodes, group.MaxNodes, group.Autoscaling, group.RootDiskSizeGiB})
	assert.Contains(t, string(must(json.Marshal(shown.Native))), "arn:aws:iam::123456789012:role/AmazonEKSClusterRole", "the role's name with the account's id")

	raw, err := s.View(t.Context(), "cluster", made.ID, "kubeconfig", nil)
	require.NoError(t, err)
	var view resource.Kubeconfig
	require.NoError(t, json.Unmarshal(raw, &view))
	var file struct {
		CurrentContext string `json:"current-context"`
		Clusters       []struct{ Cluster struct{ Server string } }
		Users          []struct{ User struct{ Token string } }
	}
	require.NoError(t, yaml.Unmarshal([]byte(view.Kubeconfig), &file))
	assert.Equal(t, made.ID, file.CurrentContext)
	assert.Contains(t, file.Clusters[0].Cluster.Server, "https://")
	assert.WithinDuration(t, time.Now().Add(tokenLife), *view.ExpiresAt, time.Minute)
	signed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(file.Users[0].User.Token, "k8s-aws-v1."))
	require.NoError(t, err)
	u, err := url.Parse(string(signed))
	require.NoError(t, err)
	assert.Equal(t, "GetCallerIdentity", u.Query().Get("Action"))
	assert.Equal(t, "60", u.Query().Get("X-Amz-Expires"))
	assert.Contains(t, u.Query().Get("X-Amz-SignedHeaders"), "x-k8s-aws-id")
	assert.NotEmpty(t, u.Query().Get("X-Amz-Signature"))

	// Updates that are in progress are waited for, though the states say ACTIVE at first.
	act := func(action, params string) string {
		return waits(t, func(ctx context.Context) (*driver.Pending, error) {
			return s.Session.Act(ctx, "cluster", made.ID, action, json.RawMessage(params))
		})
	}
	pending, err := s.Session.Act(t.Context(), "cluster", made.ID, "scalenodegroup", json.RawMessage(`{"name":"first","desiredNodes":3}`))
	require.NoError(t, err)
	require.NotNil(t, pending)
	assert.Contains(t, act("scalenodegroup", `{"name":"first","desiredNodes":2}`), "in progress")
	waiting = act("upgrade", `{"version":"1.99"}`)
	assert.Regexp(t, "(?s)the control plane .* is being upgraded to 1.99.*the node group first .* is being upgraded to 1.99", waiting)
	upgraded := get(t, s, resource.Cluster, made.ID)
	assert.Equal(t, resource.StateAvailable, upgraded.State)
	assert.Equal(t, "1.99", upgraded.Status.NodeGroups[0].Version)
	assert.Equal(t, "1.99", upgraded.Status.Version)
	assert.Equal(t, 2, upgraded.Spec.NodeGroups[0].DesiredNodes)

	assert.Contains(t, waits(t, func(ctx context.Context) (*driver.Pending, error) { return s.Session.Delete(ctx, "cluster", made.ID) }), "node groups")
	require.NoError(t, s.Delete(t.Context(), "cluster", made.ID), "again")
}

// waits repeats a call that is pending, as the server does, and answers what was waited for.
func waits(t *testing.T, call func(context.Context) (*driver.Pending, error)) (reasons string) {
	t.Helper()
	ctx := driver.WithOperation(t.Context(), rand.Text())
	require.Eventually(t, func() bool {
		pending, err := call(ctx)
		require.NoError(t, err)
		if pending != nil {
			reasons += pending.Reason + "\n"
		}
		return pending == nil
	}, 20*time.Second, time.Millisecond)
	return reasons
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// fakeEKS answers EKS's paths from a table of method and path; what it was asked is kept.
// moto's clusters are there at once, AWS's are not.
type fakeEKS struct {
	answers map[string]any
	asked   []string
	tokens  []string // of the requests that have one
}

func (f *fakeEKS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" { // of the other services
		(&fakeEC2{answer: func(form url.Values) (int, string) {
			if form.Get("Action") == "GetCallerIdentity" {
				return http.StatusOK, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws-cn:iam::1:user/x</Arn><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
			}
			if form.Get("Action") == "DescribeSubnets" {
				return http.StatusOK, `<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId></item></subnetSet></DescribeSubnetsResponse>`
			}
			if form.Get("Action") == "DescribeInstances" {
				return http.StatusOK, `<DescribeInstancesResponse/>`
			}
			return http.StatusOK, zonesXML
		}}).ServeHTTP(w, r)
		return
	}
	f.asked = append(f.asked, r.Method+" "+r.URL.Path)
	var body struct{ ClientRequestToken string }
	if json.NewDecoder(r.Body).Decode(&body) == nil && body.ClientRequestToken != "" {
		f.tokens = append(f.tokens, body.ClientRequestToken)
	}
	w.Header().Set("Content-Type", "application/json")
	answer, known := f.answers[r.Method+" "+r.URL.Path]
	if refusal, refused := answer.(string); refused || !known {
		if !known {
			refusal = "ResourceNotFoundException"
		}
		w.Header().Set("X-Amzn-Errortype", refusal)
		w.WriteHeader(map[bool]int{true: http.StatusConflict, false: http.StatusNotFound}[known])
		fmt.Fprintf(w, `{"message":"%s"}`, refusal)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func TestWhatAClusterHasToWaitFor(t *testing.T) {
	f := &fakeEKS{answers: map[string]any{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	s := open(t, config(server.URL, seoul)).Session
	state := func(status, version string) {
		f.answers["GET /clusters/prod"] = map[string]any{"cluster": map[string]any{"name": "prod", "status": status, "version": version, "tags": map[string]string{tokenTag: "token-1"}}}
	}
	ask := driver.ItemRequest{Token: "token-1", Name: "prod", Spec: json.RawMessage(`{"vpc":"vpc-1","subnets":["subnet-1"],"nodeGroups":[{"name":"first","spec":"t3.medium"}]}`)}

	f.answers["POST /clusters"] = map[string]any{"cluster": map[string]any{"name": "prod", "status": "CREATING"}}
	item, pending, err := s.Create(t.Context(), "cluster", ask)
	require.NoError(t, err)
	require.NotNil(t, pending)
	assert.Contains(t, pending.Reason, "node groups are made when it runs")
	assert.Equal(t, "prod", item.ID, "at once")

	state("ACTIVE", "1.33")
	f.answers["POST /clusters"] = "ResourceInUseException"
	f.answers["GET /clusters"] = map[string]any{"clusters": []string{"other", "prod"}}
	f.answers["GET /clusters/other"] = map[string]any{"cluster": map[string]any{"name": "other", "status": "ACTIVE"}}
	f.answers["POST /clusters/prod/node-groups"] = map[string]any{"nodegroup": map[string]any{"nodegroupName": "first"}}
	f.answers["GET /clusters/prod/node-groups"] = map[string]any{"nodegroups": []string{}}
	for _, id := range []string{"", "prod"} { // without the id its answer was lost
		ask.ID = id
		item, pending, err = s.Create(t.Context(), "cluster", ask)
		require.NoError(t, err)
		assert.Nil(t, pending)
		assert.Equal(t, "prod", item.ID)
	}
	assert.Equal(t, 2, count(f.asked, "POST /clusters"))
	assert.Equal(t, 2, count(f.asked, "POST /clusters/prod/node-groups"))
	assert.Zero(t, count(f.asked, "GET /clusters/other/node-groups"), "it is not looked for")
	assert.Len(t, f.tokens, 4)
	assert.Equal(t, f.tokens[2], f.tokens[3], "it is the same node group to EKS")

	other := ask
	other.Token, other.ID = "token-2", ""
	_, _, err = s.Create(t.Context(), "cluster", other)
	assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err), "%v", err)

	f.answers["GET /clusters/prod/node-groups"] = map[string]any{"nodegroups": []string{"first"}}
	group := func(status string, issues ...map[string]string) {
		f.answers["GET /clusters/prod/node-groups/first"] = map[string]any{"nodegroup": map[string]any{
			"nodegroupName": "first", "status": status, "version": "1.33", "scalingConfig": map[string]int{"desiredSize": 3, "minSize": 1, "maxSize": 5}, "health": map[string]any{"issues": issues},
		}}
	}
	group("UPDATING")
	item, err = s.Get(t.Context(), "cluster", "prod")
	require.NoError(t, err)
	assert.Equal(t, resource.StateUpdating, item.State, "as long as a node group is on its way")

	noRoom := map[string]string{"code": "AsgInstanceLaunchFailures", "message": "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient t3.medium capacity in the Availability Zone you requested"}
	group("CREATE_FAILED", noRoom)
	item, err = s.Get(t.Context(), "cluster", "prod")
	require.NoError(t, err)
	assert.Equal(t, resource.StateFailed, item.State, "with what could not be made")
	assert.Equal(t, resource.CodeCapacity, item.Code)
	assert.Contains(t, item.Reason, "the node group first: Could not launch")
	group("DEGRADED", noRoom)
	item, err = s.Get(t.Context(), "cluster", "prod")
	require.NoError(t, err)
	assert.Equal(t, resource.StateAvailable, item.State)
	shown := decoded[resource.ClusterSpec, resource.ClusterStatus](t, item)
	assert.Equal(t, resource.StateFailed, shown.Status.NodeGroups[0].State)
	assert.Contains(t, shown.Status.NodeGroups[0].Reason, "sufficient t3.medium capacity")
	_, err = s.Act(t.Context(), "cluster", "prod", "scalenodegroup", json.RawMessage(`{"name":"first","desiredNodes":3}`))
	assert.Equal(t, resource.CodeCapacity, resource.CodeOf(err), "%v", err)

	group("ACTIVE")
	f.answers["POST /clusters/prod/updates"] = map[string]any{"update": map[string]any{}}
	f.answers["POST /clusters/prod/node-groups/first/update-version"] = map[string]any{"update": map[string]any{}}
	upgrade := func() string {
		t.Helper()
		pending, err := s.Act(t.Context(), "cluster", "prod", "upgrade", json.RawMessage(`{"version":"1.34"}`))
		require.NoError(t, err)
		require.NotNil(t, pending)
		return pending.Reason
	}
	assert.Contains(t, upgrade(), "node groups follow")
	state("UPDATING", "1.33")
	assert.Contains(t, upgrade(), "node groups follow")
	assert.Zero(t, count(f.asked, "POST /clusters/prod/node-groups/first/update-version"))
	state("ACTIVE", "1.34")
	assert.Contains(t, upgrade(), "the node group first")
	assert.Equal(t, 1, count(f.asked, "POST /clusters/prod/updates"))
	assert.Equal(t, 1, count(f.asked, "POST /clusters/prod/node-groups/first/update-version"))

	f.answers["DELETE /clusters/prod/node-groups/first"] = map[string]any{"nodegroup": map[string]any{}}
	remove := func() *driver.Pending {
		t.Helper()
		pending, err := s.Delete(t.Context(), "cluster", "prod")
		require.NoError(t, err)
		return pending
	}
	require.NotNil(t, remove(), "the node groups go first")
	f.answers["DELETE /clusters/prod/node-groups/first"] = "ResourceInUseException"
	require.NotNil(t, remove(), "they are going")
	assert.Zero(t, count(f.asked, "DELETE /clusters/prod"))
	f.answers["GET /clusters/prod/node-groups"] = map[string]any{"nodegroups": []string{}}
	f.answers["DELETE /clusters/prod"] = "ResourceInUseException"
	require.NotNil(t, remove())
	f.answers = map[string]any{}
	require.Nil(t, remove(), "gone")
}

// EKS refuses what it cannot begin yet, though the state says ACTIVE. A repeat is the same
// action to it, and a later one that asks for the same is another.
func TestActionsOfClustersThatAreRepeated(t *testing.T) {
	f := &fakeEKS{}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	s := open(t, config(server.URL, seoul)).Session
	cluster := map[string]any{"name": "prod", "arn": "arn:prod", "status": "ACTIVE", "version": "1.33", "resourcesVpcConfig": map[string]any{"subnetIds": []string{"subnet-1"}}}
	group := map[string]any{"nodegroupName": "first", "nodegroupArn": "arn:first", "version": "1.33", "status": "ACTIVE", "scalingConfig": map[string]int{"desiredSize": 3, "minSize": 1, "maxSize": 5}, "tags": map[string]string{autoscalingTag: "true"}}
	f.answers = map[string]any{
		"GET /clusters/prod": map[string]any{"cluster": cluster}, "GET /clusters/prod/node-groups": map[string]any{"nodegroups": []string{"first"}}, "GET /clusters/prod/node-groups/first": map[string]any{"nodegroup": group},
	}
	for name, test := range map[string]struct{ action, params, path string }{
		"upgrade":               {"upgrade", `{"version":"1.34"}`, "POST /clusters/prod/updates"},
		"upgrade of node group": {"upgrade", `{"version":"1.32"}`, "POST /clusters/prod/node-groups/first/update-version"},
		"scale":                 {"scalenodegroup", `{"name":"first","desiredNodes":4,"autoscaling":true}`, "POST /clusters/prod/node-groups/first/update-config"},
		"add":                   {"addnodegroup", `{"name":"second","spec":"t3.medium"}`, "POST /clusters/prod/node-groups"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster["version"] = "1.33"
			if strings.Contains(test.path, "node-groups") {
				cluster["version"] = "1.32"
			}
			f.tokens, f.answers[test.path] = nil, "ResourceInUseException"
			act := func(operation string) *driver.Pending {
				pending, err := s.Act(driver.WithOperation(t.Context(), operation), "cluster", "prod", test.action, json.RawMessage(test.params))
				require.NoError(t, err)
				return pending
			}
			for range 2 {
				require.NotNil(t, act("one"))
			}
			f.answers[test.path] = map[string]any{"update": map[string]any{"status": "InProgress"}, "nodegroup": group}
			act("one")
			act("another")
			require.Len(t, f.tokens, 4)
			assert.Equal(t, []string{f.tokens[0], f.tokens[0]}, f.tokens[1:3])
			assert.NotEqual(t, f.tokens[0], f.tokens[3])
		})
	}
	cluster["version"] = "1.33"
	for awsCode, want := range map[string]resource.Code{"IpNotAvailable": resource.CodeCapacity, "SubnetNotFound": resource.CodeDependency, "Unknown": resource.CodeConflict} {
		update := map[string]any{"update": map[string]any{"status": "Failed", "errors": []any{map[string]string{"errorCode": awsCode, "errorMessage": "no addresses left"}}}}
		f.answers["POST /clusters/prod/updates"], f.answers["POST /clusters/prod/node-groups/first/update-config"] = update, update
		for action, params := range map[string]string{"upgrade": `{"version":"1.34"}`, "scalenodegroup": `{"name":"first","desiredNodes":4}`} {
			_, err := s.Act(t.Context(), "cluster", "prod", action, json.RawMessage(params))
			assert.Equal(t, want, resource.CodeOf(err), "%s: %v", action, err)
			assert.ErrorContains(t, err, "no addresses left", action)
		}
	}
}

func count(all []string, one string) int {
	n := 0
	for _, each := range all {
		if each == one {
			n++
		}
	}
	return n
}

// A service that fails costs what it is for, and nothing else.
func TestServiceThatFailsDegradesOnlyItself(t *testing.T) {
	f := &fakeEKS{answers: map[string]any{"GET /clusters": "ServiceUnavailableException"}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	s := open(t, config(server.URL, seoul))
	for _, err := range s.List(t.Context(), "cluster") {
		assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)
	}
	for _, err := range s.List(t.Context(), "vm") {
		require.NoError(t, err)
	}
}

func TestSizesOfANodeGroup(t *testing.T) {
	for name, test := range map[string]struct {
		to   resource.NodeGroupScale
		want [3]int32 // desired, least, most
	}{
		"desired alone": {resource.NodeGroupScale{DesiredNodes: 9}, [3]int32{9, 1, 9}},
		"limits alone":  {resource.NodeGroupScale{MinNodes: 4, MaxNodes: 6}, [3]int32{4, 4, 6}},
		"all":           {resource.NodeGroupScale{DesiredNodes: 2, MinNodes: 2, MaxNodes: 2}, [3]int32{2, 2, 2}},
		"nothing":       {resource.NodeGroupScale{}, [3]int32{3, 1, 5}},
	} {
		now := ekstypes.NodegroupScalingConfig{DesiredSize: aws.Int32(3), MinSize: aws.Int32(1), MaxSize: aws.Int32(5)}
		got := scaled(now, test.to)
		assert.Equal(t, test.want, [3]int32{*got.DesiredSize, *got.MinSize, *got.MaxSize}, name)
	}
}
