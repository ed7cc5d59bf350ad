-- Travel documents: what their document signers signed, and for which chip.

-- How many documents each signer signed. A signature is counted before it is given out.
CREATE TABLE document_signer (
    -- The serial number of its certificate.
    serial TEXT    PRIMARY KEY,
    used   INTEGER NOT NULL CHECK (used >= 0)
) STRICT, WITHOUT ROWID;

-- What was made of a chip's keys. Whoever asks again gets the same; other keys get nothing.
CREATE TABLE signed_lds (
    lease    TEXT    NOT NULL REFERENCES lease (id),
    chip     TEXT    NOT NULL REFERENCES chip (serial),
    document TEXT    NOT NULL REFERENCES document (id),
    number   TEXT    NOT NULL REFERENCES number (number),
    -- SHA-256 over the public keys and their names.
    keys     BLOB    NOT NULL,
    -- The serial number of the signer's certificate.
    signer   TEXT    NOT NULL REFERENCES document_signer (serial),
    -- JSON: each file in hexadecimal, by its name.
    files    TEXT    NOT NULL,
    signed   INTEGER NOT NULL,
    PRIMARY KEY (lease, chip)
) STRICT, WITHOUT ROWID;

-- The public halves of key pairs that were made here for a chip: the last that was sealed counts.
CREATE TABLE imported_key (
    lease    TEXT NOT NULL REFERENCES lease (id),
    chip     TEXT NOT NULL REFERENCES chip (serial),
    key_name TEXT NOT NULL,
    -- SHA-256 of the SubjectPublicKeyInfo.
    public   BLOB NOT NULL,
    PRIMARY KEY (lease, chip, key_name)
) STRICT, WITHOUT ROWID;
