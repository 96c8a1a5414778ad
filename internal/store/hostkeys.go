package store

import (
	"context"

	"github.com/uptrace/bun"
)

// HostKey is a row: the key by which the SSH server of a resource showed itself the
// first time.
type HostKey struct {
	bun.BaseModel `bun:"table:host_keys"`

	UID    string `bun:"uid,pk"`
	Port   int    `bun:",pk"`
	Key    string // as in a line of an authorized_keys file, without a comment
	SeenBy string
	SeenAt Micros
}

// HostKeys reads those of a resource, by port.
func (q *Queries) HostKeys(ctx context.Context, uid string) (rows []HostKey, err error) {
	err = q.db.NewSelect().Model(&rows).Where("uid = ?", uid).Order("port").Scan(ctx)
	return rows, failure(err, "read the host keys of %s", uid)
}

// PinHostKey records a host key unless there is one already, and answers the one that
// is recorded then.
func (q *Queries) PinHostKey(ctx context.Context, row *HostKey) (*HostKey, error) {
	if _, err := q.db.NewInsert().Model(row).On("CONFLICT (uid, port) DO NOTHING").Exec(ctx); err != nil {
		return nil, failure(err, "record the host key of %s", row.UID)
	}
	kept := &HostKey{}
	return kept, q.one(ctx, q.db.NewSelect().Model(kept).Where("uid = ?", row.UID).Where("port = ?", row.Port),
		"there is no host key of %s", row.UID)
}

// DeleteHostKeys removes those of a resource, and answers how many there were.
func (q *Queries) DeleteHostKeys(ctx context.Context, uid string) (int64, error) {
	result, err := q.db.NewDelete().Model((*HostKey)(nil)).Where("uid = ?", uid).Exec(ctx)
	if err != nil {
		return 0, failure(err, "forget the host keys of %s", uid)
	}
	n, err := result.RowsAffected()
	return n, failure(err, "forget the host keys of %s", uid)
}
