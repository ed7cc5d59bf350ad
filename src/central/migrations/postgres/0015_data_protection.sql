-- Personal data: encrypted under a key for each application and class of data, which is wrapped
-- under a key of the token. What was stored in the clear before is encrypted when the store opens.

-- Keys of the token. One of a class is in use; the others wait for it, or for the last backup that
-- was made under them to be too old.
CREATE TABLE wrapping_key (
    class      TEXT    NOT NULL,
    generation BIGINT NOT NULL,
    -- Its label in the token.
    label      TEXT    NOT NULL UNIQUE,
    state      TEXT    NOT NULL CHECK (state IN ('planned', 'waiting', 'current', 'retired', 'ending', 'destroyed')),
    -- When it came into this state.
    since      BIGINT NOT NULL,
    PRIMARY KEY (class, generation)
);

CREATE UNIQUE INDEX wrapping_key_current ON wrapping_key (class) WHERE state = 'current';

-- Without its row nobody reads what it encrypts.
CREATE TABLE data_key (
    -- An application's reference, or that of a refused package.
    subject    TEXT    NOT NULL,
    class      TEXT    NOT NULL,
    -- How the audit log knows it.
    id         TEXT    NOT NULL UNIQUE,
    generation BIGINT NOT NULL,
    wrapped    BYTEA    NOT NULL,
    made       BIGINT NOT NULL,
    -- When it is destroyed; none as long as its end is not known.
    due        BIGINT,
    PRIMARY KEY (subject, class),
    FOREIGN KEY (class, generation) REFERENCES wrapping_key (class, generation)
);

CREATE INDEX data_key_of_generation ON data_key (class, generation);
CREATE INDEX data_key_due ON data_key (class, due);

-- Portrait, fingerprints and signature, and the files of a travel chip.
CREATE TABLE biometric_data (
    application TEXT PRIMARY KEY REFERENCES application (reference),
    images      BYTEA NOT NULL,
    files       BYTEA
);

-- The office is no secret, and needed for as long as there is a document.
ALTER TABLE application ADD COLUMN office TEXT;

-- Search over what is encrypted: digests that nobody makes without the token.
CREATE TABLE blind_index (
    application TEXT NOT NULL REFERENCES application (reference),
    field       TEXT NOT NULL,
    digest      BYTEA NOT NULL,
    PRIMARY KEY (field, digest, application)
);

CREATE INDEX blind_index_of_application ON blind_index (application);

-- When the erasure ran to its end last.
CREATE TABLE erasure_run (
    id    BIGINT PRIMARY KEY CHECK (id = 1),
    ended BIGINT NOT NULL
);
