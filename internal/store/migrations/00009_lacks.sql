-- What a connection's cloud does not have there, kept over a restart.

-- +goose Up
ALTER TABLE connections ADD COLUMN lacks jsonb;

-- +goose Down
ALTER TABLE connections DROP COLUMN lacks;
