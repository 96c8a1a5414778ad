-- What a forced deletion may have left on the cloud is one of the warnings of its operation. And
-- until when by the clock of a server records were looked through for old ones, so that a clock
-- which has jumped is noticed; how much longer none is removed.

-- +goose Up
UPDATE operations
SET warnings = json_insert(CASE json_type(warnings) WHEN 'array' THEN warnings ELSE '[]' END, '$[#]', json_object('rule', 'left', 'message', params ->> 'left')),
    params = '{"force":true}'
WHERE verb = 'delete' AND params ->> 'left' IS NOT NULL;

CREATE TABLE retention (
    id      integer PRIMARY KEY,
    seen_at bigint NOT NULL,
    hold    bigint NOT NULL
);
INSERT INTO retention SELECT 1, coalesce(max(at), 0), 0 FROM audit;

-- +goose Down
DROP TABLE retention;
