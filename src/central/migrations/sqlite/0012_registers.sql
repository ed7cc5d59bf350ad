-- Registers: systems outside that send applications as signed packages, and hear what became of
-- them.

-- A source has an account, so that it stands where a clerk does who enters an application; it has no
-- role, and nobody signs in with it.
CREATE TABLE source (
    name         TEXT    PRIMARY KEY,
    account      TEXT    NOT NULL UNIQUE REFERENCES account (id),
    -- The register that its applications name.
    register     TEXT    NOT NULL,
    added        INTEGER NOT NULL,
    removed      INTEGER,
    -- The number that its next package must have.
    next_package INTEGER NOT NULL,
    -- The last report that was made for it, and the last that it has said it has.
    last_report  INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL
) STRICT;

CREATE TABLE source_kind (
    source TEXT NOT NULL REFERENCES source (name),
    kind   TEXT NOT NULL,
    PRIMARY KEY (source, kind)
) STRICT, WITHOUT ROWID;

-- None: every office.
CREATE TABLE source_office (
    source TEXT NOT NULL REFERENCES source (name),
    office TEXT NOT NULL,
    PRIMARY KEY (source, office)
) STRICT, WITHOUT ROWID;

-- One person proposes a key, another admits it; either withdraws it alone. A key is one source's.
CREATE TABLE source_key (
    thumbprint  TEXT    PRIMARY KEY,
    source      TEXT    NOT NULL REFERENCES source (name),
    spki        BLOB    NOT NULL,
    not_before  INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    proposed_by TEXT    NOT NULL REFERENCES account (id),
    proposed    INTEGER NOT NULL,
    admitted_by TEXT    REFERENCES account (id),
    admitted    INTEGER,
    withdrawn   INTEGER,
    CHECK (admitted_by IS NULL OR admitted_by <> proposed_by)
) STRICT;

CREATE INDEX source_key_of_source ON source_key (source);

-- Packages whose number is used up, with their answers.
CREATE TABLE register_package (
    source   TEXT    NOT NULL REFERENCES source (name),
    sequence INTEGER NOT NULL,
    id       TEXT    NOT NULL,
    -- SHA-256 of the payload: a repeated package is known by it.
    digest   BLOB    NOT NULL,
    key      TEXT    NOT NULL REFERENCES source_key (thumbprint),
    state    TEXT    NOT NULL CHECK (state IN ('taken', 'partly', 'refused')),
    received INTEGER NOT NULL,
    -- What the answer says, and the answer once it is signed.
    payload  BLOB    NOT NULL,
    answer   BLOB,
    PRIMARY KEY (source, sequence),
    UNIQUE (source, id),
    UNIQUE (source, digest)
) STRICT, WITHOUT ROWID;

-- Packages that were refused, whole as they came, as evidence. The content is sealed, and erased when
-- its term is over; digest and faults stay.
CREATE TABLE refused_package (
    -- SOURCE/DIGEST: SHA-256 of all bytes.
    reference TEXT    PRIMARY KEY,
    source    TEXT    NOT NULL REFERENCES source (name),
    received  INTEGER NOT NULL,
    -- What was wrong, as codes.
    faults    TEXT    NOT NULL,
    content   BLOB
) STRICT;

CREATE INDEX refused_package_kept ON refused_package (source) WHERE content IS NOT NULL;

-- Which package an application came in with, and what took its place.
CREATE TABLE application_origin (
    application   TEXT    PRIMARY KEY REFERENCES application (reference),
    source        TEXT    NOT NULL REFERENCES source (name),
    sequence      INTEGER NOT NULL,
    superseded_by TEXT    REFERENCES application (reference)
) STRICT;

-- What a source is told: written with the change, put into a numbered report once.
CREATE TABLE register_event (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT    NOT NULL REFERENCES source (name),
    application TEXT    NOT NULL REFERENCES application (reference),
    subject     TEXT    NOT NULL CHECK (subject IN ('application', 'document')),
    state       TEXT    NOT NULL,
    number      TEXT,
    kind        TEXT,
    issued      TEXT,
    expires     TEXT,
    at          INTEGER NOT NULL,
    report      INTEGER
) STRICT;

CREATE INDEX register_event_waiting ON register_event (source, id) WHERE report IS NULL;
CREATE INDEX register_event_of_report ON register_event (source, report);

CREATE TABLE register_report (
    source  TEXT    NOT NULL REFERENCES source (name),
    number  INTEGER NOT NULL,
    payload BLOB    NOT NULL,
    -- The report once it is signed.
    report  BLOB,
    made    INTEGER NOT NULL,
    PRIMARY KEY (source, number)
) STRICT, WITHOUT ROWID;
