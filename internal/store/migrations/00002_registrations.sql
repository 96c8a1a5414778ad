-- What clients of /spider name before they make connections: drivers, regions, and
-- which of them a connection was made from. A connection itself names cloud, region
-- and zone.

-- +goose Up
CREATE TABLE registrations (
    type       text   NOT NULL,
    name       text   NOT NULL,
    cloud      text   NOT NULL,
    value      jsonb  NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (type, name)
);

-- +goose Down
DROP TABLE registrations;
