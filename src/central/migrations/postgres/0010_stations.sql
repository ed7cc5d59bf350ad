-- Stations: who may ask for work over the network, by which certificates.

-- The authority that certifies them; its key is in the token.
CREATE TABLE station_authority (
    id          BIGINT PRIMARY KEY CHECK (id = 1),
    certificate BYTEA    NOT NULL,
    made        BIGINT NOT NULL
);

-- A name is given once: reports and leases of a removed station keep it.
CREATE TABLE station (
    name       TEXT    PRIMARY KEY,
    office     TEXT,
    state      TEXT    NOT NULL,
    -- What an administrator asked for, until it is confirmed: the request (PKCS#10), the SHA-256 of
    -- its key, and the office.
    request    BYTEA,
    key_digest BYTEA,
    asked_office TEXT,
    asked_by   TEXT    NOT NULL REFERENCES account (id),
    asked      BIGINT NOT NULL,
    -- Who brought it into its state.
    changed_by TEXT    NOT NULL REFERENCES account (id),
    changed    BIGINT NOT NULL,
    seen       BIGINT,
    CHECK ((request IS NULL) = (key_digest IS NULL))
);

-- Every certificate that a station ever had, known byte for byte by its SHA-256.
CREATE TABLE station_certificate (
    digest     BYTEA    PRIMARY KEY,
    station    TEXT    NOT NULL REFERENCES station (name),
    serial     TEXT    NOT NULL UNIQUE,
    -- SHA-256 of the SubjectPublicKeyInfo: no key is certified twice.
    key_digest BYTEA    NOT NULL UNIQUE,
    der        BYTEA    NOT NULL,
    -- A renewed one waits as `next` until the station shows it, and is `current` from then on.
    state      TEXT    NOT NULL CHECK (state IN ('next', 'current', 'superseded')),
    not_before BIGINT NOT NULL,
    not_after  BIGINT NOT NULL
);

CREATE INDEX station_certificate_of ON station_certificate (station);
CREATE UNIQUE INDEX station_certificate_current ON station_certificate (station) WHERE state = 'current';
CREATE UNIQUE INDEX station_certificate_next ON station_certificate (station) WHERE state = 'next';
