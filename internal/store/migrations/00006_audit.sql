-- Who did what.

-- +goose Up
ALTER TABLE operations ADD COLUMN asked_by text NOT NULL DEFAULT '';
CREATE TABLE audit (
    id         text PRIMARY KEY, -- later entries sort after earlier ones
    at         bigint NOT NULL,
    who        text   NOT NULL,
    verb       text   NOT NULL,
    kind       text   NOT NULL, -- of the resource, or 'credential' or 'connection'
    connection text   NOT NULL,
    name       text   NOT NULL,
    uid        text   NOT NULL,
    cloud_id   text   NOT NULL,
    operation  text   NOT NULL,
    outcome    text   NOT NULL, -- 'ok' or the code of the error
    detail     text   NOT NULL
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX resources_passing ON resources (state) WHERE deleted_at = 0 AND operation = '' AND cloud_id <> '';

-- +goose Down
DROP INDEX resources_passing;
DROP TABLE audit;
ALTER TABLE operations DROP COLUMN asked_by;
