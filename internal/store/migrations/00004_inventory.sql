-- Lists of many resources: what they are found by, and indexes for their orders. Each
-- ends with the uid, as the orders do: otherwise SQLite sorts before it stops.

-- +goose Up
ALTER TABLE resources ADD COLUMN search text NOT NULL DEFAULT '';
CREATE INDEX resources_unsearchable ON resources (uid) WHERE search = '' AND deleted_at = 0;
DROP INDEX resources_kind;
CREATE INDEX resources_by_name ON resources (kind, name, uid) WHERE deleted_at = 0;
CREATE INDEX resources_in_connection ON resources (connection, kind, name, uid) WHERE deleted_at = 0;
CREATE INDEX resources_in_state ON resources (kind, state, name, uid) WHERE deleted_at = 0;
CREATE INDEX resources_by_state ON resources (kind, state, uid) WHERE deleted_at = 0;
CREATE INDEX resources_by_connection ON resources (kind, connection, uid) WHERE deleted_at = 0;
CREATE INDEX resources_by_created ON resources (kind, created_at, uid) WHERE deleted_at = 0;
CREATE INDEX resources_by_updated ON resources (kind, updated_at, uid) WHERE deleted_at = 0;

-- +goose Down
DROP INDEX resources_by_updated;
DROP INDEX resources_by_created;
DROP INDEX resources_by_connection;
DROP INDEX resources_by_state;
DROP INDEX resources_in_state;
DROP INDEX resources_in_connection;
DROP INDEX resources_by_name;
CREATE INDEX resources_kind ON resources (kind, name) WHERE deleted_at = 0;
DROP INDEX resources_unsearchable;
ALTER TABLE resources DROP COLUMN search;
