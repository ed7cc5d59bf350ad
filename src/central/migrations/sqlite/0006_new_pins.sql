-- What a lease is for: to make a document, or to give the one that a blank carries new PINs.

ALTER TABLE lease ADD COLUMN purpose TEXT NOT NULL DEFAULT 'personalization' CHECK (purpose IN ('personalization', 'new-pins'));

CREATE INDEX lease_of_new_pins ON lease (document) WHERE purpose = 'new-pins';
CREATE INDEX envelope_of_document ON envelope (document);
