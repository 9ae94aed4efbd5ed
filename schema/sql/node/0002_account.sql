-- +goose Up
-- Accounts of this site. They never travel: no change and no backup of another site holds them.
CREATE TABLE account (
    name      TEXT NOT NULL PRIMARY KEY,
    hash      TEXT NOT NULL,              -- argon2id, PHC string
    staff     TEXT NOT NULL,              -- staff code written into changes
    roles     TEXT NOT NULL,              -- numbers of branchline.v1.Role, comma between
    disabled  INTEGER NOT NULL DEFAULT 0,
    created   INTEGER NOT NULL,           -- unix ms, as all times here
    signed_in INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE session (
    token   BLOB NOT NULL PRIMARY KEY,    -- SHA-256 of the token
    id      TEXT NOT NULL UNIQUE,         -- for people; opens nothing
    account TEXT NOT NULL REFERENCES account (name),
    label   TEXT NOT NULL,
    created INTEGER NOT NULL,
    used    INTEGER NOT NULL,
    expires INTEGER NOT NULL
);
CREATE INDEX session_account ON session (account);

CREATE TABLE api_token (
    token   BLOB NOT NULL PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES account (name),
    label   TEXT NOT NULL,
    created INTEGER NOT NULL,
    used    INTEGER NOT NULL,
    expires INTEGER NOT NULL
);
CREATE INDEX api_token_account ON api_token (account);
