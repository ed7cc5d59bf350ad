-- What one person asked for over the interface, and the second person whom it takes confirms in a
-- session of their own. A row is gone once the act is done, with it.

CREATE TABLE second_person (
    id        TEXT    PRIMARY KEY,
    person    TEXT    NOT NULL REFERENCES account (id),
    witness   TEXT    NOT NULL REFERENCES account (id),
    operation TEXT    NOT NULL,
    address   TEXT    NOT NULL,
    -- SHA-256 of operation, address and body: the same request, sent again, finds its confirmation.
    digest    BYTEA   NOT NULL,
    body      BYTEA   NOT NULL,
    asked     BIGINT NOT NULL,
    expires   BIGINT NOT NULL,
    confirmed BIGINT,
    UNIQUE (person, digest),
    CHECK (person <> witness)
);

CREATE INDEX second_person_of_witness ON second_person (witness);
CREATE INDEX second_person_by_end ON second_person (expires);
