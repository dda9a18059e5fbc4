-- SPDX-License-Identifier: Apache-2.0
-- A search reads the events that have a word, a day or an organizer in the order in which they are
-- shown, and stops when the page is full: so each of these trees is in the order of time.

-- event_words by its other end, with the start of the event; the triggers below keep it.
CREATE TABLE event_search (
    word TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    fields INTEGER NOT NULL,
    PRIMARY KEY (word, starts_at, event_id)
) STRICT, WITHOUT ROWID;
INSERT INTO event_search
    SELECT w.word, e.starts_at, w.event_id, w.fields
    FROM event_words AS w JOIN events AS e ON e.id = w.event_id ORDER BY 1, 2, 3;
DROP INDEX event_words_by_word;

CREATE TRIGGER event_word_inserted AFTER INSERT ON event_words BEGIN
    INSERT INTO event_search
        SELECT new.word, starts_at, new.event_id, new.fields FROM events WHERE id = new.event_id;
END;
CREATE TRIGGER event_word_updated AFTER UPDATE ON event_words BEGIN
    UPDATE event_search SET fields = new.fields WHERE word = new.word AND event_id = new.event_id
        AND starts_at = (SELECT starts_at FROM events WHERE id = new.event_id);
END;
CREATE TRIGGER event_word_deleted AFTER DELETE ON event_words BEGIN
    DELETE FROM event_search WHERE word = old.word AND event_id = old.event_id
        AND starts_at = (SELECT starts_at FROM events WHERE id = old.event_id);
END;
CREATE TRIGGER event_moved AFTER UPDATE OF starts_at ON events
WHEN old.starts_at <> new.starts_at BEGIN
    UPDATE event_search SET starts_at = new.starts_at WHERE starts_at = old.starts_at
        AND event_id = new.id
        AND word IN (SELECT word FROM event_words WHERE event_id = new.id);
END;

DROP INDEX events_by_day;
CREATE INDEX events_by_day ON events (local_day, starts_at) WHERE local_day IS NOT NULL;
DROP INDEX events_by_organizer;
CREATE INDEX events_by_organizer ON events (organizer_id, starts_at);

PRAGMA user_version = 2;
