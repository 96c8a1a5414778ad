package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// PostgreSQL's files are its own business. What can be seen of them through it is looked at:
// every row is read, once in the order of the table and once by its primary key, so that each
// page of both is visited and nothing of one is missing in the other. Where its extension
// amcheck has been added and may be used, that looks at tables and indexes more closely.

// postgresTables are the tables of this user in its schema.
func (s *Store) postgresTables(ctx context.Context) (tables []string, err error) {
	err = s.read.NewRaw(`SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND pg_has_role(relowner, 'USAGE') ORDER BY 1`).Scan(ctx, &tables)
	return tables, failure(err, "list the tables")
}

// Checks says what PostgreSQL offers to find damage by: its extension amcheck, if that can be
// used, and the checksums of pages, which are on or off for the whole server.
func (s *Store) Checks(ctx context.Context) (amcheck bool, checksums string, err error) {
	err = s.read.NewRaw(`SELECT coalesce(has_function_privilege(to_regprocedure('bt_index_check(regclass, boolean)')::oid, 'EXECUTE')
		AND has_function_privilege(to_regproc('verify_heapam')::oid, 'EXECUTE'), false), current_setting('data_checksums')`).Scan(ctx, &amcheck, &checksums)
	return amcheck, checksums, failure(err, "look for the extension amcheck")
}

// checkPostgres looks at the structure of a table and its indexes.
func (s *Store) checkPostgres(ctx context.Context, table string) error {
	amcheck, _, err := s.Checks(ctx)
	if err == nil {
		err = s.readAll(ctx, table)
	}
	if err == nil && amcheck {
		err = s.checkClosely(ctx, table)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (strings.HasPrefix(e.Code, "XX") || e.Code == "58P01") { // or a file is missing
		return damagedPostgres(e.Message)
	}
	return err
}

// primaryKey are the columns of a table's primary key, in its order.
const primaryKey = `SELECT coalesce(string_agg(quote_ident(a.attname), ', ' ORDER BY array_position(i.indkey::smallint[], a.attnum)), '')
	FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indisprimary AND i.indrelid = ?::regclass`

// readAll reads a table in its order, and by its primary key.
func (s *Store) readAll(ctx context.Context, table string) error {
	same := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true} // both times the same rows
	return s.read.RunInTx(ctx, same, func(ctx context.Context, tx bun.Tx) error {
		var (
			key         string
			rows, byKey int
		)
		if err := tx.NewRaw("SELECT count(t::text) FROM ? AS t", bun.Safe(table)).Scan(ctx, &rows); err != nil {
			return err
		}
		if err := tx.NewRaw(primaryKey, table).Scan(ctx, &key); err != nil || key == "" {
			return err
		}
		if _, err := tx.NewRaw("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off").Exec(ctx); err != nil {
			return err
		}
		if err := tx.NewRaw("SELECT count(t::text) FROM (SELECT * FROM ? ORDER BY ?) AS t", bun.Safe(table), bun.Safe(key)).Scan(ctx, &byKey); err != nil {
			return err
		}
		if rows != byKey {
			return damagedPostgres(fmt.Sprintf("the table %s has %d rows, of which its primary key finds %d", table, rows, byKey))
		}
		return nil
	})
}

// checkClosely has amcheck look at a table and its indexes.
func (s *Store) checkClosely(ctx context.Context, table string) error {
	var findings []string
	if err := s.read.NewRaw("SELECT DISTINCT msg FROM verify_heapam(?::regclass) LIMIT 3", table).Scan(ctx, &findings); err != nil {
		return err
	}
	if len(findings) > 0 {
		return damagedPostgres(fmt.Sprintf("the table %s: %s", table, strings.Join(findings, "; ")))
	}
	_, err := s.read.NewRaw(`SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
		WHERE a.amname = 'btree' AND i.indisvalid AND i.indrelid = ?::regclass`, table).Exec(ctx)
	return err
}

// damagedPostgres is the error of a database that is not what was written, with the way out.
func damagedPostgres(finding string) error {
	return resource.Errorf(resource.CodeUnavailable, "the PostgreSQL database is %w, and this server changes nothing in it any more (%s). Stop all servers and find out why, mostly a disk that fails. Where only an index is damaged, REINDEX makes it anew; otherwise restore the last backup. Then start them again", errDamaged, finding)
}
