-- What is asked for in every act, by an index: each of these was a walk over all rows.

-- A document comes after its number, whose reference to it is looked for then.
CREATE INDEX number_of_document ON number (document);
CREATE INDEX lease_by_document ON lease (document, opened);
CREATE INDEX movement_of_lease ON blank_movement (lease) WHERE lease IS NOT NULL;
CREATE INDEX blank_of_document ON blank (document) WHERE document IS NOT NULL;
CREATE INDEX signed_lds_of_document ON signed_lds (document);
CREATE INDEX incident_of_subject ON incident (subject);
