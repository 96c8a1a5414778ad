package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Recent is a row: a choice that was made when resources of a kind were created.
type Recent struct {
	bun.BaseModel `bun:"table:recent,alias:recent"`

	ID      string `bun:",pk"` // written by CountRecent and InsertRecent
	Kind    string
	Cloud   string
	Region  string
	Zone    string
	Choice  map[string]string `bun:"type:jsonb"`
	Details map[string]string `bun:"type:jsonb"`
	Times   int
	Took    int64 // all of them together, in microseconds
	LastAt  Micros
}

// Resource converts to what users see.
func (r *Recent) Resource() api.Recent {
	answer := api.Recent{
		ID: r.ID, Kind: r.Kind, Cloud: r.Cloud, Region: r.Region, Zone: r.Zone, Choice: r.Choice, Details: r.Details,
		Count: r.Times, LastAt: r.LastAt.Time(),
	}
	if r.Times > 0 {
		answer.AverageSeconds = (time.Duration(r.Took/int64(r.Times)) * time.Microsecond).Seconds()
	}
	return answer
}

// identify gives a row its id: there is one for each choice at each place.
func (r *Recent) identify() error {
	raw, err := json.Marshal([]any{r.Kind, r.Cloud, r.Region, r.Zone, r.Choice}) // maps are written in the order of their keys
	if err != nil {
		return resource.Errorf(resource.CodeInternal, "encode a choice of the kind %s: %w", r.Kind, err)
	}
	sum := sha256.Sum256(raw)
	r.ID = hex.EncodeToString(sum[:16])
	if r.Details == nil {
		r.Details = map[string]string{}
	}
	return nil
}

// CountRecent adds one time to those that a choice was made.
func (q *Queries) CountRecent(ctx context.Context, row *Recent) error {
	if err := row.identify(); err != nil {
		return err
	}
	_, err := q.db.NewInsert().Model(row).On("CONFLICT (id) DO UPDATE").
		Set("times = recent.times + EXCLUDED.times").Set("took = recent.took + EXCLUDED.took").Set("last_at = EXCLUDED.last_at").Exec(ctx)
	return failure(err, "count a choice of the kind %s", row.Kind)
}

// InsertRecent records a choice, unless it is there.
func (q *Queries) InsertRecent(ctx context.Context, row *Recent) (inserted bool, err error) {
	if err := row.identify(); err != nil {
		return false, err
	}
	result, err := q.db.NewInsert().Model(row).On("CONFLICT (id) DO NOTHING").Exec(ctx)
	if err != nil {
		return false, failure(err, "record a choice of the kind %s", row.Kind)
	}
	n, err := result.RowsAffected()
	return n > 0, failure(err, "record a choice of the kind %s", row.Kind)
}

// DeleteRecent forgets a choice of a kind. It answers whether there was one of that id.
func (q *Queries) DeleteRecent(ctx context.Context, kind, id string) (bool, error) {
	result, err := q.db.NewDelete().Model((*Recent)(nil)).Where("kind = ?", kind).Where("id = ?", id).Exec(ctx)
	if err != nil {
		return false, failure(err, "forget a choice of the kind %s", kind)
	}
	n, err := result.RowsAffected()
	return n > 0, failure(err, "forget a choice of the kind %s", kind)
}

func recentTable() table {
	return table{
		key: "id", order: "-lastAt", times: " count lastAt ", objects: map[string]string{"choice": "choice"},
		columns: map[string]string{
			"id": "id", "cloud": "cloud", "region": "region", "zone": "zone", "count": "times", "lastAt": "last_at",
		},
	}
}

// ListRecent reads a page of the choices of a kind, the latest first.
func (q *Queries) ListRecent(ctx context.Context, kind string, query Query) (rows []Recent, next string, err error) {
	return page(ctx, q.db.NewSelect().Model(&rows).Where("kind = ?", kind), &rows, recentTable(), query, func(r *Recent) map[string]any {
		return map[string]any{"id": r.ID, "cloud": r.Cloud, "region": r.Region, "zone": r.Zone, "times": r.Times, "last_at": r.LastAt}
	})
}
