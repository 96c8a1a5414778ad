-- What an operation was given that is never shown, sealed until it ends.

-- +goose Up
ALTER TABLE operations ADD COLUMN hidden bytea;

-- +goose Down
ALTER TABLE operations DROP COLUMN hidden;
