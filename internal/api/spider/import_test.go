package spider_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // writes the database

	"github.com/m-cmp/mc-infra-connector/internal/cli"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
)

// spiderDatabase makes a meta database as CB-Spider does, with resources by table.
func spiderDatabase(t *testing.T, resources map[string][]mapped) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cb-spider.db")
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	block, err := aes.NewCipher([]byte("cloud-barista-cb-spider-cloud-ba"))
	require.NoError(t, err)
	value := []byte("imported-account")
	sealed := make([]byte, aes.BlockSize+len(value))
	_, _ = rand.Read(sealed[:aes.BlockSize])
	cipher.NewCTR(block, sealed[:aes.BlockSize]).XORKeyStream(sealed[aes.BlockSize:], value)
	statements := []string{
		"CREATE TABLE cloud_driver_infos (driver_name text, provider_name text, driver_lib_file_name text, PRIMARY KEY (driver_name))",
		"CREATE TABLE credential_infos (credential_name text, provider_name text, key_value_info_list text, PRIMARY KEY (credential_name))",
		"CREATE TABLE region_infos (region_name text, provider_name text, key_value_info_list text, available_zone_list text, PRIMARY KEY (region_name))",
		"CREATE TABLE connection_config_infos (config_name text, provider_name text, driver_name text, credential_name text, region_name text, PRIMARY KEY (config_name))",
		"CREATE TABLE subnet_iid_infos (connection_name text, zone_id text, name_id text, system_id text, owner_vpc_name text, PRIMARY KEY (connection_name, name_id, owner_vpc_name))",
		"CREATE TABLE node_group_iid_infos (connection_name text, name_id text, system_id text, owner_cluster_name text, PRIMARY KEY (connection_name, name_id, owner_cluster_name))",
		"INSERT INTO cloud_driver_infos VALUES ('old-driver', 'MOCK', 'mock-driver-v1.0.so')",
		`INSERT INTO credential_infos VALUES ('old-credential', 'MOCK', '[{"Key":"MockName","Value":"` + base64.StdEncoding.EncodeToString(sealed) + `"}]')`,
		`INSERT INTO credential_infos VALUES ('cloud-words', 'TENCENT', '[{"Key":"SecretId","Value":"` + base64.StdEncoding.EncodeToString(sealed) + `"},{"Key":"secretkey","Value":"` + base64.StdEncoding.EncodeToString(sealed) + `"}]')`,
		`INSERT INTO region_infos VALUES ('old-region', 'MOCK', '[{"Key":"Region","Value":"mock-seoul"},{"Key":"Zone","Value":"mock-seoul-b"}]', NULL)`,
		"INSERT INTO connection_config_infos VALUES ('old-config', 'MOCK', 'old-driver', 'old-credential', 'old-region')",
		"INSERT INTO node_group_iid_infos VALUES ('old-config', 'ng', 'ng-dc1rd29ksduaehs2pvvg:ng', 'old-cluster')",
	}
	for _, table := range []string{"vpc", "key", "vm", "disk", "my_image", "public_ip", "rdbms"} {
		statements = append(statements, "CREATE TABLE "+table+"_iid_infos (connection_name text, name_id text, system_id text, PRIMARY KEY (connection_name, name_id))")
	}
	for _, table := range []string{"sg", "nic", "nlb", "cluster"} { // what belongs to a VPC
		statements = append(statements, "CREATE TABLE "+table+"_iid_infos (connection_name text, name_id text, system_id text, owner_vpc_name text, PRIMARY KEY (connection_name, name_id))")
	}
	for table, rows := range resources {
		for _, row := range rows {
			columns, values := "connection_name, name_id, system_id", fmt.Sprintf("'old-config', '%s', '%s-dc1rd29ksduaehs2pvv0:%s'", row.name, row.name, row.id)
			if row.vpc != "" {
				columns, values = columns+", owner_vpc_name", values+", '"+row.vpc+"'"
			}
			statements = append(statements, fmt.Sprintf("INSERT INTO %s_iid_infos (%s) VALUES (%s)", table, columns, values))
		}
	}
	for _, statement := range statements {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	return file
}

// mapped is a row of CB-Spider: a name, the cloud's id, and the VPC that it is of.
type mapped struct{ name, id, vpc string }

// accountOfCBSpider has what CB-Spider made on the cloud, with the account of its credential.
func (a *facade) accountOfCBSpider() {
	a.t.Helper()
	a.ok(http.MethodPost, "/credential", `{"CredentialName":"there","ProviderName":"MOCK","KeyValueInfoList":[{"Key":"MockName","Value":"imported-account"}]}`)
	a.ok(http.MethodPost, "/driver", `{"DriverName":"d","ProviderName":"MOCK","DriverLibFileName":"x.so"}`)
	a.ok(http.MethodPost, "/region", `{"RegionName":"r","ProviderName":"MOCK","KeyValueInfoList":[{"Key":"Region","Value":"mock-seoul"}]}`)
	a.ok(http.MethodPost, "/connectionconfig", `{"ConfigName":"there","ProviderName":"MOCK","DriverName":"d","CredentialName":"there","RegionName":"r"}`)
}

// leaveOnTheCloud forgets everything of that account here.
func (a *facade) leaveOnTheCloud() {
	a.t.Helper()
	gone, err := a.Destroy(a.t.Context(), "there", true)
	require.NoError(a.t, err)
	var here []inventory.Named
	for _, r := range gone.Items {
		here = append(here, inventory.Named{Kind: r.Kind, Name: r.Name})
	}
	_, err = a.ReleaseTogether(a.t.Context(), "there", here)
	require.NoError(a.t, err)
}

// importDatabase runs the command that takes over a database.
func (a *facade) importDatabase(file string, args ...string) (int, string) {
	var out bytes.Buffer
	code := cli.Run(a.t.Context(), append([]string{"import", "cb-spider", "--db", file}, args...), cli.Build{}, cli.Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Now: time.Now,
		Getenv: func(key string) string {
			return map[string]string{"MCIC_SERVER": strings.TrimSuffix(a.url, "/spider"), "MCIC_TOKEN": token}[key]
		},
	})
	return code, out.String()
}

func TestADatabaseWithNamesOfAllSortsIsTakenOverWhole(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.accountOfCBSpider()
	all := map[string][]mapped{}
	made := func(table, kind, name, vpc, ours, spec string) {
		all[table] = append(all[table], mapped{name, a.MustCreate("there", kind, ours, spec).CloudID, vpc})
	}
	long := strings.Repeat("긴 이름 ", 54)
	made("vpc", "vpc", "운영 네트워크", "", "x-1", `{"cidr":"10.0.0.0/16"}`)
	made("vpc", "vpc", "a/b?c#d%e", "", "x-2", `{"cidr":"10.0.0.0/16"}`)
	made("subnet", "subnet", "subnet-01", "운영 네트워크", "s-2", `{"vpc":"x-1","cidr":"10.0.1.0/24"}`)
	made("subnet", "subnet", "subnet-01", "a/b?c#d%e", "subnet-01", `{"vpc":"x-2","cidr":"10.0.1.0/24"}`)
	made("subnet", "subnet", "s-3", "a/b?c#d%e", "s-4", `{"vpc":"x-2","cidr":"10.0.2.0/24"}`)
	made("subnet", "subnet", "s-4", "a/b?c#d%e", "s-3", `{"vpc":"x-2","cidr":"10.0.3.0/24"}`)
	made("sg", "securitygroup", long[:len(long)-1], "운영 네트워크", "g", `{"vpc":"x-1"}`)
	made("disk", "disk", "subnet-01", "", "d", `{"sizeGiB":10}`)
	a.leaveOnTheCloud()
	code, out := a.importDatabase(spiderDatabase(t, all))
	require.Zero(t, code, out)
	assert.Contains(t, out, "13 taken over, 0 were here already, 0 could not be taken over")
	for _, row := range all["subnet"] {
		assert.Contains(t, a.ok(http.MethodGet, "/vpc/"+url.PathEscape(row.vpc)+"/subnet/"+row.name+"?ConnectionName=old-config", "").body, `{"NameId":"`+row.name+`","SystemId":"`+row.id+`"}`)
	}
	group := a.ok(http.MethodGet, "/securitygroup/"+url.PathEscape(all["sg"][0].name)+"?ConnectionName=old-config", "").body
	assert.Contains(t, group, `"SystemId":"`+all["sg"][0].id+`"`)
	assert.Contains(t, group, `"VpcIID":{"NameId":"운영 네트워크"`)
}

func TestADatabaseOfCBSpiderIsTakenOver(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.accountOfCBSpider()
	made := func(kind, spec string) string {
		t.Helper()
		return a.MustCreate("there", kind, "x-"+kind, spec).CloudID
	}
	all := map[string][]mapped{
		"vpc":       {{"old-vpc", made("vpc", `{"cidr":"10.0.0.0/16"}`), ""}},
		"subnet":    {{"old-subnet", made("subnet", `{"vpc":"x-vpc","cidr":"10.0.1.0/24"}`), "old-vpc"}},
		"sg":        {{"old-sg", made("securitygroup", `{"vpc":"x-vpc","rules":[{"direction":"in","protocol":"tcp","fromPort":22,"cidr":"0.0.0.0/0"}]}`), "old-vpc"}},
		"key":       {{"old-key", made("keypair", `{}`), ""}},
		"vm":        {{"old-vm", made("vm", `{"image":"`+a.Image+`","spec":"`+a.Spec+`","subnet":"x-subnet","securitygroups":["x-securitygroup"],"keypair":"x-keypair"}`), ""}},
		"disk":      {{"old-disk", made("disk", `{"sizeGiB":10}`), ""}},
		"my_image":  {{"old-image", made("customimage", `{"vm":"x-vm"}`), ""}},
		"public_ip": {{"old-ip", made("publicip", `{}`), ""}},
		"nic":       {{"old-nic", made("nic", `{"subnet":"x-subnet"}`), "old-vpc"}},
		"nlb":       {{"old-nlb", made("nlb", `{"vpc":"x-vpc","protocol":"tcp","port":80,"members":["x-vm"]}`), "old-vpc"}},
		"cluster":   {{"old-cluster", made("cluster", `{"vpc":"x-vpc","subnets":["x-subnet"],"nodeGroups":[{"name":"ng","spec":"`+a.Spec+`"}]}`), "old-vpc"}},
	}
	a.leaveOnTheCloud()
	file := spiderDatabase(t, all)
	mcic := func(args ...string) (int, string) { return a.importDatabase(file, args...) }
	code, out := mcic("--dry-run")
	require.Zero(t, code, out)
	assert.Equal(t, `driver old-driver
region old-region
credential old-credential
credential cloud-words
connection old-config
VPC old-vpc in old-config
subnet old-subnet in old-config
security group old-sg in old-config
key pair old-key in old-config
VM old-vm in old-config
disk old-disk in old-config
image old-image in old-config
public IP old-ip in old-config
NIC old-nic in old-config
load balancer old-nlb in old-config
cluster old-cluster in old-config
`, out)
	assert.Equal(t, http.StatusNotFound, a.call(http.MethodGet, "/connectionconfig/old-config", "").status)

	code, out = mcic()
	require.Zero(t, code, out)
	assert.Contains(t, out, "16 taken over, 0 were here already, 0 could not be taken over")
	assert.JSONEq(t, `{"ConfigName":"old-config","ProviderName":"MOCK","DriverName":"old-driver","CredentialName":"old-credential","RegionName":"old-region"}`, a.ok(http.MethodGet, "/connectionconfig/old-config", "").body)
	assert.Contains(t, a.ok(http.MethodGet, "/credential/cloud-words", "").body, `[{"Key":"ClientId","Value":"Hidden for security."},{"Key":"ClientSecret","Value":"Hidden for security."}]`)
	c, err := a.Connection(t.Context(), "old-config")
	require.NoError(t, err)
	assert.Equal(t, "mock-seoul-b", c.Zone)
	for path, table := range map[string]string{
		"vpc": "vpc", "securitygroup": "sg", "keypair": "key", "vm": "vm", "disk": "disk", "myimage": "my_image", "publicip": "public_ip", "nic": "nic", "nlb": "nlb", "cluster": "cluster",
	} {
		row := all[table][0]
		taken := a.ok(http.MethodGet, "/"+path+"/"+row.name+"?ConnectionName=old-config", "").body
		assert.Contains(t, taken, `"IId":{"NameId":"`+row.name+`","SystemId":"`+row.id+`"}`, "under the name that it had")
		if row.vpc != "" {
			assert.Contains(t, taken, `"VpcIID":{"NameId":"old-vpc"`, path)
		}
	}
	assert.Contains(t, a.ok(http.MethodGet, "/vpc/old-vpc?ConnectionName=old-config", "").body, `{"NameId":"old-subnet","SystemId":"`+all["subnet"][0].id+`"}`)
	assert.Contains(t, a.ok(http.MethodGet, "/nlb/old-nlb?ConnectionName=old-config", "").body, `"VMs":[{"NameId":"old-vm"`, "what belongs together is found together")
	assert.Contains(t, a.ok(http.MethodGet, "/cluster/old-cluster?ConnectionName=old-config", "").body, `"NameId":"ng"`, "node groups come with their cluster")

	code, out = mcic()
	require.Zero(t, code, out)
	assert.Contains(t, out, "5 taken over, 11 were here already, 0 could not be taken over")

	all["vm"] = append(all["vm"], mapped{"lost-vm", "vm-that-is-gone", ""})
	all["rdbms"] = []mapped{{"old-db", "db-1", ""}}
	file = spiderDatabase(t, all)
	code, out = mcic()
	assert.NotZero(t, code)
	assert.Contains(t, out, "VM lost-vm in old-config", "what is left out is told")
	assert.Contains(t, out, "database old-db in old-config: this server has no kind for it")
	assert.Contains(t, out, "5 taken over, 11 were here already, 2 could not be taken over")
}
