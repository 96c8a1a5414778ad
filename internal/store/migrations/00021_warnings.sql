-- What the driver or the server warned of while the operation went on.

-- +goose Up
ALTER TABLE operations ADD COLUMN warnings jsonb;

-- +goose Down
ALTER TABLE operations DROP COLUMN warnings;
