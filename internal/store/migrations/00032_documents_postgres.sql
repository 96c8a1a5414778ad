-- Resources as they are sent (documents.go). What was recorded before is filled in. A server of
-- an earlier version that still runs changes rows and leaves their documents as they are: those
-- are forgotten.

-- +goose Up
ALTER TABLE resources ADD COLUMN document text NOT NULL DEFAULT '';
CREATE INDEX resources_undocumented ON resources (uid) WHERE document = '' AND deleted_at = 0;

CREATE FUNCTION forget_document() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.document := '';
    RETURN NEW;
END
$$;
CREATE TRIGGER resources_document BEFORE UPDATE ON resources FOR EACH ROW
    WHEN (NEW.document = OLD.document
        AND (NEW.facade_name, NEW.cloud_id, NEW.state, NEW.cloud_state, NEW.labels, NEW.asked, NEW.spec, NEW.status, NEW.native, NEW.error, NEW.operation, NEW.updated_at, NEW.updated_by)
        IS DISTINCT FROM (OLD.facade_name, OLD.cloud_id, OLD.state, OLD.cloud_state, OLD.labels, OLD.asked, OLD.spec, OLD.status, OLD.native, OLD.error, OLD.operation, OLD.updated_at, OLD.updated_by))
    EXECUTE FUNCTION forget_document();

-- +goose Down
DROP TRIGGER resources_document ON resources;
DROP FUNCTION forget_document();
DROP INDEX resources_undocumented;
ALTER TABLE resources DROP COLUMN document;
