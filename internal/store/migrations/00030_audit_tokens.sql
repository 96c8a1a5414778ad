-- By which token somebody asked, in the audit trail and of operations, which write to it when
-- they end. '' for logins in browsers and the server itself.

-- +goose Up
ALTER TABLE audit ADD COLUMN token text NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN token_name text NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN asked_token text NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN asked_token_name text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE operations DROP COLUMN asked_token_name;
ALTER TABLE operations DROP COLUMN asked_token;
ALTER TABLE audit DROP COLUMN token_name;
ALTER TABLE audit DROP COLUMN token;
