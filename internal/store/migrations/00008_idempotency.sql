-- The key that a client gave a request, so that sending it again is no second request,
-- and what the request was. They go with the operation.

-- +goose Up
ALTER TABLE operations ADD COLUMN idempotency_key text NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN request text NOT NULL DEFAULT ''; -- its hash
CREATE UNIQUE INDEX operations_key ON operations (idempotency_key) WHERE idempotency_key <> '';

-- +goose Down
DROP INDEX operations_key;
ALTER TABLE operations DROP COLUMN request;
ALTER TABLE operations DROP COLUMN idempotency_key;
