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
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // writes the database

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/cli"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

// spiderDatabase makes a meta database as CB-Spider does.
func spiderDatabase(t *testing.T, ids map[string]string) string {
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
		"CREATE TABLE vpc_iid_infos (connection_name text, name_id text, system_id text, PRIMARY KEY (connection_name, name_id))",
		"CREATE TABLE subnet_iid_infos (connection_name text, zone_id text, name_id text, system_id text, owner_vpc_name text, PRIMARY KEY (connection_name, name_id, owner_vpc_name))",
		"INSERT INTO cloud_driver_infos VALUES ('old-driver', 'MOCK', 'mock-driver-v1.0.so')",
		`INSERT INTO credential_infos VALUES ('old-credential', 'MOCK', '[{"Key":"MockName","Value":"` + base64.StdEncoding.EncodeToString(sealed) + `"}]')`,
		`INSERT INTO region_infos VALUES ('old-region', 'MOCK', '[{"Key":"Region","Value":"mock-seoul"},{"Key":"Zone","Value":"mock-seoul-b"}]', NULL)`,
		"INSERT INTO connection_config_infos VALUES ('old-config', 'MOCK', 'old-driver', 'old-credential', 'old-region')",
		fmt.Sprintf("INSERT INTO vpc_iid_infos VALUES ('old-config', 'old-vpc', 'old-vpc-dc1rd29ksduaehs2pvv0:%s')", ids["vpc"]),
		fmt.Sprintf("INSERT INTO subnet_iid_infos VALUES ('old-config', '', 'old-subnet', 'old-subnet-dc1rd29ksduaehs2pvvg:%s', 'old-vpc')", ids["subnet"]),
	}
	for _, statement := range statements {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	return file
}

func TestADatabaseOfCBSpiderIsTakenOver(t *testing.T) {
	a := start(t, enginetest.Options{})
	// What CB-Spider made on the cloud, with the account of its credential.
	a.ok(http.MethodPost, "/credential", `{"CredentialName":"there","ProviderName":"MOCK","KeyValueInfoList":[{"Key":"MockName","Value":"imported-account"}]}`)
	a.ok(http.MethodPost, "/driver", `{"DriverName":"d","ProviderName":"MOCK","DriverLibFileName":"x.so"}`)
	a.ok(http.MethodPost, "/region", `{"RegionName":"r","ProviderName":"MOCK","KeyValueInfoList":[{"Key":"Region","Value":"mock-seoul"}]}`)
	a.ok(http.MethodPost, "/connectionconfig", `{"ConfigName":"there","ProviderName":"MOCK","DriverName":"d","CredentialName":"there","RegionName":"r"}`)
	session, _, err := a.Session(t.Context(), "there")
	require.NoError(t, err)
	vpc, err := session.Create(t.Context(), "vpc", driver.ItemRequest{Token: "v", Name: "old-vpc-dc1rd29ksduaehs2pvv0", Spec: []byte(`{"cidr":"10.0.0.0/16"}`)})
	require.NoError(t, err)
	subnet, err := session.Create(t.Context(), "subnet", enginetest.SubnetRequest("old-subnet-dc1rd29ksduaehs2pvvg", vpc.ID, "10.0.1.0/24"))
	require.NoError(t, err)
	file := spiderDatabase(t, map[string]string{"vpc": vpc.ID, "subnet": subnet.ID})

	mcic := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := cli.Run(t.Context(), append([]string{"import", "cb-spider", "--db", file}, args...), cli.Build{}, cli.Env{
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Now: time.Now,
			Getenv: func(key string) string {
				return map[string]string{"MCIC_SERVER": strings.TrimSuffix(a.url, "/spider"), "MCIC_TOKEN": token}[key]
			},
		})
		return code, out.String()
	}
	code, out := mcic("--dry-run")
	require.Zero(t, code, out)
	assert.Equal(t, "driver old-driver\nregion old-region\ncredential old-credential\nconnection old-config\nVPC old-vpc in old-config\nsubnet old-subnet in old-config\n", out)
	assert.Equal(t, http.StatusNotFound, a.call(http.MethodGet, "/connectionconfig/old-config", "").status)

	code, out = mcic()
	require.Zero(t, code, out)
	assert.Contains(t, out, "6 taken over, 0 were here already, 0 could not be taken over")
	assert.JSONEq(t, `{"ConfigName":"old-config","ProviderName":"MOCK","DriverName":"old-driver","CredentialName":"old-credential","RegionName":"old-region"}`, a.ok(http.MethodGet, "/connectionconfig/old-config", "").body)
	c, err := a.Connection(t.Context(), "old-config")
	require.NoError(t, err)
	assert.Equal(t, "mock-seoul-b", c.Zone)
	taken := a.ok(http.MethodGet, "/vpc/old-vpc?ConnectionName=old-config", "").body
	assert.Contains(t, taken, `{"NameId":"old-vpc","SystemId":"`+vpc.ID+`"}`)
	assert.Contains(t, taken, `{"NameId":"old-subnet","SystemId":"`+subnet.ID+`"}`)

	code, out = mcic()
	require.Zero(t, code, out)
	assert.Contains(t, out, "4 taken over, 2 were here already, 0 could not be taken over")

	file = spiderDatabase(t, map[string]string{"vpc": "vpc-that-is-gone", "subnet": subnet.ID})
	code, out = mcic()
	assert.NotZero(t, code)
	assert.Contains(t, out, "VPC old-vpc in old-config", "what is left out is told")
}
