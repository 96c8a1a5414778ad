package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// A resource is kept beside its columns as it is sent, so that a page of many is put together
// without decoding and encoding each: the column document, which is written wherever one of the columns is
// that it is made of. When the cloud last showed the resource is not in it, since that is
// written for many at once. Where it is '', it is made of the row: while an operation changes it, and what an earlier version has
// written, also one that still runs beside this one on PostgreSQL (migrations/00032_documents_postgres.sql).

// Document is a resource as it is sent.
type Document struct {
	text     string
	syncedAt Micros
}

// Size is at least how many bytes it has, with a comma.
func (d Document) Size() int { return len(d.text) + len(`,"syncedAt":"2006-01-02T15:04:05.999999Z",`) }

// Append appends it to JSON.
func (d Document) Append(b []byte) []byte {
	if d.syncedAt == 0 {
		return append(b, d.text...)
	}
	b = append(b, d.text[:len(d.text)-1]...)
	b = append(b, `,"syncedAt":"`...)
	b = d.syncedAt.Time().AppendFormat(b, time.RFC3339Nano)
	return append(b, `"}`...)
}

// document makes the text of a row's document.
func (r *Resource) document() (string, error) {
	shown := r.Envelope()
	shown.SyncedAt = nil
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if err := out.Encode(shown); err != nil {
		return "", resource.Errorf(resource.CodeInternal, "encode the %s %s: %w", r.Kind, r.Name, err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// keptDocument is the text that is written with a row: none while an operation is changing it,
// which writes the row several times.
func (r *Resource) keptDocument() (string, error) {
	if r.Operation != "" {
		return "", nil
	}
	return r.document()
}

// documents selects what documents are made of: of rows that others have written, the uid alone.
func (q *Queries) documents() *bun.SelectQuery {
	return q.db.NewSelect().Model((*Resource)(nil)).Column("uid", "document", "synced_at")
}

// complete makes the documents that are not kept, of rows by uid.
func (q *Queries) complete(ctx context.Context, docs []Document, uids []string) error {
	var missing []string
	for i := range docs {
		if docs[i].text == "" {
			missing = append(missing, uids[i])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	var rows []Resource
	if err := q.db.NewSelect().Model(&rows).Where("uid IN (?)", bun.List(missing)).Scan(ctx); err != nil {
		return failure(err, "read what has no document")
	}
	found := byUID(rows)
	for i := range docs {
		row := found[uids[i]]
		if docs[i].text != "" || row == nil {
			continue
		}
		text, err := row.document()
		if err != nil {
			return err
		}
		docs[i] = Document{text, row.SyncedAt}
	}
	return nil
}

// Document reads one that is not deleted.
func (q *Queries) Document(ctx context.Context, connection, kind, name string) (Document, error) {
	docs, uids := make([]Document, 1), make([]string, 1)
	err := q.documents().Where("connection = ?", connection).Where("kind = ?", kind).Where("name = ?", name).Where("deleted_at = 0").
		Limit(1).Scan(ctx, &uids[0], &docs[0].text, &docs[0].syncedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return docs[0], NoResource(kind, name, connection)
	}
	if err == nil {
		err = q.complete(ctx, docs, uids)
	}
	return docs[0], failure(err, "read the database")
}

// ListDocuments reads the page that ListResources reads, as it is sent.
func (q *Queries) ListDocuments(ctx context.Context, connection, kind string, query Query) (docs []Document, next string, err error) {
	sel, err := q.ofKind(ctx, q.documents(), connection, kind, query)
	if err != nil {
		return nil, "", err
	}
	sel, by, err := resourceTable().paged(sel, query)
	if err != nil {
		return nil, "", err
	}
	docs, uids, places, err := scanDocuments(ctx, sel.ColumnExpr("? AS place", bun.Ident(by.column)))
	if err != nil {
		return nil, "", failure(err, "list")
	}
	if last := query.Limit - 1; len(docs) > query.Limit {
		docs, next = docs[:query.Limit], pageToken{Order: by.text, Value: places[last], Key: uids[last]}.String()
	}
	return docs, next, q.complete(ctx, docs, uids) // with the rows closed: it needs a connection of its own
}

// scanDocuments reads documents with the uids of their resources and their places in the order.
func scanDocuments(ctx context.Context, sel *bun.SelectQuery) (docs []Document, uids []string, places []any, err error) {
	rows, err := sel.Rows(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var uid string
		var place any
		var d Document
		if err := rows.Scan(&uid, &d.text, &d.syncedAt, &place); err != nil {
			return nil, nil, nil, err
		}
		docs, uids, places = append(docs, d), append(uids, uid), append(places, place)
	}
	return docs, uids, places, rows.Err()
}

// FillDocuments writes the documents of resources that have none. It answers whether there
// may be more.
func (q *Queries) FillDocuments(ctx context.Context) (more bool, err error) {
	var rows []Resource
	sel := q.db.NewSelect().Model(&rows).Where("document = ''").Where("deleted_at = 0").Where("operation = ''").Limit(fillBatch)
	if q.lock {
		sel = sel.For("UPDATE SKIP LOCKED")
	}
	if err := sel.Scan(ctx); err != nil {
		return false, failure(err, "look for resources without a document")
	}
	for i := range rows {
		text, err := rows[i].document()
		if err != nil {
			return false, err
		}
		if _, err := q.db.NewUpdate().Model((*Resource)(nil)).Set("document = ?", text).Where("uid = ?", rows[i].UID).Exec(ctx); err != nil {
			return false, failure(err, "keep the %s %s as it is sent", rows[i].Kind, rows[i].Name)
		}
	}
	return len(rows) == fillBatch, nil
}
