-- The labels of resources by themselves: who sees by labels what there is of a kind
-- has it listed and counted from here.

-- +goose Up
CREATE TABLE resource_labels (
    kind       text NOT NULL,
    key        text NOT NULL,
    value      text NOT NULL,
    name       text NOT NULL,
    uid        text NOT NULL,
    connection text NOT NULL,
    state      text NOT NULL
);
CREATE UNIQUE INDEX resource_labels_key ON resource_labels (kind, key, value, name, uid) INCLUDE (connection, state);
CREATE INDEX resource_labels_uid ON resource_labels (uid);

CREATE FUNCTION resource_labels_follow() RETURNS trigger AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM resource_labels WHERE uid = OLD.uid;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        IF NEW.deleted_at = 0 AND jsonb_typeof(NEW.labels) = 'object' THEN
            INSERT INTO resource_labels SELECT NEW.kind, key, value, NEW.name, NEW.uid, NEW.connection, NEW.state FROM jsonb_each_text(NEW.labels);
        END IF;
    END IF;
    RETURN NULL;
END
$$ LANGUAGE plpgsql;

CREATE TRIGGER resource_labels_new AFTER INSERT OR DELETE ON resources FOR EACH ROW EXECUTE FUNCTION resource_labels_follow();
CREATE TRIGGER resource_labels_changed AFTER UPDATE ON resources FOR EACH ROW
    WHEN (NEW.labels IS DISTINCT FROM OLD.labels OR NEW.deleted_at <> OLD.deleted_at OR NEW.state <> OLD.state) EXECUTE FUNCTION resource_labels_follow();

INSERT INTO resource_labels
    SELECT r.kind, l.key, l.value, r.name, r.uid, r.connection, r.state FROM resources AS r, jsonb_each_text(CASE jsonb_typeof(r.labels) WHEN 'object' THEN r.labels ELSE '{}' END) AS l
    WHERE r.deleted_at = 0;

-- +goose Down
DROP TRIGGER resource_labels_new ON resources;
DROP TRIGGER resource_labels_changed ON resources;
DROP FUNCTION resource_labels_follow;
DROP TABLE resource_labels;
