-- How long changes may take in a connection, by kind, where that is not the usual time.

-- +goose Up
ALTER TABLE connections ADD COLUMN patience jsonb;

-- +goose Down
ALTER TABLE connections DROP COLUMN patience;
