-- SPDX-License-Identifier: Apache-2.0
-- The tables of admit in MariaDB and MySQL: those of schema/sqlite/001_initial.sql, with the same
-- names of tables and columns. Times are milliseconds since 1970, 0 for none; money is in minor
-- units; the numbers of statuses, roles and methods are those of src/core/model.h.
--
-- What is folded is VARBINARY: compared octet by octet, which is the order of code points, blanks at
-- the end included, and the same in MariaDB and MySQL. What is too long for an index
-- is cut by the driver (KEY_MAX, WORD_MAX in src/store/mysql_internal.h).
--
-- There are no partial indexes here, and each index costs a booking a quarter of what its row does. So
-- bookings are found by their ticket type instead of by their event, and those that ended stand in
-- a table of their own.
--
-- A change of the schema is not part of a transaction here. Each statement ends with a ';' at the
-- end of a line; after each the driver notes how far it came, and goes on from there.

-- ---- people ----

CREATE TABLE users (
    id BIGINT NOT NULL PRIMARY KEY,
    email VARCHAR(1000),
    email_folded VARBINARY(2800),
    username VARCHAR(1000),
    username_folded VARBINARY(2800),
    name VARCHAR(1000) NOT NULL,
    password_hash VARCHAR(1000) NOT NULL,
    role TINYINT NOT NULL,
    created_at BIGINT NOT NULL,
    erased_at BIGINT NOT NULL,
    UNIQUE KEY users_email (email_folded),
    UNIQUE KEY users_username (username_folded),
    KEY users_privileged (role, id),
    CHECK (role BETWEEN 0 AND 2),
    CHECK ((email IS NULL) = (email_folded IS NULL)),
    CHECK ((username IS NULL) = (username_folded IS NULL))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE user_words (
    user_id BIGINT NOT NULL,
    word VARBINARY(500) NOT NULL,
    PRIMARY KEY (user_id, word),
    KEY user_words_by_word (word),
    FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE revocations (
    user_id BIGINT NOT NULL PRIMARY KEY,
    not_before BIGINT NOT NULL,
    KEY revocations_by_time (not_before)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- ---- events ----

-- An index that descends is known to MariaDB from 10.8 on only, so the start stands here twice.
CREATE TABLE events (
    id BIGINT NOT NULL PRIMARY KEY,
    organizer_id BIGINT NOT NULL,
    status TINYINT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    local_day INT,
    max_per_user INT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    currency VARCHAR(3) NOT NULL,
    timezone VARCHAR(255) NOT NULL,
    name VARCHAR(1000) NOT NULL,
    name_folded VARBINARY(2800) NOT NULL,
    venue VARCHAR(1000) NOT NULL,
    description MEDIUMTEXT NOT NULL,
    starts_backwards BIGINT GENERATED ALWAYS AS (-starts_at) STORED,
    KEY events_by_start (starts_at, id),
    KEY events_by_start_descending (starts_backwards, id),
    KEY events_by_name (name_folded, id),
    KEY events_by_day (local_day),
    KEY events_by_organizer (organizer_id),
    CHECK (status BETWEEN 0 AND 3),
    CHECK (max_per_user >= 0),
    CHECK ((starts_at = 0) = (local_day IS NULL))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Bits of 'fields': 1 name, 2 venue, 4 description.
CREATE TABLE event_words (
    event_id BIGINT NOT NULL,
    word VARBINARY(500) NOT NULL,
    fields TINYINT NOT NULL,
    PRIMARY KEY (event_id, word),
    KEY event_words_by_word (word, fields),
    FOREIGN KEY (event_id) REFERENCES events (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What selling moves in an event, apart from its long texts. Its row is the event's lock.
CREATE TABLE event_counters (
    event_id BIGINT NOT NULL PRIMARY KEY,
    next_number INT NOT NULL,
    ever_booked TINYINT NOT NULL,
    FOREIGN KEY (event_id) REFERENCES events (id),
    CHECK (next_number >= 1),
    CHECK (ever_booked IN (0, 1))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE ticket_types (
    id BIGINT NOT NULL PRIMARY KEY,
    event_id BIGINT NOT NULL,
    name VARCHAR(1000) NOT NULL,
    capacity INT NOT NULL,
    booked INT NOT NULL,
    held INT NOT NULL,
    waiting INT NOT NULL,
    wanted BIGINT NOT NULL,
    price BIGINT NOT NULL,
    max_per_booking INT NOT NULL,
    sales_start BIGINT NOT NULL,
    sales_end BIGINT NOT NULL,
    KEY ticket_types_by_event (event_id),
    FOREIGN KEY (event_id) REFERENCES events (id),
    CHECK (booked >= 0),
    CHECK (held >= 0),
    CHECK (waiting >= 0),
    CHECK (wanted >= waiting),
    CHECK (price >= 0),
    CHECK (max_per_booking >= 0),
    CONSTRAINT no_oversell CHECK (booked + held <= capacity),
    CONSTRAINT nobody_wants CHECK (waiting > 0 OR wanted = 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- ---- selling ----

-- Bookings of a user are found by buckets of 65536 ids, so that however many users there are, only
-- the newest part of that index is being written (BUCKET_BITS in src/store/mysql_internal.h). In the
-- second index ids stand in order behind the status: the waiting list of a type is a stretch of it.
CREATE TABLE bookings (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    ticket_type_id BIGINT NOT NULL,
    quantity INT NOT NULL,
    status TINYINT NOT NULL,
    unit_price BIGINT NOT NULL,
    paid BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    bucket INT GENERATED ALWAYS AS (id DIV 65536) VIRTUAL,
    KEY bookings_by_user (bucket, user_id),
    KEY bookings_by_type (ticket_type_id, status),
    CHECK (quantity > 0),
    CHECK (status BETWEEN 1 AND 5)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Cancelled and expired ones, for dropping what has been kept long enough.
CREATE TABLE bookings_ended (
    updated_at BIGINT NOT NULL,
    booking_id BIGINT NOT NULL,
    PRIMARY KEY (updated_at, booking_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE line_blocks (
    ticket_type_id BIGINT NOT NULL,
    block BIGINT NOT NULL,
    waiting INT NOT NULL,
    wanted BIGINT NOT NULL,
    PRIMARY KEY (ticket_type_id, block),
    CHECK (waiting >= 0),
    CHECK (wanted >= waiting)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The second index has the numbers of a booking, and (NULL, event) those that were returned.
CREATE TABLE tickets (
    event_id BIGINT NOT NULL,
    number INT NOT NULL,
    booking_id BIGINT,
    is_booked TINYINT NOT NULL,
    PRIMARY KEY (event_id, number),
    KEY tickets_by_booking (booking_id, event_id, number),
    CHECK (number >= 1),
    CHECK (is_booked IN (0, 1)),
    CHECK (booking_id IS NOT NULL OR is_booked = 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE journal (
    booking_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    ticket_type_id BIGINT NOT NULL,
    from_status TINYINT NOT NULL,
    to_status TINYINT NOT NULL,
    quantity INT NOT NULL,
    actor_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    reason VARCHAR(100) NOT NULL,
    PRIMARY KEY (booking_id, id),
    CHECK (from_status BETWEEN 0 AND 5),
    CHECK (to_status BETWEEN 1 AND 5),
    CHECK (quantity > 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE holders (
    event_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    quantity INT NOT NULL,
    PRIMARY KEY (event_id, user_id),
    CHECK (quantity > 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE payments (
    id BIGINT NOT NULL PRIMARY KEY,
    booking_id BIGINT NOT NULL,
    actor_id BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    currency VARCHAR(3) NOT NULL,
    method TINYINT NOT NULL,
    note VARCHAR(1000) NOT NULL,
    created_at BIGINT NOT NULL,
    KEY payments_by_booking (booking_id),
    CHECK (method BETWEEN 0 AND 3)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The rows lie by the hour, and go by the hour. That a key is used once, whichever process meets it,
-- is the second index's business.
CREATE TABLE idempotency (
    hour BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    `key` VARBINARY(16) NOT NULL,
    request VARBINARY(16) NOT NULL,
    status INT NOT NULL,
    at BIGINT NOT NULL,
    body MEDIUMBLOB NOT NULL,
    PRIMARY KEY (hour, user_id, `key`),
    UNIQUE KEY idempotency_once (user_id, `key`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- ---- housekeeping ----

CREATE TABLE settings (
    name VARBINARY(100) NOT NULL PRIMARY KEY,
    value MEDIUMBLOB NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE sequences (
    sequence INT NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL,
    CHECK (next >= 1)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The last batch of each writer, written by the batch itself: whether it was committed can be asked
-- when the connection was lost before the answer came.
CREATE TABLE batches (
    writer VARBINARY(16) NOT NULL PRIMARY KEY,
    batch BIGINT NOT NULL,
    at BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Moved by whoever changes a role or revokes tokens, so that other processes notice.
CREATE TABLE directory_version (
    id TINYINT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
