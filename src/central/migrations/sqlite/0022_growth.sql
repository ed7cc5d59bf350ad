-- What took longer the more documents there were, and need not.

-- What reports sum, with everything that they sum by: not a row of the table itself is read for it.
DROP INDEX document_event_of_day;
CREATE INDEX document_event_of_day ON document_event (event, day, kind, office, urgent, applied, due);

-- Lists in a state, in pages. Most applications end as completed and most documents are in their
-- holders' hands: those are found soon in the order of their keys.
CREATE INDEX application_in_state ON application (state, reference) WHERE state <> 'completed';
CREATE INDEX document_in_state ON document (state, id) WHERE state <> 'handed-over';
CREATE INDEX parcel_under_way ON parcel (serial) WHERE state IN ('open', 'sealed', 'under-way');
CREATE INDEX lease_live ON lease (id) WHERE state IN ('open', 'expired');
CREATE INDEX incident_open ON incident (number) WHERE state <> 'closed';
