-- Registers: systems outside that send applications as signed packages, and hear what became of
-- them.

-- A source has an account, so that it stands where a clerk does who enters an application; it has no
-- role, and nobody signs in with it.
CREATE TABLE source (
    name         TEXT    PRIMARY KEY,
    account      TEXT    NOT NULL UNIQUE REFERENCES account (id),
    -- The register that its applications name.
    register     TEXT    NOT NULL,
    added        BIGINT NOT NULL,
    removed      BIGINT,
    -- The number that its next package must have.
    next_package BIGINT NOT NULL,
    -- The last report that was made for it, and the last that it has said it has.
    last_report  BIGINT NOT NULL,
    acknowledged BIGINT NOT NULL
);

CREATE TABLE source_kind (
    source TEXT NOT NULL REFERENCES source (name),
    kind   TEXT NOT NULL,
    PRIMARY KEY (source, kind)
);

-- None: every office.
CREATE TABLE source_office (
    source TEXT NOT NULL REFERENCES source (name),
    office TEXT NOT NULL,
    PRIMARY KEY (source, office)
);

-- One person proposes a key, another admits it; either withdraws it alone. A key is one source's.
CREATE TABLE source_key (
    thumbprint  TEXT    PRIMARY KEY,
    source      TEXT    NOT NULL REFERENCES source (name),
    spki        BYTEA    NOT NULL,
    not_before  BIGINT NOT NULL,
    not_after   BIGINT NOT NULL,
    proposed_by TEXT    NOT NULL REFERENCES account (id),
    proposed    BIGINT NOT NULL,
    admitted_by TEXT    REFERENCES account (id),
    admitted    BIGINT,
    withdrawn   BIGINT,
    CHECK (admitted_by IS NULL OR admitted_by <> proposed_by)
);

CREATE INDEX source_key_of_source ON source_key (source);

-- Packages whose number is used up, with their answers.
CREATE TABLE register_package (
    source   TEXT    NOT NULL REFERENCES source (name),
    sequence BIGINT NOT NULL,
    id       TEXT    NOT NULL,
    -- SHA-256 of the payload: a repeated package is known by it.
    digest   BYTEA    NOT NULL,
    key      TEXT    NOT NULL REFERENCES source_key (thumbprint),
    state    TEXT    NOT NULL CHECK (state IN ('taken', 'partly', 'refused')),
    received BIGINT NOT NULL,
    -- What the answer says, and the answer once it is signed.
    payload  BYTEA    NOT NULL,
    answer   BYTEA,
    PRIMARY KEY (source, sequence),
    UNIQUE (source, id),
    UNIQUE (source, digest)
);

-- Packages that were refused, whole as they came, as evidence. The content is sealed, and erased when
-- its term is over; digest and faults stay.
CREATE TABLE refused_package (
    -- SOURCE/DIGEST: SHA-256 of all bytes.
    reference TEXT    PRIMARY KEY,
    source    TEXT    NOT NULL REFERENCES source (name),
    received  BIGINT NOT NULL,
    -- What was wrong, as codes.
    faults    TEXT    NOT NULL,
    content   BYTEA
);

CREATE INDEX refused_package_kept ON refused_package (source) WHERE content IS NOT NULL;

-- Which package an application came in with, and what took its place.
CREATE TABLE application_origin (
    application   TEXT    PRIMARY KEY REFERENCES application (reference),
    source        TEXT    NOT NULL REFERENCES source (name),
    sequence      BIGINT NOT NULL,
    superseded_by TEXT    REFERENCES application (reference)
);

-- What a source is told: written with the change, put into a numbered report once.
CREATE TABLE register_event (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      TEXT    NOT NULL REFERENCES source (name),
    application TEXT    NOT NULL REFERENCES application (reference),
    subject     TEXT    NOT NULL CHECK (subject IN ('application', 'document')),
    state       TEXT    NOT NULL,
    number      TEXT,
    kind        TEXT,
    issued      TEXT,
    expires     TEXT,
    at          BIGINT NOT NULL,
    report      BIGINT
);

CREATE INDEX register_event_waiting ON register_event (source, id) WHERE report IS NULL;
CREATE INDEX register_event_of_report ON register_event (source, report);

CREATE TABLE register_report (
    source  TEXT    NOT NULL REFERENCES source (name),
    number  BIGINT NOT NULL,
    payload BYTEA    NOT NULL,
    -- The report once it is signed.
    report  BYTEA,
    made    BIGINT NOT NULL,
    PRIMARY KEY (source, number)
);
