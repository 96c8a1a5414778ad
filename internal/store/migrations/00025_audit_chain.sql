-- The audit trail is sealed: each entry gets a number and a hash that rests on those
-- before it. Who did something is with what it was done to, too.

-- +goose Up
ALTER TABLE operations ADD COLUMN asked_from text NOT NULL DEFAULT '';
ALTER TABLE resources ADD COLUMN created_by text NOT NULL DEFAULT ''; -- who recorded it, as far as that is known
ALTER TABLE resources ADD COLUMN updated_by text NOT NULL DEFAULT ''; -- who changed it last
ALTER TABLE audit ADD COLUMN address text NOT NULL DEFAULT ''; -- where who asked was
ALTER TABLE audit ADD COLUMN seq bigint NOT NULL DEFAULT 0;    -- its number; 0: not sealed yet
ALTER TABLE audit ADD COLUMN seal text NOT NULL DEFAULT '';    -- hexadecimal
CREATE UNIQUE INDEX audit_seq ON audit (seq) WHERE seq > 0;
CREATE INDEX audit_open ON audit (id) WHERE seq = 0;
CREATE TABLE audit_chain (
    id         integer PRIMARY KEY, -- 1, there is one row
    first      bigint  NOT NULL,    -- number of the oldest entry that is kept
    anchor     text    NOT NULL,    -- seal of the entry before that
    last       bigint  NOT NULL,    -- number of the newest sealed entry
    seal       text    NOT NULL,    -- its seal
    sealed_at  bigint  NOT NULL,
    sent       bigint  NOT NULL,    -- up to which number entries were sent out
    sender     text    NOT NULL,    -- the server that sends them
    sender_until bigint NOT NULL
);
INSERT INTO audit_chain VALUES (1, 1, '', 0, '', 0, 0, '', 0);

-- +goose Down
DROP TABLE audit_chain;
DROP INDEX audit_open;
DROP INDEX audit_seq;
ALTER TABLE audit DROP COLUMN seal;
ALTER TABLE audit DROP COLUMN seq;
ALTER TABLE audit DROP COLUMN address;
ALTER TABLE resources DROP COLUMN updated_by;
ALTER TABLE resources DROP COLUMN created_by;
ALTER TABLE operations DROP COLUMN asked_from;
