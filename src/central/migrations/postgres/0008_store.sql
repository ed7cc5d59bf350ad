-- The issuance store on PostgreSQL, as of the migration of this number for SQLite: what the tables
-- mean is said there. Migrations only go forward.
--
-- Moments are milliseconds since 1970 in UTC, days are ISO 8601; every whole number has 64 bits.

CREATE TABLE installation (
    id          BIGINT PRIMARY KEY CHECK (id = 1),
    environment TEXT   NOT NULL CHECK (environment IN ('test', 'production')),
    audit_key   TEXT   NOT NULL,
    authority   BYTEA  NOT NULL,
    founded     BIGINT NOT NULL
);

-- People. `id` is how the audit log knows them: the log holds no names.

CREATE TABLE account (
    id    TEXT   PRIMARY KEY,
    name  TEXT   NOT NULL UNIQUE,
    added BIGINT NOT NULL
);

CREATE TABLE account_role (
    account TEXT NOT NULL REFERENCES account (id),
    role    TEXT NOT NULL,
    PRIMARY KEY (account, role)
);

-- Applications, whole as they came in.

CREATE TABLE application (
    reference  TEXT   PRIMARY KEY,
    kind       TEXT   NOT NULL,
    priority   TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    content    BYTEA  NOT NULL,
    entered_by TEXT   NOT NULL REFERENCES account (id),
    entered    BIGINT NOT NULL,
    decided_by TEXT   REFERENCES account (id),
    decided    BIGINT,
    cause      TEXT
);

-- Numbers: a series gives each once; every one given is accounted for.

CREATE TABLE series (
    prefix      TEXT   PRIMARY KEY,
    environment TEXT   NOT NULL,
    next        BIGINT NOT NULL,
    last        BIGINT NOT NULL
);

-- A document keeps its identity when it gets another number; it has none while it waits for a blank
-- that has its number.

CREATE TABLE document (
    id          TEXT   PRIMARY KEY,
    application TEXT   NOT NULL UNIQUE REFERENCES application (reference),
    kind        TEXT   NOT NULL,
    profile     TEXT   NOT NULL,
    number      TEXT   UNIQUE,
    state       TEXT   NOT NULL,
    urgent      BIGINT NOT NULL CHECK (urgent IN (0, 1)),
    due         TEXT   NOT NULL,
    -- What was prepared last; none before the first blank.
    issued      TEXT,
    expires     TEXT,
    record      TEXT,
    subjects    TEXT,
    operator    TEXT   REFERENCES account (id),
    CHECK (number IS NULL OR record IS NOT NULL),
    CHECK ((record IS NULL) = (subjects IS NULL) AND (record IS NULL) = (issued IS NULL) AND (record IS NULL) = (expires IS NULL))
);

-- The order of the queue: urgent first, then what is due first, then by number.
CREATE INDEX document_queue ON document (urgent DESC, due, number NULLS FIRST, id) WHERE state = 'queued';

CREATE TABLE number (
    number   TEXT PRIMARY KEY,
    document TEXT NOT NULL REFERENCES document (id) DEFERRABLE INITIALLY DEFERRED,
    -- returned: it is on a blank that came back untouched.
    state    TEXT NOT NULL CHECK (state IN ('allotted', 'issued', 'spoiled', 'cancelled', 'returned'))
);

-- Stock: a blank is in one state, and carries at most one document.

CREATE TABLE delivery (
    reference   TEXT   PRIMARY KEY,
    blanks      BIGINT NOT NULL,
    received_by TEXT   NOT NULL REFERENCES account (id),
    received    BIGINT NOT NULL
);

CREATE TABLE blank (
    serial     TEXT PRIMARY KEY,
    delivery   TEXT NOT NULL REFERENCES delivery (reference),
    state      TEXT NOT NULL,
    document   TEXT REFERENCES document (id),
    number     TEXT REFERENCES number (number),
    -- The name of the blanks that a document profile wants, where their chips do not say it.
    article    TEXT,
    -- The document number that its maker gave it.
    own_number TEXT
);

CREATE UNIQUE INDEX blank_of_own_number ON blank (own_number) WHERE own_number IS NOT NULL;

-- A station tells the chips of a blank apart by their products.
CREATE TABLE chip (
    serial      TEXT   PRIMARY KEY,
    blank       TEXT   NOT NULL REFERENCES blank (serial),
    product     TEXT   NOT NULL,
    position    BIGINT NOT NULL,
    -- The version of the keys that the maker left on it, as far as the delivery says it.
    key_version BIGINT CHECK (key_version BETWEEN 0 AND 255),
    UNIQUE (blank, position),
    UNIQUE (blank, product)
);

-- Leases. `number` is the document's at that time.

CREATE TABLE lease (
    id              TEXT   PRIMARY KEY,
    document        TEXT   NOT NULL REFERENCES document (id),
    number          TEXT   NOT NULL REFERENCES number (number),
    station         TEXT   NOT NULL,
    slot            TEXT   NOT NULL,
    operator        TEXT   NOT NULL REFERENCES account (id),
    document_digest BYTEA  NOT NULL,
    blank           TEXT   REFERENCES blank (serial),
    state           TEXT   NOT NULL,
    opened          BIGINT NOT NULL,
    expires         BIGINT NOT NULL,
    purpose         TEXT   NOT NULL DEFAULT 'personalization' CHECK (purpose IN ('personalization', 'new-pins'))
);

-- The chip profiles that a document is made with, in the order of the document profile.
CREATE TABLE lease_chip (
    lease    TEXT   NOT NULL REFERENCES lease (id),
    position BIGINT NOT NULL,
    product  TEXT   NOT NULL,
    digest   BYTEA  NOT NULL,
    PRIMARY KEY (lease, position),
    UNIQUE (lease, product)
);

-- What must never be twice is refused by the database too.
CREATE UNIQUE INDEX lease_of_document ON lease (document) WHERE state IN ('open', 'expired');
CREATE UNIQUE INDEX lease_of_blank ON lease (blank) WHERE state IN ('open', 'expired');
CREATE INDEX lease_of_number ON lease (number);
CREATE INDEX lease_of_slot ON lease (station, slot) WHERE state IN ('open', 'expired');
CREATE INDEX lease_of_new_pins ON lease (document) WHERE purpose = 'new-pins';

-- Session keys follow from the chip's keys and both challenges; who got those of one pair
-- must be known for good, so that a sealed channel's are never given out.

CREATE TABLE channel (
    chip           TEXT   NOT NULL REFERENCES chip (serial),
    host_challenge BYTEA  NOT NULL,
    card_challenge BYTEA  NOT NULL,
    lease          TEXT   NOT NULL REFERENCES lease (id),
    key_set        TEXT   NOT NULL,
    purpose        TEXT   NOT NULL CHECK (purpose IN ('station', 'sealed')),
    opened         BIGINT NOT NULL,
    -- SHA-256 over what the chip's own proof in a channel answers; none where it proves nothing by
    -- itself.
    answers_to     BYTEA,
    PRIMARY KEY (chip, host_challenge, card_challenge)
);

CREATE INDEX channel_of_lease ON channel (lease, chip);

-- Commands that put a key set on a chip: whoever has them may have run them.

CREATE TABLE key_grant (
    lease          TEXT   NOT NULL REFERENCES lease (id),
    chip           TEXT   NOT NULL REFERENCES chip (serial),
    host_challenge BYTEA  NOT NULL,
    card_challenge BYTEA  NOT NULL,
    key_set        TEXT   NOT NULL,
    new_set        TEXT   NOT NULL,
    adds           BIGINT NOT NULL CHECK (adds IN (0, 1)),
    given          BIGINT NOT NULL,
    PRIMARY KEY (lease, chip, host_challenge, card_challenge, key_set, new_set, adds)
);

-- Certificates are asked for as exchanges that are written down before anything is sent; where
-- each stands with its authority is kept beside where it should.

CREATE TABLE certificate (
    -- This house's name of it, from before any authority heard of it.
    id         TEXT   PRIMARY KEY,
    document   TEXT   NOT NULL REFERENCES document (id),
    number     TEXT   NOT NULL REFERENCES number (number),
    lease      TEXT   NOT NULL REFERENCES lease (id),
    chip       TEXT   NOT NULL REFERENCES chip (serial),
    key_name   TEXT   NOT NULL,
    profile    TEXT   NOT NULL,
    authority  TEXT   NOT NULL,
    -- SHA-256 of the SubjectPublicKeyInfo: no key is certified twice.
    public_key BYTEA  NOT NULL UNIQUE,
    request    BYTEA  NOT NULL,
    exchange   BYTEA  NOT NULL,
    -- Whether the exchange may have been sent.
    sent       BIGINT NOT NULL CHECK (sent IN (0, 1)),
    challenge  BYTEA  NOT NULL,
    state      TEXT   NOT NULL,
    -- What the authority said last of where it stands.
    standing   TEXT   NOT NULL CHECK (standing IN ('none', 'on-hold', 'good', 'revoked')),
    concluded  BIGINT NOT NULL CHECK (concluded IN (0, 1)),
    serial     TEXT,
    der        BYTEA,
    not_before BIGINT,
    not_after  BIGINT,
    changed    BIGINT NOT NULL,
    -- How often the authority was asked in vain, when it is asked next, and what went wrong.
    tries      BIGINT NOT NULL DEFAULT 0,
    next_try   BIGINT NOT NULL DEFAULT 0,
    trouble    TEXT,
    UNIQUE (lease, chip, key_name),
    UNIQUE (authority, serial),
    CHECK ((serial IS NULL) = (der IS NULL))
);

CREATE INDEX certificate_of_document ON certificate (document);
CREATE INDEX certificate_of_number ON certificate (number);

-- What is not settled with its authority.
CREATE INDEX certificate_unsettled ON certificate (next_try) WHERE
    state = 'in-doubt'
    OR (state IN ('issued-on-hold', 'ready') AND (standing <> 'on-hold' OR concluded = 0))
    OR (state = 'active' AND standing <> 'good')
    OR (state LIKE 'revoked%' AND standing <> 'revoked');

-- The register of the embedded authority: what it issued, to whomever.

CREATE TABLE authority_register (
    serial    TEXT   PRIMARY KEY,
    exchange  BYTEA  NOT NULL UNIQUE,
    der       BYTEA  NOT NULL,
    -- on-hold, good, or revoked:REASON.
    status    TEXT   NOT NULL,
    since     BIGINT NOT NULL,
    not_after BIGINT NOT NULL
);

-- What a revocation list has.
CREATE INDEX authority_register_listed ON authority_register (not_after) WHERE status <> 'good';

CREATE TABLE crl (
    number BIGINT PRIMARY KEY,
    issued BIGINT NOT NULL,
    der    BYTEA  NOT NULL
);

-- Certificates that the embedded authority issued over CMP, and that wait for their requester's
-- word until then; those that were settled have no moment.

CREATE TABLE cmp_confirmation (
    exchange BYTEA PRIMARY KEY,
    until    BIGINT
);

CREATE INDEX cmp_confirmation_waiting ON cmp_confirmation (until) WHERE until IS NOT NULL;

-- Stages whose channel no station has the keys of. One that is not confirmed may be sealed again.

CREATE TABLE sealed_stage (
    lease   TEXT   NOT NULL REFERENCES lease (id),
    chip    TEXT   NOT NULL REFERENCES chip (serial),
    stage   TEXT   NOT NULL,
    -- SHA-256 of the answers that confirmed it: a repeated confirmation is known by it.
    answers BYTEA,
    changed BIGINT NOT NULL,
    PRIMARY KEY (lease, chip, stage)
);

-- PIN envelopes as items: each with a serial number of its own, which stands on it.

CREATE TABLE envelope (
    serial   TEXT   PRIMARY KEY,
    lease    TEXT   NOT NULL,
    chip     TEXT   NOT NULL,
    stage    TEXT   NOT NULL,
    document TEXT   NOT NULL REFERENCES document (id),
    number   TEXT   NOT NULL REFERENCES number (number),
    state    TEXT   NOT NULL CHECK (state IN ('sealed', 'ready', 'printing', 'printed', 'dispatched', 'delivered', 'void', 'destroyed')),
    -- The PINs, sealed to the printer's key; until they are on paper.
    sealed   BYTEA,
    -- Sealed to this store's own key: all PINs while they are being set, then the PUKs until the
    -- document is handed over.
    kept     BYTEA,
    -- How it was sent.
    way      TEXT,
    changed  BIGINT NOT NULL,
    UNIQUE (lease, chip, stage),
    FOREIGN KEY (lease, chip, stage) REFERENCES sealed_stage (lease, chip, stage),
    CHECK ((sealed IS NOT NULL) = (state IN ('sealed', 'ready', 'printing')))
);

CREATE INDEX envelope_of_number ON envelope (number);
CREATE INDEX envelope_of_document ON envelope (document);

-- The last serial number that was given: none is given twice.
CREATE TABLE envelope_series (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    last BIGINT NOT NULL
);

INSERT INTO envelope_series (id, last) VALUES (1, 0);

-- Travel documents: what their document signers signed, and for which chip.

-- How many documents each signer signed. A signature is counted before it is given out.
CREATE TABLE document_signer (
    -- The serial number of its certificate.
    serial TEXT   PRIMARY KEY,
    used   BIGINT NOT NULL CHECK (used >= 0)
);

-- What was made of a chip's keys. Whoever asks again gets the same; other keys get nothing.
CREATE TABLE signed_lds (
    lease    TEXT   NOT NULL REFERENCES lease (id),
    chip     TEXT   NOT NULL REFERENCES chip (serial),
    document TEXT   NOT NULL REFERENCES document (id),
    number   TEXT   NOT NULL REFERENCES number (number),
    -- SHA-256 over the public keys and their names.
    keys     BYTEA  NOT NULL,
    -- The serial number of the signer's certificate.
    signer   TEXT   NOT NULL REFERENCES document_signer (serial),
    -- JSON: each file in hexadecimal, by its name.
    files    TEXT   NOT NULL,
    signed   BIGINT NOT NULL,
    PRIMARY KEY (lease, chip)
);

-- The public halves of key pairs that were made here for a chip: the last that was sealed counts.
CREATE TABLE imported_key (
    lease    TEXT  NOT NULL REFERENCES lease (id),
    chip     TEXT  NOT NULL REFERENCES chip (serial),
    key_name TEXT  NOT NULL,
    -- SHA-256 of the SubjectPublicKeyInfo.
    public   BYTEA NOT NULL,
    PRIMARY KEY (lease, chip, key_name)
);

-- Reports, in each station's order.

CREATE TABLE report (
    station      TEXT   NOT NULL,
    sequence     BIGINT NOT NULL,
    digest       BYTEA  NOT NULL,
    lease        TEXT   NOT NULL REFERENCES lease (id),
    end_state    TEXT   NOT NULL,
    milliseconds BIGINT NOT NULL,
    received     BIGINT NOT NULL,
    PRIMARY KEY (station, sequence)
);

CREATE INDEX report_of_lease ON report (lease);

CREATE TABLE reported_chip (
    station   TEXT   NOT NULL,
    sequence  BIGINT NOT NULL,
    place     BIGINT NOT NULL,
    interface TEXT   NOT NULL,
    product   TEXT   NOT NULL,
    serial    TEXT,
    os        TEXT,
    commands  BIGINT NOT NULL,
    bytes     BIGINT NOT NULL,
    PRIMARY KEY (station, sequence, place),
    FOREIGN KEY (station, sequence) REFERENCES report (station, sequence)
);

CREATE TABLE journal_line (
    station  TEXT   NOT NULL,
    sequence BIGINT NOT NULL,
    place    BIGINT NOT NULL,
    at       TEXT   NOT NULL,
    step     TEXT   NOT NULL,
    moment   TEXT   NOT NULL,
    evidence TEXT   NOT NULL,
    PRIMARY KEY (station, sequence, place),
    FOREIGN KEY (station, sequence) REFERENCES report (station, sequence)
);

-- The audit log. An entry is committed with its change; the sequencer gives it its leaf.

CREATE TABLE audit_entry (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry     BYTEA  NOT NULL,
    committed BIGINT NOT NULL,
    leaf      BIGINT UNIQUE
);

CREATE INDEX audit_waiting ON audit_entry (id) WHERE leaf IS NULL;

CREATE TABLE audit_node (
    height   BIGINT NOT NULL,
    position BIGINT NOT NULL,
    hash     BYTEA  NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (height, position)
);

CREATE TABLE audit_checkpoint (
    size   BIGINT PRIMARY KEY,
    note   TEXT   NOT NULL,
    signed BIGINT NOT NULL
);

-- A slip of ours must not alter history; whoever means to is found by the tree.
CREATE FUNCTION history_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'rows of % are never deleted or changed', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; END;
$$;

CREATE TRIGGER audit_entry_stays BEFORE DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION history_stays();
CREATE TRIGGER audit_entry_is_sequenced_once BEFORE UPDATE ON audit_entry FOR EACH ROW
    WHEN (OLD.leaf IS NOT NULL OR NEW.entry <> OLD.entry OR NEW.id <> OLD.id OR NEW.committed <> OLD.committed)
    EXECUTE FUNCTION history_stays();
CREATE TRIGGER audit_entry_is_not_emptied BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION history_stays();
CREATE TRIGGER audit_node_stays BEFORE DELETE ON audit_node
    FOR EACH ROW EXECUTE FUNCTION history_stays();
CREATE TRIGGER audit_node_is_final BEFORE UPDATE ON audit_node
    FOR EACH ROW EXECUTE FUNCTION history_stays();
CREATE TRIGGER audit_node_is_not_emptied BEFORE TRUNCATE ON audit_node
    FOR EACH STATEMENT EXECUTE FUNCTION history_stays();
CREATE TRIGGER audit_checkpoint_stays BEFORE DELETE ON audit_checkpoint
    FOR EACH ROW EXECUTE FUNCTION history_stays();
CREATE TRIGGER audit_checkpoint_is_final BEFORE UPDATE ON audit_checkpoint
    FOR EACH ROW EXECUTE FUNCTION history_stays();
CREATE TRIGGER audit_checkpoint_is_not_emptied BEFORE TRUNCATE ON audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION history_stays();
