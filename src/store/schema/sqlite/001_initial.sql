-- SPDX-License-Identifier: Apache-2.0
-- The tables of admit in SQLite. Times are milliseconds since 1970, 0 for none; money is in
-- minor units; the numbers of statuses, roles and methods are those of src/core/model.h.
--
-- What selling writes is kept small and in order: the tables under "selling" are appended to,
-- or touch the pages that are being written anyway.
--
-- REFERENCES stand where rows are written by hand, a few a day. Selling has none: each would be
-- a look-up a row, that of users a random one over everybody, to prove what the engine
-- proved when it loaded its batch; `admit check` proves it again.

PRAGMA application_id = 0x61646d74; -- "admt"

-- ---- people ----

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    email TEXT,              -- as typed; NULL when there is none
    email_folded TEXT UNIQUE,
    username TEXT,
    username_folded TEXT UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    role INTEGER NOT NULL CHECK (role BETWEEN 0 AND 2),
    created_at INTEGER NOT NULL,
    erased_at INTEGER NOT NULL,
    CHECK ((email IS NULL) = (email_folded IS NULL)),
    CHECK ((username IS NULL) = (username_folded IS NULL))
) STRICT;
CREATE INDEX users_privileged ON users (role, id) WHERE role > 0;

-- The words of name, e-mail address and user name, folded: for searching by their beginnings.
CREATE TABLE user_words (
    user_id INTEGER NOT NULL REFERENCES users (id),
    word TEXT NOT NULL,
    PRIMARY KEY (user_id, word)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_words_by_word ON user_words (word);

CREATE TABLE revocations (
    user_id INTEGER PRIMARY KEY,
    not_before INTEGER NOT NULL
) STRICT;
CREATE INDEX revocations_by_time ON revocations (not_before);

-- ---- events ----

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    organizer_id INTEGER NOT NULL,
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3),
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    local_day INTEGER, -- of starts_at in its own time zone, days since 1970
    max_per_user INTEGER NOT NULL CHECK (max_per_user >= 0),
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    currency TEXT NOT NULL,
    timezone TEXT NOT NULL,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    venue TEXT NOT NULL,
    description TEXT NOT NULL, -- last: a search that looks at the rest does not read through it
    CHECK ((starts_at = 0) = (local_day IS NULL))
) STRICT;
-- Each of these ends in the id, so a page in this order is read without sorting.
CREATE INDEX events_by_start ON events (starts_at, id);
CREATE INDEX events_by_start_descending ON events (starts_at DESC, id);
CREATE INDEX events_by_name ON events (name_folded, id);
CREATE INDEX events_by_day ON events (local_day) WHERE local_day IS NOT NULL;
CREATE INDEX events_by_organizer ON events (organizer_id);

-- Bits of 'fields': 1 name, 2 venue, 4 description.
CREATE TABLE event_words (
    event_id INTEGER NOT NULL REFERENCES events (id),
    word TEXT NOT NULL,
    fields INTEGER NOT NULL,
    PRIMARY KEY (event_id, word)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_words_by_word ON event_words (word, fields);

-- What selling moves in an event, apart from its long texts.
CREATE TABLE event_counters (
    event_id INTEGER PRIMARY KEY REFERENCES events (id),
    next_number INTEGER NOT NULL CHECK (next_number >= 1),
    ever_booked INTEGER NOT NULL CHECK (ever_booked IN (0, 1))
) STRICT;

CREATE TABLE ticket_types (
    id INTEGER PRIMARY KEY,
    event_id INTEGER NOT NULL REFERENCES events (id),
    name TEXT NOT NULL,
    capacity INTEGER NOT NULL,
    booked INTEGER NOT NULL CHECK (booked >= 0),
    held INTEGER NOT NULL CHECK (held >= 0),
    waiting INTEGER NOT NULL CHECK (waiting >= 0), -- bookings in line
    wanted INTEGER NOT NULL CHECK (wanted >= waiting), -- tickets they want
    price INTEGER NOT NULL CHECK (price >= 0),
    max_per_booking INTEGER NOT NULL CHECK (max_per_booking >= 0),
    sales_start INTEGER NOT NULL,
    sales_end INTEGER NOT NULL,
    CONSTRAINT no_oversell CHECK (booked + held <= capacity),
    CONSTRAINT nobody_wants CHECK (waiting > 0 OR wanted = 0)
) STRICT;
CREATE INDEX ticket_types_by_event ON ticket_types (event_id);

-- ---- selling ----

CREATE TABLE bookings (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    ticket_type_id INTEGER NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 5),
    unit_price INTEGER NOT NULL,
    paid INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
-- Cut into buckets of ids, so that only the end of the index is being written, however many
-- users there are. A history is read from the newest bucket down. Within a bucket users are random, so
-- a batch writes all of its pages: 20 of them at this size, where 65536 would be 90 and a third slower;
-- the price is one more look-up for every 8192 bookings in a history.
CREATE INDEX bookings_by_user ON bookings (id / 8192, user_id);
CREATE INDEX bookings_by_event ON bookings (event_id);
-- The waiting list.
CREATE INDEX bookings_waiting ON bookings (ticket_type_id, id, quantity, status) WHERE status = 1;
-- The same line in sums: of the bookings whose ids share a block of 1024 (LINE_BLOCK_BITS in
-- src/core/working_set.h). A place in a line of a million is the sum of the blocks before and a count
-- within one. Joining writes the last block, being served the first one.
CREATE TABLE line_blocks (
    ticket_type_id INTEGER NOT NULL,
    block INTEGER NOT NULL,
    waiting INTEGER NOT NULL CHECK (waiting >= 0),
    wanted INTEGER NOT NULL CHECK (wanted >= waiting),
    PRIMARY KEY (ticket_type_id, block)
) STRICT, WITHOUT ROWID;
-- Cancelled and expired ones, for dropping what has been kept long enough.
CREATE INDEX bookings_ended ON bookings (updated_at) WHERE status IN (4, 5);

CREATE TABLE tickets (
    event_id INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    booking_id INTEGER, -- NULL: returned, to be given out again
    is_booked INTEGER NOT NULL CHECK (is_booked IN (0, 1)),
    PRIMARY KEY (event_id, number),
    CHECK (booking_id IS NOT NULL OR is_booked = 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX tickets_by_booking ON tickets (booking_id) WHERE booking_id IS NOT NULL;
CREATE INDEX tickets_returned ON tickets (event_id, number) WHERE booking_id IS NULL;

-- Append only. It lies in the order of bookings, because it is read booking by booking: one tree
-- to write instead of a table and an index. 'id' is the order in which all of it was written.
CREATE TABLE journal (
    booking_id INTEGER NOT NULL,
    id INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    ticket_type_id INTEGER NOT NULL,
    from_status INTEGER NOT NULL CHECK (from_status BETWEEN 0 AND 5),
    to_status INTEGER NOT NULL CHECK (to_status BETWEEN 1 AND 5),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    actor_id INTEGER NOT NULL, -- 0: the box office itself
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (booking_id, id)
) STRICT, WITHOUT ROWID;

-- How much a person holds or waits for, of events with max_per_user.
CREATE TABLE holders (
    event_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (event_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE payments (
    id INTEGER PRIMARY KEY,
    booking_id INTEGER NOT NULL,
    actor_id INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    method INTEGER NOT NULL CHECK (method BETWEEN 0 AND 3),
    note TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX payments_by_booking ON payments (booking_id);

-- Answers to requests with an Idempotency-Key. Keys are random; with the hour in front only the
-- newest part of the tree is being written, and whole parts of it go when they are old.
CREATE TABLE idempotency (
    hour INTEGER NOT NULL, -- since 1970
    user_id INTEGER NOT NULL,
    key BLOB NOT NULL,
    request BLOB NOT NULL,
    status INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (hour, user_id, key)
) STRICT, WITHOUT ROWID;

-- ---- housekeeping ----

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The next id of each kind: enum sequence, and 100 for the journal. Ids are never used twice.
CREATE TABLE sequences (
    sequence INTEGER PRIMARY KEY,
    next INTEGER NOT NULL CHECK (next >= 1)
) STRICT;

PRAGMA user_version = 1;
