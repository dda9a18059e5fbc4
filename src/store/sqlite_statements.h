/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_statements.h -- every statement that the SQLite driver runs: X(name, text).
 *
 * Texts are constants and values are bound, without exception. INDEXED BY stands where speed
 * hangs on one index: should it ever become unusable, the statement fails at once, in the tests,
 * instead of turning into a scan on the busiest day. CROSS JOIN is SQLite's way to fix the order of
 * a join. */
#ifndef STORE_SQLITE_STATEMENTS_H
#define STORE_SQLITE_STATEMENTS_H

#define SQLITE_EVENT_COLUMNS                                                                       \
    "e.id, e.organizer_id, e.name, e.description, e.venue, e.timezone, e.currency, e.starts_at, "  \
    "e.ends_at, e.status, e.max_per_user, e.version, e.created_at, e.updated_at, c.next_number, "  \
    "c.ever_booked"

#define SQLITE_BOOKING_COLUMNS                                                                     \
    "b.id, b.user_id, b.event_id, b.ticket_type_id, b.quantity, b.status, b.unit_price, b.paid, "  \
    "b.created_at, b.updated_at, b.expires_at"

#define SQLITE_USER_COLUMNS                                                                        \
    "u.id, u.email, u.username, u.name, u.password_hash, u.role, u.created_at, u.erased_at, "      \
    "u.verified_at, u.mail"

/* ---- transactions, settings ---- */

#define SQLITE_COMMON_STATEMENTS(X)                                                                \
    X(BEGIN_READ, "BEGIN")                                                                         \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                              \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(PING, "SELECT count(*) FROM settings")                                                       \
    X(SETTING, "SELECT value FROM settings WHERE name = ?1")                                       \
    X(SETTING_INSERT, "INSERT INTO settings (name, value) VALUES (?1, ?2)")                        \
    X(SEQUENCES, "SELECT sequence, next FROM sequences")                                           \
    X(SEQUENCE_PUT, "INSERT INTO sequences (sequence, next) VALUES (?1, ?2) "                      \
                    "ON CONFLICT (sequence) DO UPDATE SET next = excluded.next")                   \
    X(REPLAY_KEYS, "SELECT id, at, user_id, key FROM idempotency INDEXED BY idempotency_by_time "  \
                   "WHERE at >= ?1 ORDER BY at")

/* ---- what a batch loads ---- */

#define SQLITE_LOAD_STATEMENTS(X)                                                                  \
    X(EVENT, "SELECT " SQLITE_EVENT_COLUMNS " FROM events AS e CROSS JOIN event_counters AS c "    \
             "ON c.event_id = e.id WHERE e.id = ?1")                                               \
    X(TYPES, "SELECT id, name, capacity, booked, held, waiting, wanted, price, max_per_booking, "  \
             "sales_start, sales_end FROM ticket_types INDEXED BY ticket_types_by_event "          \
             "WHERE event_id = ?1 ORDER BY id")                                                    \
    X(BOOKING, "SELECT " SQLITE_BOOKING_COLUMNS " FROM bookings AS b WHERE b.id = ?1")             \
    X(BOOKING_NUMBERS, "SELECT number FROM tickets INDEXED BY tickets_by_booking "                 \
                       "WHERE booking_id = ?1 ORDER BY event_id, number")                          \
    X(LINE, "SELECT " SQLITE_BOOKING_COLUMNS " FROM bookings AS b INDEXED BY bookings_waiting "    \
            "WHERE b.ticket_type_id = ?1 AND b.status = 1 ORDER BY b.id LIMIT ?2")                 \
    X(RETURNED, "SELECT number FROM tickets INDEXED BY tickets_returned "                          \
                "WHERE event_id = ?1 AND booking_id IS NULL ORDER BY number LIMIT ?2")             \
    X(USER, "SELECT " SQLITE_USER_COLUMNS " FROM users AS u WHERE u.id = ?1")                      \
    X(USER_BY_EMAIL, "SELECT " SQLITE_USER_COLUMNS " FROM users AS u WHERE u.email_folded = ?1")   \
    X(USER_BY_USERNAME,                                                                            \
      "SELECT " SQLITE_USER_COLUMNS " FROM users AS u WHERE u.username_folded = ?1")               \
    X(HOLDER, "SELECT quantity FROM holders WHERE event_id = ?1 AND user_id = ?2")                 \
    X(REPLAY, "SELECT request, status, at, body FROM idempotency "                                 \
              "WHERE id = ?1 AND user_id = ?2 AND key = ?3")                                       \
    X(BUCKETS, "SELECT (SELECT min(id) FROM bookings) / 8192, "                                    \
               "(SELECT max(id) FROM bookings) / 8192")                                            \
    X(BUCKETS_OF_EVENT, "SELECT (SELECT min(id) FROM bookings WHERE event_id = ?1) / 8192, "       \
                        "(SELECT max(id) FROM bookings WHERE event_id = ?1) / 8192")               \
    X(BUCKET_USERS, "SELECT DISTINCT user_id FROM bookings INDEXED BY bookings_by_user "           \
                    "WHERE id / 8192 = ?1")                                                        \
    X(NEWEST, "SELECT id, status FROM bookings INDEXED BY bookings_by_user "                       \
              "WHERE id / 8192 = ?1 AND user_id = ?2 AND event_id = ?3 AND status IN (1, 2, 3) "   \
              "ORDER BY status = 1, id DESC LIMIT 1")                                              \
    X(COMING, "SELECT b.id FROM bookings AS b INDEXED BY bookings_by_user "                        \
              "CROSS JOIN events AS e ON e.id = b.event_id "                                       \
              "WHERE b.id / 8192 = ?1 AND b.user_id = ?2 AND b.status IN (1, 2, 3) "               \
              "AND e.status <> 3 AND (e.starts_at = 0 OR e.starts_at > ?3) ORDER BY b.id")

/* ---- what a batch writes ---- */

/* Of several rows in one statement the later ones are cheap: its cursors are open, and stand at the
 * end of their trees already. OR FAIL, because a batch that fails is rolled back as a whole: with
 * the usual OR ABORT SQLite keeps a copy of each page that the statement changes, to undo just
 * that. */
#define SQLITE_4_ROWS(row)  row ", " row ", " row ", " row
#define SQLITE_16_ROWS(row) SQLITE_4_ROWS(SQLITE_4_ROWS(row))
#define SQLITE_INSERTS(X, name, table, row)                                                        \
    X(name##_INSERT, "INSERT INTO " table " VALUES " row)                                          \
    X(name##_INSERT_4, "INSERT OR FAIL INTO " table " VALUES " SQLITE_4_ROWS(row))                 \
    X(name##_INSERT_16, "INSERT OR FAIL INTO " table " VALUES " SQLITE_16_ROWS(row))

#define SQLITE_COMMIT_STATEMENTS(X)                                                                \
    SQLITE_INSERTS(X, BOOKING, "bookings", "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                    \
    SQLITE_INSERTS(X, TICKET, "tickets", "(?, ?, ?, ?)")                                           \
    SQLITE_INSERTS(X, JOURNAL, "journal", "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                        \
    X(BOOKING_UPDATE,                                                                              \
      "UPDATE bookings SET quantity = ?2, status = ?3, paid = ?4, updated_at = ?5, "               \
      "expires_at = ?6 WHERE id = ?1")                                                             \
    X(BOOKING_DELETE, "DELETE FROM bookings WHERE id = ?1")                                        \
    X(TICKET_GIVE,                                                                                 \
      "UPDATE tickets SET booking_id = ?3, is_booked = ?4 "                                        \
      "WHERE event_id = ?1 AND number = ?2 AND (+booking_id IS NULL OR +booking_id = ?3)")         \
    X(TICKET_RETURN, "UPDATE tickets SET booking_id = NULL, is_booked = 0 "                        \
                     "WHERE event_id = ?1 AND number = ?2 AND +booking_id = ?3")                   \
    X(PAYMENT_INSERT, "INSERT INTO payments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")              \
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
    X(EVENT_WORD, "INSERT INTO event_words VALUES (?1, ?2, ?3) "                                   \
                  "ON CONFLICT (event_id, word) DO UPDATE SET fields = fields | excluded.fields")  \
    X(EVENT_WORDS_DELETE, "DELETE FROM event_words WHERE event_id = ?1")                           \
    X(COUNTERS_INSERT, "INSERT INTO event_counters VALUES (?1, ?2, ?3)")                           \
    X(COUNTERS_UPDATE,                                                                             \
      "UPDATE event_counters SET next_number = ?2, ever_booked = ?3 WHERE event_id = ?1")          \
    X(COUNTERS_DELETE, "DELETE FROM event_counters WHERE event_id = ?1")                           \
    X(TYPE_INSERT, "INSERT INTO ticket_types "                                                     \
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")                   \
    X(TYPE_UPDATE, "UPDATE ticket_types SET name = ?2, price = ?3, max_per_booking = ?4, "         \
                   "sales_start = ?5, sales_end = ?6 WHERE id = ?1")                               \
    X(TYPE_COUNT, "UPDATE ticket_types SET capacity = ?2, booked = ?3, held = ?4, waiting = ?5, "  \
                  "wanted = ?6 WHERE id = ?1")                                                     \
    X(TYPES_DELETE, "DELETE FROM ticket_types WHERE event_id = ?1")                                \
    X(CANCEL_JOURNAL, "INSERT INTO journal SELECT id, ?4 + row_number() OVER (ORDER BY id) - 1, "  \
                      "event_id, ticket_type_id, status, 4, quantity, ?2, ?3, 'event_cancelled' "  \
                      "FROM bookings INDEXED BY bookings_by_event "                                \
                      "WHERE event_id = ?1 AND status IN (1, 2, 3) ORDER BY id")                   \
    X(CANCEL_TICKETS, "UPDATE tickets SET booking_id = NULL, is_booked = 0 "                       \
                      "WHERE event_id = ?1 AND booking_id IS NOT NULL")                            \
    X(CANCEL_BOOKINGS, "UPDATE bookings INDEXED BY bookings_by_event "                             \
                       "SET status = 4, updated_at = ?2 "                                          \
                       "WHERE event_id = ?1 AND status IN (1, 2, 3)")                              \
    X(REMOVE_BOOKINGS, "DELETE FROM bookings INDEXED BY bookings_by_event "                        \
                       "WHERE event_id = ?1 AND status IN (1, 2, 3)")                              \
    X(LINE_BLOCK_ADD, "UPDATE line_blocks SET waiting = waiting + ?3, wanted = wanted + ?4 "       \
                      "WHERE ticket_type_id = ?1 AND block = ?2")                                  \
    X(LINE_BLOCK_INSERT, "INSERT INTO line_blocks VALUES (?1, ?2, ?3, ?4)")                        \
    X(LINE_BLOCK_DROP, "DELETE FROM line_blocks "                                                  \
                       "WHERE ticket_type_id = ?1 AND block = ?2 AND waiting = 0")                 \
    X(LINE_BLOCKS_DELETE, "DELETE FROM line_blocks WHERE ticket_type_id IN "                       \
                          "(SELECT id FROM ticket_types WHERE event_id = ?1)")                     \
    X(HOLDER_PUT, "INSERT INTO holders VALUES (?1, ?2, ?3) "                                       \
                  "ON CONFLICT (event_id, user_id) DO UPDATE SET quantity = excluded.quantity")    \
    X(HOLDER_DELETE, "DELETE FROM holders WHERE event_id = ?1 AND user_id = ?2")                   \
    X(HOLDERS_DELETE, "DELETE FROM holders WHERE event_id = ?1")                                   \
    X(HOLDERS_FILL, "INSERT INTO holders SELECT b.event_id, b.user_id, sum(b.quantity) "           \
                    "FROM events AS e CROSS JOIN bookings AS b INDEXED BY bookings_by_event "      \
                    "ON b.event_id = e.id WHERE e.id = ?1 AND e.max_per_user > 0 "                 \
                    "AND b.status IN (1, 2, 3) GROUP BY b.user_id")                                \
    X(USER_INSERT, "INSERT INTO users (id, email, email_folded, username, username_folded, name, " \
                   "password_hash, role, created_at, erased_at, verified_at, mail) "               \
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")                   \
    X(USER_UPDATE,                                                                                 \
      "UPDATE users SET email = ?2, email_folded = ?3, username = ?4, "                            \
      "username_folded = ?5, name = ?6, password_hash = ?7, role = ?8, "                           \
      "created_at = ?9, erased_at = ?10, verified_at = ?11, mail = ?12 WHERE id = ?1")             \
    X(USER_WORD, "INSERT INTO user_words VALUES (?1, ?2) ON CONFLICT DO NOTHING")                  \
    X(USER_WORDS_DELETE, "DELETE FROM user_words WHERE user_id = ?1")                              \
    X(REVOKE, "INSERT INTO revocations VALUES (?1, ?2) ON CONFLICT (user_id) "                     \
              "DO UPDATE SET not_before = max(not_before, excluded.not_before)")                   \
    X(REPLAY_INSERT, "INSERT INTO idempotency (user_id, key, request, status, at, body) VALUES "   \
                     "(?1, ?2, ?3, ?4, ?5, ?6)")                                                   \
    X(PRUNE_BOOKINGS, "DELETE FROM bookings WHERE id IN (SELECT id FROM bookings "                 \
                      "INDEXED BY bookings_ended WHERE status IN (4, 5) AND updated_at < ?1 "      \
                      "ORDER BY updated_at LIMIT ?2)")                                             \
    X(PRUNE_REPLAYS, "DELETE FROM idempotency WHERE id IN (SELECT id FROM idempotency "            \
                     "INDEXED BY idempotency_by_time WHERE at < ?1 ORDER BY at LIMIT ?2)")         \
    X(PRUNE_REVOCATIONS, "DELETE FROM revocations WHERE user_id IN (SELECT user_id "               \
                         "FROM revocations INDEXED BY revocations_by_time "                        \
                         "WHERE not_before < ?1 LIMIT ?2)")

/* ---- what readers find ---- */

#define SQLITE_VIEW_COLUMNS                                                                        \
    SQLITE_BOOKING_COLUMNS ", e.name, e.venue, e.timezone, e.starts_at, e.status, "                \
                           "e.organizer_id, e.currency, t.name, u.name, u.email, u.username"
#define SQLITE_VIEW_JOINS                                                                          \
    " CROSS JOIN events AS e ON e.id = b.event_id "                                                \
    "CROSS JOIN ticket_types AS t ON t.id = b.ticket_type_id "                                     \
    "LEFT JOIN users AS u ON u.id = b.user_id AND u.erased_at = 0 "

/* True when every word of the JSON array 'words' begins a word of the user 'id'. A word is below
 * its successor in the order of code points: what it begins lies between it and it with the last
 * code point behind. */
#define SQLITE_USER_HAS_WORDS(words, id)                                                           \
    "NOT EXISTS (SELECT 1 FROM json_each(" words ") AS w WHERE NOT EXISTS "                        \
    "(SELECT 1 FROM user_words AS h WHERE h.user_id = " id                                         \
    " AND h.word >= w.value AND h.word < w.value || char(1114111)))"

#define SQLITE_JOURNAL_COLUMNS                                                                     \
    "j.booking_id, j.id, j.event_id, j.ticket_type_id, j.from_status, j.to_status, j.quantity, "   \
    "j.actor_id, j.at, j.reason"

/* Of the bucket ?1: found in the index alone, before the rows are read. */
#define SQLITE_FEED(which)                                                                         \
    "SELECT " SQLITE_JOURNAL_COLUMNS " FROM (SELECT h.booking_id, h.id FROM journal AS h "         \
    "INDEXED BY journal_feed WHERE h.id / 8192 = ?1 AND h.id > ?2 AND h.id <= ?3 AND " which       \
    " ORDER BY h.id LIMIT ?4) AS f CROSS JOIN journal AS j ON j.booking_id = f.booking_id "        \
    "AND j.id = f.id ORDER BY j.id"

#define SQLITE_READ_STATEMENTS(X)                                                                  \
    X(BOOKING_VIEW,                                                                                \
      "SELECT " SQLITE_VIEW_COLUMNS " FROM bookings AS b" SQLITE_VIEW_JOINS "WHERE b.id = ?1")     \
    X(PLACE_OF_BLOCK, "SELECT total(waiting), total(wanted) FROM line_blocks "                     \
                      "WHERE ticket_type_id = ?1 AND block < ?2")                                  \
    X(PLACE_IN_BLOCK,                                                                              \
      "SELECT count(*), total(quantity) FROM bookings INDEXED BY bookings_waiting "                \
      "WHERE ticket_type_id = ?1 AND status = 1 AND id >= ?2 AND id < ?3")                         \
    X(BOOKINGS_OF_USER, "SELECT " SQLITE_VIEW_COLUMNS                                              \
                        " FROM bookings AS b INDEXED BY bookings_by_user" SQLITE_VIEW_JOINS        \
                        "WHERE b.id / 8192 = ?1 AND b.user_id = ?2 AND b.id < ?3 "                 \
                        "AND (?4 = 0 OR b.event_id = ?4) AND (?5 < 0 OR b.status = ?5) "           \
                        "ORDER BY b.id DESC LIMIT ?6")                                             \
    X(BOOKINGS_OF_USERS,                                                                           \
      "SELECT " SQLITE_VIEW_COLUMNS                                                                \
      " FROM bookings AS b INDEXED BY bookings_by_user" SQLITE_VIEW_JOINS                          \
      "WHERE b.id / 8192 = ?1 AND b.user_id IN (SELECT value FROM json_each(?2)) AND b.id < ?3 "   \
      "AND (?4 = 0 OR b.event_id = ?4) AND (?5 < 0 OR b.status = ?5) "                             \
      "ORDER BY b.id DESC LIMIT ?6")                                                               \
    X(BOOKINGS_OF_EVENT, "SELECT " SQLITE_VIEW_COLUMNS                                             \
                         " FROM bookings AS b INDEXED BY bookings_by_event" SQLITE_VIEW_JOINS      \
                         "WHERE b.event_id = ?1 AND b.id < ?2 AND (?3 < 0 OR b.status = ?3) "      \
                         "AND (?4 IS NULL OR " SQLITE_USER_HAS_WORDS(                              \
                             "?4", "b.user_id") ") "                                               \
                                                "ORDER BY b.id DESC LIMIT ?5")                     \
    X(TICKETS, "SELECT k.number, k.is_booked, k.booking_id, u.id, u.name, u.email, u.username "    \
               "FROM tickets AS k LEFT JOIN bookings AS b ON b.id = k.booking_id "                 \
               "LEFT JOIN users AS u ON u.id = b.user_id AND u.erased_at = 0 "                     \
               "WHERE k.event_id = ?1 AND k.number > ?2 ORDER BY k.number LIMIT ?3")               \
    X(HISTORY, "SELECT " SQLITE_JOURNAL_COLUMNS " FROM journal AS j "                              \
               "WHERE j.booking_id = ?1 ORDER BY j.id")                                            \
    X(JOURNAL_END, "SELECT next - 1 FROM sequences WHERE sequence = 100")                          \
    X(FEED_EVENTS,                                                                                 \
      "SELECT id FROM events INDEXED BY events_by_organizer WHERE organizer_id = ?1 LIMIT ?2")     \
    X(FEED, SQLITE_FEED("(?5 = 0 OR EXISTS (SELECT 1 FROM events AS e WHERE e.id = h.event_id "    \
                        "AND e.organizer_id = ?5))"))                                              \
    X(FEED_OF_EVENTS, SQLITE_FEED("h.event_id IN (SELECT value FROM json_each(?5))"))              \
    X(PAYMENTS, "SELECT id, actor_id, amount, currency, method, note, created_at FROM payments "   \
                "INDEXED BY payments_by_booking WHERE booking_id = ?1 ORDER BY id")                \
    X(USER_WORD_COUNT, "SELECT count(*) FROM (SELECT 1 FROM user_words "                           \
                       "INDEXED BY user_words_by_word "                                            \
                       "WHERE word >= ?1 AND word < ?1 || char(1114111) LIMIT ?2)")                \
    X(USERS, "SELECT " SQLITE_USER_COLUMNS " FROM users AS u WHERE u.id > ?1 "                     \
             "AND (?2 < 0 OR u.role = ?2) "                                                        \
             "AND (?3 IS NULL OR " SQLITE_USER_HAS_WORDS("?3", "u.id") ") "                        \
                                                                       "ORDER BY u.id LIMIT ?4")   \
    X(USERS_BY_WORD, "SELECT " SQLITE_USER_COLUMNS " FROM users AS u WHERE u.id > ?1 "             \
                     "AND (?2 < 0 OR u.role = ?2) "                                                \
                     "AND u.id IN (SELECT user_id FROM user_words "                                \
                     "INDEXED BY user_words_by_word "                                              \
                     "WHERE word >= ?5 AND word < ?5 || char(1114111)) "                           \
                     "AND " SQLITE_USER_HAS_WORDS("?3", "u.id") " ORDER BY u.id LIMIT ?4")         \
    X(USERS_PRIVILEGED,                                                                            \
      "SELECT " SQLITE_USER_COLUMNS " FROM users AS u INDEXED BY users_privileged "                \
      "WHERE u.role > 0 AND u.role = ?2 AND u.id > ?1 "                                            \
      "AND (?3 IS NULL OR " SQLITE_USER_HAS_WORDS("?3", "u.id") ") "                               \
                                                                "ORDER BY u.id LIMIT ?4")          \
    X(PRIVILEGED, "SELECT id, role FROM users INDEXED BY users_privileged WHERE role > 0 "         \
                  "ORDER BY id")                                                                   \
    X(REVOCATIONS, "SELECT user_id, not_before FROM revocations")                                  \
    X(LAST_USER, "SELECT max(id) FROM users")

/* ---- the search for events ----
 *
 * ?2, ?3 starts_at from and below   ?4 day or NULL   ?5 status or -1   ?6 organizer or 0
 * ?7 whose drafts, 0 none, -1 all   ?8 now, or 0: available or not
 * ?9, ?10 where the page begins: sort key and id
 *
 * ?11, ?12 the day, the organizer, or the word and its fields   ?13, ?14 another word and its
 * fields
 *
 * Those that walk a source yield ids in the order of the page, until it is full. Only where a word
 * begins several others, or the order is that of names, a rare one's events are gathered and
 * sorted. */

/* What a search asks of an event apart from its words: ?2 to ?8 are alike in all statements. */
#define SQLITE_SEARCH_FILTERS                                                                      \
    "+e.starts_at >= ?2 AND +e.starts_at < ?3 AND (?4 IS NULL OR +e.local_day = ?4) "              \
    "AND (?5 < 0 OR e.status = ?5) AND (?6 = 0 OR +e.organizer_id = ?6) "                          \
    "AND (e.status <> 0 OR ?7 = -1 OR (?7 <> 0 AND +e.organizer_id = ?7)) "                        \
    "AND (?8 = 0 OR (e.status = 1 AND (e.starts_at = 0 OR e.starts_at > ?8) AND EXISTS "           \
    "(SELECT 1 FROM ticket_types AS t WHERE t.event_id = e.id AND t.waiting = 0 "                  \
    "AND t.booked + t.held < t.capacity))) "

#define SQLITE_SEARCH_FOUND "SELECT e.id, e.starts_at, e.version FROM "

#define SQLITE_SEARCH_WALK(index, where)                                                           \
    SQLITE_SEARCH_FOUND "events AS e INDEXED BY " index " WHERE " where                            \
                        " AND " SQLITE_SEARCH_FILTERS

/* A source of events, three ways: those that start at ?9 and have an id above ?10; those that start
 * later than ?9; and earlier, backwards. 'at' and 'id' are the columns of its index. */
#define SQLITE_SEARCH_SOURCE(X, name, at, id, source)                                              \
    X(name##_AT, SQLITE_SEARCH_FOUND source " AND " at " = ?9 AND " id                             \
                                            " > ?10 AND " SQLITE_SEARCH_FILTERS "ORDER BY " id)    \
    X(name##_LATER, SQLITE_SEARCH_FOUND source                                                     \
      " AND " at " > ?9 AND " at " < ?3 AND " SQLITE_SEARCH_FILTERS "ORDER BY " at ", " id)        \
    X(name##_EARLIER, SQLITE_SEARCH_FOUND source                                                   \
      " AND " at " < ?9 AND " at " >= max(?2, 1) AND " SQLITE_SEARCH_FILTERS "ORDER BY " at        \
      " DESC, " id)

#define SQLITE_SEARCH_STATEMENTS(X)                                                                \
    X(SEARCH_ALL_AT,                                                                               \
      SQLITE_SEARCH_WALK("events_by_start", "e.starts_at = ?9 AND e.id > ?10") "ORDER BY e.id")    \
    X(SEARCH_ALL_LATER,                                                                            \
      SQLITE_SEARCH_WALK("events_by_start",                                                        \
                         "e.starts_at > ?9 AND e.starts_at < ?3") "ORDER BY e.starts_at, e.id")    \
    X(SEARCH_ALL_EARLIER,                                                                          \
      SQLITE_SEARCH_WALK("events_by_start_descending",                                             \
                         "e.starts_at < ?9 AND e.starts_at >= max(?2, 1)") "ORDER BY e.starts_at " \
                                                                           "DESC, e.id")           \
    SQLITE_SEARCH_SOURCE(X, SEARCH_DAY, "e.starts_at", "e.id",                                     \
                         "events AS e INDEXED BY events_by_day "                                   \
                         "WHERE e.local_day = ?11 AND e.local_day IS NOT NULL")                    \
    SQLITE_SEARCH_SOURCE(X, SEARCH_ORGANIZER, "e.starts_at", "e.id",                               \
                         "events AS e INDEXED BY events_by_organizer WHERE e.organizer_id = ?11")  \
    SQLITE_SEARCH_SOURCE(X, SEARCH_WORD, "s.starts_at", "s.event_id",                              \
                         "event_search AS s CROSS JOIN events AS e ON e.id = s.event_id "          \
                         "WHERE s.word = ?11 AND s.fields & ?12")                                  \
    SQLITE_SEARCH_SOURCE(X, SEARCH_WORDS, "s.starts_at", "s.event_id",                             \
                         "event_search AS s CROSS JOIN event_words AS w "                          \
                         "CROSS JOIN events AS e ON e.id = w.event_id "                            \
                         "WHERE s.word = ?11 AND s.fields & ?12 AND w.event_id = s.event_id "      \
                         "AND w.word = ?13 AND w.fields & ?14")                                    \
    X(SEARCH_NAMED,                                                                                \
      SQLITE_SEARCH_WALK("events_by_name", "e.name_folded = ?9 AND e.id > ?10") "ORDER BY e.id")   \
    X(SEARCH_NAMED_LATER,                                                                          \
      SQLITE_SEARCH_WALK("events_by_name", "e.name_folded > ?9") "ORDER BY e.name_folded, e.id")   \
    X(SEARCH_ONE, "SELECT e.version FROM events AS e WHERE e.id = ?1 AND " SQLITE_SEARCH_FILTERS)  \
    X(EVENT_HAS_WORD, "SELECT 1 FROM event_words WHERE event_id = ?1 AND word >= ?2 "              \
                      "AND word < ?2 || char(1114111) AND fields & ?3 LIMIT 1")                    \
    X(EVENT_NAME, "SELECT name_folded FROM events WHERE id = ?1")                                  \
    X(EVENTS_WITH_WORD, "SELECT event_id, starts_at FROM event_search "                            \
                        "WHERE word >= ?1 AND word < ?1 || char(1114111) AND fields & ?2")         \
    X(EVENTS_OF_DAY, "SELECT id, starts_at FROM events INDEXED BY events_by_day "                  \
                     "WHERE local_day = ?1 AND local_day IS NOT NULL")                             \
    X(EVENTS_OF_ORGANIZER, "SELECT id, starts_at FROM events INDEXED BY events_by_organizer "      \
                           "WHERE organizer_id = ?1")                                              \
    X(WORD_FIRST, "SELECT word FROM event_search "                                                 \
                  "WHERE word >= ?1 AND word < ?1 || char(1114111) ORDER BY word LIMIT 1")         \
    X(WORD_LAST, "SELECT word FROM event_search "                                                  \
                 "WHERE word >= ?1 AND word < ?1 || char(1114111) ORDER BY word DESC LIMIT 1")     \
    X(WORD_AHEAD, "SELECT starts_at FROM event_search WHERE word = ?1 AND starts_at > ?2 "         \
                  "ORDER BY starts_at LIMIT 1 OFFSET ?3")                                          \
    X(WORD_BEHIND, "SELECT starts_at FROM event_search WHERE word = ?1 AND starts_at < ?2 "        \
                   "AND starts_at > 0 ORDER BY starts_at DESC LIMIT 1 OFFSET ?3")                  \
    X(EVENTS_WITH_WORD_FROM, "SELECT 1 FROM event_search WHERE word >= ?1 "                        \
                             "AND word < ?1 || char(1114111) LIMIT 1 OFFSET ?2")                   \
    X(EVENTS_OF_DAY_FROM, "SELECT 1 FROM events INDEXED BY events_by_day "                         \
                          "WHERE local_day = ?1 AND local_day IS NOT NULL LIMIT 1 OFFSET ?2")      \
    X(EVENTS_OF_ORGANIZER_FROM, "SELECT 1 FROM events INDEXED BY events_by_organizer "             \
                                "WHERE organizer_id = ?1 LIMIT 1 OFFSET ?2")

/* ---- the check ---- */

#define SQLITE_CHECK_STATEMENTS(X)                                                                 \
    X(CHECK_COUNTS, "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM ticket_types), "  \
                    "(SELECT count(*) FROM users WHERE erased_at = 0)")                            \
    X(CHECK_EVENTS, "SELECT e.id, e.max_per_user, c.next_number FROM events AS e "                 \
                    "LEFT JOIN event_counters AS c ON c.event_id = e.id ORDER BY e.id")            \
    X(CHECK_TYPES, "SELECT id, event_id, capacity, booked, held, waiting, wanted "                 \
                   "FROM ticket_types ORDER BY id")                                                \
    X(CHECK_BOOKINGS, "SELECT id, event_id, ticket_type_id, status, quantity FROM bookings "       \
                      "ORDER BY id")                                                               \
    X(CHECK_JOURNAL,                                                                               \
      "SELECT booking_id, count(*), min(event_id), min(ticket_type_id), max(ticket_type_id), "     \
      "sum(CASE WHEN to_status = 1 THEN quantity ELSE 0 END "                                      \
      "- CASE WHEN from_status = 1 THEN quantity ELSE 0 END), "                                    \
      "sum(CASE WHEN to_status = 2 THEN quantity ELSE 0 END "                                      \
      "- CASE WHEN from_status = 2 THEN quantity ELSE 0 END), "                                    \
      "sum(CASE WHEN to_status = 3 THEN quantity ELSE 0 END "                                      \
      "- CASE WHEN from_status = 3 THEN quantity ELSE 0 END) "                                     \
      "FROM journal GROUP BY booking_id ORDER BY booking_id")                                      \
    X(CHECK_TICKETS_OF_BOOKINGS,                                                                   \
      "SELECT booking_id, count(*), min(event_id), max(event_id), min(is_booked), max(is_booked) " \
      "FROM tickets INDEXED BY tickets_by_booking WHERE booking_id IS NOT NULL "                   \
      "GROUP BY booking_id ORDER BY booking_id")                                                   \
    X(CHECK_TICKETS_OF_EVENTS,                                                                     \
      "SELECT event_id, count(*), max(number), count(booking_id), "                                \
      "min(CASE WHEN booking_id IS NULL AND is_booked <> 0 THEN number END) FROM tickets "         \
      "GROUP BY event_id ORDER BY event_id")                                                       \
    X(CHECK_LINE_BLOCKS,                                                                           \
      "SELECT ticket_type_id, block, sum(kept), sum(counted) FROM ("                               \
      "SELECT ticket_type_id, block, waiting AS kept, 0 AS counted, wanted AS kept_wanted, "       \
      "0 AS counted_wanted FROM line_blocks UNION ALL "                                            \
      "SELECT ticket_type_id, id / 1024, 0, count(*), 0, sum(quantity) FROM bookings "             \
      "INDEXED BY bookings_waiting WHERE status = 1 GROUP BY ticket_type_id, id / 1024) "          \
      "GROUP BY ticket_type_id, block "                                                            \
      "HAVING sum(kept) <> sum(counted) OR sum(kept_wanted) <> sum(counted_wanted)")               \
    X(CHECK_HOLDERS,                                                                               \
      "SELECT user_id, sum(held), sum(booked) FROM ("                                              \
      "SELECT user_id, quantity AS held, 0 AS booked FROM holders WHERE event_id = ?1 UNION ALL "  \
      "SELECT user_id, 0, quantity FROM bookings INDEXED BY bookings_by_event "                    \
      "WHERE event_id = ?1 AND status IN (1, 2, 3)) "                                              \
      "GROUP BY user_id HAVING sum(held) <> sum(booked)")                                          \
    X(CHECK_PLACES,                                                                                \
      "SELECT (SELECT max(id) FROM journal INDEXED BY journal_feed WHERE id / 8192 = "             \
      "(SELECT id / 8192 FROM journal INDEXED BY journal_feed ORDER BY id / 8192 DESC LIMIT 1)), " \
      "(SELECT next - 1 FROM sequences WHERE sequence = 100)")

/* ---- who is to be told what ---- */

#define SQLITE_MESSAGE_COLUMNS                                                                     \
    "o.id, o.webhook_id, o.subject, o.topic, o.event_id, o.user_id, o.status, o.tries, "           \
    "o.created_at, o.due_at, o.settled_at, o.answer, o.message, o.error, o.body"

#define SQLITE_OUTBOX_STATEMENTS(X)                                                                \
    X(NOTICE_INSERT,                                                                               \
      "INSERT INTO notices (topic, event_id, user_id, webhook_id, at, address, told) "             \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)")                                                        \
    X(NOTICE_TOLD, "UPDATE notices SET told = ?2 WHERE id = ?1")                                   \
    X(NOTICE_DELETE, "DELETE FROM notices WHERE id = ?1")                                          \
    X(NOTICES, "SELECT id, topic, event_id, user_id, webhook_id, at, told, address FROM notices "  \
               "ORDER BY id LIMIT ?1")                                                             \
    X(OUTBOX_POSITION, "SELECT journal_id, turn FROM outbox_position WHERE id = 1")                \
    X(OUTBOX_POSITION_PUT, "INSERT INTO outbox_position (id, journal_id, turn) "                   \
                           "VALUES (1, ?1, ?2) ON CONFLICT (id) DO UPDATE SET "                    \
                           "journal_id = excluded.journal_id, turn = excluded.turn")               \
    X(MESSAGE_INSERT,                                                                              \
      "INSERT INTO outbox (webhook_id, subject, topic, event_id, user_id, status, tries, "         \
      "created_at, due_at, settled_at, answer, message, error, body) "                             \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) "                      \
      "ON CONFLICT (message) DO NOTHING")                                                          \
    X(MESSAGE_UPDATE, "UPDATE outbox SET status = ?2, tries = ?3, due_at = ?4, settled_at = ?5, "  \
                      "answer = ?6, error = ?7 WHERE id = ?1")                                     \
    X(MESSAGE_DELETE, "DELETE FROM outbox WHERE id = ?1")                                          \
    X(MESSAGE, "SELECT " SQLITE_MESSAGE_COLUMNS " FROM outbox AS o WHERE o.id = ?1")               \
    X(MESSAGES_DUE, "SELECT " SQLITE_MESSAGE_COLUMNS " FROM outbox AS o INDEXED BY outbox_due "    \
                    "WHERE o.status = 1 AND o.webhook_id = ?1 AND o.due_at <= ?2 "                 \
                    "AND NOT EXISTS (SELECT 1 FROM outbox AS e INDEXED BY outbox_order "           \
                    "WHERE e.status = 1 AND e.webhook_id = ?1 AND e.subject = o.subject "          \
                    "AND e.subject <> 0 AND e.id < o.id) ORDER BY o.due_at, o.id LIMIT ?3")        \
    X(MESSAGES, "SELECT " SQLITE_MESSAGE_COLUMNS " FROM outbox AS o "                              \
                "WHERE o.id < ?1 AND (?2 < 0 OR o.status = ?2) ORDER BY o.id DESC LIMIT ?3")       \
    X(MESSAGES_OF_WAY, "SELECT " SQLITE_MESSAGE_COLUMNS                                            \
                       " FROM outbox AS o INDEXED BY outbox_by_webhook WHERE o.webhook_id = ?4 "   \
                       "AND o.id < ?1 AND (?2 < 0 OR o.status = ?2) ORDER BY o.id DESC LIMIT ?3")  \
    X(DUE_WAYS,                                                                                    \
      "SELECT w.id FROM (SELECT 0 AS id UNION ALL SELECT id FROM webhooks WHERE status = 1) AS w " \
      "WHERE EXISTS (SELECT 1 FROM outbox AS o INDEXED BY outbox_due "                             \
      "WHERE o.status = 1 AND o.webhook_id = w.id AND o.due_at <= ?1)")                            \
    X(PRUNE_MESSAGES,                                                                              \
      "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox INDEXED BY outbox_settled "           \
      "WHERE status > 1 AND settled_at < ?1 AND (status = 2 OR settled_at < ?2) LIMIT ?3)")

/* ---- webhooks ---- */

#define SQLITE_WEBHOOK_COLUMNS                                                                     \
    "id, user_id, everything, topics, status, failing_since, created_at, updated_at, "             \
    "old_secret_until, secret, old_secret, url, description"

#define SQLITE_WEBHOOK_STATEMENTS(X)                                                               \
    X(WEBHOOK_PUT,                                                                                 \
      "INSERT INTO webhooks (" SQLITE_WEBHOOK_COLUMNS ") "                                         \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) "                           \
      "ON CONFLICT (id) DO UPDATE SET topics = excluded.topics, status = excluded.status, "        \
      "failing_since = excluded.failing_since, updated_at = excluded.updated_at, "                 \
      "old_secret_until = excluded.old_secret_until, secret = excluded.secret, "                   \
      "old_secret = excluded.old_secret, url = excluded.url, "                                     \
      "description = excluded.description")                                                        \
    X(WEBHOOK_DELETE, "DELETE FROM webhooks WHERE id = ?1")                                        \
    X(MESSAGES_OF_WEBHOOK_DELETE, "DELETE FROM outbox WHERE webhook_id = ?1")                      \
    X(MESSAGES_OF_USER_DELETE, "DELETE FROM outbox WHERE user_id = ?1")                            \
    X(WEBHOOKS_OF_USER_DELETE, "DELETE FROM webhooks WHERE user_id = ?1")                          \
    X(WEBHOOK, "SELECT " SQLITE_WEBHOOK_COLUMNS " FROM webhooks WHERE id = ?1")                    \
    X(WEBHOOK_COUNT, "SELECT count(*) FROM webhooks WHERE user_id = ?1")                           \
    X(WEBHOOKS_OF_USER,                                                                            \
      "SELECT " SQLITE_WEBHOOK_COLUMNS " FROM webhooks WHERE user_id = ?1 ORDER BY id")            \
    X(WEBHOOKS, "SELECT " SQLITE_WEBHOOK_COLUMNS " FROM webhooks ORDER BY id")

#define SQLITE_STATEMENTS(X)                                                                       \
    SQLITE_COMMON_STATEMENTS(X)                                                                    \
    SQLITE_LOAD_STATEMENTS(X)                                                                      \
    SQLITE_COMMIT_STATEMENTS(X)                                                                    \
    SQLITE_READ_STATEMENTS(X)                                                                      \
    SQLITE_SEARCH_STATEMENTS(X)                                                                    \
    SQLITE_CHECK_STATEMENTS(X)                                                                     \
    SQLITE_OUTBOX_STATEMENTS(X)                                                                    \
    SQLITE_WEBHOOK_STATEMENTS(X)

#endif
