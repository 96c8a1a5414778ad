package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Identity is what the secret of the user's second step is sealed for.
func (u *User) Identity() string { return "user/" + u.Name }

// recovery is a row: a code of a user who has lost what makes the others.
type recovery struct {
	bun.BaseModel `bun:"table:people_recovery"`

	User string `bun:"user_name,pk"`
	Hash string `bun:",pk"`
}

// SetTOTP records the second step of a user, with the hashes of its recovery codes, in the place
// of all before.
func (q *Queries) SetTOTP(ctx context.Context, row *User, recoveries []string) error {
	if err := q.sealedNow(ctx, row.TOTP); err != nil {
		return err
	}
	if err := q.UpdateUser(ctx, row, "totp", "totp_on", "totp_step"); err != nil {
		return err
	}
	if _, err := q.db.NewDelete().Model((*recovery)(nil)).Where("user_name = ?", row.Name).Exec(ctx); err != nil {
		return failure(err, "forget the recovery codes of %s", row.Name)
	}
	for _, hash := range recoveries {
		if err := q.insert(ctx, &recovery{User: row.Name, Hash: hash}, "%s has a recovery code twice", row.Name); err != nil {
			return err
		}
	}
	return nil
}

// UseStep records that a user has used the code of a step. Of two servers that do so at the same
// time one finds it used.
func (q *Queries) UseStep(ctx context.Context, user string, step int64) error {
	result, err := q.db.NewUpdate().Model((*User)(nil)).Set("totp_step = ?", step).Where("name = ?", user).Where("totp_step < ?", step).Exec(ctx)
	return usedOnce(result, err)
}

// UseRecovery takes a recovery code away that is used, likewise.
func (q *Queries) UseRecovery(ctx context.Context, user, hash string) error {
	result, err := q.db.NewDelete().Model((*recovery)(nil)).Where("user_name = ?", user).Where("hash = ?", hash).Exec(ctx)
	return usedOnce(result, err)
}

func usedOnce(result interface{ RowsAffected() (int64, error) }, err error) error {
	if err != nil {
		return failure(err, "record that a code was used")
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return resource.Errorf(resource.CodeUnauthenticated, "the code is wrong, or was used before")
	}
	return err
}

// NotWrong takes back that a try was counted, unless another one came since.
func (q *Queries) NotWrong(ctx context.Context, row *User) error {
	_, err := q.db.NewUpdate().Model((*User)(nil)).Set("failures = ?", row.Failures-1).Set("locked_until = 0").
		Where("name = ?", row.Name).Where("failures = ?", row.Failures).Exec(ctx)
	return failure(err, "record the login of %s", row.Name)
}
