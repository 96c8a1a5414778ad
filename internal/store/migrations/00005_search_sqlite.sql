-- The index of search texts on SQLite. It has numbers of its own for resources:
-- VACUUM may change the rowids of a table without an integer key.

-- +goose Up
CREATE TABLE search_ids (
    id  integer PRIMARY KEY,
    uid text NOT NULL UNIQUE
);
CREATE VIRTUAL TABLE resources_search USING fts5 (
    text, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram'
);

CREATE TRIGGER resources_search_insert AFTER INSERT ON resources WHEN NEW.search <> '' BEGIN
    INSERT INTO search_ids (uid) VALUES (NEW.uid);
    INSERT INTO resources_search (rowid, text)
        SELECT id, char(2) || NEW.kind || char(2, 3) || lower(NEW.connection) || char(3) || NEW.search FROM search_ids WHERE uid = NEW.uid;
END;

CREATE TRIGGER resources_search_update AFTER UPDATE OF search ON resources WHEN NEW.search <> OLD.search BEGIN
    INSERT OR IGNORE INTO search_ids (uid) VALUES (NEW.uid);
    INSERT OR REPLACE INTO resources_search (rowid, text)
        SELECT id, CASE NEW.search WHEN '' THEN '' ELSE char(2) || NEW.kind || char(2, 3) || lower(NEW.connection) || char(3) || NEW.search END
        FROM search_ids WHERE uid = NEW.uid;
END;

CREATE TRIGGER resources_search_delete AFTER DELETE ON resources BEGIN
    DELETE FROM resources_search WHERE rowid = (SELECT id FROM search_ids WHERE uid = OLD.uid);
    DELETE FROM search_ids WHERE uid = OLD.uid;
END;

-- +goose Down
DROP TRIGGER resources_search_delete;
DROP TRIGGER resources_search_update;
DROP TRIGGER resources_search_insert;
DROP TABLE resources_search;
DROP TABLE search_ids;
