-- Which choices were made when resources were created, such as image and machine type of
-- VMs: how often, how long that took, and when last.

-- +goose Up
CREATE TABLE recent (
    id      text   NOT NULL PRIMARY KEY, -- hash of the next five
    kind    text   NOT NULL,
    cloud   text   NOT NULL,
    region  text   NOT NULL,
    zone    text   NOT NULL,
    choice  jsonb  NOT NULL,
    details jsonb  NOT NULL,
    times   bigint NOT NULL,
    took    bigint NOT NULL, -- all of them together, in microseconds
    last_at bigint NOT NULL
);
CREATE INDEX recent_by_time ON recent (kind, last_at, id);

-- +goose Down
DROP TABLE recent;
