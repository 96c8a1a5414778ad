-- The operation that another one begins after.

-- +goose Up
ALTER TABLE operations ADD COLUMN follows text NOT NULL DEFAULT '';
CREATE INDEX operations_follows ON operations (follows) WHERE follows <> '';

-- +goose Down
DROP INDEX operations_follows;
ALTER TABLE operations DROP COLUMN follows;
