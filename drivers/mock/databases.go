package mock

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// databases are servers that nothing answers at. What is in one is a claim each.
type databases struct {
	table[resource.DatabaseSpec, resource.DatabaseStatus]
}

type databaseDraft = draft[resource.DatabaseSpec, resource.DatabaseStatus]

func openDatabases(s *session) databases {
	collection := databases{table[resource.DatabaseSpec, resource.DatabaseStatus]{
		s: s, kind: resource.Database, prefix: "db", ready: resource.StateRunning, built: true,
	}}
	collection.prepare, collection.show = collection.plan, collection.shown
	return collection
}

// leastStorage is what a database has that asks for no size.
const leastStorage = 20

// plan completes and checks a draft. The cloud keeps no password.
func (c databases) plan(d *databaseDraft) error {
	if err := need("spec.vpc", d.spec.VPC); err != nil {
		return err
	}
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	if err := c.s.checkNetwork(d.spec.Subnets, d.spec.SecurityGroups, d.spec.VPC, "the database"); err != nil {
		return err
	}
	engine, err := engineNamed(d.spec.Engine)
	if err != nil {
		return err
	}
	if err := c.restore(d); err != nil {
		return err
	}
	d.spec.Version = cmp.Or(d.spec.Version, usual(engine.versions))
	d.spec.StorageGiB = cmp.Or(d.spec.StorageGiB, leastStorage)
	d.spec.AdminUser, d.spec.AdminPassword = cmp.Or(d.spec.AdminUser, engine.admin), ""
	if err := engine.check("spec.version", d.spec.Version); err != nil {
		return err
	}
	if err := checkDBSpec("spec.spec", d.spec.Spec, d.spec.Engine); err != nil {
		return err
	}
	if _, err := c.s.offer.checkDisk("spec.storageType", &d.spec.StorageType, "spec.storageGiB", d.spec.StorageGiB); err != nil {
		return err
	}
	d.status = resource.DatabaseStatus{Port: engine.port, Version: d.spec.Version}
	d.claims = append(d.claims, claim{"database servers of " + c.key().Account + " in " + c.key().Region, d.name})
	return nil
}

// restore has a database begin with what a backup holds.
func (c databases) restore(d *databaseDraft) error {
	if d.spec.FromBackup == "" {
		return nil
	}
	backup := d.named[d.spec.FromBackup]
	status := backup.Status.(resource.DBBackupStatus)
	d.spec.StorageGiB = cmp.Or(d.spec.StorageGiB, max(leastStorage, status.SizeGiB))
	for _, name := range databasesIn(backup) {
		d.claims = append(d.claims, claim{inServer(d.id), name})
	}
	return refuseProblems(d.spec.ProblemsOf(status))
}

// inServer is the scope of the databases in a server, or in its backup.
func inServer(id string) string { return "databases in " + id }

// databasesIn are the databases in a server or in its backup.
func databasesIn(o *object) []string {
	names := []string{}
	for _, one := range o.Claims {
		if one.Scope == inServer(o.ID) {
			names = append(names, one.Value)
		}
	}
	slices.Sort(names)
	return names
}

// Make implements driver.Maker. A database that keeps backups has one from the start.
func (c databases) Make(ctx context.Context, r driver.Request[resource.DatabaseSpec]) (driver.Object[resource.DatabaseSpec, resource.DatabaseStatus], error) {
	o, err := c.table.Make(ctx, r)
	if err == nil && o.Spec.BackupDays > 0 {
		err = openDBBackups(c.s).takeAutomatic(o.ID)
	}
	return o, err
}

// Delete implements driver.Deleter. The backups that the cloud made by itself go, too.
func (c databases) Delete(ctx context.Context, id string) error {
	if err := c.table.Delete(ctx, id); err != nil {
		return err
	}
	return openDBBackups(c.s).dropAutomatic(id)
}

// Start implements resource.Starter.
func (c databases) Start(ctx context.Context, id string) error {
	return c.power(ctx, []string{id}, "start", resource.StateStopped, resource.StateStarting, resource.StateRunning)
}

// Stop implements resource.Stopper.
func (c databases) Stop(ctx context.Context, id string) error {
	return c.power(ctx, []string{id}, "stop", resource.StateRunning, resource.StateStopping, resource.StateStopped)
}

// Restart implements resource.Restarter.
func (c databases) Restart(ctx context.Context, id string) error {
	return c.power(ctx, []string{id}, "restart", resource.StateRunning, resource.StateRebooting, resource.StateRunning)
}

// Resize implements resource.DatabaseResizer.
func (c databases) Resize(ctx context.Context, id string, to resource.DatabaseSize) error {
	return c.alterRunning(ctx, id, "resize", func(d *databaseDraft) error {
		before := d.spec
		d.spec.Spec = cmp.Or(to.Spec, d.spec.Spec)
		d.spec.StorageGiB, d.spec.StorageType = cmp.Or(to.StorageGiB, d.spec.StorageGiB), cmp.Or(to.StorageType, d.spec.StorageType)
		if d.spec.StorageGiB < before.StorageGiB {
			return refuseShrinking("storageGiB", d.id, before.StorageGiB)
		}
		if err := checkDBSpec("spec", d.spec.Spec, d.spec.Engine); err != nil {
			return err
		}
		if _, err := c.s.offer.checkDisk("storageType", &d.spec.StorageType, "storageGiB", d.spec.StorageGiB); err != nil {
			return err
		}
		if d.spec.Spec != before.Spec || d.spec.StorageGiB != before.StorageGiB || d.spec.StorageType != before.StorageType {
			d.change = c.s.update(d.now, resource.StateRunning)
		}
		return nil
	})
}

// SetPassword implements resource.PasswordSetter.
func (c databases) SetPassword(ctx context.Context, id string, to resource.AdminPassword) error {
	return c.alterRunning(ctx, id, "setpassword", func(d *databaseDraft) error {
		d.change = c.s.update(d.now, resource.StateRunning)
		return refuseProblems(to.Problems(""))
	})
}

// Upgrade implements resource.DatabaseUpgrader.
func (c databases) Upgrade(ctx context.Context, id string, to resource.DatabaseVersion) error {
	return c.alterRunning(ctx, id, "upgrade", func(d *databaseDraft) error {
		engine, err := engineNamed(d.spec.Engine)
		if err != nil {
			return err
		}
		if to.Version == d.status.Version {
			return nil
		}
		if err := engine.check("version", to.Version); err != nil {
			return err
		}
		if newer := after(engine.versions, d.status.Version); !slices.Contains(newer, to.Version) {
			return refuseField("version", "InvalidParameterValue", "%s runs %s %s and never goes down; it can be brought to: %s", id, engine.title, d.status.Version, cmp.Or(strings.Join(newer, ", "), "nothing newer"))
		}
		d.spec.Version, d.status.Version, d.change = to.Version, to.Version, c.s.update(d.now, resource.StateRunning)
		return nil
	})
}

// CreateDatabase implements resource.DatabaseCreator.
func (c databases) CreateDatabase(ctx context.Context, id string, named resource.DatabaseName) error {
	return c.setDatabases(ctx, id, "createdatabase", func(claims []claim) []claim {
		if one := (claim{inServer(id), named.Name}); !slices.Contains(claims, one) {
			return append(claims, one)
		}
		return claims
	})
}

// DropDatabase implements resource.DatabaseDropper.
func (c databases) DropDatabase(ctx context.Context, id string, named resource.DatabaseName) error {
	return c.setDatabases(ctx, id, "dropdatabase", func(claims []claim) []claim {
		return slices.DeleteFunc(claims, func(one claim) bool { return one == claim{inServer(id), named.Name} })
	})
}

// Databases implements resource.DatabasesReader.
func (c databases) Databases(ctx context.Context, id string) (resource.DatabaseNames, error) {
	o, now, err := c.read(ctx, id)
	if err != nil {
		return resource.DatabaseNames{}, err
	}
	if state := o.Change.state(now); state != resource.StateRunning && state != resource.StateUpdating {
		return resource.DatabaseNames{}, refuse(resource.CodeConflict, "IncorrectState", "%s is %s and answers nothing; ask again when it is running", o.called(), state)
	}
	return resource.DatabaseNames{Databases: databasesIn(o)}, nil
}

// nativeDatabase is a database in the cloud's own words.
type nativeDatabase struct {
	DBInstanceID string `json:"dbInstanceId"`
	Engine       string `json:"engine"`
	Status       string `json:"status"`
	Endpoint     string `json:"endpoint,omitempty"`
	MultiZone    bool   `json:"multiZone"`
}

// refuseShrinking is the answer to who asks for less storage than there is.
func refuseShrinking(field, id string, present int) error {
	return refuseField(field, "InvalidStorageSize", "%s has %d GiB, and storage does not shrink; ask for more, or make another one and copy what is in it", id, present)
}

func (c databases) setDatabases(ctx context.Context, id, action string, change func([]claim) []claim) error {
	return c.alterRunning(ctx, id, action, func(d *databaseDraft) error {
		before := len(d.claims)
		if d.claims = change(d.claims); len(d.claims) != before {
			d.change = c.s.update(d.now, resource.StateRunning)
		}
		return nil
	})
}

func (c databases) alterRunning(ctx context.Context, id, action string, alter func(*databaseDraft) error) error {
	return c.alter(ctx, id, action, resource.StateRunning, alter)
}

func (c databases) shown(v *sight[resource.DatabaseSpec, resource.DatabaseStatus]) any {
	native := nativeDatabase{DBInstanceID: v.ID, Engine: v.spec.Engine, Status: cloudState(v.state), MultiZone: v.spec.HighAvailability}
	if v.state == resource.StateCreating || v.state == resource.StateFailed {
		v.status.Port = 0
		return native
	}
	v.status.Endpoint = c.s.hostName(v.ID)
	native.Endpoint = fmt.Sprintf("%s:%d", v.status.Endpoint, v.status.Port)
	return native
}
