package mock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestDatabaseIsChecked(t *testing.T) {
	s := newRig(t).connect()
	n := build(t, s)
	elsewhere := create(t, s, "vpc", "elsewhere", vpcSpec()).ID
	far := create(t, s, "subnet", "far", resource.SubnetSpec{VPC: elsewhere, CIDR: "10.0.0.0/24"}).ID
	foreign := create(t, s, "securitygroup", "foreign", resource.SecurityGroupSpec{VPC: elsewhere}).ID
	for _, test := range []struct {
		name, field, says string
		change            func(*resource.DatabaseSpec)
	}{
		{"no vpc", "spec.vpc", "missing", func(s *resource.DatabaseSpec) { s.VPC = "" }},
		{"subnet", "spec.subnets[0]", "choose one of that", func(s *resource.DatabaseSpec) { s.Subnets = []string{far} }},
		{"group", "spec.securitygroups[0]", "choose one of the same VPC", func(s *resource.DatabaseSpec) { s.SecurityGroups = []string{foreign} }},
		{"engine", "spec.engine", "mysql, mariadb, postgresql, sqlserver", func(s *resource.DatabaseSpec) { s.Engine = "dbase" }},
		{"version", "spec.version", "15, 16, 17, 18", func(s *resource.DatabaseSpec) { s.Version = "9.3" }},
		{"spec", "spec.spec", "dbspecs", func(s *resource.DatabaseSpec) { s.Spec = "huge" }},
		{"too small", "spec.spec", "not sqlserver", func(s *resource.DatabaseSpec) { s.Engine = "sqlserver" }},
		{"storage", "spec.storageType", "SSD", func(s *resource.DatabaseSpec) { s.StorageType = "TAPE" }},
		{"size", "spec.storageGiB", "16384", func(s *resource.DatabaseSpec) { s.StorageGiB = 20000 }},
		{"password", "spec.adminPassword", "three of", func(s *resource.DatabaseSpec) { s.AdminPassword = "weakweak" }},
		{"backup", "spec.fromBackup", "no dbbackup", func(s *resource.DatabaseSpec) { s.FromBackup = "dbb-x" }},
	} {
		spec := n.database()
		test.change(&spec)
		e := refused(t, s, "database", test.name, spec)
		require.Equal(t, resource.CodeInvalid, e.Code, test.name)
		require.Equal(t, test.field, e.Fields[0].Field, test.name)
		require.ErrorContains(t, e, test.says, test.name)
	}
	create(t, s, "database", "taken", n.database())
	again := request(t, "taken", n.database())
	again.Token = "another"
	_, err := s.Create(t.Context(), "database", again)
	require.Equal(t, resource.CodeAlreadyExists, cloudError(t, err).Code)
}

func TestDatabaseLives(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect("latency", "10s")
	id := create(t, s, "database", "shop", n.database()).ID
	do := func(action string, params any) error { return act(t, s, "database", id, action, params) }
	shown := func() (resource.State, resource.DatabaseSpec, resource.DatabaseStatus) {
		t.Helper()
		item := get(t, s, "database", id)
		require.Equal(t, item, get(t, r.reopened().connect(), "database", id))
		return item.State, decoded[resource.DatabaseSpec](t, item.Spec), decoded[resource.DatabaseStatus](t, item.Status)
	}
	names := func() []string {
		t.Helper()
		return view[resource.DatabaseNames](t, s, "database", id, "databases").Databases
	}
	state, _, status := shown()
	require.Equal(t, resource.StateCreating, state)
	require.Empty(t, status.Endpoint)
	_, err := s.View(t.Context(), "database", id, "databases", nil)
	require.Equal(t, resource.CodeConflict, cloudError(t, err).Code)
	r.advance(10 * time.Second)

	state, spec, status := shown()
	require.Equal(t, resource.StateRunning, state)
	require.Equal(t, resource.DatabaseStatus{Endpoint: id + ".mock-seoul.mock.invalid", Port: 5432, Version: "17"}, status)
	require.Equal(t, 20, spec.StorageGiB)
	require.Equal(t, "SSD", spec.StorageType)
	require.Equal(t, "postgres", spec.AdminUser)
	require.Empty(t, spec.AdminPassword, "the cloud keeps none")

	settle := func(action string, params any) {
		t.Helper()
		require.NoError(t, do(action, params))
		r.advance(10 * time.Second)
	}
	require.Empty(t, names())
	settle("createdatabase", resource.DatabaseName{Name: "orders"})
	settle("createdatabase", resource.DatabaseName{Name: "orders"})
	settle("createdatabase", resource.DatabaseName{Name: "bills"})
	require.Equal(t, []string{"bills", "orders"}, names())
	settle("resize", resource.DatabaseSize{Spec: "db-std.large", StorageGiB: 50})
	settle("upgrade", resource.DatabaseVersion{Version: "18"})
	settle("setpassword", resource.AdminPassword{AdminPassword: "Another-one-1"})
	_, spec, status = shown()
	require.Equal(t, "db-std.large", spec.Spec)
	require.Equal(t, 50, spec.StorageGiB)
	require.Equal(t, "18", spec.Version)
	require.Equal(t, "18", status.Version)
	for _, bad := range []struct {
		action string
		params any
		field  string
	}{
		{"resize", resource.DatabaseSize{StorageGiB: 49}, "storageGiB"},
		{"resize", resource.DatabaseSize{Spec: "huge"}, "spec"},
		{"upgrade", resource.DatabaseVersion{Version: "17"}, "version"},
		{"upgrade", resource.DatabaseVersion{Version: "99"}, "version"},
		{"setpassword", resource.AdminPassword{AdminPassword: "weakweak"}, "adminPassword"},
	} {
		e := cloudError(t, do(bad.action, bad.params))
		require.Equal(t, resource.CodeInvalid, e.Code)
		require.Equal(t, bad.field, e.Fields[0].Field)
	}

	backup := create(t, s, "dbbackup", "before", resource.DBBackupSpec{Database: id}).ID
	r.advance(10 * time.Second)
	settle("dropdatabase", resource.DatabaseName{Name: "orders"})
	settle("dropdatabase", resource.DatabaseName{Name: "orders"})
	require.Equal(t, []string{"bills"}, names())
	settle("stop", nil)
	state, _, _ = shown()
	require.Equal(t, resource.StateStopped, state)
	require.Equal(t, resource.CodeConflict, cloudError(t, do("restart", nil)).Code)
	settle("start", nil)
	require.NoError(t, do("restart", nil))
	state, _, _ = shown()
	require.Equal(t, resource.StateRebooting, state)
	r.advance(10 * time.Second)
	require.NoError(t, s.Delete(t.Context(), "database", id))
	r.advance(10 * time.Second)
	requireGone(t, s, "database", id)

	require.Equal(t, resource.DBBackupStatus{SizeGiB: 50, Engine: "postgresql", Version: "18"}, decoded[resource.DBBackupStatus](t, get(t, s, "dbbackup", backup).Status))
	restored := n.database()
	restored.FromBackup, restored.StorageGiB = backup, 40
	require.Equal(t, "spec.storageGiB", refused(t, s, "database", "small", restored).Fields[0].Field)
	restored.Engine, restored.StorageGiB = "mysql", 0
	require.Equal(t, "spec.engine", refused(t, s, "database", "other", restored).Fields[0].Field)
	restored.Engine = "postgresql"
	id = create(t, s, "database", "again", restored).ID
	r.advance(10 * time.Second)
	require.Equal(t, []string{"bills", "orders"}, names(), "as they were at the backup")
	_, spec, _ = shown()
	require.Equal(t, 50, spec.StorageGiB)
}

// TestAutomaticBackups holds that a database that keeps backups has one of nobody's, which goes
// with it.
func TestAutomaticBackups(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	create(t, s, "database", "none", n.database())
	require.Empty(t, list(t, s, "dbbackup"))
	spec := n.database()
	spec.BackupDays = 7
	id := create(t, s, "database", "kept", spec).ID
	require.Equal(t, id, create(t, s, "database", "kept", spec).ID, "the same token")
	for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
		all := list(t, s, "dbbackup")
		require.Len(t, all, 1)
		for _, backup := range all {
			require.Empty(t, backup.Token)
			require.True(t, decoded[resource.DBBackupStatus](t, backup.Status).Automatic)
			require.Equal(t, id, decoded[resource.DBBackupSpec](t, backup.Spec).Database)
		}
	}
	require.NoError(t, s.Delete(t.Context(), "database", id))
	require.Empty(t, list(t, s, "dbbackup"))
}

func TestDatabaseCatalogs(t *testing.T) {
	s := newRig(t).connect()
	usual := map[string]string{}
	for _, e := range entries[resource.DBEngine](t, s, "dbengine") {
		if e.Default {
			usual[e.Engine] = e.Version
			require.NotEmpty(t, e.Upgrades, e.ID)
		}
	}
	require.Equal(t, map[string]string{"mysql": "8.4", "mariadb": "11.4", "postgresql": "17", "sqlserver": "2022"}, usual)
	for _, spec := range entries[resource.DBSpec](t, s, "dbspec") {
		require.Positive(t, spec.MemoryMiB)
		require.NotEmpty(t, spec.Engines)
	}
	versions := entries[resource.K8sVersion](t, s, "k8sversion")
	require.Equal(t, "1.35", versions[2].Name)
	require.True(t, versions[2].Default)
	require.Equal(t, []string{"1.36"}, versions[2].Upgrades)
	require.Equal(t, time.Date(2027, 2, 28, 0, 0, 0, 0, time.UTC), *versions[2].EndOfSupport)
	require.Empty(t, versions[3].Upgrades)
}

func TestBroker(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect("latency", "10s")
	for _, test := range []struct {
		field, says string
		change      func(*resource.BrokerSpec)
	}{
		{"spec.version", "3.9, 4.0, 4.1", func(s *resource.BrokerSpec) { s.Version = "0.8" }},
		{"spec.spec", "no spec", func(s *resource.BrokerSpec) { s.Spec = "huge" }},
		{"spec.nodes", "at most 30", func(s *resource.BrokerSpec) { s.Nodes = 31 }},
		{"spec.adminUser", "only for rabbitmq", func(s *resource.BrokerSpec) { s.AdminUser = "me" }},
	} {
		spec := n.broker("kafka")
		test.change(&spec)
		e := refused(t, s, "broker", "bad", spec)
		require.Equal(t, resource.CodeInvalid, e.Code)
		require.Equal(t, test.field, e.Fields[0].Field)
		require.ErrorContains(t, e, test.says)
	}
	endpoints := func(id string) []string {
		t.Helper()
		return decoded[resource.BrokerStatus](t, get(t, s, "broker", id).Status).Endpoints
	}
	spec := n.broker("kafka")
	spec.Nodes = 2
	id := create(t, s, "broker", "events", spec).ID
	require.Empty(t, endpoints(id))
	r.advance(10 * time.Second)
	require.Equal(t, []string{"node1." + id + ".mock-seoul.mock.invalid:9092", "node2." + id + ".mock-seoul.mock.invalid:9092"}, endpoints(id))
	require.Equal(t, "nodes", cloudError(t, act(t, s, "broker", id, "resize", resource.BrokerSize{Nodes: 1})).Fields[0].Field)
	require.Equal(t, "storageGiB", cloudError(t, act(t, s, "broker", id, "resize", resource.BrokerSize{StorageGiB: 10})).Fields[0].Field)
	require.Equal(t, resource.CodeUnsupported, cloudError(t, act(t, s, "broker", id, "setpassword", resource.AdminPassword{AdminPassword: firstPassword})).Code)
	require.NoError(t, act(t, s, "broker", id, "resize", resource.BrokerSize{Nodes: 3, StorageGiB: 40}))
	require.Equal(t, resource.StateUpdating, get(t, s, "broker", id).State)
	r.advance(10 * time.Second)
	require.Len(t, endpoints(id), 3)
	require.NoError(t, act(t, s, "broker", id, "restart", nil))
	require.Equal(t, resource.StateRebooting, get(t, s, "broker", id).State)

	spec = n.broker("rabbitmq")
	spec.AdminPassword = firstPassword
	id = create(t, s, "broker", "tasks", spec).ID
	r.advance(10 * time.Second)
	shown := decoded[resource.BrokerSpec](t, get(t, s, "broker", id).Spec)
	require.Equal(t, "admin", shown.AdminUser)
	require.Empty(t, shown.AdminPassword)
	require.Regexp(t, `^amqps://`, endpoints(id)[0])
	require.NoError(t, act(t, s, "broker", id, "setpassword", resource.AdminPassword{AdminPassword: "Another-one-1"}))
}
