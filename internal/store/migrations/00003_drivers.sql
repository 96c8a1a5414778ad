-- Which drivers all servers run, and where they come from. The files are in each
-- server's data folder.

-- +goose Up
CREATE TABLE repositories (
    name       text PRIMARY KEY,
    url        text    NOT NULL,
    priority   bigint  NOT NULL,
    keys       jsonb,            -- public keys that are trusted
    insecure   boolean NOT NULL, -- packages need no signature
    plain_http boolean NOT NULL,
    username   text    NOT NULL,
    sealed     bytea,            -- the password, if there is one
    created_at bigint  NOT NULL
);

CREATE TABLE drivers (
    name            text PRIMARY KEY,
    version         text   NOT NULL,
    repository      text   NOT NULL,
    digest          text   NOT NULL, -- of the package
    key             text   NOT NULL, -- fingerprint of the key that it was verified with, or ''
    previous        text   NOT NULL, -- the version before, or ''
    previous_digest text   NOT NULL,
    installed_at    bigint NOT NULL
);

-- +goose Down
DROP TABLE drivers;
DROP TABLE repositories;
