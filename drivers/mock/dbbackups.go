package mock

import (
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// dbBackups are copies of the databases in servers, also of those that are gone.
type dbBackups struct {
	table[resource.DBBackupSpec, resource.DBBackupStatus]
}

func openDBBackups(s *session) dbBackups {
	collection := dbBackups{table[resource.DBBackupSpec, resource.DBBackupStatus]{
		s: s, kind: resource.DBBackup, prefix: "dbb", ready: resource.StateAvailable, built: true, show: showDBBackup,
	}}
	collection.prepare = collection.plan
	return collection
}

// plan completes and checks a draft.
func (c dbBackups) plan(d *draft[resource.DBBackupSpec, resource.DBBackupStatus]) error {
	if err := need("spec.database", d.spec.Database); err != nil {
		return err
	}
	source := d.named[d.spec.Database]
	of := source.Spec.(resource.DatabaseSpec)
	d.status = resource.DBBackupStatus{SizeGiB: of.StorageGiB, Engine: of.Engine, Version: of.Version}
	for _, name := range databasesIn(source) {
		d.claims = append(d.claims, claim{inServer(d.id), name})
	}
	return nil
}

// takeAutomatic makes the backup of a database that the cloud makes by itself, once.
func (c dbBackups) takeAutomatic(database string) error {
	cloud := c.s.cloud
	cloud.mu.Lock()
	defer cloud.mu.Unlock()
	now := cloud.time()
	id := newID(c.prefix, c.key(), "automatic "+database)
	source := cloud.find(c.s.shelfOf(resource.Database.Name), database, now)
	if source == nil || cloud.find(c.key(), id, now) != nil {
		return nil
	}
	d := &draft[resource.DBBackupSpec, resource.DBBackupStatus]{
		now: now, id: id, name: "automatic-" + database, spec: resource.DBBackupSpec{Database: database}, named: map[string]*object{database: source},
		change: c.s.change(now, resource.StateCreating, resource.StateCreating, c.ready),
	}
	if err := c.plan(d); err != nil {
		return err
	}
	d.status.Automatic = true
	o := &object{ID: id, CreatedAt: now, ListedFrom: now.Add(c.s.consistencyDelay)}
	if err := c.become(o, d); err != nil {
		return err
	}
	return cloud.commit(c.s.log, c.key(), o)
}

// dropAutomatic removes it with the database.
func (c dbBackups) dropAutomatic(database string) error {
	return c.changeNow([]string{newID(c.prefix, c.key(), "automatic "+database)}, c.deleted)
}

// nativeDBBackup is a backup in the cloud's own words.
type nativeDBBackup struct {
	SnapshotID   string    `json:"dbSnapshotId"`
	DBInstanceID string    `json:"dbInstanceId"`
	SnapshotType string    `json:"snapshotType"`
	Status       string    `json:"status"`
	StartTime    time.Time `json:"startTime"`
}

func showDBBackup(v *sight[resource.DBBackupSpec, resource.DBBackupStatus]) any {
	native := nativeDBBackup{SnapshotID: v.ID, DBInstanceID: v.spec.Database, SnapshotType: "manual", Status: cloudState(v.state), StartTime: v.CreatedAt}
	if v.status.Automatic {
		native.SnapshotType = "automatic"
	}
	return native
}
