-- SPDX-License-Identifier: Apache-2.0
-- Who is told what. The journal is written in the transaction of what it tells, so for bookings it is the
-- outbox's source: a worker follows it, and 'outbox_position' says how far it has come. What is not of a
-- booking stands in 'notices' until it was told. 'outbox' has a row for each message and each way.

-- The journal in the order in which it was written, one bucket after the other, so that only the newest
-- one is being written (see bookings_by_user); of one event within each.
CREATE INDEX journal_feed ON journal (id / 8192, event_id, id);

ALTER TABLE users ADD COLUMN verified_at INTEGER NOT NULL DEFAULT 0; -- the e-mail address; 0: not yet
ALTER TABLE users ADD COLUMN mail INTEGER NOT NULL DEFAULT 1 CHECK (mail IN (0, 1)); -- news by mail

CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic INTEGER NOT NULL, -- enum topic in src/core/model.h
    event_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    webhook_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    told INTEGER NOT NULL -- the bookings of the event from this id on have been told; 0: none yet
) STRICT;

-- Up to where the journal has been told.
CREATE TABLE outbox_position (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    journal_id INTEGER NOT NULL,
    turn INTEGER NOT NULL -- every step takes the next one
) STRICT;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id INTEGER NOT NULL, -- 0: by mail
    subject INTEGER NOT NULL, -- the booking: messages of one way about one booking keep their order; 0: none
    topic INTEGER NOT NULL, -- enum topic in src/core/model.h
    event_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 3), -- waiting, sent, parked
    tries INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL, -- when it is tried next; while it is being tried, when that is given up
    settled_at INTEGER NOT NULL, -- 0 while it waits
    answer INTEGER NOT NULL, -- the last status, of HTTP or SMTP; 0: none
    message TEXT NOT NULL UNIQUE, -- the same for the receiver, however often it is sent
    error TEXT NOT NULL,
    body TEXT NOT NULL -- JSON: what is told
) STRICT;
CREATE INDEX outbox_due ON outbox (webhook_id, due_at) WHERE status = 1;
CREATE INDEX outbox_order ON outbox (webhook_id, subject, id) WHERE status = 1;
CREATE INDEX outbox_by_webhook ON outbox (webhook_id, id);
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE status > 1;

CREATE TABLE webhooks (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL, -- whose it is
    everything INTEGER NOT NULL CHECK (everything IN (0, 1)), -- an administrator's: of all events
    topics INTEGER NOT NULL, -- bits, by enum topic
    status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 3), -- on, off, disabled after failures
    failing_since INTEGER NOT NULL, -- the first failure after the last success; 0: none
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    old_secret_until INTEGER NOT NULL,
    secret BLOB NOT NULL,
    old_secret BLOB NOT NULL, -- good until then, empty where there is none
    url TEXT NOT NULL,
    description TEXT NOT NULL
) STRICT;
CREATE INDEX webhooks_by_user ON webhooks (user_id, id);

PRAGMA user_version = 4;
