-- What people did at stations themselves, as far as it is in the order of what a station tells; what it
-- was stands in the audit log.
CREATE TABLE station_act (
    station  TEXT    NOT NULL,
    sequence INTEGER NOT NULL,
    digest   BLOB    NOT NULL,
    received INTEGER NOT NULL,
    PRIMARY KEY (station, sequence)
) STRICT, WITHOUT ROWID;
