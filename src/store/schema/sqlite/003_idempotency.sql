-- SPDX-License-Identifier: Apache-2.0
-- Answers to requests with an Idempotency-Key are appended. Keys are random, so a tree in their order was
-- written all over, a page for each answer; which row answers to a key is known in memory instead
-- (src/store/replay_index.h), read from the narrow index at start.

CREATE TABLE replays (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL,
    key BLOB NOT NULL,
    request BLOB NOT NULL,
    status INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
INSERT INTO replays (user_id, key, request, status, at, body)
    SELECT user_id, key, request, status, at, body FROM idempotency ORDER BY at;
DROP TABLE idempotency;
ALTER TABLE replays RENAME TO idempotency;
CREATE INDEX idempotency_by_time ON idempotency (at, user_id, key);

PRAGMA user_version = 3;
