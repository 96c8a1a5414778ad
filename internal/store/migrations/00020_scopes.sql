-- What the objects of kinds belong to that are not of the connection's account and region
-- alone, as its last session said.

-- +goose Up
ALTER TABLE connections ADD COLUMN scopes jsonb;

-- +goose Down
ALTER TABLE connections DROP COLUMN scopes;
