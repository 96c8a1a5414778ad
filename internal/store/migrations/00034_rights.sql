-- The indexes that lists follow have the connection, too: whether somebody sees a row by a right to
-- its connection is decided without reading the row.

-- +goose Up
DROP INDEX resources_by_name;
DROP INDEX resources_in_state;
DROP INDEX resources_by_state;
DROP INDEX resources_by_created;
DROP INDEX resources_by_updated;
CREATE INDEX resources_by_name ON resources (kind, name, uid, connection) WHERE deleted_at = 0;
CREATE INDEX resources_in_state ON resources (kind, state, name, uid, connection) WHERE deleted_at = 0;
CREATE INDEX resources_by_state ON resources (kind, state, uid, connection) WHERE deleted_at = 0;
CREATE INDEX resources_by_created ON resources (kind, created_at, uid, connection) WHERE deleted_at = 0;
CREATE INDEX resources_by_updated ON resources (kind, updated_at, uid, connection) WHERE deleted_at = 0;

-- +goose Down
DROP INDEX resources_by_updated;
DROP INDEX resources_by_created;
DROP INDEX resources_by_state;
DROP INDEX resources_in_state;
DROP INDEX resources_by_name;
CREATE INDEX resources_by_name ON resources (kind, name, uid) WHERE deleted_at = 0;
CREATE INDEX resources_in_state ON resources (kind, state, name, uid) WHERE deleted_at = 0;
CREATE INDEX resources_by_state ON resources (kind, state, uid) WHERE deleted_at = 0;
CREATE INDEX resources_by_created ON resources (kind, created_at, uid) WHERE deleted_at = 0;
CREATE INDEX resources_by_updated ON resources (kind, updated_at, uid) WHERE deleted_at = 0;
