-- What comes after a document was made: its parcel, its office, its holder, its end.

-- Who moved it last: who suspended it does not release it.
ALTER TABLE document ADD COLUMN moved_by TEXT REFERENCES account (id);

CREATE INDEX document_in_use ON document (expires) WHERE state IN ('handed-over', 'suspended');

-- Which station stands in which office. Where none is booked, the installation is one place.
CREATE TABLE station_office (
    station TEXT PRIMARY KEY,
    office  TEXT NOT NULL
);

CREATE TABLE parcel (
    serial      TEXT    PRIMARY KEY,
    office      TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    opened_by   TEXT    NOT NULL REFERENCES account (id),
    opened      BIGINT NOT NULL,
    -- The last seal: who counted, when, and how many were in it.
    sealed_by   TEXT    REFERENCES account (id),
    sealed      BIGINT,
    counted     BIGINT,
    -- How it went: one word, as an envelope's.
    way         TEXT,
    sent_by     TEXT    REFERENCES account (id),
    sent        BIGINT,
    received_by TEXT    REFERENCES account (id),
    received    BIGINT
);

CREATE INDEX parcel_of_way ON parcel (way) WHERE way IS NOT NULL;

-- The last serial number that was given: none is given twice.
CREATE TABLE parcel_series (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    last BIGINT NOT NULL
);

INSERT INTO parcel_series (id, last) VALUES (1, 0);

-- What was in a parcel, and who put it there. A document that was taken out has no row any more.
CREATE TABLE parcel_document (
    parcel    TEXT NOT NULL REFERENCES parcel (serial),
    document  TEXT NOT NULL REFERENCES document (id),
    -- The document's number at that time.
    number    TEXT NOT NULL REFERENCES number (number),
    packed_by TEXT NOT NULL REFERENCES account (id),
    state     TEXT NOT NULL CHECK (state IN ('packed', 'arrived', 'missing')),
    PRIMARY KEY (parcel, number)
);

-- A document is in one parcel at most; in a parcel that was counted without it, it is awaited.
CREATE UNIQUE INDEX parcel_of_document ON parcel_document (document) WHERE state = 'packed';
CREATE INDEX parcels_of_document ON parcel_document (document);

-- Who packed into a parcel, whatever came out again: none of them counts it in.
CREATE TABLE parcel_hand (
    parcel TEXT NOT NULL REFERENCES parcel (serial),
    person TEXT NOT NULL REFERENCES account (id),
    PRIMARY KEY (parcel, person)
);

-- What is not settled with its authority: suspended ones too.
DROP INDEX IF EXISTS certificate_unsettled;
CREATE INDEX certificate_unsettled ON certificate (next_try) WHERE
    state = 'in-doubt'
    OR (state IN ('issued-on-hold', 'ready') AND (standing <> 'on-hold' OR concluded = 0))
    OR (state = 'active' AND standing <> 'good')
    OR (state = 'suspended' AND standing <> 'on-hold')
    OR (state LIKE 'revoked%' AND standing <> 'revoked');
