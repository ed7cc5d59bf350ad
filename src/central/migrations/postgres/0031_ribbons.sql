-- Ribbons of card printers: what was printed with one can be read from it.

CREATE TABLE ribbon (
    -- What stands on it, or on its box.
    serial      TEXT    PRIMARY KEY,
    -- What it is: its panels, say.
    item        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    -- Where it is; of one on its way, where it goes.
    place       TEXT    NOT NULL REFERENCES place (code),
    -- Whose printer it is in.
    station     TEXT,
    slot        TEXT,
    received    BIGINT NOT NULL,
    -- How many cards more it is for, as its printer said last.
    cards_left  BIGINT,
    CHECK ((station IS NULL) = (slot IS NULL) AND (station IS NOT NULL) = (state = 'loaded'))
);

CREATE INDEX ribbon_of_account ON ribbon (place, state, item);
-- A printer has one.
CREATE UNIQUE INDEX ribbon_in_printer ON ribbon (station, slot) WHERE state = 'loaded';

-- The journal of ribbons, as that of blanks: each line takes one from an account and puts it into another.
CREATE TABLE ribbon_movement (
    id         BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ribbon     TEXT    NOT NULL REFERENCES ribbon (serial),
    event      TEXT    NOT NULL,
    from_state TEXT,
    from_place TEXT    REFERENCES place (code),
    to_state   TEXT    NOT NULL,
    to_place   TEXT    NOT NULL REFERENCES place (code),
    station    TEXT,
    slot       TEXT,
    person     TEXT    NOT NULL REFERENCES account (id),
    witness    TEXT    REFERENCES account (id),
    moved      BIGINT NOT NULL,
    -- The days it is booked on, at the one place and at the other: the first that is not closed there.
    from_day   TEXT,
    to_day     TEXT    NOT NULL,
    cause      TEXT,
    CHECK ((from_state IS NULL) = (from_place IS NULL) AND (from_state IS NULL) = (from_day IS NULL))
);

CREATE INDEX ribbon_movement_of_ribbon ON ribbon_movement (ribbon, id);
CREATE INDEX ribbon_movement_to ON ribbon_movement (to_place, to_day);
CREATE INDEX ribbon_movement_from ON ribbon_movement (from_place, from_day);
CREATE INDEX ribbon_movement_into_slot ON ribbon_movement (station, slot, id) WHERE station IS NOT NULL;

CREATE FUNCTION ribbon_movement_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'movements of ribbons are never changed or deleted'; END $$;
CREATE TRIGGER ribbon_movement_stays BEFORE UPDATE OR DELETE ON ribbon_movement
FOR EACH ROW EXECUTE FUNCTION ribbon_movement_is_final();

-- Which cards were printed with a ribbon, as their stations reported.
CREATE TABLE ribbon_card (
    lease   TEXT    PRIMARY KEY REFERENCES lease (id) DEFERRABLE INITIALLY DEFERRED,
    ribbon  TEXT    NOT NULL REFERENCES ribbon (serial),
    printed BIGINT NOT NULL
);

CREATE INDEX card_of_ribbon ON ribbon_card (ribbon);

-- What two persons counted when they closed a day.
CREATE TABLE ribbon_count (
    place   TEXT    NOT NULL,
    day     TEXT    NOT NULL,
    item    TEXT    NOT NULL,
    state   TEXT    NOT NULL,
    counted BIGINT NOT NULL,
    PRIMARY KEY (place, day, item, state),
    FOREIGN KEY (place, day) REFERENCES day_close (place, day)
);
