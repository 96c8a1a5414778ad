-- The index of search texts on PostgreSQL. The extension pg_trgm comes with
-- PostgreSQL, but not every installation has it, and not every user may add it.
-- Without it a search reads all resources of the kind.

-- +goose Up
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX resources_search ON resources USING gin (search gin_trgm_ops) WHERE deleted_at = 0;
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'searches have no index: %', SQLERRM;
END
$$;

-- +goose Down
DROP INDEX IF EXISTS resources_search;
