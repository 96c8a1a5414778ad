-- Labels of connections, by which rights in several of them can be given.

-- +goose Up
ALTER TABLE connections ADD COLUMN labels jsonb;
ALTER TABLE people_grants ADD COLUMN connection_labels jsonb;

-- +goose Down
ALTER TABLE people_grants DROP COLUMN connection_labels;
ALTER TABLE connections DROP COLUMN labels;
