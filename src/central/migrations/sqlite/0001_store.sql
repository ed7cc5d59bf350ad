-- The issuance store. Migrations only go forward.
--
-- Moments are milliseconds since 1970 in UTC, days are ISO 8601. States are the wire names of
-- the life cycles in `document`; which one may follow which is decided there, so that a
-- constraint here only keeps what is no state at all out.

CREATE TABLE installation (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    environment TEXT    NOT NULL CHECK (environment IN ('test', 'production')),
    audit_key   TEXT    NOT NULL,
    authority   BLOB    NOT NULL,
    founded     INTEGER NOT NULL
) STRICT;

-- People. `id` is how the audit log knows them: the log holds no names.

CREATE TABLE account (
    id    TEXT    PRIMARY KEY,
    name  TEXT    NOT NULL UNIQUE,
    added INTEGER NOT NULL
) STRICT;

CREATE TABLE account_role (
    account TEXT NOT NULL REFERENCES account (id),
    role    TEXT NOT NULL,
    PRIMARY KEY (account, role)
) STRICT, WITHOUT ROWID;

-- Applications, whole as they came in.

CREATE TABLE application (
    reference  TEXT    PRIMARY KEY,
    kind       TEXT    NOT NULL,
    priority   TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    content    BLOB    NOT NULL,
    entered_by TEXT    NOT NULL REFERENCES account (id),
    entered    INTEGER NOT NULL,
    decided_by TEXT    REFERENCES account (id),
    decided    INTEGER,
    cause      TEXT
) STRICT;

-- Numbers: a series gives each once; every one given is accounted for.

CREATE TABLE series (
    prefix      TEXT    PRIMARY KEY,
    environment TEXT    NOT NULL,
    next        INTEGER NOT NULL,
    last        INTEGER NOT NULL
) STRICT;

-- A document keeps its identity when it gets another number.

CREATE TABLE document (
    id          TEXT    PRIMARY KEY,
    application TEXT    NOT NULL UNIQUE REFERENCES application (reference),
    kind        TEXT    NOT NULL,
    profile     TEXT    NOT NULL,
    number      TEXT    NOT NULL UNIQUE,
    state       TEXT    NOT NULL,
    urgent      INTEGER NOT NULL CHECK (urgent IN (0, 1)),
    due         TEXT    NOT NULL,
    issued      TEXT    NOT NULL,
    expires     TEXT    NOT NULL,
    record      TEXT    NOT NULL,
    subjects    TEXT    NOT NULL,
    operator    TEXT    REFERENCES account (id)
) STRICT;

-- The order of the queue: urgent first, then what is due first, then by number.
CREATE INDEX document_queue ON document (urgent DESC, due, number) WHERE state = 'queued';

CREATE TABLE number (
    number   TEXT PRIMARY KEY,
    document TEXT NOT NULL REFERENCES document (id) DEFERRABLE INITIALLY DEFERRED,
    state    TEXT NOT NULL CHECK (state IN ('allotted', 'issued', 'spoiled', 'cancelled'))
) STRICT;

-- Stock: a blank is in one state, and carries at most one document. It is known by the number
-- that is printed on it, its chips by their own.

CREATE TABLE delivery (
    reference   TEXT    PRIMARY KEY,
    blanks      INTEGER NOT NULL,
    received_by TEXT    NOT NULL REFERENCES account (id),
    received    INTEGER NOT NULL
) STRICT;

CREATE TABLE blank (
    serial   TEXT PRIMARY KEY,
    delivery TEXT NOT NULL REFERENCES delivery (reference),
    state    TEXT NOT NULL,
    document TEXT REFERENCES document (id),
    number   TEXT REFERENCES number (number)
) STRICT;

-- A station tells the chips of a blank apart by their products.
CREATE TABLE chip (
    serial   TEXT    PRIMARY KEY,
    blank    TEXT    NOT NULL REFERENCES blank (serial),
    product  TEXT    NOT NULL,
    position INTEGER NOT NULL,
    UNIQUE (blank, position),
    UNIQUE (blank, product)
) STRICT;

-- Leases. `number` is the document's at that time.

CREATE TABLE lease (
    id              TEXT    PRIMARY KEY,
    document        TEXT    NOT NULL REFERENCES document (id),
    number          TEXT    NOT NULL REFERENCES number (number),
    station         TEXT    NOT NULL,
    slot            TEXT    NOT NULL,
    operator        TEXT    NOT NULL REFERENCES account (id),
    document_digest BLOB    NOT NULL,
    blank           TEXT    REFERENCES blank (serial),
    state           TEXT    NOT NULL,
    opened          INTEGER NOT NULL,
    expires         INTEGER NOT NULL
) STRICT;

-- The chip profiles that a document is made with, in the order of the document profile.
CREATE TABLE lease_chip (
    lease    TEXT    NOT NULL REFERENCES lease (id),
    position INTEGER NOT NULL,
    product  TEXT    NOT NULL,
    digest   BLOB    NOT NULL,
    PRIMARY KEY (lease, position),
    UNIQUE (lease, product)
) STRICT, WITHOUT ROWID;

-- What must never be twice is refused by the database too.
CREATE UNIQUE INDEX lease_of_document ON lease (document) WHERE state IN ('open', 'expired');
CREATE UNIQUE INDEX lease_of_blank ON lease (blank) WHERE state IN ('open', 'expired');
CREATE INDEX lease_of_number ON lease (number);
CREATE INDEX lease_of_slot ON lease (station, slot) WHERE state IN ('open', 'expired');

-- Session keys follow from the chip's keys and both challenges; who got those of one pair
-- must be known for good, so that a sealed channel's are never given out.

CREATE TABLE channel (
    chip           TEXT    NOT NULL REFERENCES chip (serial),
    host_challenge BLOB    NOT NULL,
    card_challenge BLOB    NOT NULL,
    lease          TEXT    NOT NULL REFERENCES lease (id),
    key_set        TEXT    NOT NULL,
    purpose        TEXT    NOT NULL CHECK (purpose IN ('station', 'sealed')),
    opened         INTEGER NOT NULL,
    PRIMARY KEY (chip, host_challenge, card_challenge)
) STRICT, WITHOUT ROWID;

CREATE INDEX channel_of_lease ON channel (lease, chip);

CREATE TABLE certificate (
    serial     TEXT    PRIMARY KEY,
    document   TEXT    NOT NULL REFERENCES document (id),
    number     TEXT    NOT NULL REFERENCES number (number),
    lease      TEXT    NOT NULL REFERENCES lease (id),
    chip       TEXT    NOT NULL REFERENCES chip (serial),
    key_name   TEXT    NOT NULL,
    profile    TEXT    NOT NULL,
    public_key BLOB    NOT NULL UNIQUE,
    der        BLOB    NOT NULL,
    state      TEXT    NOT NULL,
    not_before INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    changed    INTEGER NOT NULL,
    UNIQUE (lease, chip, key_name)
) STRICT;

CREATE INDEX certificate_of_document ON certificate (document);
CREATE INDEX certificate_of_number ON certificate (number);

CREATE TABLE crl (
    number  INTEGER PRIMARY KEY,
    issued  INTEGER NOT NULL,
    der     BLOB    NOT NULL
) STRICT;

-- Stages whose channel no station has the keys of. One that is not confirmed may be sealed again.

CREATE TABLE sealed_stage (
    lease   TEXT    NOT NULL REFERENCES lease (id),
    chip    TEXT    NOT NULL REFERENCES chip (serial),
    stage   TEXT    NOT NULL,
    -- SHA-256 of the answers that confirmed it: a repeated confirmation is known by it.
    answers BLOB,
    changed INTEGER NOT NULL,
    PRIMARY KEY (lease, chip, stage)
) STRICT, WITHOUT ROWID;

-- PIN envelopes: sealed to the envelope key; nothing here opens them.

CREATE TABLE envelope (
    lease     TEXT    NOT NULL,
    chip      TEXT    NOT NULL,
    stage     TEXT    NOT NULL,
    document  TEXT    NOT NULL REFERENCES document (id),
    number    TEXT    NOT NULL REFERENCES number (number),
    state     TEXT    NOT NULL CHECK (state IN ('sealed', 'ready', 'handed-out', 'destroyed')),
    sealed    BLOB,
    changed   INTEGER NOT NULL,
    PRIMARY KEY (lease, chip, stage),
    FOREIGN KEY (lease, chip, stage) REFERENCES sealed_stage (lease, chip, stage),
    CHECK ((sealed IS NULL) = (state = 'destroyed'))
) STRICT, WITHOUT ROWID;

CREATE INDEX envelope_of_number ON envelope (number);

-- Reports, in each station's order.

CREATE TABLE report (
    station      TEXT    NOT NULL,
    sequence     INTEGER NOT NULL,
    digest       BLOB    NOT NULL,
    lease        TEXT    NOT NULL REFERENCES lease (id),
    end_state    TEXT    NOT NULL,
    milliseconds INTEGER NOT NULL,
    received     INTEGER NOT NULL,
    PRIMARY KEY (station, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX report_of_lease ON report (lease);

CREATE TABLE reported_chip (
    station   TEXT    NOT NULL,
    sequence  INTEGER NOT NULL,
    place     INTEGER NOT NULL,
    interface TEXT    NOT NULL,
    product   TEXT    NOT NULL,
    serial    TEXT,
    os        TEXT,
    commands  INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    PRIMARY KEY (station, sequence, place),
    FOREIGN KEY (station, sequence) REFERENCES report (station, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal_line (
    station  TEXT    NOT NULL,
    sequence INTEGER NOT NULL,
    place    INTEGER NOT NULL,
    at       TEXT    NOT NULL,
    step     TEXT    NOT NULL,
    moment   TEXT    NOT NULL,
    evidence TEXT    NOT NULL,
    PRIMARY KEY (station, sequence, place),
    FOREIGN KEY (station, sequence) REFERENCES report (station, sequence)
) STRICT, WITHOUT ROWID;

-- The audit log. An entry is committed with its change; the sequencer gives it its leaf.

CREATE TABLE audit_entry (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    entry     BLOB    NOT NULL,
    committed INTEGER NOT NULL,
    leaf      INTEGER UNIQUE
) STRICT;

CREATE INDEX audit_waiting ON audit_entry (id) WHERE leaf IS NULL;

CREATE TABLE audit_node (
    height   INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (height, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_checkpoint (
    size   INTEGER PRIMARY KEY,
    note   TEXT    NOT NULL,
    signed INTEGER NOT NULL
) STRICT;

-- A slip of ours must not alter history; whoever means to is found by the tree.
CREATE TRIGGER audit_entry_stays BEFORE DELETE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted'); END;
CREATE TRIGGER audit_entry_is_sequenced_once BEFORE UPDATE ON audit_entry
WHEN OLD.leaf IS NOT NULL OR NEW.entry <> OLD.entry OR NEW.id <> OLD.id OR NEW.committed <> OLD.committed
BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END;
CREATE TRIGGER audit_node_stays BEFORE DELETE ON audit_node
BEGIN SELECT RAISE(ABORT, 'audit nodes are never deleted'); END;
CREATE TRIGGER audit_node_is_final BEFORE UPDATE ON audit_node
BEGIN SELECT RAISE(ABORT, 'audit nodes are never changed'); END;
CREATE TRIGGER audit_checkpoint_stays BEFORE DELETE ON audit_checkpoint
BEGIN SELECT RAISE(ABORT, 'audit checkpoints are never deleted'); END;
CREATE TRIGGER audit_checkpoint_is_final BEFORE UPDATE ON audit_checkpoint
BEGIN SELECT RAISE(ABORT, 'audit checkpoints are never changed'); END;
