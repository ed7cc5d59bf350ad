-- Incidents: something is not as the books say. Opened by the transaction that found it.

CREATE TABLE incident (
    number       BIGINT  PRIMARY KEY,
    kind         TEXT    NOT NULL,
    -- What it is about, as the log names it: `place/RIGA-1`, `parcel/P-0001`.
    subject      TEXT    NOT NULL,
    text         TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    -- None where the store itself found it.
    opened_by    TEXT    REFERENCES account (id),
    opened       BIGINT NOT NULL,
    explanation  TEXT,
    explained_by TEXT    REFERENCES account (id),
    explained    BIGINT,
    closed_by    TEXT    REFERENCES account (id),
    closed       BIGINT,
    CHECK ((explanation IS NULL) = (explained_by IS NULL) AND (explanation IS NULL) = (explained IS NULL)),
    CHECK ((closed_by IS NULL) = (closed IS NULL) AND (closed IS NULL OR explanation IS NOT NULL))
);

CREATE INDEX incident_left ON incident (subject) WHERE state <> 'closed';

-- Places: offices and their stores. What was in the books before is at the central store.

CREATE TABLE place (
    code  TEXT    PRIMARY KEY,
    name  TEXT    NOT NULL,
    added BIGINT NOT NULL
);

INSERT INTO place (code, name, added) VALUES ('CENTRAL', 'the central store', 0);

ALTER TABLE delivery ADD COLUMN place TEXT NOT NULL DEFAULT 'CENTRAL';
-- How many blanks its list has, and how many two persons counted.
ALTER TABLE delivery ADD COLUMN counted BIGINT NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN witness TEXT REFERENCES account (id);
-- The check value of its transport key, in hexadecimal, where the maker told it.
ALTER TABLE delivery ADD COLUMN transport_kcv TEXT;
ALTER TABLE delivery ADD COLUMN accepted BIGINT;
UPDATE delivery SET counted = blanks, accepted = received;

-- What it is: its article, or the products of its chips.
ALTER TABLE blank ADD COLUMN item TEXT NOT NULL DEFAULT '';
ALTER TABLE blank ADD COLUMN place TEXT NOT NULL DEFAULT 'CENTRAL';
ALTER TABLE blank ADD COLUMN station TEXT;
ALTER TABLE blank ADD COLUMN slot TEXT;
UPDATE blank SET item = COALESCE(article, (SELECT string_agg(product, '+' ORDER BY position) FROM chip WHERE chip.blank = blank.serial), '');
CREATE INDEX blank_of_account ON blank (place, state, item);
CREATE INDEX blank_of_delivery ON blank (delivery);

-- The journal of blanks: each line takes one from an account and puts it into another. An account
-- is a state at a place; the first line of a blank has none before it. Balances are sums of it.

CREATE TABLE blank_movement (
    id         BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    blank      TEXT    NOT NULL REFERENCES blank (serial),
    event      TEXT    NOT NULL,
    from_state TEXT,
    from_place TEXT    REFERENCES place (code),
    to_state   TEXT    NOT NULL,
    to_place   TEXT    NOT NULL REFERENCES place (code),
    station    TEXT,
    slot       TEXT,
    -- None where the books before had no journal.
    person     TEXT    REFERENCES account (id),
    witness    TEXT    REFERENCES account (id),
    moved      BIGINT NOT NULL,
    -- The days it is booked on, at the one place and at the other: the first that is not closed there.
    from_day   TEXT,
    to_day     TEXT    NOT NULL,
    cause      TEXT,
    document   TEXT    REFERENCES document (id),
    lease      TEXT    REFERENCES lease (id) DEFERRABLE INITIALLY DEFERRED,
    CHECK ((from_state IS NULL) = (from_place IS NULL) AND (from_state IS NULL) = (from_day IS NULL))
);

CREATE INDEX movement_of_blank ON blank_movement (blank, id);
CREATE INDEX movement_to ON blank_movement (to_place, to_day);
CREATE INDEX movement_from ON blank_movement (from_place, from_day);

INSERT INTO blank_movement (blank, event, to_state, to_place, moved, to_day, cause, document)
SELECT b.serial, 'opening', b.state, b.place, d.received, '1970-01-01', 'the balance when the journal began', b.document
FROM blank b JOIN delivery d ON d.reference = b.delivery ORDER BY b.serial;

CREATE FUNCTION blank_movement_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'movements of blanks are never changed or deleted'; END $$;
CREATE TRIGGER blank_movement_stays BEFORE UPDATE OR DELETE ON blank_movement
FOR EACH ROW EXECUTE FUNCTION blank_movement_is_final();

-- Days that two persons closed, with what they counted.

CREATE TABLE day_close (
    place     TEXT    NOT NULL REFERENCES place (code),
    day       TEXT    NOT NULL,
    closed_by TEXT    NOT NULL REFERENCES account (id),
    witness   TEXT    NOT NULL REFERENCES account (id),
    closed    BIGINT NOT NULL,
    PRIMARY KEY (place, day)
);

CREATE TABLE day_count (
    place   TEXT    NOT NULL,
    day     TEXT    NOT NULL,
    item    TEXT    NOT NULL,
    state   TEXT    NOT NULL,
    counted BIGINT NOT NULL,
    PRIMARY KEY (place, day, item, state),
    FOREIGN KEY (place, day) REFERENCES day_close (place, day)
);

-- Series of document numbers, each for some kinds, in the order of their turns.

CREATE TABLE series_of_kinds (
    -- Its first number.
    id          TEXT    PRIMARY KEY,
    prefix      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    first       BIGINT NOT NULL,
    next        BIGINT NOT NULL,
    last        BIGINT NOT NULL,
    turn        BIGINT NOT NULL UNIQUE,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'closed')),
    -- None for the one that the installation was founded with.
    opened_by   TEXT    REFERENCES account (id),
    opened_with TEXT    REFERENCES account (id),
    opened      BIGINT NOT NULL,
    closed_by   TEXT    REFERENCES account (id),
    closed_with TEXT    REFERENCES account (id),
    closed      BIGINT,
    CHECK (first >= 1 AND first <= next AND next <= last + 1 AND first <= last),
    CHECK ((state = 'closed') = (closed IS NOT NULL))
);

INSERT INTO series_of_kinds (id, prefix, environment, first, next, last, turn, state, opened)
SELECT prefix || '0000001', prefix, environment, 1, next, last, row_number() OVER (ORDER BY prefix), 'open', 0 FROM series;
DROP TABLE series;
ALTER TABLE series_of_kinds RENAME TO series;

CREATE TABLE series_kind (
    series TEXT NOT NULL REFERENCES series (id),
    kind   TEXT NOT NULL,
    PRIMARY KEY (series, kind)
);

INSERT INTO series_kind (series, kind)
WITH kinds (kind) AS (VALUES ('id-card'), ('alien-id-card'), ('passport'), ('non-citizen-passport'), ('refugee-travel-document'),
    ('stateless-travel-document'), ('subsidiary-protection-travel-document'), ('residence-permit'),
    ('repressed-person-certificate'), ('resistance-member-certificate'), ('war-participant-certificate'))
SELECT s.id, k.kind FROM series s CROSS JOIN kinds k;

-- Numbers of a series that nobody gets: they are on paper that must not be. A series goes past them.
CREATE TABLE void_range (
    series  TEXT    NOT NULL REFERENCES series (id),
    first   BIGINT NOT NULL,
    last    BIGINT NOT NULL CHECK (first <= last),
    person  TEXT    NOT NULL REFERENCES account (id),
    witness TEXT    NOT NULL REFERENCES account (id),
    voided  BIGINT NOT NULL,
    cause   TEXT    NOT NULL,
    PRIMARY KEY (series, first)
);

-- The series that it was allotted from; none for a number that came with a blank.
ALTER TABLE number ADD COLUMN series TEXT REFERENCES series (id);
ALTER TABLE number ADD COLUMN given BIGINT NOT NULL DEFAULT 0;
UPDATE number SET series = (SELECT s.id FROM series s WHERE s.prefix = substr(number.number, 1, 2));
CREATE INDEX number_of_series ON number (series, number);
CREATE INDEX number_given ON number (series, given);
