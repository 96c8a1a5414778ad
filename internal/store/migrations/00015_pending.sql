-- What the cloud is waited for before the same call is made again, or ''.

-- +goose Up
ALTER TABLE operations ADD COLUMN pending text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE operations DROP COLUMN pending;
