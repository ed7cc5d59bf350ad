-- PIN envelopes as items: each with a serial number of its own, which stands on it.

CREATE TABLE envelope_item (
    serial   TEXT    PRIMARY KEY,
    lease    TEXT    NOT NULL,
    chip     TEXT    NOT NULL,
    stage    TEXT    NOT NULL,
    document TEXT    NOT NULL REFERENCES document (id),
    number   TEXT    NOT NULL REFERENCES number (number),
    state    TEXT    NOT NULL CHECK (state IN ('sealed', 'ready', 'printing', 'printed', 'dispatched', 'delivered', 'void', 'destroyed')),
    -- The PINs, sealed to the printer's key; until they are on paper.
    sealed   BLOB,
    -- Sealed to this store's own key: all PINs while they are being set, then the PUKs until the
    -- document is handed over.
    kept     BLOB,
    -- How it was sent.
    way      TEXT,
    changed  INTEGER NOT NULL,
    UNIQUE (lease, chip, stage),
    FOREIGN KEY (lease, chip, stage) REFERENCES sealed_stage (lease, chip, stage),
    CHECK ((sealed IS NOT NULL) = (state IN ('sealed', 'ready', 'printing')))
) STRICT, WITHOUT ROWID;

-- What was handed out before was on paper; nobody noted more.
INSERT INTO envelope_item (serial, lease, chip, stage, document, number, state, sealed, kept, way, changed)
SELECT printf('PE%07d', row_number() OVER (ORDER BY changed, number)), lease, chip, stage, document, number,
       CASE state WHEN 'handed-out' THEN 'printed' ELSE state END,
       CASE state WHEN 'handed-out' THEN NULL ELSE sealed END,
       CASE state WHEN 'sealed' THEN sealed END,
       NULL, changed
FROM envelope;

DROP TABLE envelope;
ALTER TABLE envelope_item RENAME TO envelope;
CREATE INDEX envelope_of_number ON envelope (number);

-- The last serial number that was given: none is given twice.
CREATE TABLE envelope_series (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL
) STRICT;

INSERT INTO envelope_series (id, last) SELECT 1, count(*) FROM envelope;
