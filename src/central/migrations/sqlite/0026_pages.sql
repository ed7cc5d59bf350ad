-- Lists in pages go in the order in which documents were prepared and leases given: what is made while
-- somebody turns the pages comes on the last of them.
CREATE INDEX document_turn ON document (turn);
DROP INDEX document_in_state;
CREATE INDEX document_in_state ON document (state, turn) WHERE state <> 'handed-over';
DROP INDEX lease_live;
CREATE INDEX lease_live ON lease (turn) WHERE state IN ('open', 'expired');
