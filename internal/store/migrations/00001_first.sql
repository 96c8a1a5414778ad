-- Times are microseconds since 1970 in UTC; 0 means not yet. JSON is jsonb on
-- PostgreSQL and text on SQLite.

-- +goose Up
CREATE TABLE credentials (
    name       text PRIMARY KEY,
    cloud      text   NOT NULL,
    fields     jsonb,
    sealed     bytea  NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE connections (
    name       text PRIMARY KEY,
    cloud      text   NOT NULL,
    credential text   NOT NULL,
    region     text   NOT NULL,
    zone       text   NOT NULL,
    settings   jsonb,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    synced_at  bigint NOT NULL -- when a server began to look at all of its resources
);

-- One row for each resource, kept after its deletion as a tombstone.
CREATE TABLE resources (
    uid         text PRIMARY KEY,
    connection  text   NOT NULL,
    kind        text   NOT NULL,
    name        text   NOT NULL,
    cloud_id    text   NOT NULL,
    state       text   NOT NULL,
    cloud_state text   NOT NULL,
    labels      jsonb,
    spec        jsonb  NOT NULL,
    status      jsonb,
    native      jsonb,
    error       jsonb,
    uncertain   boolean NOT NULL, -- a creation failed without a clear no: something may exist on the cloud
    operation   text   NOT NULL, -- the operation that changes it now, or ''
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL,
    synced_at   bigint NOT NULL,
    deleted_at  bigint NOT NULL,
    lease_owner text   NOT NULL, -- the server that works on the operation
    lease_until bigint NOT NULL
);
CREATE UNIQUE INDEX resources_name ON resources (connection, kind, name) WHERE deleted_at = 0;
CREATE UNIQUE INDEX resources_cloud_id ON resources (connection, kind, cloud_id) WHERE deleted_at = 0 AND cloud_id <> '';
CREATE INDEX resources_kind ON resources (kind, name) WHERE deleted_at = 0;
CREATE INDEX resources_work ON resources (lease_until) WHERE operation <> '';

-- What uses what. A row goes with the resource that uses.
CREATE TABLE refs (
    from_uid text NOT NULL,
    field    text NOT NULL,
    to_uid   text NOT NULL,
    PRIMARY KEY (from_uid, field)
);
CREATE INDEX refs_to ON refs (to_uid);

CREATE TABLE operations (
    id          text PRIMARY KEY,
    verb        text   NOT NULL,
    kind        text   NOT NULL,
    connection  text   NOT NULL,
    name        text   NOT NULL,
    uid         text   NOT NULL,
    params      jsonb,
    state       text   NOT NULL,
    attempts    bigint NOT NULL,
    error       jsonb,
    parent      text   NOT NULL, -- the operation that this one is a part of, or ''
    total       bigint NOT NULL, -- parts of this one, 0 if it is about one resource
    ended       bigint NOT NULL, -- parts that have ended
    failed      bigint NOT NULL, -- of those, the ones that failed or were cancelled
    cancel      text   NOT NULL, -- '', or what was asked for: 'cancel', or 'delete' what it creates
    steps       jsonb,
    created_at  bigint NOT NULL,
    asked_at    bigint NOT NULL,
    accepted_at bigint NOT NULL,
    ended_at    bigint NOT NULL
);
CREATE UNIQUE INDEX operations_active ON operations (uid) WHERE ended_at = 0 AND uid <> '';
CREATE INDEX operations_parent ON operations (parent) WHERE parent <> '';
CREATE INDEX operations_uid ON operations (uid);
CREATE INDEX operations_ended ON operations (ended_at);

-- Private keys and the like, sealed.
CREATE TABLE secrets (
    uid    text  NOT NULL,
    name   text  NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (uid, name)
);

-- +goose Down
DROP TABLE secrets;
DROP TABLE operations;
DROP TABLE refs;
DROP TABLE resources;
DROP TABLE connections;
DROP TABLE credentials;
