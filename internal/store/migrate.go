package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

// The lines that divide a file of migrations/.
const (
	upMark   = "-- +goose Up\n"
	downMark = "-- +goose Down\n"
)

// schemaChanges are all migrations. A file whose name ends with that of a database is for that
// one alone. The text of a file is given to the database as it is:
// goose would divide it into statements, for which it keeps buffers of 12 MB.
func schemaChanges(d goose.Dialect) ([]*goose.Migration, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	other := "_postgres.sql"
	if d == goose.DialectPostgres {
		other = "_sqlite.sql"
	}
	var all []*goose.Migration
	for _, f := range files {
		if strings.HasSuffix(f, other) {
			continue
		}
		text, err := migrations.ReadFile(f)
		if err != nil {
			return nil, err
		}
		version, err := goose.NumericComponent(f)
		if err != nil {
			return nil, err
		}
		_, both, begins := strings.Cut(string(text), upMark)
		up, down, divided := strings.Cut(both, downMark)
		if !begins || !divided {
			return nil, fmt.Errorf("%s has not both %q and %q", f, upMark, downMark)
		}
		all = append(all, goose.NewGoMigration(version, execute(up), execute(down)))
	}
	return all, nil
}

// execute has a database run statements.
func execute(statements string) *goose.GoFunc {
	return &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statements)
		return err
	}}
}
