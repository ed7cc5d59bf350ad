-- A card is on its ribbon also where its lease is unknown after a restoration. What the printer said
-- behind each card tells how many it printed that no station told of.
ALTER TABLE ribbon_card RENAME TO old_ribbon_card;
DROP INDEX card_of_ribbon;

CREATE TABLE ribbon_card (
    lease      TEXT    PRIMARY KEY,
    ribbon     TEXT    NOT NULL REFERENCES ribbon (serial),
    station    TEXT    NOT NULL,
    slot       TEXT    NOT NULL,
    printed    INTEGER NOT NULL,
    -- How many cards more the ribbon was for, as its printer said behind this one.
    cards_left INTEGER
) STRICT, WITHOUT ROWID;

-- Of each ribbon it was known what its printer said last.
INSERT INTO ribbon_card (lease, ribbon, station, slot, printed, cards_left)
SELECT c.lease, c.ribbon, l.station, l.slot, c.printed,
       CASE WHEN c.lease = (SELECT o.lease FROM old_ribbon_card o WHERE o.ribbon = c.ribbon
                            ORDER BY o.printed DESC, o.lease DESC LIMIT 1)
            THEN (SELECT r.cards_left FROM ribbon r WHERE r.serial = c.ribbon) END
FROM old_ribbon_card c JOIN lease l ON l.id = c.lease;

DROP TABLE old_ribbon_card;
CREATE INDEX card_of_ribbon ON ribbon_card (ribbon, printed);
ALTER TABLE ribbon DROP COLUMN cards_left;
