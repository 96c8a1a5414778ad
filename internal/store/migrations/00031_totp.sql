-- The second step of users' logins: a secret that their authenticator app has, too (RFC 6238), and
-- codes for who has lost it, each good once.

-- +goose Up
ALTER TABLE people_users ADD COLUMN totp bytea;                            -- sealed
ALTER TABLE people_users ADD COLUMN totp_on boolean NOT NULL DEFAULT false; -- whether codes are asked for; until a first one was given they are not
ALTER TABLE people_users ADD COLUMN totp_step bigint NOT NULL DEFAULT 0;    -- of the last code that was used: no earlier one is good
CREATE TABLE people_recovery (
    user_name text NOT NULL,
    hash      text NOT NULL,
    PRIMARY KEY (user_name, hash)
);

-- +goose Down
DROP TABLE people_recovery;
ALTER TABLE people_users DROP COLUMN totp_step;
ALTER TABLE people_users DROP COLUMN totp_on;
ALTER TABLE people_users DROP COLUMN totp;
