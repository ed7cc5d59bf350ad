-- Blanks of other kinds: of two chips whose key versions were delivered with them, without any chip,
-- and numbered by their maker. A document that gets its number from the blank has none before.

-- A table that others refer to is built anew under its name; that all of them still refer to a row
-- is judged at the end.
PRAGMA defer_foreign_keys = ON;

CREATE TABLE document_before AS SELECT * FROM document;
DROP TABLE document;
CREATE TABLE document (
    id          TEXT    PRIMARY KEY,
    application TEXT    NOT NULL UNIQUE REFERENCES application (reference),
    kind        TEXT    NOT NULL,
    profile     TEXT    NOT NULL,
    -- None while it waits for a blank that has its number.
    number      TEXT    UNIQUE,
    state       TEXT    NOT NULL,
    urgent      INTEGER NOT NULL CHECK (urgent IN (0, 1)),
    due         TEXT    NOT NULL,
    -- What was prepared last; none before the first blank.
    issued      TEXT,
    expires     TEXT,
    record      TEXT,
    subjects    TEXT,
    operator    TEXT    REFERENCES account (id),
    CHECK (number IS NULL OR record IS NOT NULL),
    CHECK ((record IS NULL) = (subjects IS NULL) AND (record IS NULL) = (issued IS NULL) AND (record IS NULL) = (expires IS NULL))
) STRICT;
INSERT INTO document (id, application, kind, profile, number, state, urgent, due, issued, expires, record, subjects, operator)
SELECT id, application, kind, profile, number, state, urgent, due, issued, expires, record, subjects, operator FROM document_before;
DROP TABLE document_before;
CREATE INDEX document_queue ON document (urgent DESC, due, number) WHERE state = 'queued';

CREATE TABLE number_before AS SELECT * FROM number;
DROP TABLE number;
CREATE TABLE number (
    number   TEXT PRIMARY KEY,
    document TEXT NOT NULL REFERENCES document (id) DEFERRABLE INITIALLY DEFERRED,
    -- returned: it is on a blank that came back untouched.
    state    TEXT NOT NULL CHECK (state IN ('allotted', 'issued', 'spoiled', 'cancelled', 'returned'))
) STRICT;
INSERT INTO number (number, document, state) SELECT number, document, state FROM number_before;
DROP TABLE number_before;

-- The name of the blanks that a document profile wants, where their chips do not say it.
ALTER TABLE blank ADD COLUMN article TEXT;
-- The document number that its maker gave it.
ALTER TABLE blank ADD COLUMN own_number TEXT;
CREATE UNIQUE INDEX blank_of_own_number ON blank (own_number) WHERE own_number IS NOT NULL;

-- The version of the keys that the maker left on it, as far as the delivery says it.
ALTER TABLE chip ADD COLUMN key_version INTEGER CHECK (key_version BETWEEN 0 AND 255);
