-- Certificates that the embedded authority issued over CMP, and that wait for their requester's
-- word until then; those that were settled have no moment.

CREATE TABLE cmp_confirmation (
    exchange BLOB    PRIMARY KEY,
    until    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX cmp_confirmation_waiting ON cmp_confirmation (until) WHERE until IS NOT NULL;
