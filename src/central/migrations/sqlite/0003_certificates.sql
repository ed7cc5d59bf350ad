-- Certificates are asked for as exchanges that are written down before anything is sent; where
-- each stands with its authority is kept beside where it should.

CREATE TABLE certificate_order (
    -- This house's name of it, from before any authority heard of it.
    id         TEXT    PRIMARY KEY,
    document   TEXT    NOT NULL REFERENCES document (id),
    number     TEXT    NOT NULL REFERENCES number (number),
    lease      TEXT    NOT NULL REFERENCES lease (id),
    chip       TEXT    NOT NULL REFERENCES chip (serial),
    key_name   TEXT    NOT NULL,
    profile    TEXT    NOT NULL,
    authority  TEXT    NOT NULL,
    -- SHA-256 of the SubjectPublicKeyInfo: no key is certified twice.
    public_key BLOB    NOT NULL UNIQUE,
    request    BLOB    NOT NULL,
    exchange   BLOB    NOT NULL,
    -- Whether the exchange may have been sent.
    sent       INTEGER NOT NULL CHECK (sent IN (0, 1)),
    challenge  BLOB    NOT NULL,
    state      TEXT    NOT NULL,
    -- What the authority said last of where it stands.
    standing   TEXT    NOT NULL CHECK (standing IN ('none', 'on-hold', 'good', 'revoked')),
    concluded  INTEGER NOT NULL CHECK (concluded IN (0, 1)),
    serial     TEXT,
    der        BLOB,
    not_before INTEGER,
    not_after  INTEGER,
    changed    INTEGER NOT NULL,
    -- How often the authority was asked in vain, when it is asked next, and what went wrong.
    tries      INTEGER NOT NULL DEFAULT 0,
    next_try   INTEGER NOT NULL DEFAULT 0,
    trouble    TEXT,
    UNIQUE (lease, chip, key_name),
    UNIQUE (authority, serial),
    CHECK ((serial IS NULL) = (der IS NULL))
) STRICT;

INSERT INTO certificate_order (id, document, number, lease, chip, key_name, profile, authority, public_key, request, exchange, sent, challenge, state, standing, concluded, serial, der, not_before, not_after, changed)
SELECT c.serial, c.document, c.number, c.lease, c.chip, c.key_name, c.profile, 'embedded', c.public_key, x'', CAST(c.serial AS BLOB), 1, zeroblob(32),
       -- What was finished had been verified by its station.
       CASE WHEN c.state = 'issued-on-hold' AND l.state = 'completed' THEN 'ready' ELSE c.state END,
       CASE c.state WHEN 'issued-on-hold' THEN 'on-hold' WHEN 'active' THEN 'good' ELSE 'revoked' END,
       1, c.serial, c.der, c.not_before, c.not_after, c.changed
FROM certificate c JOIN lease l ON l.id = c.lease;

-- The register of the embedded authority: what it issued, to whomever.

CREATE TABLE authority_register (
    serial    TEXT    PRIMARY KEY,
    exchange  BLOB    NOT NULL UNIQUE,
    der       BLOB    NOT NULL,
    -- on-hold, good, or revoked:REASON.
    status    TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    not_after INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO authority_register (serial, exchange, der, status, since, not_after)
SELECT serial, CAST(serial AS BLOB), der,
       CASE state WHEN 'issued-on-hold' THEN 'on-hold' WHEN 'active' THEN 'good' ELSE state END,
       changed, not_after
FROM certificate;

-- What a revocation list has.
CREATE INDEX authority_register_listed ON authority_register (not_after) WHERE status <> 'good';

DROP TABLE certificate;
ALTER TABLE certificate_order RENAME TO certificate;

CREATE INDEX certificate_of_document ON certificate (document);
CREATE INDEX certificate_of_number ON certificate (number);

-- What is not settled with its authority.
CREATE INDEX certificate_unsettled ON certificate (next_try) WHERE
    state = 'in-doubt'
    OR (state IN ('issued-on-hold', 'ready') AND (standing <> 'on-hold' OR concluded = 0))
    OR (state = 'active' AND standing <> 'good')
    OR (state LIKE 'revoked%' AND standing <> 'revoked');
