-- Who may use the server, and for what. Nothing here is a secret in plain text: passwords are
-- hashed with argon2id, tokens, logins and invitations, which are long and random, with SHA-256.

-- +goose Up
CREATE TABLE people_version (
    id      bigint NOT NULL PRIMARY KEY,
    version bigint NOT NULL -- another one after each change of what decisions are made from
);
INSERT INTO people_version (id, version) VALUES (1, 1);

CREATE TABLE people_users (
    name         text    NOT NULL PRIMARY KEY,
    title        text    NOT NULL,
    disabled     boolean NOT NULL,
    password     text    NOT NULL, -- '' for none
    failures     bigint  NOT NULL, -- wrong passwords since the last login
    locked_until bigint  NOT NULL,
    login_at     bigint  NOT NULL,
    created_at   bigint  NOT NULL
);

CREATE TABLE people_groups (
    name text NOT NULL PRIMARY KEY,
    doc  text NOT NULL
);

CREATE TABLE people_members (
    group_name text NOT NULL,
    user_name  text NOT NULL,
    PRIMARY KEY (group_name, user_name)
);

CREATE TABLE people_roles (
    name       text   NOT NULL PRIMARY KEY,
    doc        text   NOT NULL,
    rules      jsonb  NOT NULL,
    updated_at bigint NOT NULL
);

CREATE TABLE people_grants (
    id          text   NOT NULL PRIMARY KEY,
    user_name   text   NOT NULL, -- or
    group_name  text   NOT NULL,
    role        text   NOT NULL,
    connections jsonb,
    granted_by  text   NOT NULL,
    created_at  bigint NOT NULL
);

CREATE TABLE people_tokens (
    id         text   NOT NULL PRIMARY KEY,
    user_name  text   NOT NULL,
    name       text   NOT NULL,
    hash       text   NOT NULL UNIQUE,
    roles      jsonb,
    expires_at bigint NOT NULL, -- 0 for never
    used_at    bigint NOT NULL,
    created_at bigint NOT NULL,
    UNIQUE (user_name, name)
);

CREATE TABLE people_logins (
    hash      text   NOT NULL PRIMARY KEY,
    user_name text   NOT NULL,
    purpose   text   NOT NULL, -- 'login' in a browser, or 'invite' to choose a password
    until     bigint NOT NULL
);
CREATE INDEX people_logins_user ON people_logins (user_name);

-- +goose Down
DROP TABLE people_logins;
DROP TABLE people_tokens;
DROP TABLE people_grants;
DROP TABLE people_roles;
DROP TABLE people_members;
DROP TABLE people_groups;
DROP TABLE people_users;
DROP TABLE people_version;
