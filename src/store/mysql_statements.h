/* SPDX-License-Identifier: Apache-2.0 */
/* mysql_statements.h -- every statement that the MariaDB driver runs: X(name, text).
 *
 * Texts are constants and values are bound, without exception. "?3" is the third value, however
 * often it stands there; the driver turns it into what the protocol knows. Sets of keys come as one
 * value, a JSON array, and JSON_TABLE makes rows of it again: so a set of any size is one
 * statement and one round trip. FORCE INDEX and STRAIGHT_JOIN stand where speed hangs on one
 * index and on the order of a join. It is all known to MariaDB 10.6 and to MySQL 8.0.19. */
#ifndef STORE_MYSQL_STATEMENTS_H
#define STORE_MYSQL_STATEMENTS_H

#define MARIA_EVENT_COLUMNS                                                                        \
    "e.id, e.organizer_id, e.name, e.description, e.venue, e.timezone, e.currency, e.starts_at, "  \
    "e.ends_at, e.status, e.max_per_user, e.version, e.created_at, e.updated_at, c.next_number, "  \
    "c.ever_booked"

#define MARIA_BOOKING_COLUMNS                                                                      \
    "b.id, b.user_id, b.event_id, b.ticket_type_id, b.quantity, b.status, b.unit_price, b.paid, "  \
    "b.created_at, b.updated_at, b.expires_at"

#define MARIA_USER_COLUMNS                                                                         \
    "u.id, u.email, u.username, u.name, u.password_hash, u.role, u.created_at, u.erased_at, "      \
    "u.verified_at, u.mail"

#define MARIA_TYPE_COLUMNS                                                                         \
    "t.event_id, t.id, t.name, t.capacity, t.booked, t.held, t.waiting, t.wanted, t.price, "       \
    "t.max_per_booking, t.sales_start, t.sales_end"

/* The bookings of an event that hold or wait for something; behind it comes WHERE t.event_id = ...
 */
#define MARIA_ACTIVE_BOOKINGS                                                                      \
    "ticket_types AS t FORCE INDEX (ticket_types_by_event) STRAIGHT_JOIN bookings AS b FORCE "     \
    "INDEX (bookings_by_type) "                                                                    \
    "ON b.ticket_type_id = t.id AND b.status IN (1, 2, 3) "

/* A JSON array of ids, of pairs of them, of texts. */
#define MARIA_IDS(value)                                                                           \
    "JSON_TABLE(" value ", '$[*]' COLUMNS (id BIGINT PATH '$')) AS j STRAIGHT_JOIN "
#define MARIA_PAIRS(value)                                                                         \
    "JSON_TABLE(" value ", '$[*]' COLUMNS (a BIGINT PATH '$[0]', b BIGINT PATH '$[1]')) AS j "     \
    "STRAIGHT_JOIN "
#define MARIA_TEXTS(value)                                                                         \
    "JSON_TABLE(" value ", '$[*]' COLUMNS (text VARCHAR(2800) CHARACTER SET utf8mb4 "              \
    "COLLATE utf8mb4_bin PATH '$')) AS j STRAIGHT_JOIN "

/* ---- settings and the like ---- */

#define MARIA_COMMON_STATEMENTS(X)                                                                 \
    X(PING, "SELECT count(*) FROM settings")                                                       \
    X(SETTING, "SELECT value FROM settings WHERE name = ?1")                                       \
    X(SETTING_INSERT, "INSERT INTO settings (name, value) VALUES (?1, ?2) "                        \
                      "ON DUPLICATE KEY UPDATE name = name")                                       \
    X(SEQUENCES, "SELECT sequence, next FROM sequences FOR UPDATE")                                \
    X(JOURNAL_LOCK, "SELECT next FROM sequences WHERE sequence = 100 FOR UPDATE")                  \
    X(SEQUENCE_INSERT, "INSERT INTO sequences (sequence, next) VALUES (?1, 1) "                    \
                       "ON DUPLICATE KEY UPDATE next = next")                                      \
    X(SEQUENCES_UPDATE, "UPDATE sequences SET next = CASE sequence WHEN 0 THEN ?1 WHEN 1 THEN ?2 " \
                        "WHEN 2 THEN ?3 WHEN 3 THEN ?4 WHEN 4 THEN ?5 WHEN 5 THEN ?6 "             \
                        "WHEN 100 THEN ?7 ELSE next END")                                          \
    X(BATCH, "SELECT batch FROM batches WHERE writer = ?1 FOR UPDATE")                             \
    X(BATCH_PUT, "INSERT INTO batches (writer, batch, at) VALUES (?1, ?2, ?3) "                    \
                 "ON DUPLICATE KEY UPDATE batch = ?2, at = ?3")                                    \
    X(BATCHES_PRUNE, "DELETE FROM batches WHERE at < ?1")                                          \
    X(VERSION_BUMP, "INSERT INTO directory_version (id, version) VALUES (1, 1) "                   \
                    "ON DUPLICATE KEY UPDATE version = version + 1")                               \
    X(VERSION, "SELECT version FROM directory_version WHERE id = 1")

/* ---- what a batch loads ---- */

/* The lock of an event is its row in event_counters, which stands first in the join. What is read
 * with FOR UPDATE is what is there once the lock is held. */
#define MARIA_LOCK_EVENTS                                                                          \
    "SELECT " MARIA_EVENT_COLUMNS " FROM " MARIA_IDS(                                              \
        "?1") "event_counters AS c FORCE INDEX (PRIMARY) ON c.event_id = j.id STRAIGHT_JOIN "      \
              "events AS e FORCE INDEX (PRIMARY) ON e.id = c.event_id FOR UPDATE"

#define MARIA_LOCK_EVENT                                                                           \
    "SELECT " MARIA_EVENT_COLUMNS " FROM event_counters AS c STRAIGHT_JOIN events AS e ON e.id = " \
    "c.event_id WHERE c.event_id = ?1 FOR UPDATE"

#define MARIA_LOAD_STATEMENTS(X)                                                                   \
    X(LOCK_EVENTS, MARIA_LOCK_EVENTS)                                                              \
    X(LOCK_EVENT, MARIA_LOCK_EVENT)                                                                \
    X(LOCK_EVENT_NOW, MARIA_LOCK_EVENT " NOWAIT")                                                  \
    X(LOCK_EVENTS_NOW, MARIA_LOCK_EVENTS " NOWAIT")                                                \
    X(EVENT, "SELECT " MARIA_EVENT_COLUMNS " FROM events AS e STRAIGHT_JOIN event_counters AS c "  \
             "ON c.event_id = e.id WHERE e.id = ?1")                                               \
    X(TYPES, "SELECT " MARIA_TYPE_COLUMNS                                                          \
             " FROM " MARIA_IDS("?1") "ticket_types AS t FORCE INDEX "                             \
                                      "(ticket_types_by_event) ON t.event_id = j.id")              \
    X(TYPES_OF_EVENT,                                                                              \
      "SELECT " MARIA_TYPE_COLUMNS                                                                 \
      " FROM ticket_types AS t FORCE INDEX (ticket_types_by_event) WHERE t.event_id = ?1")         \
    X(EVENTS_OF_BOOKINGS,                                                                          \
      "SELECT DISTINCT b.event_id FROM " MARIA_IDS("?1") "bookings AS b "                          \
                                                         "FORCE INDEX (PRIMARY) ON b.id = j.id")   \
    X(BOOKINGS, "SELECT " MARIA_BOOKING_COLUMNS                                                    \
                " FROM " MARIA_IDS("?1") "bookings AS b "                                          \
                                         "FORCE INDEX (PRIMARY) ON b.id = j.id")                   \
    X(NUMBERS, "SELECT k.booking_id, k.number FROM " MARIA_IDS(                                    \
                   "?1") "tickets AS k FORCE INDEX "                                               \
                         "(tickets_by_booking) ON k.booking_id = j.id")                            \
    X(LINE, "SELECT " MARIA_BOOKING_COLUMNS " FROM bookings AS b FORCE INDEX (bookings_by_type) "  \
            "WHERE b.ticket_type_id = ?1 AND b.status = 1 ORDER BY b.id LIMIT ?2")                 \
    X(RETURNED, "SELECT number FROM tickets FORCE INDEX (tickets_by_booking) "                     \
                "WHERE booking_id IS NULL AND event_id = ?1 ORDER BY number LIMIT ?2")             \
    X(LOCK_USERS, "SELECT " MARIA_USER_COLUMNS                                                     \
                  " FROM " MARIA_IDS("?1") "users AS u "                                           \
                                           "FORCE INDEX (PRIMARY) ON u.id = j.id FOR UPDATE")      \
    X(LOGINS_BY_EMAIL,                                                                             \
      "SELECT u.id, u.email_folded FROM " MARIA_TEXTS(                                             \
          "?1") "users AS u "                                                                      \
                "FORCE INDEX (users_email) ON u.email_folded = CAST(j.text AS BINARY)")            \
    X(LOGINS_BY_USERNAME, "SELECT u.id, u.username_folded FROM " MARIA_TEXTS(                      \
                              "?1") "users AS u "                                                  \
                                    "FORCE INDEX (users_username) "                                \
                                    "ON u.username_folded = CAST(j.text AS BINARY)")               \
    X(USER, "SELECT " MARIA_USER_COLUMNS " FROM users AS u WHERE u.id = ?1")                       \
    X(USER_BY_EMAIL, "SELECT " MARIA_USER_COLUMNS " FROM users AS u WHERE u.email_folded = ?1")    \
    X(USER_BY_USERNAME,                                                                            \
      "SELECT " MARIA_USER_COLUMNS " FROM users AS u WHERE u.username_folded = ?1")                \
    X(HOLDERS, "SELECT h.event_id, h.user_id, h.quantity FROM " MARIA_PAIRS(                       \
                   "?1") "holders AS h "                                                           \
                         "FORCE INDEX (PRIMARY) ON h.event_id = j.a AND h.user_id = j.b")          \
    X(REPLAYS, "SELECT i.user_id, i.`key`, i.request, i.status, i.at, i.body FROM JSON_TABLE(?1, " \
               "'$[*]' COLUMNS (user_id BIGINT PATH '$[0]', hex VARCHAR(32) PATH '$[1]')) AS j "   \
               "STRAIGHT_JOIN idempotency AS i FORCE INDEX (idempotency_once) "                    \
               "ON i.user_id = j.user_id AND i.`key` = UNHEX(j.hex)")                              \
    X(BUCKETS, "SELECT (SELECT min(id) FROM bookings), (SELECT max(id) FROM bookings)")            \
    X(BUCKETS_OF_EVENTS,                                                                           \
      "SELECT t.event_id, min((SELECT b.id FROM bookings AS b FORCE INDEX (bookings_by_type) "     \
      "WHERE b.ticket_type_id = t.id AND b.status = s.status ORDER BY b.id LIMIT 1)), "            \
      "max((SELECT b.id FROM bookings AS b FORCE INDEX (bookings_by_type) WHERE b.ticket_type_id " \
      "= t.id AND b.status = s.status ORDER BY b.id DESC LIMIT 1)) FROM " MARIA_IDS(               \
          "?1") "ticket_types AS t FORCE INDEX (ticket_types_by_event) ON t.event_id = j.id "      \
                "STRAIGHT_JOIN (SELECT 1 AS status UNION ALL SELECT 2 UNION ALL SELECT 3 UNION "   \
                "ALL SELECT 4 UNION ALL SELECT 5) AS s GROUP BY t.event_id")                       \
    X(NEWEST,                                                                                      \
      "SELECT b.id, b.status, b.event_id, b.user_id FROM JSON_TABLE(?1, '$[*]' COLUMNS "           \
      "(event_id BIGINT PATH '$[0]', user_id BIGINT PATH '$[1]', bucket INT PATH '$[2]')) "        \
      "AS j STRAIGHT_JOIN bookings AS b FORCE INDEX (bookings_by_user) "                           \
      "ON b.bucket = j.bucket AND b.user_id = j.user_id "                                          \
      "WHERE b.event_id = j.event_id AND b.status IN (1, 2, 3)")                                   \
    X(COMING,                                                                                      \
      "SELECT b.id, b.event_id FROM " MARIA_IDS(                                                   \
          "?1") "bookings AS b FORCE INDEX "                                                       \
                "(bookings_by_user) ON b.bucket = j.id AND b.user_id = ?2 "                        \
                "STRAIGHT_JOIN events AS e ON e.id = b.event_id WHERE b.status IN (1, 2, 3) "      \
                "AND e.status <> 3 AND (e.starts_at = 0 OR e.starts_at > ?3) ORDER BY b.id")

/* ---- what a batch writes ---- */

/* X(name, values in a row, head, a row, tail): many rows in one round trip, see mysql_rows.c. */
#define MARIA_INSERTS(X)                                                                           \
    X(BOOKINGS, 11,                                                                                \
      "INSERT INTO bookings (id, user_id, event_id, ticket_type_id, quantity, status, "            \
      "unit_price, paid, created_at, updated_at, expires_at) VALUES ",                             \
      "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "")                                                     \
    X(TICKETS, 4, "INSERT INTO tickets (event_id, number, booking_id, is_booked) VALUES ",         \
      "(?, ?, ?, ?)", "")                                                                          \
    X(JOURNAL, 10,                                                                                 \
      "INSERT INTO journal (booking_id, id, event_id, ticket_type_id, from_status, to_status, "    \
      "quantity, actor_id, at, reason) VALUES ",                                                   \
      "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "")                                                        \
    X(ENDED, 2, "INSERT INTO bookings_ended (updated_at, booking_id) VALUES ", "(?, ?)",           \
      " ON DUPLICATE KEY UPDATE booking_id = VALUES(booking_id)")                                  \
    X(PAYMENTS, 8,                                                                                 \
      "INSERT INTO payments (id, booking_id, actor_id, amount, currency, method, note, "           \
      "created_at) VALUES ",                                                                       \
      "(?, ?, ?, ?, ?, ?, ?, ?)", "")                                                              \
    X(REPLAYS, 7,                                                                                  \
      "INSERT INTO idempotency (hour, user_id, `key`, request, status, at, body) VALUES ",         \
      "(?, ?, ?, ?, ?, ?, ?)", "")                                                                 \
    X(LINE_BLOCKS, 4, "INSERT INTO line_blocks (ticket_type_id, block, waiting, wanted) VALUES ",  \
      "(?, ?, ?, ?)",                                                                              \
      " ON DUPLICATE KEY UPDATE waiting = waiting + VALUES(waiting), "                             \
      "wanted = wanted + VALUES(wanted)")                                                          \
    X(HOLDERS, 3, "INSERT INTO holders (event_id, user_id, quantity) VALUES ", "(?, ?, ?)",        \
      " ON DUPLICATE KEY UPDATE quantity = VALUES(quantity)")                                      \
    X(TYPES, 12,                                                                                   \
      "INSERT INTO ticket_types (id, event_id, name, capacity, booked, held, waiting, wanted, "    \
      "price, max_per_booking, sales_start, sales_end) VALUES ",                                   \
      "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "")                                                  \
    X(EVENT_WORDS, 3, "INSERT INTO event_words (event_id, word, fields) VALUES ", "(?, ?, ?)",     \
      " ON DUPLICATE KEY UPDATE fields = fields | VALUES(fields)")                                 \
    X(USER_WORDS, 2, "INSERT INTO user_words (user_id, word) VALUES ", "(?, ?)",                   \
      " ON DUPLICATE KEY UPDATE word = VALUES(word)")

#define MARIA_COMMIT_STATEMENTS(X)                                                                 \
    X(BOOKINGS_UPDATE,                                                                             \
      "UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$[0]', quantity INT PATH '$[1]', "    \
      "status INT PATH '$[2]', paid BIGINT PATH '$[3]', updated_at BIGINT PATH '$[4]', "           \
      "expires_at BIGINT PATH '$[5]')) AS j STRAIGHT_JOIN bookings AS b FORCE INDEX (PRIMARY) "    \
      "ON b.id = j.id SET b.quantity = j.quantity, b.status = j.status, b.paid = j.paid, "         \
      "b.updated_at = j.updated_at, b.expires_at = j.expires_at")                                  \
    X(BOOKINGS_DELETE, "DELETE b FROM " MARIA_IDS("?1") "bookings AS b FORCE INDEX (PRIMARY) "     \
                                                        "ON b.id = j.id")                          \
    X(TICKETS_MOVE,                                                                                \
      "UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (event_id BIGINT PATH '$[0]', number INT PATH "        \
      "'$[1]', was BIGINT PATH '$[2]', booking_id BIGINT PATH '$[3]', is_booked INT PATH "         \
      "'$[4]', is_given INT PATH '$[5]')) AS j STRAIGHT_JOIN tickets AS k FORCE INDEX (PRIMARY) "  \
      "ON k.event_id = j.event_id AND k.number = j.number "                                        \
      "SET k.booking_id = IF(j.booking_id = 0, NULL, j.booking_id), k.is_booked = j.is_booked "    \
      "WHERE k.booking_id = j.was OR (k.booking_id IS NULL AND j.is_given = 1)")                   \
    X(EVENT_INSERT,                                                                                \
      "INSERT INTO events (id, organizer_id, status, starts_at, ends_at, local_day, "              \
      "max_per_user, version, created_at, updated_at, currency, timezone, name, "                  \
      "name_folded, venue, description) "                                                          \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)")            \
    X(EVENT_UPDATE, "UPDATE events SET organizer_id = ?2, status = ?3, starts_at = ?4, "           \
                    "ends_at = ?5, local_day = ?6, max_per_user = ?7, version = ?8, "              \
                    "created_at = ?9, updated_at = ?10, currency = ?11, timezone = ?12, "          \
                    "name = ?13, name_folded = ?14, venue = ?15, description = ?16 WHERE id = ?1") \
    X(EVENT_DELETE, "DELETE FROM events WHERE id = ?1")                                            \
    X(EVENT_WORDS_DELETE, "DELETE FROM event_words WHERE event_id = ?1")                           \
    X(COUNTERS_INSERT,                                                                             \
      "INSERT INTO event_counters (event_id, next_number, ever_booked) VALUES (?1, ?2, ?3)")       \
    X(COUNTERS_UPDATE,                                                                             \
      "UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$[0]', next_number INT PATH "         \
      "'$[1]', ever_booked INT PATH '$[2]')) AS j STRAIGHT_JOIN event_counters AS c "              \
      "FORCE INDEX (PRIMARY) ON c.event_id = j.id "                                                \
      "SET c.next_number = j.next_number, c.ever_booked = j.ever_booked")                          \
    X(COUNTER_UPDATE,                                                                              \
      "UPDATE event_counters SET next_number = ?2, ever_booked = ?3 WHERE event_id = ?1")          \
    X(COUNTERS_DELETE, "DELETE FROM event_counters WHERE event_id = ?1")                           \
    X(TYPE_UPDATE, "UPDATE ticket_types SET name = ?2, price = ?3, max_per_booking = ?4, "         \
                   "sales_start = ?5, sales_end = ?6 WHERE id = ?1")                               \
    X(TYPE_COUNT, "UPDATE ticket_types SET capacity = ?2, booked = ?3, held = ?4, waiting = ?5, "  \
                  "wanted = ?6 WHERE id = ?1")                                                     \
    X(TYPES_COUNT,                                                                                 \
      "UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$[0]', capacity INT PATH '$[1]', "    \
      "booked INT PATH '$[2]', held INT PATH '$[3]', waiting INT PATH '$[4]', "                    \
      "wanted BIGINT PATH '$[5]')) AS j STRAIGHT_JOIN ticket_types AS t FORCE INDEX (PRIMARY) "    \
      "ON t.id = j.id SET t.capacity = j.capacity, t.booked = j.booked, t.held = j.held, "         \
      "t.waiting = j.waiting, t.wanted = j.wanted")                                                \
    X(TYPES_DELETE, "DELETE FROM ticket_types WHERE event_id = ?1")                                \
    X(CANCEL_JOURNAL,                                                                              \
      "INSERT INTO journal (booking_id, id, event_id, ticket_type_id, from_status, to_status, "    \
      "quantity, actor_id, at, reason) SELECT b.id, ?4 + row_number() OVER (ORDER BY b.id) - 1, "  \
      "b.event_id, b.ticket_type_id, b.status, 4, b.quantity, ?2, ?3, 'event_cancelled' "          \
      "FROM " MARIA_ACTIVE_BOOKINGS "WHERE t.event_id = ?1")                                       \
    X(CANCEL_TICKETS, "UPDATE tickets SET booking_id = NULL, is_booked = 0 "                       \
                      "WHERE event_id = ?1 AND booking_id IS NOT NULL")                            \
    X(CANCEL_ENDED, "INSERT INTO bookings_ended (updated_at, booking_id) SELECT ?2, b.id "         \
                    "FROM " MARIA_ACTIVE_BOOKINGS "WHERE t.event_id = ?1")                         \
    X(CANCEL_BOOKINGS,                                                                             \
      "UPDATE " MARIA_ACTIVE_BOOKINGS "SET b.status = 4, b.updated_at = ?2 WHERE t.event_id = ?1") \
    X(REMOVE_BOOKINGS, "DELETE b FROM " MARIA_ACTIVE_BOOKINGS "WHERE t.event_id = ?1")             \
    X(LINE_BLOCKS_UPDATE,                                                                          \
      "UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (type BIGINT PATH '$[0]', block BIGINT PATH "          \
      "'$[1]', waiting INT PATH '$[2]', wanted BIGINT PATH '$[3]')) AS j "                         \
      "STRAIGHT_JOIN line_blocks AS l FORCE INDEX (PRIMARY) "                                      \
      "ON l.ticket_type_id = j.type AND l.block = j.block "                                        \
      "SET l.waiting = l.waiting + j.waiting, l.wanted = l.wanted + j.wanted")                     \
    X(LINE_BLOCKS_DROP,                                                                            \
      "DELETE l FROM " MARIA_PAIRS("?1") "line_blocks AS l FORCE INDEX "                           \
                                         "(PRIMARY) ON l.ticket_type_id = j.a AND l.block = j.b "  \
                                         "WHERE l.waiting = 0")                                    \
    X(LINE_BLOCKS_DELETE, "DELETE FROM line_blocks WHERE ticket_type_id IN "                       \
                          "(SELECT id FROM ticket_types WHERE event_id = ?1)")                     \
    X(HOLDERS_REMOVE,                                                                              \
      "DELETE h FROM " MARIA_PAIRS("?1") "holders AS h FORCE INDEX (PRIMARY) "                     \
                                         "ON h.event_id = j.a AND h.user_id = j.b")                \
    X(HOLDERS_DELETE, "DELETE FROM holders WHERE event_id = ?1")                                   \
    X(HOLDERS_FILL,                                                                                \
      "INSERT INTO holders (event_id, user_id, quantity) SELECT b.event_id, b.user_id, "           \
      "sum(b.quantity) FROM events AS e STRAIGHT_JOIN " MARIA_ACTIVE_BOOKINGS                      \
      "WHERE e.id = ?1 AND t.event_id = e.id AND e.max_per_user > 0 GROUP BY b.event_id, "         \
      "b.user_id")                                                                                 \
    X(USER_INSERT, "INSERT INTO users (id, email, email_folded, username, username_folded, name, " \
                   "password_hash, role, created_at, erased_at, verified_at, mail) "               \
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")                   \
    X(USER_UPDATE,                                                                                 \
      "UPDATE users SET email = ?2, email_folded = ?3, username = ?4, "                            \
      "username_folded = ?5, name = ?6, password_hash = ?7, role = ?8, "                           \
      "created_at = ?9, erased_at = ?10, verified_at = ?11, mail = ?12 WHERE id = ?1")             \
    X(USER_WORDS_DELETE, "DELETE FROM user_words WHERE user_id = ?1")                              \
    X(USER_ROLE, "SELECT role FROM users WHERE id = ?1")                                           \
    X(REVOKE, "INSERT INTO revocations (user_id, not_before) VALUES (?1, ?2) "                     \
              "ON DUPLICATE KEY UPDATE not_before = greatest(not_before, ?2)")                     \
    X(REPLAYS_DROP, "DELETE i FROM JSON_TABLE(?1, '$[*]' COLUMNS (user_id BIGINT PATH '$[0]', "    \
                    "hex VARCHAR(32) PATH '$[1]')) AS j STRAIGHT_JOIN idempotency AS i "           \
                    "FORCE INDEX (idempotency_once) "                                              \
                    "ON i.user_id = j.user_id AND i.`key` = UNHEX(j.hex) WHERE i.hour < ?2")       \
    X(PRUNE_BOOKINGS,                                                                              \
      "DELETE b FROM (SELECT booking_id FROM bookings_ended WHERE updated_at < ?1 ORDER BY "       \
      "updated_at, booking_id LIMIT ?2) AS o STRAIGHT_JOIN bookings AS b FORCE INDEX (PRIMARY) "   \
      "ON b.id = o.booking_id WHERE b.status IN (4, 5) AND b.updated_at < ?1")                     \
    X(PRUNE_ENDED,                                                                                 \
      "DELETE FROM bookings_ended WHERE updated_at < ?1 ORDER BY updated_at, booking_id LIMIT ?2") \
    X(PRUNE_REPLAYS, "DELETE FROM idempotency WHERE hour < ?1 LIMIT ?2")                           \
    X(PRUNE_REVOCATIONS, "DELETE FROM revocations WHERE not_before < ?1 LIMIT ?2")

/* ---- what readers find ---- */

#define MARIA_VIEW_COLUMNS                                                                         \
    MARIA_BOOKING_COLUMNS ", e.name, e.venue, e.timezone, e.starts_at, e.status, "                 \
                          "e.organizer_id, e.currency, t.name, u.name, u.email, u.username"
#define MARIA_VIEW_JOINS                                                                           \
    " STRAIGHT_JOIN events AS e ON e.id = b.event_id "                                             \
    "STRAIGHT_JOIN ticket_types AS t ON t.id = b.ticket_type_id "                                  \
    "LEFT JOIN users AS u ON u.id = b.user_id AND u.erased_at = 0 "

/* True when every word of the JSON array 'words' begins a word of the user 'id'. No octet of UTF-8
 * is as high as FF, so what a word begins lies between it and it with FF behind. */
#define MARIA_USER_HAS_WORDS(words, id)                                                            \
    "NOT EXISTS (SELECT 1 FROM JSON_TABLE(" words ", '$[*]' COLUMNS (text VARCHAR(500) "           \
    "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$')) AS w WHERE NOT EXISTS "                  \
    "(SELECT 1 FROM user_words AS h WHERE h.user_id = " id " AND h.word >= CAST(w.text AS "        \
    "BINARY) AND h.word < CONCAT(CAST(w.text AS BINARY), x'FF')))"

/* In each state they stand in the order of ids. */
#define MARIA_BOOKINGS_OF_TYPE(state)                                                              \
    "(SELECT h.id FROM bookings AS h FORCE INDEX (bookings_by_type) WHERE h.ticket_type_id = ?1 "  \
    "AND h.status = " state " AND (?3 < 0 OR ?3 = " state                                          \
    ") AND h.id < ?2 AND (?4 IS NULL OR " MARIA_USER_HAS_WORDS(                                    \
        "?4", "h.user_id") ") ORDER BY h.id DESC LIMIT ?5)"

#define MARIA_JOURNAL_COLUMNS                                                                      \
    "j.booking_id, j.id, j.event_id, j.ticket_type_id, j.from_status, j.to_status, j.quantity, "   \
    "j.actor_id, j.at, j.reason"

/* Found in the index alone, before the rows are read. */
#define MARIA_FEED(which)                                                                          \
    "SELECT " MARIA_JOURNAL_COLUMNS " FROM (SELECT h.booking_id, h.id FROM " which                 \
    " AND h.id > ?2 AND h.id <= ?3 ORDER BY h.id LIMIT ?4) AS f STRAIGHT_JOIN journal AS j "       \
    "FORCE INDEX (PRIMARY) ON j.booking_id = f.booking_id AND j.id = f.id ORDER BY j.id"

#define MARIA_READ_STATEMENTS(X)                                                                                                                   \
    X(BOOKING_VIEWS,                                                                                                                               \
      "SELECT " MARIA_VIEW_COLUMNS " FROM " MARIA_IDS(                                                                                             \
          "?1") "bookings AS b FORCE INDEX (PRIMARY) ON b.id = j.id" MARIA_VIEW_JOINS                                                              \
                "ORDER BY b.id DESC")                                                                                                              \
    X(PLACE_OF_BLOCK, "SELECT CAST(coalesce(sum(waiting), 0) AS SIGNED), "                                                                         \
                      "CAST(coalesce(sum(wanted), 0) AS SIGNED) FROM line_blocks "                                                                 \
                      "WHERE ticket_type_id = ?1 AND block < ?2")                                                                                  \
    X(PLACE_IN_BLOCK, "SELECT count(*), CAST(coalesce(sum(quantity), 0) AS SIGNED) "                                                               \
                      "FROM bookings FORCE INDEX (bookings_by_type) "                                                                              \
                      "WHERE ticket_type_id = ?1 AND status = 1 AND id >= ?2 AND id < ?3")                                                         \
    X(BOOKINGS_OF_USERS,                                                                                                                           \
      "SELECT h.id FROM JSON_TABLE(?1, '$[*]' COLUMNS (bucket INT PATH '$[0]', user_id BIGINT "                                                    \
      "PATH '$[1]')) AS j STRAIGHT_JOIN bookings AS h FORCE INDEX (bookings_by_user) ON h.bucket "                                                 \
      "= j.bucket AND h.user_id = j.user_id WHERE h.id < ?2 AND (?3 = 0 OR h.event_id = ?3) AND "                                                  \
      "(?4 < 0 OR h.status = ?4) ORDER BY h.id DESC LIMIT ?5")                                                                                     \
    X(                                                                                                                                             \
        BOOKINGS_OF_TYPE,                                                                                                                          \
        "SELECT id FROM (" MARIA_BOOKINGS_OF_TYPE("1") " UNION ALL " MARIA_BOOKINGS_OF_TYPE("2") " UNION ALL " MARIA_BOOKINGS_OF_TYPE(             \
            "3") " UNION ALL " MARIA_BOOKINGS_OF_TYPE("4") " UNION ALL " MARIA_BOOKINGS_OF_TYPE("5") ") AS all_of_them ORDER BY id DESC LIMIT ?5") \
    X(TICKETS, "SELECT k.number, k.is_booked, k.booking_id, u.id, u.name, u.email, u.username "                                                    \
               "FROM tickets AS k LEFT JOIN bookings AS b ON b.id = k.booking_id "                                                                 \
               "LEFT JOIN users AS u ON u.id = b.user_id AND u.erased_at = 0 "                                                                     \
               "WHERE k.event_id = ?1 AND k.number > ?2 ORDER BY k.number LIMIT ?3")                                                               \
    X(HISTORY, "SELECT " MARIA_JOURNAL_COLUMNS " FROM journal AS j WHERE j.booking_id = ?1 "                                                       \
               "ORDER BY j.id")                                                                                                                    \
    X(JOURNAL_END, "SELECT next - 1 FROM sequences WHERE sequence = 100")                                                                          \
    X(FEED_EVENTS,                                                                                                                                 \
      "SELECT id FROM events FORCE INDEX (events_by_organizer) WHERE organizer_id = ?1 LIMIT ?2")                                                  \
    X(FEED,                                                                                                                                        \
      MARIA_FEED(                                                                                                                                  \
          "journal AS h FORCE INDEX (journal_feed) WHERE h.bucket = ?1 AND (?5 = 0 OR EXISTS "                                                     \
          "(SELECT 1 FROM events AS e WHERE e.id = h.event_id AND e.organizer_id = ?5))"))                                                         \
    X(FEED_OF_EVENTS,                                                                                                                              \
      MARIA_FEED(MARIA_PAIRS("?1") "journal AS h FORCE INDEX (journal_feed) ON h.bucket = j.a "                                                    \
                                   "AND h.event_id = j.b WHERE true"))                                                                             \
    X(PAYMENTS, "SELECT id, actor_id, amount, currency, method, note, created_at FROM payments "                                                   \
                "FORCE INDEX (payments_by_booking) WHERE booking_id = ?1 ORDER BY id")                                                             \
    X(USER_WORD_COUNT, "SELECT count(*) FROM (SELECT 1 FROM user_words FORCE INDEX "                                                               \
                       "(user_words_by_word) WHERE word >= ?1 AND word < CONCAT(?1, x'FF') "                                                       \
                       "LIMIT ?2) AS some")                                                                                                        \
    X(USERS,                                                                                                                                       \
      "SELECT " MARIA_USER_COLUMNS " FROM users AS u FORCE INDEX (PRIMARY) "                                                                       \
      "WHERE u.id > ?1 AND (?2 < 0 OR u.role = ?2) AND (?3 IS NULL OR " MARIA_USER_HAS_WORDS(                                                      \
          "?3", "u.id") ") ORDER BY u.id LIMIT ?4")                                                                                                \
    X(USERS_BY_WORD,                                                                                                                               \
      "SELECT " MARIA_USER_COLUMNS " FROM (SELECT DISTINCT user_id FROM user_words "                                                               \
      "FORCE INDEX (user_words_by_word) "                                                                                                          \
      "WHERE word >= ?5 AND word < CONCAT(?5, x'FF')) AS h STRAIGHT_JOIN users "                                                                   \
      "AS u FORCE INDEX (PRIMARY) ON u.id = h.user_id "                                                                                            \
      "WHERE u.id > ?1 AND (?2 < 0 OR u.role = ?2) "                                                                                               \
      "AND " MARIA_USER_HAS_WORDS("?3", "u.id") " ORDER BY u.id LIMIT ?4")                                                                         \
    X(USERS_PRIVILEGED, "SELECT " MARIA_USER_COLUMNS " FROM users AS u FORCE INDEX "                                                               \
                        "(users_privileged) WHERE u.role = ?2 AND u.id > ?1 AND (?3 IS NULL "                                                      \
                        "OR " MARIA_USER_HAS_WORDS("?3", "u.id") ") ORDER BY u.id LIMIT ?4")                                                       \
    X(PRIVILEGED,                                                                                                                                  \
      "SELECT id, role FROM users FORCE INDEX (users_privileged) WHERE role > 0 ORDER BY id")                                                      \
    X(REVOCATIONS, "SELECT user_id, not_before FROM revocations")                                                                                  \
    X(LAST_USER, "SELECT max(id) FROM users")

/* ---- the search for events ----
 *
 * ?1 words as JSON, [[bits of 'fields', word], ...], or NULL   ?2 day or NULL
 * ?3, ?4 starts_at from and below   ?5 status or -1   ?6 organizer or 0
 * ?7 whose drafts, 0 none, -1 all   ?8 now, or 0: available or not   ?9 limit
 * ?10, ?11 where the page begins: sort key and id
 *
 * The first five walk an index in the order that is wanted, and stop when the page is full. The
 * others begin with the few events that have a rare word, a day or an organizer, and sort their
 * ids: only those of the page are read whole. */
#define MARIA_SEARCH_FILTERS                                                                       \
    "e.starts_at >= ?3 AND e.starts_at < ?4 AND (?2 IS NULL OR e.local_day = ?2) "                 \
    "AND (?5 < 0 OR e.status = ?5) AND (?6 = 0 OR e.organizer_id = ?6) "                           \
    "AND (e.status <> 0 OR ?7 = -1 OR (?7 <> 0 AND e.organizer_id = ?7)) "                         \
    "AND (?8 = 0 OR (e.status = 1 AND (e.starts_at = 0 OR e.starts_at > ?8) AND EXISTS "           \
    "(SELECT 1 FROM ticket_types AS t WHERE t.event_id = e.id AND t.waiting = 0 "                  \
    "AND t.booked + t.held < t.capacity))) "                                                       \
    "AND (?1 IS NULL OR NOT EXISTS (SELECT 1 FROM JSON_TABLE(?1, '$[*]' COLUMNS (bits INT PATH "   \
    "'$[0]', text VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]')) AS w "      \
    "WHERE NOT EXISTS (SELECT 1 FROM event_words AS h WHERE h.event_id = e.id "                    \
    "AND h.word >= CAST(w.text AS BINARY) AND h.word < CONCAT(CAST(w.text AS BINARY), x'FF') "     \
    "AND h.fields & w.bits))) "
#define MARIA_SEARCH(index, where, order)                                                          \
    "SELECT " MARIA_EVENT_COLUMNS " FROM (SELECT e.id FROM events AS e FORCE INDEX (" index ") "   \
    "WHERE " where " AND " MARIA_SEARCH_FILTERS order " LIMIT ?9) AS p "                           \
    "STRAIGHT_JOIN events AS e ON e.id = p.id "                                                    \
    "STRAIGHT_JOIN event_counters AS c ON c.event_id = e.id " order
#define MARIA_SEARCH_FEW(few, key, after)                                                          \
    "SELECT " MARIA_EVENT_COLUMNS " FROM (SELECT e.id FROM (" few ") AS f STRAIGHT_JOIN events "   \
    "AS e FORCE INDEX (PRIMARY) ON e.id = f.id WHERE (?11 = 0 OR " after ") "                      \
    "AND " MARIA_SEARCH_FILTERS "ORDER BY " key ", e.id LIMIT ?9) AS p "                           \
    "STRAIGHT_JOIN events AS e ON e.id = p.id "                                                    \
    "STRAIGHT_JOIN event_counters AS c ON c.event_id = e.id ORDER BY " key ", e.id"
/* ?12 by what the few are gathered; the word in ?13, in the places of ?14. ?11 is 0 for the first
 * page. */
#define MARIA_FEW                                                                                  \
    "SELECT event_id AS id FROM event_words FORCE INDEX (event_words_by_word) "                    \
    "WHERE ?12 = 1 AND word >= ?13 AND word < CONCAT(?13, x'FF') AND fields & ?14 "                \
    "UNION SELECT id FROM events FORCE INDEX (events_by_day) WHERE ?12 = 2 AND local_day = ?2 "    \
    "UNION SELECT id FROM events FORCE INDEX (events_by_organizer) "                               \
    "WHERE ?12 = 3 AND organizer_id = ?6"
#define MARIA_LAST_IF_0(column) "IF(e.starts_at = 0, 9223372036854775807, " column ")"

#define MARIA_SEARCH_STATEMENTS(X)                                                                 \
    X(SEARCH_STARTING_AT,                                                                          \
      MARIA_SEARCH("events_by_start", "e.starts_at = ?10 AND e.id > ?11", "ORDER BY e.id"))        \
    X(SEARCH_STARTING_LATER,                                                                       \
      MARIA_SEARCH("events_by_start", "e.starts_at > ?10", "ORDER BY e.starts_at, e.id"))          \
    X(SEARCH_STARTING_EARLIER, MARIA_SEARCH("events_by_start_descending",                          \
                                            "e.starts_backwards > ?10 AND e.starts_backwards < 0", \
                                            "ORDER BY e.starts_backwards, e.id"))                  \
    X(SEARCH_NAMED,                                                                                \
      MARIA_SEARCH("events_by_name", "e.name_folded = ?10 AND e.id > ?11", "ORDER BY e.id"))       \
    X(SEARCH_NAMED_LATER,                                                                          \
      MARIA_SEARCH("events_by_name", "e.name_folded > ?10", "ORDER BY e.name_folded, e.id"))       \
    X(SEARCH_FEW_BY_START,                                                                         \
      MARIA_SEARCH_FEW(MARIA_FEW, MARIA_LAST_IF_0("e.starts_at"),                                  \
                       "(" MARIA_LAST_IF_0("e.starts_at") ", e.id) > (?10, ?11)"))                 \
    X(SEARCH_FEW_DESCENDING,                                                                       \
      MARIA_SEARCH_FEW(MARIA_FEW, MARIA_LAST_IF_0("-e.starts_at"),                                 \
                       "(" MARIA_LAST_IF_0("-e.starts_at") ", e.id) > (?10, ?11)"))                \
    X(SEARCH_FEW_BY_NAME,                                                                          \
      MARIA_SEARCH_FEW(MARIA_FEW, "e.name_folded", "(e.name_folded, e.id) > (?10, ?11)"))          \
    X(EVENT_WORD_COUNT, "SELECT count(*) FROM (SELECT 1 FROM event_words FORCE INDEX "             \
                        "(event_words_by_word) WHERE word >= ?1 AND word < CONCAT(?1, x'FF') "     \
                        "LIMIT ?2) AS some")                                                       \
    X(EVENTS_OF_DAY, "SELECT count(*) FROM (SELECT 1 FROM events FORCE INDEX (events_by_day) "     \
                     "WHERE local_day = ?1 LIMIT ?2) AS some")                                     \
    X(EVENTS_OF_ORGANIZER, "SELECT count(*) FROM (SELECT 1 FROM events FORCE INDEX "               \
                           "(events_by_organizer) WHERE organizer_id = ?1 LIMIT ?2) AS some")

/* ---- the check ----
 *
 * ?1 the key of the row before, ?2 rows of a page, ?3 an event */

#define MARIA_NET(status)                                                                          \
    "CAST(sum(CASE WHEN to_status = " status " THEN quantity ELSE 0 END "                          \
    "- CASE WHEN from_status = " status " THEN quantity ELSE 0 END) AS SIGNED)"

#define MARIA_CHECK_STATEMENTS(X)                                                                  \
    X(CHECK_COUNTS, "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM ticket_types), "  \
                    "(SELECT count(*) FROM users WHERE erased_at = 0)")                            \
    X(CHECK_EVENTS, "SELECT e.id, e.max_per_user, c.next_number FROM events AS e FORCE INDEX "     \
                    "(PRIMARY) LEFT JOIN event_counters AS c ON c.event_id = e.id "                \
                    "WHERE e.id > ?1 ORDER BY e.id LIMIT ?2")                                      \
    X(CHECK_TYPES, "SELECT id, event_id, capacity, booked, held, waiting, wanted "                 \
                   "FROM ticket_types WHERE id > ?1 ORDER BY id LIMIT ?2")                         \
    X(CHECK_BOOKINGS, "SELECT id, event_id, ticket_type_id, status, quantity FROM bookings "       \
                      "FORCE INDEX (PRIMARY) WHERE id > ?1 ORDER BY id LIMIT ?2")                  \
    X(CHECK_JOURNAL,                                                                               \
      "SELECT booking_id, count(*), min(event_id), min(ticket_type_id), "                          \
      "max(ticket_type_id), " MARIA_NET("1") ", " MARIA_NET("2") ", " MARIA_NET(                   \
          "3") " FROM journal FORCE INDEX "                                                        \
               "(PRIMARY) WHERE booking_id > ?1 GROUP BY booking_id ORDER BY booking_id LIMIT ?2") \
    X(CHECK_TICKETS_OF_BOOKINGS,                                                                   \
      "SELECT booking_id, count(*), min(event_id), max(event_id), min(is_booked), max(is_booked) " \
      "FROM tickets FORCE INDEX (tickets_by_booking) WHERE booking_id > ?1 "                       \
      "GROUP BY booking_id ORDER BY booking_id LIMIT ?2")                                          \
    X(CHECK_TICKETS_OF_EVENTS,                                                                     \
      "SELECT event_id, count(*), max(number), count(booking_id), "                                \
      "min(CASE WHEN booking_id IS NULL AND is_booked <> 0 THEN number END) FROM tickets "         \
      "FORCE INDEX (PRIMARY) WHERE event_id > ?1 GROUP BY event_id ORDER BY event_id LIMIT ?2")    \
    X(CHECK_LINE_BLOCKS,                                                                           \
      "SELECT ticket_type_id, block, CAST(sum(kept) AS SIGNED), CAST(sum(counted) AS SIGNED) "     \
      "FROM (SELECT ticket_type_id, block, waiting AS kept, 0 AS counted, wanted AS kept_wanted, " \
      "0 AS counted_wanted FROM line_blocks UNION ALL "                                            \
      "SELECT ticket_type_id, id DIV 1024, 0, count(*), 0, sum(quantity) FROM bookings "           \
      "WHERE status = 1 GROUP BY ticket_type_id, id DIV 1024) AS blocks "                          \
      "GROUP BY ticket_type_id, block "                                                            \
      "HAVING sum(kept) <> sum(counted) OR sum(kept_wanted) <> sum(counted_wanted)")               \
    X(CHECK_HOLDERS,                                                                               \
      "SELECT user_id, CAST(sum(held) AS SIGNED), CAST(sum(booked) AS SIGNED) FROM (SELECT "       \
      "user_id, quantity AS held, 0 AS booked FROM holders WHERE event_id = ?3 UNION ALL SELECT "  \
      "b.user_id, 0, b.quantity FROM " MARIA_ACTIVE_BOOKINGS                                       \
      "WHERE t.event_id = ?3) AS sides GROUP BY user_id HAVING sum(held) <> sum(booked)")          \
    X(CHECK_PLACES, "SELECT (SELECT max(id) FROM journal FORCE INDEX (journal_feed) "              \
                    "WHERE bucket = (SELECT max(bucket) FROM journal)), "                          \
                    "(SELECT next - 1 FROM sequences WHERE sequence = 100)")

/* ---- who is to be told what ---- */

#define MARIA_MESSAGE_COLUMNS                                                                      \
    "o.id, o.webhook_id, o.subject, o.topic, o.event_id, o.user_id, o.status, o.tries, "           \
    "o.created_at, o.due_at, o.settled_at, o.answer, o.message, o.error, o.body"

/* Of those about one booking the first only; what another process is looking at is passed over. */
#define MARIA_OUTBOX_STATEMENTS(X)                                                                 \
    X(NOTICE_INSERT,                                                                               \
      "INSERT INTO notices (topic, event_id, user_id, webhook_id, at, address, told) "             \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)")                                                        \
    X(NOTICE_TOLD, "UPDATE notices SET told = ?2 WHERE id = ?1")                                   \
    X(NOTICE_DELETE, "DELETE FROM notices WHERE id = ?1")                                          \
    X(NOTICES, "SELECT id, topic, event_id, user_id, webhook_id, at, told, address FROM notices "  \
               "ORDER BY id LIMIT ?1")                                                             \
    X(OUTBOX_POSITION, "SELECT journal_id, turn FROM outbox_position WHERE id = 1")                \
    X(OUTBOX_POSITION_LOCK,                                                                        \
      "SELECT journal_id, turn FROM outbox_position WHERE id = 1 FOR UPDATE")                      \
    X(OUTBOX_POSITION_PUT, "INSERT INTO outbox_position (id, journal_id, turn) "                   \
                           "VALUES (1, ?1, ?2) "                                                   \
                           "ON DUPLICATE KEY UPDATE journal_id = ?1, turn = ?2")                   \
    X(MESSAGE_INSERT,                                                                              \
      "INSERT INTO outbox (webhook_id, subject, topic, event_id, user_id, status, tries, "         \
      "created_at, due_at, settled_at, answer, message, error, body) "                             \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) "                      \
      "ON DUPLICATE KEY UPDATE message = message")                                                 \
    X(MESSAGE_UPDATE, "UPDATE outbox SET status = ?2, tries = ?3, due_at = ?4, settled_at = ?5, "  \
                      "answer = ?6, error = ?7 WHERE id = ?1")                                     \
    X(MESSAGE_DELETE, "DELETE FROM outbox WHERE id = ?1")                                          \
    X(MESSAGES_BY_ID, "SELECT " MARIA_MESSAGE_COLUMNS " FROM " MARIA_IDS(                          \
                          "?1") "outbox AS o FORCE INDEX (PRIMARY) ON o.id = j.id FOR UPDATE")     \
    X(MESSAGES_DUE, "SELECT " MARIA_MESSAGE_COLUMNS " FROM outbox AS o FORCE INDEX (outbox_due) "  \
                    "WHERE o.status = 1 AND o.webhook_id = ?1 AND o.due_at <= ?2 "                 \
                    "AND NOT EXISTS (SELECT 1 FROM outbox AS e FORCE INDEX (outbox_order) "        \
                    "WHERE e.status = 1 AND e.webhook_id = ?1 AND e.subject = o.subject "          \
                    "AND e.subject <> 0 AND e.id < o.id) ORDER BY o.due_at, o.id LIMIT ?3 FOR "    \
                    "UPDATE SKIP LOCKED")                                                          \
    X(MESSAGES, "SELECT " MARIA_MESSAGE_COLUMNS " FROM outbox AS o FORCE INDEX (PRIMARY) "         \
                "WHERE o.id < ?1 AND (?2 < 0 OR o.status = ?2) ORDER BY o.id DESC LIMIT ?3")       \
    X(MESSAGES_OF_WAY,                                                                             \
      "SELECT " MARIA_MESSAGE_COLUMNS " FROM outbox AS o FORCE INDEX (outbox_by_webhook) "         \
      "WHERE o.webhook_id = ?4 AND o.id < ?1 AND (?2 < 0 OR o.status = ?2) "                       \
      "ORDER BY o.id DESC LIMIT ?3")                                                               \
    X(DUE_WAYS,                                                                                    \
      "SELECT w.id FROM (SELECT 0 AS id UNION ALL SELECT id FROM webhooks WHERE status = 1) AS w " \
      "WHERE EXISTS (SELECT 1 FROM outbox AS o FORCE INDEX (outbox_due) "                          \
      "WHERE o.status = 1 AND o.webhook_id = w.id AND o.due_at <= ?1)")                            \
    X(PRUNE_SENT, "DELETE FROM outbox WHERE status = 2 AND settled_at < ?1 LIMIT ?2")              \
    X(PRUNE_PARKED, "DELETE FROM outbox WHERE status = 3 AND settled_at < ?1 LIMIT ?2")

/* ---- webhooks ---- */

#define MARIA_WEBHOOK_COLUMNS                                                                      \
    "id, user_id, everything, topics, status, failing_since, created_at, updated_at, "             \
    "old_secret_until, secret, old_secret, url, description"

#define MARIA_WEBHOOK_STATEMENTS(X)                                                                \
    X(WEBHOOK_PUT,                                                                                 \
      "INSERT INTO webhooks (" MARIA_WEBHOOK_COLUMNS ") "                                          \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) "                           \
      "ON DUPLICATE KEY UPDATE topics = ?4, status = ?5, failing_since = ?6, "                     \
      "updated_at = ?8, old_secret_until = ?9, secret = ?10, old_secret = ?11, url = ?12, "        \
      "description = ?13")                                                                         \
    X(WEBHOOK_DELETE, "DELETE FROM webhooks WHERE id = ?1")                                        \
    X(MESSAGES_OF_WEBHOOK_DELETE, "DELETE FROM outbox WHERE webhook_id = ?1")                      \
    X(MESSAGES_OF_USER_DELETE, "DELETE FROM outbox WHERE user_id = ?1")                            \
    X(WEBHOOKS_OF_USER_DELETE, "DELETE FROM webhooks WHERE user_id = ?1")                          \
    X(WEBHOOK, "SELECT " MARIA_WEBHOOK_COLUMNS " FROM webhooks WHERE id = ?1")                     \
    X(WEBHOOK_COUNT, "SELECT count(*) FROM webhooks WHERE user_id = ?1")                           \
    X(WEBHOOKS_OF_USER,                                                                            \
      "SELECT " MARIA_WEBHOOK_COLUMNS " FROM webhooks WHERE user_id = ?1 ORDER BY id")             \
    X(WEBHOOKS, "SELECT " MARIA_WEBHOOK_COLUMNS " FROM webhooks ORDER BY id")                      \
    X(WEBHOOK_LOCK, "SELECT " MARIA_WEBHOOK_COLUMNS " FROM webhooks WHERE id = ?1 FOR UPDATE")

#define MARIA_STATEMENTS(X)                                                                        \
    MARIA_COMMON_STATEMENTS(X)                                                                     \
    MARIA_LOAD_STATEMENTS(X)                                                                       \
    MARIA_COMMIT_STATEMENTS(X)                                                                     \
    MARIA_READ_STATEMENTS(X)                                                                       \
    MARIA_SEARCH_STATEMENTS(X)                                                                     \
    MARIA_CHECK_STATEMENTS(X)                                                                      \
    MARIA_OUTBOX_STATEMENTS(X)                                                                     \
    MARIA_WEBHOOK_STATEMENTS(X)

#endif
