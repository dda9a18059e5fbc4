-- SPDX-License-Identifier: Apache-2.0
-- The tables of admit in PostgreSQL. Names and columns are those of every store (see
-- schema/sqlite/001_initial.sql); times are milliseconds since 1970, 0 for none; money is in minor
-- units; the numbers of statuses, roles and methods are those of src/core/model.h.
--
-- Texts that are compared are compared by code points (COLLATE "C"), whatever the database's own
-- order is: every store finds and sorts alike.
--
-- REFERENCES stand where rows are written by hand, a few a day. Selling has none: each would be
-- a look-up and a lock a row, to prove what the engine proved when it loaded its batch; `admit
-- check` proves it again.

-- ---- people ----

CREATE TABLE users (
    id BIGINT PRIMARY KEY,
    email TEXT,              -- as typed; NULL when there is none
    email_folded TEXT COLLATE "C" CONSTRAINT users_email UNIQUE,
    username TEXT,
    username_folded TEXT COLLATE "C" CONSTRAINT users_username UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    role SMALLINT NOT NULL CHECK (role BETWEEN 0 AND 2),
    created_at BIGINT NOT NULL,
    erased_at BIGINT NOT NULL,
    CHECK ((email IS NULL) = (email_folded IS NULL)),
    CHECK ((username IS NULL) = (username_folded IS NULL))
);
CREATE INDEX users_privileged ON users (role, id) WHERE role > 0;

-- The words of name, e-mail address and user name, folded: for searching by their beginnings.
CREATE TABLE user_words (
    user_id BIGINT NOT NULL REFERENCES users (id),
    word TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, word)
);
CREATE INDEX user_words_by_word ON user_words (word);

CREATE TABLE revocations (
    user_id BIGINT PRIMARY KEY,
    not_before BIGINT NOT NULL
);
CREATE INDEX revocations_by_time ON revocations (not_before);

-- One row: moved by every commit that changes a role or revokes tokens.
CREATE TABLE directory (
    version BIGINT NOT NULL
);
INSERT INTO directory VALUES (1);

-- ---- events ----

CREATE TABLE events (
    id BIGINT PRIMARY KEY,
    organizer_id BIGINT NOT NULL,
    status SMALLINT NOT NULL CHECK (status BETWEEN 0 AND 3),
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    local_day INTEGER, -- of starts_at in its own time zone, days since 1970
    max_per_user BIGINT NOT NULL CHECK (max_per_user >= 0),
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    currency TEXT NOT NULL,
    timezone TEXT NOT NULL,
    name TEXT NOT NULL,
    name_folded TEXT COLLATE "C" NOT NULL,
    venue TEXT NOT NULL,
    description TEXT NOT NULL,
    CHECK ((starts_at = 0) = (local_day IS NULL))
);
-- Each of these ends in the id, so a page in this order is read without sorting.
CREATE INDEX events_by_start ON events (starts_at, id);
CREATE INDEX events_by_start_descending ON events (starts_at DESC, id);
CREATE INDEX events_by_name ON events (name_folded, id);
CREATE INDEX events_by_day ON events (local_day) WHERE local_day IS NOT NULL;
CREATE INDEX events_by_organizer ON events (organizer_id);

-- Bits of 'fields': 1 name, 2 venue, 4 description.
CREATE TABLE event_words (
    event_id BIGINT NOT NULL REFERENCES events (id),
    word TEXT COLLATE "C" NOT NULL,
    fields SMALLINT NOT NULL,
    PRIMARY KEY (event_id, word)
);
CREATE INDEX event_words_by_word ON event_words (word, fields);

-- What selling moves in an event, apart from its long texts; and its lock: whoever sells or changes
-- the event locks this row first. A batch rewrites it, so pages have room for that.
CREATE TABLE event_counters (
    event_id BIGINT PRIMARY KEY REFERENCES events (id),
    next_number BIGINT NOT NULL CHECK (next_number >= 1),
    ever_booked SMALLINT NOT NULL CHECK (ever_booked IN (0, 1))
) WITH (fillfactor = 50);

CREATE TABLE ticket_types (
    id BIGINT PRIMARY KEY,
    event_id BIGINT NOT NULL REFERENCES events (id),
    name TEXT NOT NULL,
    capacity BIGINT NOT NULL,
    booked BIGINT NOT NULL CHECK (booked >= 0),
    held BIGINT NOT NULL CHECK (held >= 0),
    waiting BIGINT NOT NULL CHECK (waiting >= 0), -- bookings in line
    wanted BIGINT NOT NULL CHECK (wanted >= waiting), -- tickets they want
    price BIGINT NOT NULL CHECK (price >= 0),
    max_per_booking BIGINT NOT NULL CHECK (max_per_booking >= 0),
    sales_start BIGINT NOT NULL,
    sales_end BIGINT NOT NULL,
    CONSTRAINT no_oversell CHECK (booked + held <= capacity),
    CONSTRAINT nobody_wants CHECK (waiting > 0 OR wanted = 0)
) WITH (fillfactor = 50);
CREATE INDEX ticket_types_by_event ON ticket_types (event_id);

-- ---- selling ----

CREATE TABLE bookings (
    id BIGINT PRIMARY KEY,
    user_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    ticket_type_id BIGINT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    status SMALLINT NOT NULL CHECK (status BETWEEN 1 AND 5),
    unit_price BIGINT NOT NULL,
    paid BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
-- Cut into buckets of ids, as on the embedded store, so that only the end of the index is being written.
-- With five million bookings of a million users a batch of 128 takes a fifth less time than with an
-- index on (user_id, id), and half of the write-ahead log.
CREATE INDEX bookings_by_user ON bookings ((id / 8192), user_id);
CREATE INDEX bookings_by_event ON bookings (event_id, id);
-- The waiting list.
CREATE INDEX bookings_waiting ON bookings (ticket_type_id, id) WHERE status = 1;
-- Cancelled and expired ones, for dropping what has been kept long enough.
CREATE INDEX bookings_ended ON bookings (updated_at) WHERE status IN (4, 5);

-- The line in sums: of the bookings whose ids share a block of 1024 (LINE_BLOCK_BITS in
-- src/core/working_set.h). A place in a line of a million is the sum of the blocks before and a count
-- within one.
CREATE TABLE line_blocks (
    ticket_type_id BIGINT NOT NULL,
    block BIGINT NOT NULL,
    waiting BIGINT NOT NULL CHECK (waiting >= 0),
    wanted BIGINT NOT NULL CHECK (wanted >= waiting),
    PRIMARY KEY (ticket_type_id, block)
) WITH (fillfactor = 50);

CREATE TABLE tickets (
    event_id BIGINT NOT NULL,
    number BIGINT NOT NULL CHECK (number >= 1),
    booking_id BIGINT, -- NULL: returned, to be given out again
    is_booked SMALLINT NOT NULL CHECK (is_booked IN (0, 1)),
    PRIMARY KEY (event_id, number),
    CHECK (booking_id IS NOT NULL OR is_booked = 0)
);
CREATE INDEX tickets_by_booking ON tickets (booking_id) WHERE booking_id IS NOT NULL;
CREATE INDEX tickets_returned ON tickets (event_id, number) WHERE booking_id IS NULL;

-- Append only. 'id' is the order in which all of it was written.
CREATE TABLE journal (
    booking_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    ticket_type_id BIGINT NOT NULL,
    from_status SMALLINT NOT NULL CHECK (from_status BETWEEN 0 AND 5),
    to_status SMALLINT NOT NULL CHECK (to_status BETWEEN 1 AND 5),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    actor_id BIGINT NOT NULL, -- 0: the box office itself
    at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (booking_id, id)
);

-- How much a person holds or waits for, of events with max_per_user.
CREATE TABLE holders (
    event_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (event_id, user_id)
);

CREATE TABLE payments (
    id BIGINT PRIMARY KEY,
    booking_id BIGINT NOT NULL,
    actor_id BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    method SMALLINT NOT NULL CHECK (method BETWEEN 0 AND 3),
    note TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX payments_by_booking ON payments (booking_id, id);

-- Answers to requests with an Idempotency-Key. Several processes write here, so it is the table that
-- keeps a key from being used twice.
CREATE TABLE idempotency (
    user_id BIGINT NOT NULL,
    key BYTEA NOT NULL,
    request BYTEA NOT NULL,
    status INTEGER NOT NULL,
    at BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_by_time ON idempotency (at);

-- ---- housekeeping ----

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

-- One row a batch: whoever lost the connection during COMMIT looks here whether it happened.
CREATE TABLE batches (
    id BIGINT PRIMARY KEY,
    at BIGINT NOT NULL
);

-- Ids are never used twice. They are drawn under the lock of their event, so that those of its
-- bookings rise in the order of commit.
CREATE SEQUENCE event_ids;
CREATE SEQUENCE ticket_type_ids;
CREATE SEQUENCE booking_ids;
CREATE SEQUENCE user_ids;
CREATE SEQUENCE payment_ids;
CREATE SEQUENCE journal_ids;

-- The next id of each kind, as the table of this name has it on other stores: enum sequence, and
-- 100 for the journal. Who fills an empty database sets them with setval().
CREATE VIEW sequences (sequence, next) AS
    SELECT 0, last_value + is_called::int FROM event_ids
    UNION ALL SELECT 1, last_value + is_called::int FROM ticket_type_ids
    UNION ALL SELECT 2, last_value + is_called::int FROM booking_ids
    UNION ALL SELECT 3, last_value + is_called::int FROM user_ids
    UNION ALL SELECT 4, last_value + is_called::int FROM payment_ids
    UNION ALL SELECT 100, last_value + is_called::int FROM journal_ids;

-- Set by whoever runs these steps, in the same transaction.
CREATE TABLE admit_schema (
    version INTEGER NOT NULL
);
INSERT INTO admit_schema VALUES (1);
