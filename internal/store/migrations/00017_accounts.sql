-- The account that a connection's credential opens, as its last session said.

-- +goose Up
ALTER TABLE connections ADD COLUMN account text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE connections DROP COLUMN account;
