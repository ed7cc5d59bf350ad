-- What stations wrote down of documents in work, as they wrote it: each line under the document's key, and
-- only until its lease has ended.
CREATE TABLE told_line (
    lease TEXT    NOT NULL REFERENCES lease (id),
    place BIGINT NOT NULL,
    line  BYTEA    NOT NULL,
    PRIMARY KEY (lease, place)
);

-- A card in a printer is never gone on with.
ALTER TABLE lease ADD COLUMN printed BIGINT NOT NULL DEFAULT 0 CHECK (printed IN (0, 1));

-- Leases that were taken from a station for another one; taken: when that one took it over.
CREATE TABLE lease_move (
    lease    TEXT    NOT NULL REFERENCES lease (id),
    number   BIGINT NOT NULL,
    station  TEXT    NOT NULL,
    slot     TEXT    NOT NULL,
    operator TEXT    NOT NULL REFERENCES account (id),
    moved    BIGINT NOT NULL,
    moved_by TEXT    NOT NULL REFERENCES account (id),
    witness  TEXT    NOT NULL REFERENCES account (id),
    cause    TEXT    NOT NULL,
    taken    BIGINT,
    taken_by TEXT,
    PRIMARY KEY (lease, number)
);
CREATE INDEX lease_move_awaited ON lease_move (lease) WHERE taken IS NULL;

-- Reports of stations on leases that were taken from them: they have their place in the station's order,
-- and nothing is done by them.
CREATE TABLE fenced_report (
    station   TEXT    NOT NULL,
    sequence  BIGINT NOT NULL,
    digest    BYTEA    NOT NULL,
    lease     TEXT    NOT NULL REFERENCES lease (id),
    end_state TEXT    NOT NULL,
    received  BIGINT NOT NULL,
    PRIMARY KEY (station, sequence)
);
