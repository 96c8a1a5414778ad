package mock

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/resource/resourcetest"
)

// rig is a cloud in a folder of its own, with a clock that only the test moves.
type rig struct {
	t      testing.TB
	cloud  *cloud
	driver *driver.Driver
	clock  *atomic.Int64 // nanoseconds since the beginning
	exits  *atomic.Int64 // how often the process would have ended
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return newRigIn(t, t.TempDir(), &atomic.Int64{})
}

func newRigIn(t testing.TB, dir string, clock *atomic.Int64) *rig {
	c := newCloud(dir)
	r := &rig{t: t, cloud: c, driver: newDriver(c), clock: clock, exits: &atomic.Int64{}}
	c.now = func() time.Time {
		return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(clock.Load()))
	}
	c.exit = func(code int) {
		require.Equal(t, crashed, code)
		r.exits.Add(1)
	}
	return r
}

// reopened is what a new process finds, without any farewell of the old one.
func (r *rig) reopened() *rig { return newRigIn(r.t, r.cloud.dir, r.clock) }

func (r *rig) advance(d time.Duration) { r.clock.Add(int64(d)) }

// connect opens a session with settings in pairs of name and value.
func (r *rig) connect(settings ...string) drivertest.Patient {
	r.t.Helper()
	return r.connectTo(driver.Config{Region: "mock-seoul"}, settings...)
}

func (r *rig) connectTo(c driver.Config, settings ...string) drivertest.Patient {
	r.t.Helper()
	c.Settings = pairs(settings)
	s, err := r.driver.Connect(r.t.Context(), c)
	require.NoError(r.t, err)
	return drivertest.Patient{Session: s, Pass: r.advance}
}

func pairs(of []string) driver.Values {
	values := driver.Values{}
	for i := 0; i < len(of); i += 2 {
		values[of[i]] = of[i+1]
	}
	return values
}

func request(t testing.TB, name string, spec any) driver.ItemRequest {
	t.Helper()
	raw, err := json.Marshal(spec)
	require.NoError(t, err)
	return driver.ItemRequest{Token: "token-" + name, Name: name, Spec: raw}
}

// create makes an object whose token follows from its name.
func create(t testing.TB, s drivertest.Patient, kind, name string, spec any) driver.Item {
	t.Helper()
	item, err := s.Create(t.Context(), kind, request(t, name, spec))
	require.NoError(t, err)
	return item
}

// refused makes what must not be made.
func refused(t testing.TB, s drivertest.Patient, kind, name string, spec any) *resource.Error {
	t.Helper()
	_, err := s.Create(t.Context(), kind, request(t, name, spec))
	return cloudError(t, err)
}

// cloudError is an error with everything that the cloud's errors have.
func cloudError(t testing.TB, err error) *resource.Error {
	t.Helper()
	require.Error(t, err)
	e := resource.AsError(err)
	require.NotNil(t, e.Cloud, "%v", err)
	require.NotEmpty(t, e.Cloud.Code)
	require.NotEmpty(t, e.Cloud.Message)
	require.Regexp(t, `^req-[A-Z2-7]{26}$`, e.Cloud.RequestID)
	return e
}

func get(t testing.TB, s drivertest.Patient, kind, id string) driver.Item {
	t.Helper()
	item, err := s.Get(t.Context(), kind, id)
	require.NoError(t, err)
	return item
}

func requireGone(t testing.TB, s drivertest.Patient, kind, id string) {
	t.Helper()
	_, err := s.Get(t.Context(), kind, id)
	require.Equal(t, resource.CodeNotFound, cloudError(t, err).Code)
}

func list(t testing.TB, s drivertest.Patient, kind string) map[string]driver.Item {
	t.Helper()
	items := map[string]driver.Item{}
	for item, err := range s.List(t.Context(), kind) {
		require.NoError(t, err)
		require.NotContains(t, items, item.ID)
		items[item.ID] = item
	}
	return items
}

func act(t testing.TB, s drivertest.Patient, kind, id, action string, params any) error {
	t.Helper()
	var raw json.RawMessage
	if params != nil {
		var err error
		raw, err = json.Marshal(params)
		require.NoError(t, err)
	}
	return s.Act(t.Context(), kind, id, action, raw)
}

func decoded[V any](t testing.TB, raw json.RawMessage) V {
	t.Helper()
	var v V
	require.NoError(t, json.Unmarshal(raw, &v))
	return v
}

func vpcSpec() resource.VPCSpec { return resource.VPCSpec{CIDR: "10.0.0.0/16"} }

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f someone@example.com"

// network is a VPC with what a VM needs.
type network struct{ vpc, subnet, group, key string }

func build(t testing.TB, s drivertest.Patient) network {
	t.Helper()
	var n network
	n.vpc = create(t, s, "vpc", "net", vpcSpec()).ID
	n.subnet = create(t, s, "subnet", "sub", resource.SubnetSpec{VPC: n.vpc, CIDR: "10.0.0.0/17"}).ID
	n.group = create(t, s, "securitygroup", "group", resource.SecurityGroupSpec{VPC: n.vpc}).ID
	n.key = create(t, s, "keypair", "key", resource.KeyPairSpec{PublicKey: publicKey}).ID
	return n
}

func (n network) vm() resource.VMSpec {
	return resource.VMSpec{
		Image: imageID("ubuntu-24.04-x86_64"), Spec: "std3.large", Subnet: n.subnet, SecurityGroups: []string{n.group}, KeyPair: n.key,
	}
}

func (n network) database() resource.DatabaseSpec {
	return resource.DatabaseSpec{Engine: "postgresql", Spec: "db-burst.micro", VPC: n.vpc, Subnets: []string{n.subnet}, SecurityGroups: []string{n.group}, AdminPassword: firstPassword}
}

func (n network) broker(engine string) resource.BrokerSpec {
	return resource.BrokerSpec{Engine: engine, Spec: "std3.large", VPC: n.vpc, Subnets: []string{n.subnet}, SecurityGroups: []string{n.group}}
}

const firstPassword = "Only-written-1"

func TestDescribe(t *testing.T) {
	t.Chdir(t.TempDir())
	d, err := New().Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, "mock", d.Name)
	all := []string{"list", "get", "create", "check", "delete"}
	require.Equal(t, []driver.KindOffer{
		{Name: "vpc", Verbs: all, Actions: []string{"addcidr", "removecidr", "label"}, Found: driver.ByToken},
		{Name: "subnet", Verbs: all, Actions: []string{"label"}, Found: driver.ByToken},
		{Name: "securitygroup", Verbs: all, Actions: []string{"addrules", "removerules", "label"}, Found: driver.ByToken},
		{Name: "keypair", Verbs: all, Actions: []string{"label"}, Found: driver.ByToken},
		{
			Name: "vm", Verbs: all, Actions: []string{"start", "stop", "reboot", "resize", "label"}, Views: []string{"password", "console"}, Found: driver.ByToken,
			Many: map[string]int{"get": 100, "delete": 100, "start": 100, "stop": 100, "reboot": 100},
		},
		{Name: "disk", Verbs: all, Actions: []string{"attach", "detach", "resize", "label"}, Found: driver.ByToken},
		{Name: "snapshot", Verbs: all, Actions: []string{"label"}, Found: driver.ByToken},
		{Name: "customimage", Verbs: all, Actions: []string{"label"}, Found: driver.ByToken},
		{Name: "publicip", Verbs: all, Actions: []string{"associate", "disassociate", "label"}, Found: driver.ByToken},
		{Name: "nic", Verbs: all, Actions: []string{"attach", "detach", "addaddresses", "removeaddresses", "label"}, Found: driver.ByToken},
		{Name: "natgateway", Verbs: all, Actions: []string{"addsubnets", "removesubnets", "label"}, Found: driver.ByToken},
		{Name: "vpcpeering", Verbs: all, Actions: []string{"accept", "label"}, Found: driver.ByToken},
		{Name: "vpngateway", Verbs: all, Actions: []string{"label"}, Found: driver.ByToken},
		{Name: "vpnconnection", Verbs: all, Actions: []string{"setkey", "label"}, Views: []string{"peerconfig"}, Found: driver.ByToken},
		{Name: "routetable", Verbs: all, Actions: []string{"setroutes", "addsubnets", "removesubnets", "label"}, Found: driver.ByToken},
		{Name: "nlb", Verbs: all, Actions: []string{"addmembers", "removemembers", "setlistener", "settarget", "sethealthcheck", "label"}, Views: []string{"health"}, Found: driver.ByToken},
		{Name: "certificate", Verbs: all, Actions: []string{"replace", "label"}, Found: driver.ByToken},
		{Name: "alb", Verbs: all, Actions: []string{"setrouting", "addmembers", "removemembers", "label"}, Views: []string{"health"}, Found: driver.ByToken},
		{Name: "cluster", Verbs: all, Actions: []string{"addnodegroup", "removenodegroup", "scalenodegroup", "upgrade", "label"}, Views: []string{"kubeconfig", "token"}, Found: driver.ByToken},
		{
			Name: "bucket", Verbs: all, Actions: []string{"setversioning", "setpublic", "setcors", "setlifecycle", "empty", "label"}, Views: []string{"usage"}, Found: driver.ByToken,
			Data: []string{"sign", "listobjects", "lookupobject", "copyobject", "deleteobjects", "beginupload", "listuploads", "listparts", "completeupload", "abortupload"},
		},
		{Name: "queue", Verbs: all, Actions: []string{"purge", "label"}, Data: []string{"send", "receive", "deletemessages", "setvisibility"}, Found: driver.ByToken},
		{Name: "fileshare", Verbs: all, Actions: []string{"resize", "addsubnets", "removesubnets", "label"}, Found: driver.ByToken},
		{
			Name: "database", Verbs: all, Actions: []string{"start", "stop", "restart", "resize", "setpassword", "upgrade", "createdatabase", "dropdatabase", "label"},
			Views: []string{"databases"}, Found: driver.ByToken,
		},
		{Name: "dbbackup", Verbs: all, Actions: []string{"label"}, Found: driver.ByToken},
		{Name: "broker", Verbs: all, Actions: []string{"restart", "resize", "setpassword", "label"}, Found: driver.ByToken},
	}, d.Kinds)
	require.Equal(t, []string{"region", "zone", "image", "spec", "disktype", "price", "quota", "dbengine", "dbspec", "k8sversion"}, d.Catalogs)
	for _, f := range append(d.Settings, d.Credential...) {
		require.NotEmpty(t, f.Title, f.Name)
		require.Contains(t, f.Doc, "Default: ", f.Name)
		require.False(t, f.Required, f.Name)
		require.Equal(t, f.Name == "password", f.Secret, f.Name)
	}
	require.Contains(t, d.Texts, "ko")
	lacking, stale := d.Untranslated("ko")
	require.Empty(t, append(lacking, stale...))
	require.NoFileExists(t, "mock-cloud.jsonl")
}

func TestNewKeepsTheCloudInTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	for range 2 { // the second time as another process
		open, err := New().Connect(t.Context(), driver.Config{Region: "mock-seoul"})
		require.NoError(t, err)
		s := drivertest.Patient{Session: open}
		create(t, s, "vpc", "net", vpcSpec())
		require.Len(t, list(t, s, "vpc"), 1)
		require.NoError(t, s.Close())
	}
	require.FileExists(t, "mock-cloud.jsonl")
}

func TestConnect(t *testing.T) {
	for _, test := range []struct {
		name   string
		config driver.Config
		code   resource.Code
		says   []string
	}{
		{"default", driver.Config{Region: "mock-seoul"}, "", nil},
		{"zone", driver.Config{Region: "mock-seoul", Zone: "mock-seoul-c"}, "", nil},
		{"password", driver.Config{Region: "mock-seoul", Credential: driver.Values{"password": "right"}}, "", nil},
		{"no region", driver.Config{}, "", nil},
		{"region of CB-Spider's Mock", driver.Config{Region: "mars", Zone: "any"}, "", nil},
		{"any region", driver.Config{Region: "moon", Zone: "any", Credential: driver.Values{"mockName": "m"}}, "", nil},
		{"zone of its own", driver.Config{Region: "mock-seoul", Zone: "any", Credential: driver.Values{"mockName": "m"}}, resource.CodeInvalid, []string{"mock-seoul-a"}},
		{"wrong password", driver.Config{Credential: driver.Values{"password": "wrong"}}, resource.CodeUnauthenticated, nil},
		{"unknown region", driver.Config{Region: "moon"}, resource.CodeInvalid, []string{"moon", "mock-seoul", "mock-tokyo", "mock-virginia", "mock-frankfurt"}},
		{"unknown zone", driver.Config{Region: "mock-frankfurt", Zone: "mock-seoul-a"}, resource.CodeInvalid, []string{"mock-frankfurt-a, mock-frankfurt-b"}},
		{"zone without region", driver.Config{Zone: "mock-seoul-a"}, resource.CodeInvalid, []string{"mock-seoul"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := newRig(t).driver.Connect(t.Context(), test.config)
			if test.code == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, test.code, cloudError(t, err).Code)
			for _, text := range test.says {
				require.ErrorContains(t, err, text)
			}
		})
	}
}

func TestSettingsOutOfRange(t *testing.T) {
	for _, test := range []struct {
		name, value string
		fine        bool
	}{
		{"latency", "-1s", false},
		{"latency", "10m", true},
		{"latency", "soon", false},
		{"callLatency", "-1ns", false},
		{"consistencyDelay", "-1h", false},
		{"failCreate", "1.01", false},
		{"failCreate", "-0.1", false},
		{"failCreate", "NaN", false},
		{"failCreate", "1", true},
		{"failSettle", "2", false},
		{"failCall", "Inf", false},
		{"ambiguousCreate", "7", false},
		{"crashCreate", "1e9", false},
		{"rateLimit", "-1", false},
		{"rateLimit", "+Inf", false},
		{"rateLimit", "1e-300", true},
		{"pageSize", "0", false},
		{"pageSize", "1", true},
		{"quotaVMs", "-1", false},
		{"quotas", "disk=0,vpc=2", true},
		{"quotas", "disk=-1", false},
		{"quotas", "disk", false},
		{"quotas", "disk=1,", false},
		{"quotas", "moon=1", false},
		{"lacks", "nlb,price", true},
		{"lacks", "nlb,moon", false},
		{"down", "nlb,vm", true},
		{"down", "nlb,moon", false},
		{"ssh", "ubuntu@127.0.0.1:2222", true},
		{"ssh", "ubuntu@[::1]:2222", true},
		{"ssh", "127.0.0.1:2222", false},
		{"ssh", "ubuntu@localhost:2222", false},
		{"ssh", "ubuntu@127.0.0.1", false},
		{"ssh", "ubuntu@127.0.0.1:0", false},
		{"seed", "-17", true},
		{"seed", "x", false},
		{"hang", "maybe", false},
	} {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			_, err := newRig(t).driver.Connect(t.Context(), driver.Config{Region: "mock-seoul", Settings: driver.Values{test.name: test.value}})
			if test.fine {
				require.NoError(t, err)
				return
			}
			e := resource.AsError(err)
			require.Equal(t, resource.CodeInvalid, e.Code)
			require.Equal(t, "settings."+test.name, e.Fields[0].Field)
		})
	}
}

func TestWithoutRegionOnlyTheRegionsAreListed(t *testing.T) {
	s := newRig(t).connectTo(driver.Config{})
	require.Len(t, entries[resource.Region](t, s, "region"), 4)
	for _, catalog := range []string{"zone", "image", "spec"} {
		for _, err := range s.Catalog(t.Context(), catalog, nil) {
			require.Equal(t, resource.CodeInvalid, cloudError(t, err).Code)
		}
	}
	require.Equal(t, resource.CodeInvalid, refused(t, s, "vpc", "net", vpcSpec()).Code)
	for _, err := range s.List(t.Context(), "vpc") {
		require.Equal(t, resource.CodeInvalid, cloudError(t, err).Code)
	}
}

func TestAccountsAndRegionsAreApart(t *testing.T) {
	r := newRig(t)
	at := func(account, region string) drivertest.Patient {
		return r.connectTo(driver.Config{Region: region, Credential: driver.Values{"account": account}})
	}
	mine := create(t, at("", "mock-seoul"), "vpc", "net", vpcSpec())
	require.Equal(t, mine.ID, get(t, at("default", "mock-seoul"), "vpc", mine.ID).ID)
	for _, other := range []drivertest.Patient{at("other", "mock-seoul"), at("", "mock-tokyo")} {
		requireGone(t, other, "vpc", mine.ID)
		require.Empty(t, list(t, other, "vpc"))
		require.NoError(t, other.Delete(t.Context(), "vpc", mine.ID))
		require.Equal(t, resource.CodeInvalid, refused(t, other, "securitygroup", "group", resource.SecurityGroupSpec{VPC: mine.ID}).Code)
		require.NotEqual(t, mine.ID, create(t, other, "vpc", "net", vpcSpec()).ID)
	}
	require.Len(t, list(t, at("default", "mock-seoul"), "vpc"), 1)
}

func TestNoSecretInErrorsAndObjects(t *testing.T) {
	const secret = "hunter2hunter2"
	r := newRig(t)
	s := r.connectTo(driver.Config{Region: "mock-seoul", Credential: driver.Values{"password": secret}})
	var texts []string
	ids := map[string]string{}
	for i, k := range resource.Kinds() {
		made := create(t, s, k.Name, "the-"+k.Name, specOfEach(ids)[i].spec)
		ids[k.Name] = made.ID
		_, err := s.Get(t.Context(), k.Name, "nothing")
		bad := cloudError(t, act(t, s, k.Name, "nothing", "label", resource.LabelChange{Remove: []string{"a"}}))
		texts = append(texts, fmt.Sprint(made), err.Error(), bad.Error())
	}
	texts = append(texts, s.Delete(t.Context(), "vpc", ids["vpc"]).Error(), refused(t, s, "vm", "bad", map[string]any{}).Error())
	journal, err := os.ReadFile(r.cloud.journal.path)
	require.NoError(t, err)
	texts = append(texts, string(journal))
	for _, text := range texts {
		require.NotContains(t, text, secret)
	}
	_, err = r.driver.Connect(t.Context(), driver.Config{Region: "moon", Credential: driver.Values{"password": secret}, Settings: driver.Values{"failCall": "0.5"}})
	require.NotContains(t, err.Error(), secret)
}

func entries[E any](t testing.TB, s drivertest.Patient, catalog string) []E {
	t.Helper()
	var all []E
	for raw, err := range s.Catalog(t.Context(), catalog, nil) {
		require.NoError(t, err)
		all = append(all, decoded[E](t, raw))
	}
	return all
}

func TestCatalogs(t *testing.T) {
	r := newRig(t)
	for _, region := range entries[resource.Region](t, r.connect(), "region") {
		require.NotEmpty(t, region.Title)
		s := r.connectTo(driver.Config{Region: region.Name})
		zones := entries[resource.Zone](t, s, "zone")
		require.True(t, len(zones) == 2 || len(zones) == 3)
		for _, z := range zones {
			require.Equal(t, region.Name, z.Region)
			require.True(t, z.Available)
			require.True(t, strings.HasPrefix(z.Name, region.Name+"-"))
		}
	}
	s := r.connect()
	oses, ids := map[string]bool{}, map[string]bool{}
	for _, i := range entries[resource.Image](t, s, "image") {
		require.Regexp(t, `^img-[0-9a-f]{17}$`, i.ID)
		require.NotContains(t, ids, i.ID)
		ids[i.ID] = true
		oses[i.OS+" "+i.Architecture] = true
		require.Positive(t, i.DiskSizeGiB)
	}
	for _, os := range []string{"ubuntu", "debian", "rocky", "almalinux", "rhel", "sles", "opensuse", "fedora"} {
		require.Contains(t, oses, os+" "+x86)
		require.Contains(t, oses, os+" "+arm)
	}
	require.Contains(t, oses, "windows "+x86)
	require.NotContains(t, oses, "windows "+arm)
	require.Equal(t, "img-8d4534584b66b71ac", imageID("ubuntu-24.04-x86_64"), "users have written this id down")

	specs := entries[resource.Spec](t, s, "spec")
	require.InDelta(t, 200, len(specs), 20)
	names, models := map[string]bool{}, map[string]bool{}
	for _, spec := range specs {
		require.NotContains(t, names, spec.Name)
		names[spec.Name] = true
		ratio := float64(spec.MemoryMiB) / 1024 / float64(spec.VCPUs)
		require.True(t, ratio >= 0.25 && ratio <= 24, "%s has %v GiB per processor", spec.Name, ratio)
		require.Equal(t, spec.GPUs > 0, spec.GPUMemoryMiB > 0)
		models[spec.GPUModel] = true
	}
	require.Equal(t, map[string]bool{"": true, "NVIDIA T4": true, "NVIDIA L4": true, "NVIDIA A100": true, "NVIDIA H100": true}, maps.Collect(maps.All(models)))
}

func TestCancelledContext(t *testing.T) {
	s := newRig(t).connect()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Create(ctx, "vpc", request(t, "net", vpcSpec()))
	require.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, list(t, s, "vpc"))
}

// specOfEach are specs of every kind, each built on those before it. ids holds what
// was created of those.
func specOfEach(ids map[string]string) []struct {
	kind string
	spec any
} {
	n := network{ids["vpc"], ids["subnet"], ids["securitygroup"], ids["keypair"]}
	return []struct {
		kind string
		spec any
	}{
		{"vpc", vpcSpec()},
		{"subnet", resource.SubnetSpec{VPC: n.vpc, CIDR: "10.0.0.0/17"}},
		{"securitygroup", resource.SecurityGroupSpec{VPC: n.vpc}},
		{"keypair", resource.KeyPairSpec{PublicKey: publicKey}},
		{"vm", n.vm()},
		{"disk", resource.DiskSpec{SizeGiB: 10}},
		{"snapshot", resource.SnapshotSpec{Disk: ids["disk"]}},
		{"customimage", resource.CustomImageSpec{VM: ids["vm"]}},
		{"publicip", resource.PublicIPSpec{}},
		{"nic", resource.NICSpec{Subnet: n.subnet}},
		{"natgateway", resource.NATGatewaySpec{VPC: n.vpc, GatewaySubnet: n.subnet}},
		{"vpcpeering", resource.VPCPeeringSpec{VPC: n.vpc, PeerCloudID: "vpc-elsewhere" + ids["vpcpeering"], PeerAccount: "somebody", PeerCIDRs: []string{"10.1.0.0/16"}}},
		{"vpngateway", resource.VPNGatewaySpec{VPC: n.vpc}},
		{"vpnconnection", resource.VPNConnectionSpec{VPNGateway: ids["vpngateway"], PeerAddresses: []string{"203.0.113.5"}, PeerCIDRs: []string{"192.168.0.0/16"}, PresharedKey: "Both.sides.have.it"}},
		{"routetable", resource.RouteTableSpec{VPC: n.vpc, Routes: []resource.Route{{CIDR: "0.0.0.0/0", NATGateway: ids["natgateway"]}}}},
		{"nlb", resource.NLBSpec{VPC: n.vpc, Protocol: "tcp", Port: 80, Members: []string{ids["vm"]}}},
		{"certificate", certificateSpec()},
		{"alb", resource.ALBSpec{
			VPC: n.vpc, Listeners: []resource.ALBListener{{Port: 443, Protocol: "https", Certificate: ids["certificate"], Group: "web"}},
			Groups: []resource.ALBGroup{{Name: "web", Port: 80, Members: []string{ids["vm"]}}},
		}},
		{"cluster", n.cluster(n.nodes("a"))},
		{"bucket", resource.BucketSpec{}},
		{"queue", resource.QueueSpec{}},
		{"fileshare", resource.FileShareSpec{VPC: n.vpc, Subnets: []string{n.subnet}, SecurityGroups: []string{n.group}, SizeGiB: 100}},
		{"database", n.database()},
		{"dbbackup", resource.DBBackupSpec{Database: ids["database"]}},
		{"broker", n.broker("rabbitmq")},
	}
}

// certificateSpec is the specification of a certificate that signs itself.
func certificateSpec() resource.CertificateSpec {
	c := resourcetest.Certificate("www.example.com", time.Hour, nil)
	return resource.CertificateSpec{Certificate: c.Certificate, PrivateKey: c.PrivateKey}
}

// oneOfEach creates an object of every kind, and answers their ids.
func oneOfEach(t testing.TB, r *rig) map[string]string {
	t.Helper()
	s := r.connect()
	ids := map[string]string{}
	for i, k := range resource.Kinds() {
		one := specOfEach(ids)[i]
		require.Equal(t, k.Name, one.kind, "a new kind needs a line here")
		ids[k.Name] = create(t, s, k.Name, "the-"+k.Name, one.spec).ID
	}
	return ids
}
