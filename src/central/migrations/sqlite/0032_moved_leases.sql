-- What stations wrote down of documents in work, as they wrote it: each line under the document's key, and
-- only until its lease has ended.
CREATE TABLE told_line (
    lease TEXT    NOT NULL REFERENCES lease (id),
    place INTEGER NOT NULL,
    line  BLOB    NOT NULL,
    PRIMARY KEY (lease, place)
) STRICT, WITHOUT ROWID;

-- A card in a printer is never gone on with.
ALTER TABLE lease ADD COLUMN printed INTEGER NOT NULL DEFAULT 0 CHECK (printed IN (0, 1));

-- Leases that were taken from a station for another one; taken: when that one took it over.
CREATE TABLE lease_move (
    lease    TEXT    NOT NULL REFERENCES lease (id),
    number   INTEGER NOT NULL,
    station  TEXT    NOT NULL,
    slot     TEXT    NOT NULL,
    operator TEXT    NOT NULL REFERENCES account (id),
    moved    INTEGER NOT NULL,
    moved_by TEXT    NOT NULL REFERENCES account (id),
    witness  TEXT    NOT NULL REFERENCES account (id),
    cause    TEXT    NOT NULL,
    taken    INTEGER,
    taken_by TEXT,
    PRIMARY KEY (lease, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_move_awaited ON lease_move (lease) WHERE taken IS NULL;

-- Reports of stations on leases that were taken from them: they have their place in the station's order,
-- and nothing is done by them.
CREATE TABLE fenced_report (
    station   TEXT    NOT NULL,
    sequence  INTEGER NOT NULL,
    digest    BLOB    NOT NULL,
    lease     TEXT    NOT NULL REFERENCES lease (id),
    end_state TEXT    NOT NULL,
    received  INTEGER NOT NULL,
    PRIMARY KEY (station, sequence)
) STRICT, WITHOUT ROWID;
