-- SPDX-License-Identifier: Apache-2.0
-- What the peers sell from. Nothing here that is not needed to book: one index beside the keys, as
-- "my bookings" would want it.
CREATE TABLE users (
    id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
    username VARCHAR(64) NOT NULL UNIQUE
) ENGINE = InnoDB;

CREATE TABLE events (
    id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
    name VARCHAR(200) NOT NULL,
    capacity INT UNSIGNED NOT NULL,
    booked INT UNSIGNED NOT NULL DEFAULT 0,
    waiting INT UNSIGNED NOT NULL DEFAULT 0,
    CHECK (booked <= capacity)
) ENGINE = InnoDB;

CREATE TABLE bookings (
    id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
    user_id BIGINT UNSIGNED NOT NULL,
    event_id BIGINT UNSIGNED NOT NULL,
    quantity INT UNSIGNED NOT NULL,
    status ENUM('confirmed', 'waiting') NOT NULL,
    created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    KEY bookings_by_user (user_id)
) ENGINE = InnoDB;

CREATE TABLE tickets (
    event_id BIGINT UNSIGNED NOT NULL,
    number INT UNSIGNED NOT NULL,
    booking_id BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (event_id, number)
) ENGINE = InnoDB;
