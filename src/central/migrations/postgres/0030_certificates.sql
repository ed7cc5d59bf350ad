-- What names a holder in a certificate is encrypted as everything else is that does: the request, the
-- exchange with the authority, the certificate. What was stored before is encrypted when the store opens.
ALTER TABLE certificate ADD COLUMN sealed BIGINT NOT NULL DEFAULT 0 CHECK (sealed IN (0, 1));
CREATE INDEX certificate_in_clear ON certificate (id) WHERE sealed = 0;

-- The application of the document that a certificate was issued for; none of somebody else's.
ALTER TABLE authority_register ADD COLUMN application TEXT REFERENCES application (reference);
ALTER TABLE authority_register ADD COLUMN kept TEXT NOT NULL DEFAULT 'unsorted' CHECK (kept IN ('unsorted', 'sealed', 'clear'));
CREATE INDEX register_unsorted ON authority_register (serial) WHERE kept = 'unsorted';
CREATE INDEX register_of_application ON authority_register (application) WHERE application IS NOT NULL;
