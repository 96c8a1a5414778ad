-- When credentials end, as far as whoever recorded them has said.

-- +goose Up
ALTER TABLE credentials ADD COLUMN expires_at bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE credentials DROP COLUMN expires_at;
