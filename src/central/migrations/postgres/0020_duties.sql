-- What the store does by itself from time to time: each duty is one instance's at a time.

CREATE TABLE duty (
    name    TEXT    PRIMARY KEY,
    -- Who is at it, and until when that is believed.
    holder  TEXT,
    until   BIGINT,
    -- When it was begun last, and when it ended well last.
    begun   BIGINT,
    ended   BIGINT,
    -- Since when it fails.
    failing BIGINT,
    CHECK ((holder IS NULL) = (until IS NULL))
);
