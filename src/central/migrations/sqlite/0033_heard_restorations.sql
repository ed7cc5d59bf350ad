-- Stations that have heard of a restoration: from then on what they send begins with what the store lacks.

CREATE TABLE heard_restoration (
    epoch   TEXT NOT NULL REFERENCES restoration (epoch),
    station TEXT NOT NULL,
    PRIMARY KEY (epoch, station)
) STRICT, WITHOUT ROWID;
