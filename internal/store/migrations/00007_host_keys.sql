-- By which key an SSH server showed itself the first time.

-- +goose Up
CREATE TABLE host_keys (
    uid     text   NOT NULL, -- of the resource; goes with it
    port    bigint NOT NULL,
    key     text   NOT NULL, -- type and base64
    seen_by text   NOT NULL, -- who logged in first
    seen_at bigint NOT NULL,
    PRIMARY KEY (uid, port)
);

-- +goose Down
DROP TABLE host_keys;
