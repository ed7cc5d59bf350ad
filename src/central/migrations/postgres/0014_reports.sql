-- What reports are made of, and the order of the queue.

-- The office that hands it over; none of what was prepared before this was kept here.
ALTER TABLE document ADD COLUMN office TEXT;
-- The day of its application, in the office's own time.
ALTER TABLE document ADD COLUMN applied TEXT;
-- Whose stations make it: those of its office, where that has its own; else empty.
ALTER TABLE document ADD COLUMN place TEXT NOT NULL DEFAULT '';

-- What is due first, then urgent before others, then by age: of each profile and place the first is
-- the first in this index.
DROP INDEX document_queue;
CREATE INDEX document_queue ON document (profile, place, due, urgent DESC, id) WHERE state = 'queued';

-- What is in work or waits for its holder.
CREATE INDEX document_in_work ON document (state, kind, urgent, due, applied, office, place)
    WHERE state IN ('queued', 'at-station', 'personalized', 'quality-failed', 'quality-passed');

-- What happened to documents, one row an event. It repeats what it is counted by: a document's row is
-- long, and what is counted stays as it was on that day.
CREATE TABLE document_event (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document TEXT   NOT NULL REFERENCES document (id),
    event    TEXT   NOT NULL,
    -- The state after it.
    state    TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    -- The day in the office's own time.
    day      TEXT   NOT NULL,
    kind     TEXT   NOT NULL,
    office   TEXT,
    urgent   BIGINT NOT NULL CHECK (urgent IN (0, 1)),
    applied  TEXT,
    due      TEXT   NOT NULL,
    -- Why, where a cause was given.
    cause    TEXT
);

CREATE INDEX document_event_of_day ON document_event (event, day);
CREATE INDEX document_event_of_document ON document_event (document);

-- How each lease ended, by day, kind and cause; none of what was reported before this was kept.
ALTER TABLE report ADD COLUMN day TEXT;
ALTER TABLE report ADD COLUMN kind TEXT;
ALTER TABLE report ADD COLUMN cause TEXT;
CREATE INDEX report_of_day ON report (day);

-- Leases whose time has passed are looked for whenever a document is leased.
CREATE INDEX lease_running ON lease (expires) WHERE state = 'open';
