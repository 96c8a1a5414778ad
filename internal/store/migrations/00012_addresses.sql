-- Which resources have an address. What was recorded before is marked, to be filled in.

-- +goose Up
CREATE TABLE addresses (
    address text NOT NULL,
    uid     text NOT NULL,
    PRIMARY KEY (address, uid)
);
CREATE INDEX addresses_of ON addresses (uid);
ALTER TABLE resources ADD COLUMN addresses text NOT NULL DEFAULT '?';
CREATE INDEX resources_unaddressed ON resources (uid) WHERE addresses = '?' AND deleted_at = 0;

-- +goose Down
DROP INDEX resources_unaddressed;
ALTER TABLE resources DROP COLUMN addresses;
DROP TABLE addresses;
