-- SPDX-License-Identifier: Apache-2.0
-- Who is told what; see schema/sqlite/004_notify.sql. Statuses: where other stores have an index of what
-- waits only, the status stands in front here.

ALTER TABLE journal
    ADD COLUMN bucket BIGINT AS (id DIV 8192) VIRTUAL,
    ADD KEY journal_feed (bucket, event_id, id);

ALTER TABLE users
    ADD COLUMN verified_at BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN mail TINYINT NOT NULL DEFAULT 1;

CREATE TABLE notices (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    topic TINYINT NOT NULL,
    event_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    webhook_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    told BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE outbox_position (
    id TINYINT NOT NULL PRIMARY KEY,
    journal_id BIGINT NOT NULL,
    turn BIGINT NOT NULL,
    CHECK (id = 1)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE outbox (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    webhook_id BIGINT NOT NULL,
    subject BIGINT NOT NULL,
    topic TINYINT NOT NULL,
    event_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    status TINYINT NOT NULL,
    tries INT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    settled_at BIGINT NOT NULL,
    answer INT NOT NULL,
    message VARBINARY(100) NOT NULL,
    error VARCHAR(1000) NOT NULL,
    body MEDIUMTEXT NOT NULL,
    UNIQUE KEY outbox_once (message),
    KEY outbox_due (status, webhook_id, due_at),
    KEY outbox_order (status, webhook_id, subject, id),
    KEY outbox_by_webhook (webhook_id, id),
    KEY outbox_settled (status, settled_at),
    CHECK (status BETWEEN 1 AND 3)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE webhooks (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    everything TINYINT NOT NULL,
    topics INT NOT NULL,
    status TINYINT NOT NULL,
    failing_since BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    old_secret_until BIGINT NOT NULL,
    secret VARBINARY(100) NOT NULL,
    old_secret VARBINARY(100) NOT NULL,
    url VARCHAR(2000) NOT NULL,
    description VARCHAR(1000) NOT NULL,
    KEY webhooks_by_user (user_id, id),
    CHECK (status BETWEEN 1 AND 3),
    CHECK (everything IN (0, 1))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
