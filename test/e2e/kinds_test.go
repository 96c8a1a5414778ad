package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/resource/resourcetest"
)

// TestEveryKindOnTheMockCloud creates, changes and deletes one of every kind with the
// command line.
func TestEveryKindOnTheMockCloud(t *testing.T) {
	w := newWorld(t, "--dev")
	spec, larger := oneOfEveryKind(w)
	for _, k := range resource.Kinds() {
		w.do("%s label my-%s -c mock --set team=blue --wait", k.Name, k.Name)
		assert.Equal(t, "my-"+k.Name+"\n", w.do("%s list -c mock --filter labels.team=blue -o name", k.Name))
	}

	for _, step := range []string{
		"vpc addcidr my-vpc --cidr 10.7.0.0/16", "subnet create wide --vpc my-vpc --cidr 10.7.1.0/24", "subnet delete wide", "vpc removecidr my-vpc --cidr 10.7.0.0/16",
		"disk attach my-disk --vm my-vm", "disk resize my-disk --size-gib 20", "publicip associate my-publicip --vm my-vm", "nic attach my-nic --vm my-vm",
		"nic addaddresses my-nic --address 10.0.1.99", "cluster upgrade my-cluster --version 1.35", "cluster addnodegroup my-cluster --name b --spec " + spec,
		"cluster scalenodegroup my-cluster --node-group b --desired-nodes 3", "vm stop my-vm", "vm resize my-vm --spec " + larger, "vm start my-vm",
		"subnet create beside --vpc my-vpc --cidr 10.0.4.0/24", "fileshare addsubnets my-fileshare --subnet beside", "fileshare resize my-fileshare --size-gib 200",
		"database createdatabase my-database --name shop", "database resize my-database --storage-gib 40", "database upgrade my-database --version 9.4",
		"database setpassword my-database --admin-password Another-1x", "database stop my-database", "database start my-database", "database restart my-database",
		"broker resize my-broker --storage-gib 40", "broker restart my-broker",
	} {
		w.do("%s -c mock --wait", step)
	}
	share := read[resource.Envelope[resource.FileShareSpec, resource.FileShareStatus]](w, "fileshare get my-fileshare -c mock")
	require.Len(t, share.Status.Mounts, 2)
	assert.Equal(t, "beside", share.Status.Mounts[1].Subnet)
	assert.Contains(t, w.fails(4, "subnet delete beside -c mock"), "fileshare my-fileshare")
	w.do("fileshare removesubnets my-fileshare --subnet beside -c mock --wait")
	w.do("subnet delete beside -c mock --wait")
	database := read[resource.Envelope[resource.DatabaseSpec, resource.DatabaseStatus]](w, "database get my-database -c mock")
	assert.Equal(t, "9.4", database.Status.Version)
	assert.Equal(t, []string{"shop"}, read[resource.DatabaseNames](w, "database databases my-database -c mock").Databases)
	assert.Contains(t, w.fails(2, "database upgrade my-database --version 4.1 -c mock --wait"), "8.0, 8.4, 9.4")
	noSecretOnDisk(t, w.data, "Another-1x")
	disk := read[resource.Envelope[resource.DiskSpec, resource.DiskStatus]](w, "disk get my-disk -c mock")
	assert.Equal(t, 20, disk.Spec.SizeGiB)
	assert.Equal(t, "my-vm", disk.Status.VM)
	vm := read[resource.Envelope[resource.VMSpec, resource.VMStatus]](w, "vm get my-vm -c mock")
	ip := read[resource.Envelope[resource.PublicIPSpec, resource.PublicIPStatus]](w, "publicip get my-publicip -c mock")
	assert.Equal(t, larger, vm.Spec.Spec)
	assert.Equal(t, ip.Status.Address, vm.Status.PublicAddress)
	cluster := read[resource.Envelope[resource.ClusterSpec, resource.ClusterStatus]](w, "cluster get my-cluster -c mock")
	assert.Equal(t, "1.35", cluster.Status.Version)
	require.Len(t, cluster.Status.NodeGroups, 2)
	assert.Len(t, cluster.Status.NodeGroups[1].Nodes, 3)

	upload := read[resource.BegunUpload](w, "bucket beginupload my-bucket -c mock --key a/../b")
	w.do("bucket abortupload my-bucket -c mock --key a/../b --upload %s", upload.Upload)
	link := read[resource.SignedRequest](w, "bucket sign my-bucket -c mock --do get --key a/../b")
	assert.Contains(t, link.URL, "/a/../b?")
	messages := filepath.Join(t.TempDir(), "messages.json")
	require.NoError(t, os.WriteFile(messages, []byte(`{"messages":[{"body":"hello"}]}`), 0o600))
	w.do("queue send my-queue -c mock --file %s", messages)
	received := read[resource.Messages](w, "queue receive my-queue -c mock --max 10")
	require.Len(t, received.Messages, 1)
	assert.Equal(t, "hello", received.Messages[0].Body)

	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(w.do("cluster kubeconfig my-cluster -c mock")))
	require.NoError(t, err, "what the command writes is a file for kubectl")
	assert.Equal(t, cluster.Status.Endpoint, config.Host)
	require.NotEmpty(t, config.BearerToken)
	noSecretOnDisk(t, w.data, config.BearerToken)
	assert.NotContains(t, w.Output(), config.BearerToken)
	health := read[resource.Health](w, "nlb health my-nlb -c mock")
	assert.Equal(t, []resource.MemberHealth{{VM: "my-vm", State: "healthy"}}, health.Members)
	for _, catalog := range []string{"disktype", "price", "quota", "dbengine", "dbspec", "k8sversion"} {
		assert.NotEmpty(t, w.do("%s list -c mock --limit 3 -o name", catalog), catalog)
	}
	assert.InDelta(t, 1, *read[[]resource.Quota](w, "quota list -c mock --filter kind=vm")[0].Used, 0)

	assert.JSONEq(t, `{"Count":1}`, w.do("extension run countAll -c mock --set rsType=vm"))
	assert.Contains(t, w.do("native mock -c mock --path /vms"), vm.CloudID)
	w.fails(3, "native mock -c mock --path /moons")
	w.do("connection create less --cloud mock --region mock-tokyo --setting lacks=cluster")
	assert.Equal(t, "cluster", read[driver.Capabilities](w, "connection capabilities less").Lacks[0].Name)

	assert.Equal(t, []resource.MemberHealth{{Group: "web", VM: "my-vm", State: "healthy"}}, read[resource.Health](w, "alb health my-alb -c mock").Members)
	psk, err := os.ReadFile(filepath.Join(w.home, "psk"))
	require.NoError(t, err)
	noSecretOnDisk(t, w.data, strings.TrimSpace(string(psk)))
	peer := w.do("vpnconnection peerconfig my-vpnconnection -c mock")
	assert.Contains(t, peer, "remote_addrs = ")
	assert.NotContains(t, peer, strings.TrimSpace(string(psk)))
	assert.Contains(t, w.fails(4, "certificate delete my-certificate -c mock"), "alb my-alb")
	assert.Contains(t, w.fails(4, "subnet delete my-private -c mock"), "natgateway my-natgateway")
	w.do("subnet create wrong -c mock --vpc my-vpc --cidr 10.0.3.0/24 --private --wait")
	w.do("nic create inside -c mock --subnet wrong --wait")
	assert.Contains(t, w.fails(2, "publicip associate my-publicip -c mock --nic inside"), "private")
	w.do("nic delete inside -c mock --wait")
	w.do("subnet delete wrong -c mock --wait")

	assert.Contains(t, w.fails(4, "vm delete my-vm -c mock"), "nlb my-nlb")
	w.do("alb delete my-alb -c mock --wait")
	w.do("routetable delete my-routetable -c mock --wait")
	for _, last := range []string{"vpnconnection", "vpngateway", "vpcpeering", "natgateway", "certificate"} {
		w.do("%s delete my-%s -c mock --wait", last, last)
	}
	w.do("subnet delete my-private -c mock --wait")
	w.do("vpc delete my-peer -c mock --wait")
	for _, last := range []string{
		"broker", "dbbackup", "database", "fileshare", "queue", "bucket", "cluster", "nlb", "vm", "nic", "publicip", "disk", "snapshot", "customimage", "keypair", "securitygroup", "subnet", "vpc",
	} {
		w.do("%s delete my-%s -c mock --wait", last, last)
	}
	var left []api.InventoryItem
	require.NoError(t, json.Unmarshal([]byte(w.do("connection inventory mock -o json")), &left))
	assert.Empty(t, left, "nothing is left on the cloud")
}

// oneOfEveryKind creates my-KIND of every kind on the Mock cloud, and answers the spec of VMs
// and nodes, and one that is larger.
func oneOfEveryKind(w *world) (spec, larger string) {
	w.t.Helper()
	image := read[[]resource.Image](w, "image list -c mock --filter os=ubuntu --filter architecture=x86_64 --limit 1")[0].ID
	specs := read[[]resource.Spec](w, "spec list -c mock --filter architectures=x86_64 --limit 2")
	spec, larger = specs[0].Name, specs[1].Name
	created := map[string]bool{}
	create := func(kind, flags string, args ...any) {
		w.t.Helper()
		w.do(kind+" create my-"+kind+" -c mock "+flags+" --wait", args...)
		created[kind] = true
	}
	create("vpc", "--cidr 10.0.0.0/16")
	create("subnet", "--vpc my-vpc --cidr 10.0.1.0/24")
	create("securitygroup", "--vpc my-vpc --rule in:tcp:22:0.0.0.0/0")
	create("keypair", "--private-key-out key.pem")
	create("vm", "--image %s --spec %s --subnet my-subnet --securitygroup my-securitygroup --keypair my-keypair --root-disk-type HDD", image, spec)
	create("disk", "--size-gib 10 --type SSD")
	create("snapshot", "--disk my-disk")
	create("customimage", "--vm my-vm")
	create("publicip", "")
	create("nic", "--subnet my-subnet")
	w.do("subnet create my-private -c mock --vpc my-vpc --cidr 10.0.2.0/24 --private --wait")
	w.do("vpc create my-peer -c mock --cidr 10.1.0.0/16 --wait")
	create("natgateway", "--vpc my-vpc --subnet my-private --gateway-subnet my-subnet")
	create("vpcpeering", "--vpc my-vpc --peer my-peer")
	create("vpngateway", "--vpc my-vpc")
	create("vpnconnection", "--vpngateway my-vpngateway --peer-address 203.0.113.5 --peer-cidr 192.168.0.0/16 --preshared-key-out psk")
	create("routetable", "--vpc my-vpc --subnet my-private --route cidr=10.1.0.0/16,vpcpeering=my-vpcpeering")
	create("nlb", "--vpc my-vpc --protocol tcp --port 80 --member my-vm --health-check protocol=http,path=/healthz")
	pair := resourcetest.Certificate("www.example.com", time.Hour, nil)
	certificate, key := filepath.Join(w.t.TempDir(), "certificate.pem"), filepath.Join(w.t.TempDir(), "key.pem")
	require.NoError(w.t, os.WriteFile(certificate, []byte(pair.Certificate), 0o600))
	require.NoError(w.t, os.WriteFile(key, []byte(pair.PrivateKey), 0o600))
	create("certificate", "--certificate %s --private-key %s", "@"+certificate, "@"+key)
	noSecretOnDisk(w.t, w.data, strings.Split(pair.PrivateKey, "\n")[1])
	alb := filepath.Join(w.t.TempDir(), "alb.json")
	require.NoError(w.t, os.WriteFile(alb, []byte(`{"name":"my-alb","spec":{"vpc":"my-vpc",
		"listeners":[{"port":80,"protocol":"http","redirectToHTTPS":true},{"port":443,"protocol":"https","certificate":"my-certificate","group":"web"}],
		"groups":[{"name":"web","port":80,"members":["my-vm"]}]}}`), 0o600))
	w.do("alb create -c mock --file %s --wait", alb)
	created["alb"] = true
	create("cluster", "--vpc my-vpc --subnet my-subnet --version 1.34 --node-group name=a,spec=%s,desiredNodes=2", spec)
	create("bucket", "--versioning")
	create("queue", "--visibility-seconds 60")
	create("fileshare", "--vpc my-vpc --subnet my-subnet --size-gib 100")
	create("database", "--vpc my-vpc --subnet my-subnet --securitygroup my-securitygroup --engine mysql --spec db-burst.small --backup-days 7")
	create("dbbackup", "--database my-database")
	create("broker", "--vpc my-vpc --engine kafka --nodes 3 --spec %s", spec)
	for _, k := range resource.Kinds() {
		require.True(w.t, created[k.Name], "a new kind needs a line here: %s", k.Name)
	}
	return spec, larger
}
