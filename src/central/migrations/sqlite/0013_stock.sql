-- Incidents: something is not as the books say. Opened by the transaction that found it.

CREATE TABLE incident (
    number       INTEGER PRIMARY KEY,
    kind         TEXT    NOT NULL,
    -- What it is about, as the log names it: `place/RIGA-1`, `parcel/P-0001`.
    subject      TEXT    NOT NULL,
    text         TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    -- None where the store itself found it.
    opened_by    TEXT    REFERENCES account (id),
    opened       INTEGER NOT NULL,
    explanation  TEXT,
    explained_by TEXT    REFERENCES account (id),
    explained    INTEGER,
    closed_by    TEXT    REFERENCES account (id),
    closed       INTEGER,
    CHECK ((explanation IS NULL) = (explained_by IS NULL) AND (explanation IS NULL) = (explained IS NULL)),
    CHECK ((closed_by IS NULL) = (closed IS NULL) AND (closed IS NULL OR explanation IS NOT NULL))
) STRICT;

CREATE INDEX incident_left ON incident (subject) WHERE state <> 'closed';
