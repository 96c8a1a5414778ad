-- Users who come by single sign-on, and what is kept of their logins in browsers.

-- +goose Up
ALTER TABLE people_users ADD COLUMN issuer text NOT NULL DEFAULT ''; -- '' for one who is known here alone
ALTER TABLE people_users ADD COLUMN subject text NOT NULL DEFAULT ''; -- what the issuer never gives to anybody else
CREATE UNIQUE INDEX people_users_subject ON people_users (issuer, subject) WHERE issuer <> '';

ALTER TABLE people_logins ADD COLUMN session text NOT NULL DEFAULT ''; -- that of the provider
ALTER TABLE people_logins ADD COLUMN sealed bytea; -- what it is renewed with
ALTER TABLE people_logins ADD COLUMN fresh_until bigint NOT NULL DEFAULT 0; -- then the provider is asked whether it is still there
ALTER TABLE people_logins ADD COLUMN kept_until bigint NOT NULL DEFAULT 0; -- until when it lets in if the provider does not answer
CREATE INDEX people_logins_session ON people_logins (session);

-- +goose Down
DROP INDEX people_logins_session;
ALTER TABLE people_logins DROP COLUMN kept_until;
ALTER TABLE people_logins DROP COLUMN fresh_until;
ALTER TABLE people_logins DROP COLUMN sealed;
ALTER TABLE people_logins DROP COLUMN session;
DROP INDEX people_users_subject;
ALTER TABLE people_users DROP COLUMN subject;
ALTER TABLE people_users DROP COLUMN issuer;
