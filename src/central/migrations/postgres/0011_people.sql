-- How people prove who they are.
--
-- Of everything that lets somebody in, only what cannot be turned back is here: passwords as
-- Argon2id, tokens and codes as SHA-256 of what is random anyway, TOTP secrets sealed to a key in
-- the token, cards by the digest of their public key.

ALTER TABLE account ADD COLUMN locked BIGINT;
ALTER TABLE account ADD COLUMN lock_cause TEXT;

CREATE TABLE credential (
    account      TEXT    PRIMARY KEY REFERENCES account (id),
    password     TEXT,
    password_set BIGINT,
    totp         BYTEA,
    -- The last time step whose code was taken: none is taken twice.
    totp_step    BIGINT,
    card         BYTEA,
    code         BYTEA,
    code_expires BIGINT,
    CHECK ((code IS NULL) = (code_expires IS NULL))
);

-- Failed attempts, by account, by source, and by both.

CREATE TABLE attempt (
    subject  TEXT    PRIMARY KEY,
    failures BIGINT NOT NULL,
    last     BIGINT NOT NULL
);

CREATE INDEX attempt_by_age ON attempt (last);

-- From where an account was signed in to: an attacker elsewhere does not lock its owner out.

CREATE TABLE familiar_source (
    account TEXT    NOT NULL REFERENCES account (id),
    source  TEXT    NOT NULL,
    last    BIGINT NOT NULL,
    PRIMARY KEY (account, source)
);

-- What was begun and waits for a second factor, by the SHA-256 of its ticket.

CREATE TABLE sign_in (
    ticket    BYTEA   PRIMARY KEY,
    purpose   TEXT    NOT NULL CHECK (purpose IN ('sign-in', 'enrolment')),
    account   TEXT    NOT NULL REFERENCES account (id),
    station   TEXT,
    challenge TEXT    NOT NULL,
    expires   BIGINT NOT NULL,
    tries     BIGINT NOT NULL,
    password  TEXT,
    totp      BYTEA,
    card      BYTEA,
    CHECK ((password IS NOT NULL) = (purpose = 'enrolment'))
);

CREATE INDEX sign_in_of_account ON sign_in (account);

CREATE TABLE session (
    token   BYTEA   PRIMARY KEY,
    id      TEXT    NOT NULL UNIQUE,
    account TEXT    NOT NULL REFERENCES account (id),
    station TEXT,
    factor  TEXT    NOT NULL CHECK (factor IN ('none', 'totp', 'card')),
    opened  BIGINT NOT NULL,
    used    BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    ended   BIGINT
);

CREATE INDEX session_of_account ON session (account) WHERE ended IS NULL;

-- Answers to requests that create something, so that a repeated request gets the same one.

CREATE TABLE repeated_request (
    account TEXT    NOT NULL REFERENCES account (id),
    key     TEXT    NOT NULL,
    digest  BYTEA   NOT NULL,
    begun   BIGINT NOT NULL,
    status  BIGINT,
    answer  BYTEA,
    PRIMARY KEY (account, key)
);

CREATE INDEX repeated_request_by_age ON repeated_request (begun);
