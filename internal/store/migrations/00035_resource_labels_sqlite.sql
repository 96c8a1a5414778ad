-- The labels of resources by themselves: who sees by labels what there is of a kind has
-- it listed and counted from here.

-- +goose Up
CREATE TABLE resource_labels (
    kind       text NOT NULL,
    key        text NOT NULL,
    value      text NOT NULL,
    name       text NOT NULL,
    uid        text NOT NULL,
    connection text NOT NULL,
    state      text NOT NULL,
    PRIMARY KEY (kind, key, value, name, uid)
) WITHOUT ROWID;

CREATE TRIGGER resource_labels_insert AFTER INSERT ON resources WHEN NEW.deleted_at = 0 BEGIN
    INSERT INTO resource_labels SELECT NEW.kind, key, value, NEW.name, NEW.uid, NEW.connection, NEW.state FROM json_each(NEW.labels) WHERE key IS NOT NULL;
END;

CREATE TRIGGER resource_labels_update AFTER UPDATE OF labels, deleted_at ON resources WHEN NEW.labels IS NOT OLD.labels OR NEW.deleted_at <> OLD.deleted_at BEGIN
    DELETE FROM resource_labels WHERE (kind, key, value, name, uid) IN (SELECT OLD.kind, key, value, OLD.name, OLD.uid FROM json_each(OLD.labels));
    INSERT INTO resource_labels SELECT NEW.kind, key, value, NEW.name, NEW.uid, NEW.connection, NEW.state FROM json_each(NEW.labels) WHERE key IS NOT NULL AND NEW.deleted_at = 0;
END;

CREATE TRIGGER resource_labels_state AFTER UPDATE OF state ON resources WHEN NEW.state <> OLD.state BEGIN
    UPDATE resource_labels SET state = NEW.state WHERE (kind, key, value, name, uid) IN (SELECT NEW.kind, key, value, NEW.name, NEW.uid FROM json_each(NEW.labels));
END;

CREATE TRIGGER resource_labels_delete AFTER DELETE ON resources BEGIN
    DELETE FROM resource_labels WHERE (kind, key, value, name, uid) IN (SELECT OLD.kind, key, value, OLD.name, OLD.uid FROM json_each(OLD.labels));
END;

INSERT INTO resource_labels
    SELECT r.kind, l.key, l.value, r.name, r.uid, r.connection, r.state FROM resources AS r, json_each(r.labels) AS l WHERE r.deleted_at = 0 AND l.key IS NOT NULL;

-- +goose Down
DROP TRIGGER resource_labels_insert;
DROP TRIGGER resource_labels_update;
DROP TRIGGER resource_labels_state;
DROP TRIGGER resource_labels_delete;
DROP TABLE resource_labels;
