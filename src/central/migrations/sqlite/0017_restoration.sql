-- Restorations: each begins another epoch, in which every station reconciles before it works.

CREATE TABLE restoration (
    -- A UUID that stations compare: no two restorations have the same, not even of one backup.
    epoch         TEXT    PRIMARY KEY,
    position      INTEGER NOT NULL UNIQUE,
    -- When the store was restored; what was given before may be on blanks that it does not know.
    restored      INTEGER NOT NULL,
    -- As of when the backup was made, where that is known.
    copied        INTEGER,
    -- How many numbers of each series are passed over: more than may have been given meanwhile.
    passed_over   INTEGER NOT NULL CHECK (passed_over >= 0),
    -- When the store opened with it, and passed those numbers over.
    begun         INTEGER,
    -- When people ended it: from then on work is given again.
    finished      INTEGER,
    finished_by   TEXT    REFERENCES account (id),
    finished_with TEXT    REFERENCES account (id),
    CHECK ((finished IS NULL) = (finished_by IS NULL) AND (finished IS NULL) = (finished_with IS NULL))
) STRICT;

-- Stations of which the store has every report again.
CREATE TABLE reconciled_station (
    epoch      TEXT    NOT NULL REFERENCES restoration (epoch),
    station    TEXT    NOT NULL,
    reconciled INTEGER NOT NULL,
    PRIMARY KEY (epoch, station)
) STRICT, WITHOUT ROWID;

-- Reports under leases that the store does not know. They count in the order of their station as
-- any other does.
CREATE TABLE quarantined_report (
    station      TEXT    NOT NULL,
    sequence     INTEGER NOT NULL,
    digest       BLOB    NOT NULL,
    -- The epoch in which it came, where the station had not reconciled in it.
    epoch        TEXT    REFERENCES restoration (epoch),
    lease        TEXT    NOT NULL,
    -- What stands on the blank, where the station says so.
    number       TEXT,
    end_state    TEXT    NOT NULL,
    -- Whether anything that lasts was begun.
    touched      INTEGER NOT NULL CHECK (touched IN (0, 1)),
    milliseconds INTEGER NOT NULL,
    received     INTEGER NOT NULL,
    -- The whole report as it came; none of one that is malformed.
    content      TEXT,
    PRIMARY KEY (station, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX quarantined_number ON quarantined_report (number);

CREATE TABLE quarantined_chip (
    station  TEXT    NOT NULL,
    sequence INTEGER NOT NULL,
    place    INTEGER NOT NULL,
    serial   TEXT    NOT NULL,
    PRIMARY KEY (station, sequence, place),
    FOREIGN KEY (station, sequence) REFERENCES quarantined_report (station, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX quarantined_chip_serial ON quarantined_chip (serial);

-- The store itself voids numbers too: no person did those.
CREATE TABLE void_range_of_all (
    series  TEXT    NOT NULL REFERENCES series (id),
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL CHECK (first <= last),
    person  TEXT    REFERENCES account (id),
    witness TEXT    REFERENCES account (id),
    voided  INTEGER NOT NULL,
    cause   TEXT    NOT NULL,
    PRIMARY KEY (series, first),
    CHECK ((person IS NULL) = (witness IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO void_range_of_all (series, first, last, person, witness, voided, cause)
SELECT series, first, last, person, witness, voided, cause FROM void_range;
DROP TABLE void_range;
ALTER TABLE void_range_of_all RENAME TO void_range;
