-- Lists of many resources: what they are found by, and indexes for their orders.

-- +goose Up
ALTER TABLE resources ADD COLUMN search text NOT NULL DEFAULT '';
CREATE INDEX resources_unsearchable ON resources (uid) WHERE search = '' AND deleted_at = 0;
CREATE INDEX resources_state ON resources (kind, state, name) WHERE deleted_at = 0; -- of one state, by name
CREATE INDEX resources_by_state ON resources (kind, state, uid) WHERE deleted_at = 0;
CREATE INDEX resources_by_connection ON resources (kind, connection, uid) WHERE deleted_at = 0;
CREATE INDEX resources_by_created ON resources (kind, created_at) WHERE deleted_at = 0;
CREATE INDEX resources_by_updated ON resources (kind, updated_at) WHERE deleted_at = 0;

-- +goose Down
DROP INDEX resources_by_updated;
DROP INDEX resources_by_created;
DROP INDEX resources_by_connection;
DROP INDEX resources_by_state;
DROP INDEX resources_state;
DROP INDEX resources_unsearchable;
ALTER TABLE resources DROP COLUMN search;
