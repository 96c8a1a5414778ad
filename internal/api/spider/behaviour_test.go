package spider_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/api/spider"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// network makes a VPC, a security group and a key pair.
func (a *facade) network() {
	a.t.Helper()
	a.ok(http.MethodPost, "/vpc", in(`{"Name":"v","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"10.0.1.0/24"}]}`))
	a.ok(http.MethodPost, "/securitygroup", in(`{"Name":"g","VPCName":"v","SecurityRules":[{"Direction":"inbound","IPProtocol":"tcp","FromPort":"22","ToPort":"22"}]}`))
	a.ok(http.MethodPost, "/keypair", in(`{"Name":"k"}`))
}

// vmBody asks for a VM.
func (a *facade) vmBody(name string) string {
	return in(fmt.Sprintf(`{"Name":%q,"ImageName":%q,"VMSpecName":%q,"VPCName":"v","SubnetName":"s","SecurityGroupNames":["g"],"KeyPairName":"k"}`, name, a.Image, a.Spec))
}

func TestOnlyThoseWithThePasswordGetIn(t *testing.T) {
	a := registered(t, enginetest.Options{})
	as := func(path, user, password string, headers ...string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+path, nil)
		require.NoError(t, err)
		if user != "" {
			req.SetBasicAuth(user, password)
		}
		for i := 0; i+1 < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode
	}
	assert.Equal(t, http.StatusOK, as("/driver", user, password))
	assert.Equal(t, http.StatusUnauthorized, as("/driver", "", ""))
	assert.Equal(t, http.StatusUnauthorized, as("/driver", user, "wrong"))
	assert.Equal(t, http.StatusUnauthorized, as("/driver", "wrong", password))
	assert.Equal(t, http.StatusUnauthorized, as("/driver", "", "", "X-Connection-Name", connection, "X-Forwarded-User", user), "no header opens the door")
	assert.Equal(t, http.StatusForbidden, as("/controlvm/x?action=suspend&ConnectionName="+connection, user, password, "Sec-Fetch-Site", "cross-site"))
	for _, open := range []string{"/readyz", "/ping", "/health", "/healthcheck", "/version", "/ver", "/endpointinfo"} {
		assert.Equal(t, http.StatusOK, as(open, "", ""), open)
	}
	assert.Equal(t, http.StatusFound, as("/adminweb", "", ""))
	assert.Equal(t, http.StatusFound, as("/adminweb/left_menu", "", ""))
}

func TestRequestsAreReadAsTheyCome(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.ok(http.MethodPost, "/vpc/", `{"connectionname":"`+connection+`","REQINFO":{"name":"v","ipv4_cidr":"10.0.0.0/16","Unknown":1,"subnetInfoList":[]},"IDTransformMode":"ON"}`)
	for _, get := range [][2]string{
		{"/vpc/v", `{"ConnectionName":"` + connection + `"}`},
		{"/vpc/v/?ConnectionName=" + connection, ""},
		{"/vpc/%76?connectionname=" + connection, ""},
	} {
		r := a.ok(http.MethodGet, get[0], get[1])
		assert.Contains(t, r.body, `"NameId":"v"`)
		assert.Equal(t, "application/json", r.header.Get("Content-Type"))
	}
	assert.Equal(t, `{"Result":"true"}`, a.ok(http.MethodDelete, "/vpc/v?ConnectionName="+connection, "").body)
	assert.Equal(t, http.StatusUnsupportedMediaType, a.call(http.MethodPost, "/vpc", "Name=v", "Content-Type", "application/x-www-form-urlencoded").status)
	korean := a.call(http.MethodPost, "/vpc", in("{\"Name\":\"\xb8\xc1\",\"IPv4_CIDR\":\"10.0.0.0/16\"}")) // of EUC-KR
	assert.Equal(t, http.StatusBadRequest, korean.status, "not under a name that nobody gave: %s", korean.body)
	missing := a.call(http.MethodGet, "/vmimage/projects%2Fdebian%2Fimage?ConnectionName="+connection, "")
	assert.Equal(t, http.StatusNotFound, missing.status)
	assert.Equal(t, "projects/debian/image image does not exist!!", missing.message(t))
}

// writes tells of a database whether it has been written to since the last call.
type writes func() bool

// sqliteWrites counts by the version that SQLite keeps of what others have committed.
// https://www.sqlite.org/pragma.html#pragma_data_version
func sqliteWrites(t *testing.T, dir string) writes {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, store.SQLiteFile)+"?mode=ro")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1) // the version is that which one connection sees
	return changed[int](t, db, "PRAGMA data_version")
}

// postgresWrites looks at which transactions wrote the rows.
func postgresWrites(t *testing.T, databaseURL string) writes {
	db, err := sql.Open("pgx", databaseURL)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return changed[string](t, db, `SELECT md5(string_agg(xmin::text || ctid::text, ',' ORDER BY xmin::text, ctid)) FROM (
		SELECT xmin, ctid FROM registrations UNION ALL SELECT xmin, ctid FROM credentials UNION ALL SELECT xmin, ctid FROM connections) AS rows`)
}

func changed[V comparable](t *testing.T, db *sql.DB, query string) writes {
	var last V
	return func() bool {
		var now V
		require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&now))
		defer func() { last = now }()
		return now != last
	}
}

func TestRegisteringAtEachStartIsCheapAndChangesNothing(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		db, err := store.OpenSQLite(t.Context(), dir)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		registerTwice(t, db, sqliteWrites(t, dir))
	})
	t.Run("postgres", func(t *testing.T) {
		databaseURL := storetest.Postgres(t)
		db, err := store.OpenPostgres(t.Context(), databaseURL)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		registerTwice(t, db, postgresWrites(t, databaseURL))
	})
}

// registerTwice registers as much as CB-Tumblebug does, at its first start and at another.
// The second time nothing is written, so that nothing waits for a disk.
func registerTwice(t *testing.T, db *store.Store, written writes) {
	a := registered(t, enginetest.Options{Store: db})
	register := func() time.Duration {
		began := time.Now()
		for i := range 748 {
			a.ok(http.MethodPost, "/region", fmt.Sprintf(`{"RegionName":"r%d","ProviderName":"AWS","KeyValueInfoList":[{"Key":"Region","Value":"r%d"},{"Key":"Zone","Value":"z"}],"AvailableZoneList":["z"]}`, i, i))
		}
		a.ok(http.MethodPost, "/driver", `{"DriverName":"mock-driver01","ProviderName":"MOCK","DriverLibFileName":"mock-driver-v1.0.so"}`)
		a.ok(http.MethodPost, "/credential", `{"CredentialName":"mock-credential01","ProviderName":"MOCK","KeyValueInfoList":[{"Key":"MockName","Value":"mock01"}]}`)
		a.ok(http.MethodPost, "/connectionconfig", `{"ConfigName":"mock-config01","ProviderName":"MOCK","DriverName":"mock-driver01","CredentialName":"mock-credential01","RegionName":"mock-region01"}`)
		return time.Since(began)
	}
	written()
	first := register()
	require.True(t, written(), "what is new is written")
	again := register()
	require.False(t, written(), "what is there already is not")
	t.Logf("751 registrations took %s, and once more %s", first, again)
	var regions struct{ Region []json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(a.ok(http.MethodGet, "/region?ProviderName=AWS", "").body), &regions))
	assert.Len(t, regions.Region, 748)
	assert.JSONEq(t, `{"RegionName":"r7","ProviderName":"AWS","KeyValueInfoList":[{"Key":"Region","Value":"r7"},{"Key":"Zone","Value":"z"}],"AvailableZoneList":["z"]}`, a.ok(http.MethodGet, "/region/r7", "").body)
	assert.Equal(t, `{"Result":"true"}`, a.ok(http.MethodDelete, "/region/gone", "").body)
}

func TestWhatIsSecretIsNotShown(t *testing.T) {
	a := registered(t, enginetest.Options{})
	made := a.ok(http.MethodPost, "/credential", `{"CredentialName":"c","ProviderName":"MOCK","KeyValueInfoList":[{"Key":"MockName","Value":"tell-nobody"},{"Key":"S3AccessKey","Value":"tell-nobody"}]}`)
	key := a.ok(http.MethodPost, "/keypair", in(`{"Name":"k"}`))
	assert.Contains(t, key.body, "PRIVATE KEY")
	for _, r := range []response{
		made, a.ok(http.MethodGet, "/credential", ""), a.ok(http.MethodGet, "/credential/c", ""), a.ok(http.MethodGet, "/keypair", in("{}")),
		a.ok(http.MethodGet, "/keypair/k", in("{}")), a.ok(http.MethodGet, "/allkeypairinfo", in("{}")), a.ok(http.MethodGet, "/allkeypair", in("{}")),
	} {
		assert.NotContains(t, r.body, "tell-nobody")
		assert.NotContains(t, r.body, "PRIVATE KEY")
	}
	assert.JSONEq(t, `{"CredentialName":"c","ProviderName":"MOCK","KeyValueInfoList":[{"Key":"MockName","Value":"Hidden for security."}]}`, made.body)
}

func TestTheLifeOfAVM(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	var vm struct {
		IId            struct{ NameId, SystemId string }
		VMUserId       string
		PublicIP       string
		SSHAccessPoint string
		VpcIID         struct{ NameId string }
	}
	require.NoError(t, json.Unmarshal([]byte(a.ok(http.MethodPost, "/vm", a.vmBody("vm1")).body), &vm))
	assert.Equal(t, "cb-user", vm.VMUserId)
	assert.Equal(t, vm.PublicIP+":22", vm.SSHAccessPoint)
	assert.Equal(t, "v", vm.VpcIID.NameId)
	recorded, err := a.Get(t.Context(), connection, "vm", "vm1")
	require.NoError(t, err)
	assert.Contains(t, string(recorded.Spec), "ssh-rsa ", "the user gets the key pair's public key")

	assert.Equal(t, a.ok(http.MethodGet, "/vm/vm1", in("{}")).body, a.ok(http.MethodGet, "/node/vm1", in("{}")).body)
	assert.Equal(t, `{"Status":"Suspending"}`, a.ok(http.MethodGet, "/controlvm/vm1?action=suspend", in("{}")).body)
	assert.Equal(t, `{"Status":"Suspended"}`, a.ok(http.MethodGet, "/vmstatus/vm1", in("{}")).body)
	assert.Contains(t, a.ok(http.MethodGet, "/cspvm/"+vm.IId.SystemId, in("{}")).body, vm.IId.SystemId)

	assert.Equal(t, http.StatusConflict, a.call(http.MethodDelete, "/vpc/v", in("{}")).status)
	assert.Equal(t, `{"Status":"Terminating"}`, a.ok(http.MethodDelete, "/vm/vm1", in("{}")).body)
	gone := a.call(http.MethodGet, "/vm/vm1", in("{}"))
	assert.Equal(t, http.StatusNotFound, gone.status)
	assert.Equal(t, "VM 'vm1' does not exist in connection 'mock-config01'", gone.message(t))
	assert.JSONEq(t, `{"AllList":{"MappedList":[],"OnlySpiderList":[],"OnlyCSPList":[]}}`, a.ok(http.MethodGet, "/allvm", in("{}")).body)
}

func TestACreationThatFailsLeavesNothing(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	refused := a.call(http.MethodPost, "/vm", strings.Replace(a.vmBody("vm1"), a.Image, "nope", 1))
	assert.Equal(t, http.StatusBadRequest, refused.status, refused.body)
	assert.Contains(t, refused.message(t), "ImageName")
	assert.JSONEq(t, `{"vm":[]}`, a.ok(http.MethodGet, "/vm", in("{}")).body)
	assert.Equal(t, http.StatusNotFound, a.call(http.MethodGet, "/vm/vm1", in("{}")).status)

	bad := a.call(http.MethodPost, "/vpc", in(`{"Name":"w","IPv4_CIDR":"10.1.0.0/16","SubnetInfoList":[{"Name":"w1","IPv4_CIDR":"10.1.1.0/24"},{"Name":"w2","IPv4_CIDR":"10.9.0.0/24"}]}`))
	assert.Equal(t, http.StatusBadRequest, bad.status)
	assert.Equal(t, http.StatusNotFound, a.call(http.MethodGet, "/vpc/w", in("{}")).status, "one subnet is wrong, and so nothing is made")

	a.Connect("failing", "failSettle", "1")
	for _, body := range []string{
		in(`{"Name":"v","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"10.0.1.0/24"}]}`),
	} {
		a.ok(http.MethodPost, "/vpc", strings.Replace(body, connection, "failing", 1))
	}
	failed := a.call(http.MethodPost, "/vm", strings.NewReplacer(connection, "failing", `"SecurityGroupNames":["g"],"KeyPairName":"k"`, `"SecurityGroupNames":[]`).Replace(a.vmBody("vm1")))
	assert.GreaterOrEqual(t, failed.status, 500)
	assert.Empty(t, a.OnCloud("failing", "vm"), "the VM that failed to boot is deleted")
	assert.JSONEq(t, `{"count":0}`, a.ok(http.MethodGet, "/countvm/failing", "").body)

	nobody := a.call(http.MethodPost, "/disk", strings.Replace(in(`{"Name":"d","DiskType":"","DiskSize":"50"}`), connection, "failing", 1), "Prefer", "respond-async")
	require.Equal(t, http.StatusAccepted, nobody.status, nobody.body)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		items, _, err := a.List(t.Context(), "failing", "disk", store.Query{Limit: 1})
		assert.NoError(c, err)
		assert.Empty(c, items)
	}, 30*time.Second, 10*time.Millisecond, "nor does one that no client waits for")
	assert.Empty(t, a.OnCloud("failing", "disk"))
}

func TestClientsThatDoNotWait(t *testing.T) {
	a := registered(t, enginetest.Options{})
	r := a.call(http.MethodPost, "/vpc", in(`{"Name":"v","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"10.0.1.0/24"}]}`), "Prefer", "respond-async")
	require.Equal(t, http.StatusAccepted, r.status, r.body)
	assert.Equal(t, "respond-async", r.header.Get("Preference-Applied"))
	var op api.Operation
	require.NoError(t, json.Unmarshal([]byte(r.body), &op))
	assert.Equal(t, "/v1/operations/"+op.ID, r.header.Get("Location"))
	a.Succeeds(&op)
	assert.Contains(t, a.ok(http.MethodGet, "/vpc/v", in("{}")).body, `"NameId":"s"`)
}

func TestDataDisksComeWithAVM(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	for _, d := range []string{"d1", "d2", "d3"} {
		a.ok(http.MethodPost, "/disk", in(`{"Name":"`+d+`","DiskType":"","DiskSize":"50"}`))
	}
	vm := func(name, disks string) string {
		return strings.Replace(a.vmBody(name), `"Name":`, `"DataDiskNames":[`+disks+`],"Name":`, 1)
	}
	created := a.ok(http.MethodPost, "/vm", vm("vm1", `"d1","d2"`))
	assert.Regexp(t, `"DataDiskIIDs":\[\{"NameId":"d1","SystemId":"[^"]+"\},\{"NameId":"d2"`, created.body)

	refused := a.call(http.MethodPost, "/vm", vm("vm2", `"d3","d1"`))
	assert.Equal(t, http.StatusConflict, refused.status, "d1 is another VM's: %s", refused.body)
	assert.Equal(t, http.StatusNotFound, a.call(http.MethodGet, "/vm/vm2", in("{}")).status, "a VM without all of its disks does not stay")
	assert.Len(t, a.OnCloud(connection, "vm"), 1)
	assert.NotContains(t, a.ok(http.MethodGet, "/disk/d3", in("{}")).body, "vm2")

	twice := a.call(http.MethodPost, "/vm", vm("vm2", `"d3","d3"`))
	assert.Equal(t, http.StatusBadRequest, twice.status)
	assert.Contains(t, twice.message(t), "DataDiskNames")

	later := a.call(http.MethodPost, "/vm", vm("vm2", `"d3"`), "Prefer", "respond-async")
	require.Equal(t, http.StatusAccepted, later.status, later.body)
	var op api.Operation
	require.NoError(t, json.Unmarshal([]byte(later.body), &op))
	a.Succeeds(&op)
	assert.Contains(t, a.ok(http.MethodGet, "/vm/vm2", in("{}")).body, `"DataDiskIIDs":[{"NameId":"d3"`)
}

func TestAClientThatGoesAwayChangesNothing(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.Connect("slow", "latency", "300ms")
	a.ok(http.MethodPost, "/vpc", strings.Replace(in(`{"Name":"v","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"10.0.1.0/24"}]}`), connection, "slow", 1))
	ctx, leave := context.WithCancel(t.Context())
	body := strings.NewReplacer(connection, "slow", `"SecurityGroupNames":["g"],"KeyPairName":"k"`, `"SecurityGroupNames":[]`).Replace(a.vmBody("vm1"))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/vm", strings.NewReader(body))
	require.NoError(t, err)
	req.SetBasicAuth(user, password)
	req.Header.Set("Content-Type", "application/json")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		res, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			_ = res.Body.Close()
		}
	}()
	require.Eventually(t, func() bool {
		_, err := a.Get(t.Context(), "slow", "vm", "vm1")
		return err == nil
	}, 10*time.Second, 5*time.Millisecond)
	leave()
	<-ended
	require.Eventually(t, func() bool {
		vm, err := a.Get(t.Context(), "slow", "vm", "vm1")
		return err == nil && vm.State == resource.StateRunning
	}, 10*time.Second, 10*time.Millisecond)
}

func TestADeletionByForce(t *testing.T) {
	a := registered(t, enginetest.Options{Engine: engine.Config{RetryFor: 50 * time.Millisecond, ForceFor: 50 * time.Millisecond}})
	a.ok(http.MethodPost, "/vpc", in(`{"Name":"v","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"10.0.1.0/24"}]}`))
	session, _, err := a.Session(t.Context(), connection)
	require.NoError(t, err)
	vpc, err := a.Get(t.Context(), connection, "vpc", "v")
	require.NoError(t, err)
	_, _, err = session.Create(t.Context(), "subnet", enginetest.SubnetRequest("elsewhere", vpc.CloudID, "10.0.9.0/24"))
	require.NoError(t, err, "somebody else's subnet keeps the VPC from being deleted")

	assert.Equal(t, http.StatusConflict, a.call(http.MethodDelete, "/vpc/v", in("{}")).status)
	later := a.call(http.MethodDelete, "/vpc/v?force=true", in("{}"), "Prefer", "respond-async")
	require.Equal(t, http.StatusAccepted, later.status, later.body)
	var op api.Operation
	require.NoError(t, json.Unmarshal([]byte(later.body), &op))
	a.Succeeds(&op)
	parts, _, err := a.Operations(t.Context(), store.Query{Limit: 10, Filters: []store.Filter{{Field: "parent", Op: store.FilterEqual, Value: op.ID}}})
	require.NoError(t, err)
	require.Len(t, parts, 2)
	for _, part := range parts {
		if part.Kind == "vpc" {
			require.Len(t, part.Warnings, 1)
			assert.Contains(t, part.Warnings[0].Message, "may be left there", "it is forgotten although nobody waits for that")
		}
	}
	assert.Equal(t, http.StatusNotFound, a.call(http.MethodGet, "/vpc/v", in("{}")).status)
	assert.Contains(t, a.ok(http.MethodGet, "/allvpc", in("{}")).body, `"OnlyCSPList":[{"NameId":"v"`)
}

func TestWhatTheCloudShowsIsNotLate(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	a.ok(http.MethodPost, "/vm", a.vmBody("vm1"))
	session, _, err := a.Session(t.Context(), connection)
	require.NoError(t, err)
	vm, err := a.Get(t.Context(), connection, "vm", "vm1")
	require.NoError(t, err)
	_, err = session.Act(t.Context(), "vm", vm.CloudID, "stop", nil)
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		item, err := session.Get(t.Context(), "vm", vm.CloudID)
		assert.NoError(c, err)
		assert.Equal(c, resource.StateStopped, item.State)
	}, 30*time.Second, 10*time.Millisecond)
	for stopped := time.Now(); ; {
		late := time.Since(stopped) > 2*time.Second // what is asked for from now on must show it
		shown := a.ok(http.MethodGet, "/vmstatus/vm1", in("{}")).body == `{"Status":"Suspended"}`
		if shown {
			break
		}
		require.False(t, late, "what happened on the cloud is not seen after two seconds")
	}
}

func TestReadersShareWhatTheCloudAnswers(t *testing.T) {
	var lists atomic.Int32
	observe := func(_, verb string, _ resource.Code, _ time.Duration) {
		if verb == "list" {
			lists.Add(1)
		}
	}
	a := registeredWith(t, enginetest.Options{Observe: observe}, func(c *spider.Config) { c.Fresh = time.Hour })
	a.network()
	before := lists.Load()
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() { assert.Equal(t, http.StatusOK, a.call(http.MethodGet, "/securitygroup", in("{}")).status) })
	}
	group.Wait()
	assert.LessOrEqual(t, lists.Load()-before, int32(1), "any number of readers cost the cloud one call")
}

func TestACloudThatCannotBeAsked(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	a.ok(http.MethodPost, "/credential", `{"CredentialName":"mock-credential01","ProviderName":"MOCK","KeyValueInfoList":[{"Key":"MockName","Value":"mock01"},{"Key":"password","Value":"wrong"}]}`)
	for _, path := range []string{"/vpc", "/vpc/v", "/allvpc", "/allkeypair"} {
		r := a.call(http.MethodGet, path, in("{}"))
		assert.Equal(t, http.StatusUnauthorized, r.status, "%s: %s", path, r.body)
	}
}

func TestRegistration(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	var all struct {
		AllList struct {
			MappedList, OnlySpiderList, OnlyCSPList []struct{ NameId, SystemId string }
		}
	}
	list := func() {
		t.Helper()
		require.NoError(t, json.Unmarshal([]byte(a.ok(http.MethodGet, "/allsecuritygroup", in("{}")).body), &all))
	}
	list()
	require.Len(t, all.AllList.MappedList, 1)
	id := all.AllList.MappedList[0].SystemId
	a.ok(http.MethodDelete, "/regsecuritygroup/g", in("{}"))
	list()
	require.Len(t, all.AllList.OnlyCSPList, 1)
	taken := a.ok(http.MethodPost, "/regsecuritygroup", in(`{"Name":"g2","VPCName":"v","CSPId":"`+id+`"}`))
	assert.Contains(t, taken.body, `{"NameId":"g2","SystemId":"`+id+`"}`)
	assert.Contains(t, taken.body, `"VpcIID":{"NameId":"v"`)
	double := a.call(http.MethodPost, "/regsecuritygroup", in(`{"Name":"g2","VPCName":"v","CSPId":"`+id+`"}`))
	assert.Equal(t, "Security Group 'g2' already exists in connection 'mock-config01'", double.message(t))
	assert.Equal(t, `{"Result":"true"}`, a.ok(http.MethodDelete, "/cspsecuritygroup/"+id, in("{}")).body)
	list()
	assert.Empty(t, all.AllList.MappedList)
	assert.Empty(t, all.AllList.OnlyCSPList)
}

func TestWhatIsInUseIsNotUnregistered(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	a.ok(http.MethodPost, "/vm", a.vmBody("vm1"))
	a.ok(http.MethodPost, "/disk", in(`{"Name":"d","DiskType":"","DiskSize":"50"}`))
	a.ok(http.MethodPut, "/disk/d/attach", in(`{"VMName":"vm1"}`))
	a.ok(http.MethodPost, "/vpc/v/subnet", in(`{"Name":"free","IPv4_CIDR":"10.0.2.0/24"}`))
	before := a.recorded()
	for path, user := range map[string]string{
		"/regvpc/v": "vm1", "/regsubnet/s": "vm1", "/regsecuritygroup/g": "vm1", "/regkeypair/k": "vm1",
		"/region/mock-region01": "mock-config01", "/driver/mock-driver01": "mock-config01", "/credential/mock-credential01": "mock-config01", "/connectionconfig/mock-config01": "",
	} {
		r := a.call(http.MethodDelete, path, in(`{"VpcName":"v"}`))
		assert.Equal(t, http.StatusConflict, r.status, "%s: %s", path, r.body)
		assert.Contains(t, r.message(t), user, path)
	}
	assert.Equal(t, before, a.recorded(), "the free subnet of the VPC stays, too")
	a.ok(http.MethodDelete, "/regvm/vm1", in("{}"))
	assert.Equal(t, http.StatusNotFound, a.call(http.MethodDelete, "/regvpc/none", in("{}")).status)
	a.ok(http.MethodDelete, "/regsecuritygroup/g", in("{}"))
	a.ok(http.MethodDelete, "/regvpc/v", in("{}"))
	assert.NotEmpty(t, a.OnCloud(connection, "subnet"), "nothing is deleted on the cloud")
}

func TestDestroy(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	a.ok(http.MethodPost, "/vm", a.vmBody("vm1"))
	plan := a.ok(http.MethodDelete, "/destroy?dryrun=true", in("{}"))
	assert.Contains(t, plan.body, `"NameId":"vm1"`)
	assert.Len(t, a.OnCloud(connection, "vm"), 1, "a dry run deletes nothing")
	var answer struct {
		IsAllDestroyed               bool
		DeletedAllListByResourceType []struct{ ResourceType string }
	}
	require.NoError(t, json.Unmarshal([]byte(a.ok(http.MethodDelete, "/destroy", in("{}")).body), &answer))
	assert.True(t, answer.IsAllDestroyed)
	var order []string
	for _, one := range answer.DeletedAllListByResourceType {
		order = append(order, one.ResourceType)
	}
	assert.Equal(t, []string{"vm", "keypair", "sg", "subnet", "vpc"}, order)
	for _, kind := range []string{"vm", "keypair", "securitygroup", "subnet", "vpc"} {
		assert.Empty(t, a.OnCloud(connection, kind), kind)
	}
	assert.Equal(t, `{"IsAllDestroyed":true,"DeletedAllListByResourceType":[]}`, a.ok(http.MethodDelete, "/destroy", in("{}")).body)
}
