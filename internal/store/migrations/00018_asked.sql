-- What was asked for of a resource, apart from what there is: spec. NULL stands for the same,
-- as of what others made.

-- +goose Up
ALTER TABLE resources ADD COLUMN asked jsonb;

-- +goose Down
ALTER TABLE resources DROP COLUMN asked;
