-- Which master keys the values in this database are sealed with: one, or two while it is
-- changed. A server with another key sees by the canary that it has the wrong one.

-- +goose Up
CREATE TABLE master_keys (
    id         text    NOT NULL PRIMARY KEY, -- each sealed value begins with that of its key
    canary     bytea   NOT NULL,             -- a known text, sealed with the key
    current    boolean NOT NULL,             -- what is sealed now is sealed with it
    handed     bytea,                        -- this key, sealed with the other one while there are two
    created_at bigint  NOT NULL
);
CREATE UNIQUE INDEX master_keys_current ON master_keys (current) WHERE current;

-- +goose Down
DROP TABLE master_keys;
