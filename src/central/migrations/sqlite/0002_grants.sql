-- Commands that put a key set on a chip: whoever has them may have run them. Given again for the
-- same channel, they are the same.

CREATE TABLE key_grant (
    lease          TEXT    NOT NULL REFERENCES lease (id),
    chip           TEXT    NOT NULL REFERENCES chip (serial),
    host_challenge BLOB    NOT NULL,
    card_challenge BLOB    NOT NULL,
    key_set        TEXT    NOT NULL,
    new_set        TEXT    NOT NULL,
    adds           INTEGER NOT NULL CHECK (adds IN (0, 1)),
    given          INTEGER NOT NULL,
    PRIMARY KEY (lease, chip, host_challenge, card_challenge, key_set, new_set, adds)
) STRICT, WITHOUT ROWID;

-- SHA-256 over what the chip's own proof in a channel answers; none where it proves nothing by
-- itself. A proof that was given out must not stand under a seal later.
ALTER TABLE channel ADD COLUMN answers_to BLOB;
