-- Logins in browsers that were ended before their time, so that a logout holds on every
-- server; and the keys of requests that changed something without an operation, so that
-- sending them again is no second request.

-- +goose Up
CREATE TABLE logouts (
    id    text   NOT NULL PRIMARY KEY, -- of the session
    until bigint NOT NULL              -- when it would have ended by itself
);
CREATE TABLE request_keys (
    idempotency_key text   NOT NULL PRIMARY KEY,
    request         text   NOT NULL, -- its hash
    created_at      bigint NOT NULL
);

-- +goose Down
DROP TABLE request_keys;
DROP TABLE logouts;
