-- +goose Up
-- pin: argon2id, PHC string, '' = none. pin_wrong: wrong ones in a row; too many lock it until a sign-in with the password.
ALTER TABLE account ADD COLUMN pin TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN pin_wrong INTEGER NOT NULL DEFAULT 0;

-- Who signed in with a password on which browser, and when: only they take it over by PIN.
CREATE TABLE desk (
    token   BLOB NOT NULL,    -- SHA-256 of the browser's
    account TEXT NOT NULL REFERENCES account (name),
    at      INTEGER NOT NULL, -- unix ms
    PRIMARY KEY (token, account)
);
