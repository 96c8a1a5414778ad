package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// one reads a single row, locked inside a transaction, or answers not_found.
func (q *Queries) one(ctx context.Context, sel *bun.SelectQuery, what string, args ...any) error {
	if q.lock {
		sel = sel.For("UPDATE")
	}
	err := sel.Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return resource.Errorf(resource.CodeNotFound, what, args...)
	}
	return failure(err, "read the database")
}

func (q *Queries) insert(ctx context.Context, row any, what string, args ...any) error {
	return inserted(ctx, q.db.NewInsert().Model(row), what, args...)
}

func inserted(ctx context.Context, insert *bun.InsertQuery, what string, args ...any) error {
	_, err := insert.Returning("NULL").Exec(ctx)
	if isUnique(err) {
		return resource.Errorf(resource.CodeAlreadyExists, what, args...)
	}
	return failure(err, "write to the database")
}

// Credential reads one.
func (q *Queries) Credential(ctx context.Context, name string) (*Credential, error) {
	row := &Credential{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("name = ?", name),
		"there is no credential %s; list them with: mcic credential list", name)
}

// Credentials reads all, by name.
func (q *Queries) Credentials(ctx context.Context) (rows []Credential, err error) {
	err = q.db.NewSelect().Model(&rows).Order("name").Scan(ctx)
	return rows, failure(err, "list the credentials")
}

// InsertCredential records one.
func (q *Queries) InsertCredential(ctx context.Context, row *Credential) error {
	if err := q.sealedNow(ctx, row.Sealed); err != nil {
		return err
	}
	return q.insert(ctx, row, "the credential %s exists already; choose another name or delete it first", row.Name)
}

// DeleteCredential removes one.
func (q *Queries) DeleteCredential(ctx context.Context, name string) error {
	_, err := q.db.NewDelete().Model((*Credential)(nil)).Where("name = ?", name).Exec(ctx)
	return failure(err, "delete the credential %s", name)
}

// Connection reads one.
func (q *Queries) Connection(ctx context.Context, name string) (*Connection, error) {
	row := &Connection{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("name = ?", name),
		"there is no connection %s; list them with: mcic connection list", name)
}

// OrNoConnection answers the more helpful error when the connection is missing.
func (q *Queries) OrNoConnection(ctx context.Context, connection string, err error) error {
	if _, missing := q.Connection(ctx, connection); missing != nil {
		return missing
	}
	return err
}

// Connections reads those that fit all of the filters, by name; with a credential's name only
// those that use it.
func (q *Queries) Connections(ctx context.Context, credential string, filters ...Filter) (rows []Connection, err error) {
	sel, err := connectionTable().filter(q.db.NewSelect().Model(&rows).Order("name"), filters)
	if err != nil {
		return nil, err
	}
	if credential != "" {
		sel = sel.Where("credential = ?", credential)
	}
	return rows, failure(sel.Scan(ctx), "list the connections")
}

func connectionTable() table {
	return table{
		objects: map[string]string{"labels": "labels", "settings": "settings"},
		columns: map[string]string{"name": "name", "cloud": "cloud", "credential": "credential", "region": "region", "zone": "zone", "account": "account"},
	}
}

// Scoped reads, by name, the connections to the same cloud as one of them whose sessions have
// said what objects of some kinds belong to.
func (q *Queries) Scoped(ctx context.Context, connection string) (rows []Connection, err error) {
	cloud := q.db.NewSelect().Model((*Connection)(nil)).Column("cloud").Where("name = ?", connection)
	err = q.db.NewSelect().Model(&rows).Where("CAST(scopes AS text) NOT IN ('null', '{}')").Where("cloud = (?)", cloud).Order("name").Scan(ctx)
	return rows, failure(err, "list the connections that may see the same as %s", connection)
}

// InsertConnection records one. Rights may hold in it by its name or labels, so that all servers
// hear of it.
func (q *Queries) InsertConnection(ctx context.Context, row *Connection) error {
	if err := q.insert(ctx, row, connectionExists, row.Name); err != nil {
		return err
	}
	return q.peopleChanged(ctx)
}

// LabelConnection records the labels of one, likewise.
func (q *Queries) LabelConnection(ctx context.Context, row *Connection) error {
	if _, err := q.db.NewUpdate().Model(row).Column("labels").WherePK().Exec(ctx); err != nil {
		return failure(err, "label the connection %s", row.Name)
	}
	return q.peopleChanged(ctx)
}

const connectionExists = "the connection %s exists already; choose another name or delete it first"

// FreeConnection refuses the name of a connection that is there.
func (q *Queries) FreeConnection(ctx context.Context, name string) error {
	exists, err := q.db.NewSelect().Model((*Connection)(nil)).Where("name = ?", name).Exists(ctx)
	if exists {
		return resource.Errorf(resource.CodeAlreadyExists, connectionExists, name)
	}
	return failure(err, "look for the connection %s", name)
}

// SetPlace records the account of a connection, what it lacks and the scopes of its kinds,
// unless it has changed since row was read.
func (q *Queries) SetPlace(ctx context.Context, row *Connection) error {
	_, err := q.db.NewUpdate().Model(row).Column("account", "lacks", "scopes").
		Where("name = ?", row.Name).Where("updated_at = ?", row.UpdatedAt).Exec(ctx)
	return failure(err, "record where the connection %s leads", row.Name)
}

// DeleteConnection removes one.
func (q *Queries) DeleteConnection(ctx context.Context, name string) error {
	if _, err := q.db.NewDelete().Model((*Connection)(nil)).Where("name = ?", name).Exec(ctx); err != nil {
		return failure(err, "delete the connection %s", name)
	}
	return q.peopleChanged(ctx)
}

// Resource reads one that is not deleted.
func (q *Queries) Resource(ctx context.Context, connection, kind, name string) (*Resource, error) {
	row := &Resource{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).
		Where("connection = ?", connection).Where("kind = ?", kind).Where("name = ?", name).Where("deleted_at = 0"),
		noResource, kind, name, connection)
}

// ResourceByUID reads one, also a deleted one.
func (q *Queries) ResourceByUID(ctx context.Context, uid string) (*Resource, error) {
	row := &Resource{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("uid = ?", uid), "there is no resource with the uid %s", uid)
}

// ResourceByCloudID reads one that is not deleted by the cloud's id.
func (q *Queries) ResourceByCloudID(ctx context.Context, connection, kind, cloudID string) (*Resource, error) {
	row := &Resource{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).
		Where("connection = ?", connection).Where("kind = ?", kind).Where("cloud_id = ?", cloudID).Where("deleted_at = 0"),
		"there is no %s with the cloud id %s in the connection %s", kind, cloudID, connection)
}

// named is the name that clients of CB-Spider's API use for a resource, as its index has it.
const named = "coalesce(nullif(facade_name, ''), name)"

// Named reads the resources that clients of CB-Spider's API call by a name: of an owner at
// most one, without an owner up to limit.
func (q *Queries) Named(ctx context.Context, connection, kind, owner, name string, limit int64) (rows []Resource, err error) {
	sel := q.db.NewSelect().Model(&rows).
		Where("connection = ?", connection).Where("kind = ?", kind).Where(named+" = ?", name).Where("deleted_at = 0").Limit(limit)
	if owner != "" {
		sel = sel.Where("owner = ?", owner)
	}
	return rows, failure(sel.Scan(ctx), "look for the %s %.64q of %s", kind, name, connection)
}

// Owned reads the resources of a kind that are parts of another one.
func (q *Queries) Owned(ctx context.Context, connection, kind, owner string) (rows []Resource, err error) {
	err = q.db.NewSelect().Model(&rows).
		Where("connection = ?", connection).Where("kind = ?", kind).Where("owner = ?", owner).Where("deleted_at = 0").Order("created_at", "uid").Scan(ctx)
	return rows, failure(err, "read the %ss of %s", kind, owner)
}

// ResourcesIn reads all of a kind in a connection that are not deleted.
func (q *Queries) ResourcesIn(ctx context.Context, connection, kind string) (rows []Resource, err error) {
	err = q.db.NewSelect().Model(&rows).
		Where("connection = ?", connection).Where("kind = ?", kind).Where("deleted_at = 0").Order("name").Scan(ctx)
	return rows, failure(err, "list the %ss of %s", kind, connection)
}

// ConnectionsWith reads the names of the connections in which something of a kind is
// recorded.
func (q *Queries) ConnectionsWith(ctx context.Context, kind string) (names []string, err error) {
	err = q.db.NewSelect().Model((*Resource)(nil)).ColumnExpr("DISTINCT connection").
		Where("kind = ?", kind).Where("deleted_at = 0").Order("connection").Scan(ctx, &names)
	return names, failure(err, "list the connections with the kind %s", kind)
}

// Passing reads the connections and kinds with resources in one of some states that no
// operation is changing and that were last seen before a time, or by a clock that was wrong.
func (q *Queries) Passing(ctx context.Context, states []resource.State, seen, now Micros) (rows []Resource, err error) {
	err = q.db.NewSelect().Model(&rows).Column("connection", "kind").Distinct().
		Where("state IN (?)", bun.List(states)).Where("operation = ''").Where("cloud_id <> ''").Where("deleted_at = 0").
		Where("(synced_at < ? OR synced_at > ?)", seen, now+(now-seen)).Scan(ctx)
	return rows, failure(err, "look for what is in a passing state")
}

// Leaving reads what of a connection is being deleted, or was within some time before now; a
// little after it by another server's clock.
func (q *Queries) Leaving(ctx context.Context, connection string, now time.Time, within time.Duration) (rows []Resource, err error) {
	err = q.db.NewSelect().Model(&rows).Where("connection = ?", connection).WhereGroup(" AND ", func(sel *bun.SelectQuery) *bun.SelectQuery {
		return sel.Where("deleted_at = 0 AND state = ? AND operation <> ''", resource.StateDeleting).WhereOr("deleted_at > ? AND deleted_at < ?", max(MicrosOf(now.Add(-within)), 0), MicrosOf(now.Add(within)))
	}).Scan(ctx)
	return rows, failure(err, "read what is being deleted in the connection %s", connection)
}

// HasResources reports whether anything that is not deleted lives in a connection.
func (q *Queries) HasResources(ctx context.Context, connection string) (bool, error) {
	exists, err := q.db.NewSelect().Model((*Resource)(nil)).Where("connection = ?", connection).Where("deleted_at = 0").Exists(ctx)
	return exists, failure(err, "look for resources of the connection %s", connection)
}

const resourceExists = "the %s %s exists already in the connection %s; choose another name or delete it first"

// Exists is the error of one whose name is taken.
func (r *Resource) Exists() error {
	return resource.Errorf(resource.CodeAlreadyExists, resourceExists, r.Kind, r.Name, r.Connection)
}

// InsertResource records one with what it uses.
func (q *Queries) InsertResource(ctx context.Context, row *Resource, refs []Ref) error {
	row.UpdatedAt = max(row.CreatedAt, row.UpdatedAt) // its record is as old as itself
	row.CreatedBy, row.UpdatedBy = auth.Who(ctx), auth.Who(ctx)
	row.Search, row.Owner = searchText(row), ownerOf(row)
	at := addressesOf(row)
	row.Addresses = strings.Join(at, " ")
	document, err := row.keptDocument()
	if err != nil {
		return err
	}
	if err := inserted(ctx, q.db.NewInsert().Model(row).Value("document", "?", document), resourceExists, row.Kind, row.Name, row.Connection); err != nil {
		return err
	}
	if len(at) > 0 {
		if err := q.placeAddresses(ctx, row, at); err != nil {
			return err
		}
	}
	if len(refs) == 0 {
		return nil
	}
	_, err = q.db.NewInsert().Model(&refs).Exec(ctx)
	return failure(err, "record what the %s %s uses", row.Kind, row.Name)
}

// ErrTaken is the error where a resource would have what another one has, such as its
// cloud's id.
var ErrTaken = errors.New("another resource has its cloud id")

// UpdateResource writes all that can change, provided that owner holds the lease.
// It answers conflict if another server has taken over.
func (q *Queries) UpdateResource(ctx context.Context, row *Resource, owner string) error {
	at, before, searched := addressesOf(row), row.Addresses, row.Search
	row.Search, row.Owner, row.Addresses = searchText(row), ownerOf(row), strings.Join(at, " ")
	same := []string{"uid", "connection", "kind", "name", "created_at", "created_by"}
	if row.Search == searched {
		same = append(same, "search")
	}
	document, err := row.keptDocument()
	if err != nil {
		return err
	}
	result, err := q.db.NewUpdate().Model(row).ExcludeColumn(same...).Value("document", "?", document).WherePK().Where("lease_owner = ?", owner).Exec(ctx)
	if isUnique(err) {
		return resource.Errorf(resource.CodeAlreadyExists, "record the %s %s: %w", row.Kind, row.Name, ErrTaken)
	}
	if err != nil {
		return failure(err, "record the %s %s", row.Kind, row.Name)
	}
	if n, err := result.RowsAffected(); err == nil && n == 0 {
		return resource.Errorf(resource.CodeConflict, "another server works on the %s %s now", row.Kind, row.Name)
	}
	if row.Addresses != before {
		return q.placeAddresses(ctx, row, at)
	}
	return nil
}

// ReplaceRefs records anew what a resource uses.
func (q *Queries) ReplaceRefs(ctx context.Context, uid string, refs []Ref) error {
	if _, err := q.db.NewDelete().Model((*Ref)(nil)).Where("from_uid = ?", uid).Exec(ctx); err != nil {
		return failure(err, "forget what %s used", uid)
	}
	if len(refs) == 0 {
		return nil
	}
	_, err := q.db.NewInsert().Model(&refs).Exec(ctx)
	return failure(err, "record what %s uses", uid)
}

// Refs reads what a resource uses.
func (q *Queries) Refs(ctx context.Context, uid string) (rows []Ref, err error) {
	err = q.db.NewSelect().Model(&rows).Where("from_uid = ?", uid).Scan(ctx)
	return rows, failure(err, "read what %s uses", uid)
}

// Uses reads the resources that a resource uses, by uid.
func (q *Queries) Uses(ctx context.Context, uid string) (map[string]*Resource, error) {
	var rows []Resource
	err := q.db.NewSelect().Model(&rows).
		Where("uid IN (?)", q.db.NewSelect().Model((*Ref)(nil)).Column("to_uid").Where("from_uid = ?", uid)).Scan(ctx)
	if err != nil {
		return nil, failure(err, "read what %s uses", uid)
	}
	return byUID(rows), nil
}

// Users reads the resources that use a resource.
func (q *Queries) Users(ctx context.Context, uid string) (rows []Resource, err error) {
	err = q.db.NewSelect().Model(&rows).
		Where("uid IN (?)", q.db.NewSelect().Model((*Ref)(nil)).Column("from_uid").Where("to_uid = ?", uid)).
		Where("deleted_at = 0").Order("kind", "name").Scan(ctx)
	return rows, failure(err, "read what uses %s", uid)
}

// Naming reads the resources of some kinds in a connection that have a name somewhere in
// their status.
func (q *Queries) Naming(ctx context.Context, connection string, kinds []string, name string) (rows []Resource, err error) {
	err = q.db.NewSelect().Model(&rows).Where("connection = ?", connection).Where("kind IN (?)", bun.List(kinds)).Where("deleted_at = 0").
		Where("CAST(status AS text) LIKE ?", `%"`+name+`"%`).Order("kind", "name").Scan(ctx)
	return rows, failure(err, "look for what names %s", name)
}

// Operation reads one.
func (q *Queries) Operation(ctx context.Context, id string) (*Operation, error) {
	row := &Operation{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("id = ?", id),
		noOperation, id)
}

// OperationWithKey reads the one that a request with an idempotency key has led to.
func (q *Queries) OperationWithKey(ctx context.Context, key string) (*Operation, error) {
	row := &Operation{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("idempotency_key = ?", key).Where("idempotency_key <> ''"),
		"no operation has the idempotency key %s", key)
}

// Parts reads the operations that are parts of one, in the order in which they were made.
func (q *Queries) Parts(ctx context.Context, parent string) (rows []Operation, err error) {
	err = q.db.NewSelect().Model(&rows).Where("parent = ?", parent).Where("parent <> ''").Order("id").Scan(ctx)
	return rows, failure(err, "read the parts of %s", parent)
}

// Followers reads the operations that begin after one.
func (q *Queries) Followers(ctx context.Context, id string) (rows []Operation, err error) {
	err = q.db.NewSelect().Model(&rows).Where("follows = ?", id).Where("follows <> ''").Scan(ctx)
	return rows, failure(err, "read what follows %s", id)
}

// Alike reads the uids and parameters of what is queued for the same verb on the same kind
// in the same connection as an operation, the oldest first.
func (q *Queries) Alike(ctx context.Context, op *Operation, limit int) (rows []Operation, err error) {
	err = q.db.NewSelect().Model(&rows).Column("uid", "verb", "params").
		Where("ended_at = 0").Where("uid <> ''").Where("uid <> ?", op.UID).Where("state = ?", api.OperationQueued).
		Where("connection = ?", op.Connection).Where("kind = ?", op.Kind).Where("verb = ?", op.Verb).
		Where("cancel = ''").Where("follows = ''").Order("id").Limit(int64(limit)).Scan(ctx)
	return rows, failure(err, "read what waits like the operation %s", op.ID)
}

// InsertOperation records one.
func (q *Queries) InsertOperation(ctx context.Context, row *Operation) error {
	if err := q.sealedNow(ctx, row.Hidden); err != nil {
		return err
	}
	return q.insert(ctx, row, "another operation is changing the %s %s", row.Kind, row.Name)
}

// UpdateOperation writes all that can change. What is hidden can only be wiped: it may
// have been sealed anew since it was read.
func (q *Queries) UpdateOperation(ctx context.Context, row *Operation) error {
	update := q.db.NewUpdate().Model(row).WherePK().
		Column("state", "attempts", "error", "steps", "warnings", "concerned", "asked_at", "accepted_at", "pending", "ended_at")
	if string(row.Hidden) == Wiped {
		update = update.Column("hidden")
	}
	_, err := update.Exec(ctx)
	return failure(err, "record the operation %s", row.ID)
}

// CountPart notes at an operation that one of its parts has ended. With the last
// part it ends too.
func (q *Queries) CountPart(ctx context.Context, part *Operation) (*Operation, error) {
	row, err := q.Operation(ctx, part.Parent)
	if err != nil {
		return nil, err
	}
	failed := &Operation{}
	if row.Ended+1 == row.Total {
		err := q.one(ctx, q.db.NewSelect().Model(failed).Where("parent = ?", row.ID).Where("parent <> ''").Where("state = ?", api.OperationFailed).Order("ended_at", "id"), "no part has failed")
		if err != nil && resource.CodeOf(err) != resource.CodeNotFound {
			return nil, err
		}
	}
	row.Count(part, failed.Error)
	_, err = q.db.NewUpdate().Model(row).Column("ended", "failed", "state", "error", "warnings", "ended_at").WherePK().Exec(ctx)
	return row, failure(err, "count the parts of %s", row.ID)
}

// SetCancel records that an operation is to be cancelled. Unlike the other columns
// it is not written by the server that works on the operation.
func (q *Queries) SetCancel(ctx context.Context, id string, cancel Cancel) error {
	_, err := q.db.NewUpdate().Model((*Operation)(nil)).Set("cancel = ?", cancel).Where("id = ?", id).Exec(ctx)
	return failure(err, "record that %s is to be cancelled", id)
}

// ForgetEnded removes the operations that ended before a time, parts with the whole, and the
// tombstones of resources that were deleted before it.
func (q *Queries) ForgetEnded(ctx context.Context, before Micros) error {
	kept := q.db.NewSelect().TableExpr("operations AS whole").ColumnExpr("1").Where("whole.id = operations.parent").Where("(whole.ended_at = 0 OR whole.ended_at >= ?)", before)
	if _, err := q.db.NewDelete().Model((*Operation)(nil)).Where("ended_at <> 0").Where("ended_at < ?", before).Where("NOT EXISTS (?)", kept).Exec(ctx); err != nil {
		return failure(err, "forget old operations")
	}
	_, err := q.db.NewDelete().Model((*Resource)(nil)).Where("deleted_at <> 0").Where("deleted_at < ?", before).Exec(ctx)
	return failure(err, "forget old tombstones")
}

// InsertSecrets records a resource's sealed values.
func (q *Queries) InsertSecrets(ctx context.Context, rows []Secret) error {
	if len(rows) == 0 {
		return nil
	}
	values := make([][]byte, len(rows))
	for i := range rows {
		values[i] = rows[i].Sealed
	}
	if err := q.sealedNow(ctx, values...); err != nil {
		return err
	}
	_, err := q.db.NewInsert().Model(&rows).On("CONFLICT (uid, name) DO UPDATE").Set("sealed = EXCLUDED.sealed").Exec(ctx)
	return failure(err, "record the secrets")
}

// Secret reads one of a resource's sealed values.
func (q *Queries) Secret(ctx context.Context, uid, name string) (*Secret, error) {
	row := &Secret{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("uid = ?", uid).Where("name = ?", name), "there is no %s of %s", name, uid)
}

// Secrets reads a resource's sealed values.
func (q *Queries) Secrets(ctx context.Context, uid string) (rows []Secret, err error) {
	err = q.db.NewSelect().Model(&rows).Where("uid = ?", uid).Scan(ctx)
	return rows, failure(err, "read the secrets of %s", uid)
}

// DeleteSecrets removes a resource's sealed values.
func (q *Queries) DeleteSecrets(ctx context.Context, uid string) error {
	_, err := q.db.NewDelete().Model((*Secret)(nil)).Where("uid = ?", uid).Exec(ctx)
	return failure(err, "delete the secrets of %s", uid)
}

// ClaimSync hands the connections that were last looked at before a time, and in
// which something lives, to this server. A look that is to come was of a clock that was
// wrong, and is none.
func (q *Queries) ClaimSync(ctx context.Context, before, now Micros) (rows []Connection, err error) {
	_, err = q.db.NewUpdate().Model(&rows).Set("synced_at = ?", now).Where("(synced_at < ? OR synced_at > ?)", before, now+(now-before)).
		Where("EXISTS (?)", q.db.NewSelect().Model((*Resource)(nil)).ColumnExpr("1").Where("resources.connection = connections.name").Where("deleted_at = 0")).
		Returning("name").Exec(ctx)
	return rows, failure(err, "claim connections")
}

// MarkSynced records that resources were looked at and have not changed.
func (q *Queries) MarkSynced(ctx context.Context, uids []string, at Micros) error {
	for chunk := range slices.Chunk(uids, 500) {
		_, err := q.db.NewUpdate().Model((*Resource)(nil)).Set("synced_at = ?", at).Where("uid IN (?)", bun.List(chunk)).Exec(ctx)
		if err != nil {
			return failure(err, "record what was looked at")
		}
	}
	return nil
}

// RenewLeases prolongs what owner works on, and answers what that is.
func (q *Queries) RenewLeases(ctx context.Context, owner string, until Micros) (rows []Resource, err error) {
	_, err = q.db.NewUpdate().Model(&rows).
		Set("lease_until = ?", until).Where("lease_owner = ?", owner).Where("operation <> ''").
		Returning("uid, connection").Exec(ctx)
	return rows, failure(err, "renew the leases")
}

// TakeLeases hands unfinished work that no server holds a lease on to owner, and
// answers what it was. A lease that ends much later than one of now would is of a
// clock that was wrong, and is none. Whether the server before had asked the cloud for what is
// still pending is not known, so that it counts as uncertain.
func (q *Queries) TakeLeases(ctx context.Context, owner string, now, until Micros, limit int) (rows []Resource, err error) {
	latest := until + (until - now)
	free := q.db.NewSelect().Model((*Resource)(nil)).Column("uid").
		Where("operation <> ''").Where("(lease_until < ? OR lease_until > ?)", now, latest).Limit(int64(limit))
	if q.lock {
		free = free.For("UPDATE SKIP LOCKED")
	}
	_, err = q.db.NewUpdate().Model(&rows).
		Set("lease_owner = ?", owner).Set("lease_until = ?", until).
		Set("uncertain = (uncertain OR state = ?)", resource.StatePending).
		Where("uid IN (?)", free).Returning("uid, connection").Exec(ctx)
	return rows, failure(err, "take over leases")
}

// DropLeases frees the leases of an owner, or with "" all of them, for a database
// that only this server uses.
func (q *Queries) DropLeases(ctx context.Context, owner string) error {
	update := q.db.NewUpdate().Model((*Resource)(nil)).
		Set("lease_owner = ''").Set("lease_until = 0").Where("lease_owner <> ''")
	if owner != "" {
		update = update.Where("lease_owner = ?", owner)
	}
	_, err := update.Exec(ctx)
	return failure(err, "drop leases")
}
