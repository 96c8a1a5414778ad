-- What the status of its resource named when an operation began, so that those are looked
-- at again when it ends.

-- +goose Up
ALTER TABLE operations ADD COLUMN concerned jsonb;

-- +goose Down
ALTER TABLE operations DROP COLUMN concerned;
