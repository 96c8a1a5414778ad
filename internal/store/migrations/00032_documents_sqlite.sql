-- Resources as they are sent (documents.go). What was recorded before is filled in.

-- +goose Up
ALTER TABLE resources ADD COLUMN document text NOT NULL DEFAULT '';
CREATE INDEX resources_undocumented ON resources (uid) WHERE document = '' AND deleted_at = 0;

-- +goose Down
DROP INDEX resources_undocumented;
ALTER TABLE resources DROP COLUMN document;
