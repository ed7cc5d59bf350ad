-- In which order documents were prepared, and leases given. Their identities say so no more: those of
-- one moment stand apart in every index, and who works on one is not in another's way.
ALTER TABLE document ADD COLUMN turn TEXT NOT NULL DEFAULT '';
UPDATE document SET turn = id;
DROP INDEX document_queue;
CREATE INDEX document_queue ON document (profile, place, due, urgent DESC, turn) WHERE state = 'queued';

ALTER TABLE lease ADD COLUMN turn TEXT NOT NULL DEFAULT '';
UPDATE lease SET turn = id;
