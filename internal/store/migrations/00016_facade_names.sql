-- Names that clients of CB-Spider's API use. They are unique among what has the same
-- owner, such as the subnets of a VPC. '' stands for the name, which is one of them.

-- +goose Up
ALTER TABLE resources ADD COLUMN owner text NOT NULL DEFAULT '';
ALTER TABLE resources ADD COLUMN facade_name text NOT NULL DEFAULT '';
UPDATE resources SET owner = spec ->> 'vpc' WHERE kind = 'subnet' AND deleted_at = 0 AND spec ->> 'vpc' IS NOT NULL;
CREATE UNIQUE INDEX resources_facade_name ON resources (connection, kind, (coalesce(nullif(facade_name, ''), name)), owner) WHERE deleted_at = 0;

-- +goose Down
DROP INDEX resources_facade_name;
ALTER TABLE resources DROP COLUMN facade_name;
ALTER TABLE resources DROP COLUMN owner;
