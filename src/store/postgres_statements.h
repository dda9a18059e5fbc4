/* SPDX-License-Identifier: Apache-2.0 */
/* postgres_statements.h -- every statement that the PostgreSQL driver runs: X(name, types, text).
 *
 * Texts are constants and values are bound, without exception. 'types' has a letter for each value:
 * n a number (bigint), t a text, b octets (bytea), and the capital letter an array of these.
 * Rows of a batch come as arrays, one for each column: a statement for all of them.
 *
 * COMMIT is on its way when the first statement of a batch runs, so what should not be committed
 * must fail by itself: POSTGRES_EXACTLY divides by zero where a statement did not change as many
 * rows as it should. */
#ifndef STORE_POSTGRES_STATEMENTS_H
#define STORE_POSTGRES_STATEMENTS_H

#define POSTGRES_EVENT_COLUMNS                                                                     \
    "e.id, e.organizer_id, e.name, e.description, e.venue, e.timezone, e.currency, e.starts_at, "  \
    "e.ends_at, e.status, e.max_per_user, e.version, e.created_at, e.updated_at, c.next_number, "  \
    "c.ever_booked"

/* With its numbers, ascending, as an array. */
#define POSTGRES_BOOKING_COLUMNS                                                                   \
    "b.id, b.user_id, b.event_id, b.ticket_type_id, b.quantity, b.status, b.unit_price, b.paid, "  \
    "b.created_at, b.updated_at, b.expires_at, "                                                   \
    "ARRAY(SELECT k.number FROM tickets AS k WHERE k.booking_id = b.id ORDER BY k.number)"

#define POSTGRES_USER_COLUMNS                                                                      \
    "u.id, u.email, u.username, u.name, u.password_hash, u.role, u.created_at, u.erased_at, "      \
    "u.verified_at, u.mail"

#define POSTGRES_TYPE_COLUMNS                                                                      \
    "t.event_id, t.id, t.name, t.capacity, t.booked, t.held, t.waiting, t.wanted, t.price, "       \
    "t.max_per_booking, t.sales_start, t.sales_end"

#define POSTGRES_EXACTLY(count, change)                                                            \
    "WITH changed AS (" change " RETURNING 1) SELECT 1 / CASE WHEN count(*) = " count              \
    " THEN 1 ELSE 0 END FROM changed"

/* All buckets of bookings_by_user, or those that hold bookings of an event, as 'bucket'. */
#define POSTGRES_BUCKETS(of)                                                                       \
    "generate_series((SELECT min(id) FROM bookings" of ") / 8192, "                                \
    "(SELECT max(id) FROM bookings" of ") / 8192) AS bucket"

/* ---- transactions, settings ---- */

#define POSTGRES_COMMON_STATEMENTS(X)                                                              \
    X(BEGIN_READ, "", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")                          \
    X(BEGIN_WRITE, "", "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE")                         \
    X(COMMIT, "", "COMMIT")                                                                        \
    X(ROLLBACK, "", "ROLLBACK")                                                                    \
    X(PING, "", "SELECT pg_is_in_recovery()::int FROM directory")                                  \
    X(SETTING, "t", "SELECT value FROM settings WHERE name = $1")                                  \
    X(SETTING_INSERT, "tb",                                                                        \
      "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")          \
    /* Waits for whoever writes the same id, and keeps it from being written later. */             \
    X(BATCH_CLAIM, "nn",                                                                           \
      "INSERT INTO batches (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING RETURNING id")

/* ---- what a batch loads ----
 *
 * The first statement locks all events of the batch, in order of id: those that are wanted, and
 * those of bookings that are wanted. Whatever comes after it sees what was committed before. */

#define POSTGRES_LOCK_EVENTS                                                                       \
    "SELECT c.event_id FROM event_counters AS c WHERE c.event_id = ANY (ARRAY("                    \
    "SELECT unnest($1::bigint[]) "                                                                 \
    "UNION SELECT b.event_id FROM bookings AS b WHERE b.id = ANY ($2::bigint[]) "                  \
    "UNION SELECT b.event_id FROM " POSTGRES_BUCKETS(                                              \
        "") " JOIN bookings AS b "                                                                 \
            "ON b.id / 8192 = bucket AND b.user_id = ANY ($3::bigint[]) AND b.status IN (1, 2, "   \
            "3))) "                                                                                \
            "ORDER BY c.event_id FOR NO KEY UPDATE OF c"

#define POSTGRES_LOAD_STATEMENTS(X)                                                                \
    /* Where nobody but newcomers is served, which is what a rush is. */                           \
    X(LOCK_EVENTS_ALONE, "N",                                                                      \
      "SELECT c.event_id FROM event_counters AS c WHERE c.event_id = ANY ($1::bigint[]) "          \
      "ORDER BY c.event_id FOR NO KEY UPDATE")                                                     \
    X(LOCK_EVENTS, "NNN", POSTGRES_LOCK_EVENTS)                                                    \
    X(LOCK_EVENTS_AT_ONCE, "NNN", POSTGRES_LOCK_EVENTS " NOWAIT")                                  \
    X(EVENTS, "N",                                                                                 \
      "SELECT " POSTGRES_EVENT_COLUMNS " FROM events AS e JOIN event_counters AS c "               \
      "ON c.event_id = e.id WHERE e.id = ANY ($1::bigint[]) ORDER BY e.id")                        \
    X(TYPES, "N",                                                                                  \
      "SELECT " POSTGRES_TYPE_COLUMNS " FROM ticket_types AS t "                                   \
      "WHERE t.event_id = ANY ($1::bigint[]) ORDER BY t.event_id, t.id")                           \
    X(BOOKINGS, "N",                                                                               \
      "SELECT " POSTGRES_BOOKING_COLUMNS " FROM bookings AS b WHERE b.id = ANY ($1::bigint[])")    \
    X(LINES, "NN",                                                                                 \
      "SELECT b.* FROM unnest($1::bigint[], $2::bigint[]) AS w (type, most), "                     \
      "LATERAL (SELECT " POSTGRES_BOOKING_COLUMNS " FROM bookings AS b "                           \
      "WHERE b.ticket_type_id = w.type AND b.status = 1 ORDER BY b.id LIMIT w.most) AS b "         \
      "ORDER BY b.ticket_type_id, b.id")                                                           \
    X(RETURNED, "NN",                                                                              \
      "SELECT w.event, k.number FROM unnest($1::bigint[], $2::bigint[]) AS w (event, most), "      \
      "LATERAL (SELECT k.number FROM tickets AS k WHERE k.event_id = w.event "                     \
      "AND k.booking_id IS NULL ORDER BY k.number LIMIT w.most) AS k")                             \
    X(LOCK_USERS, "N",                                                                             \
      "SELECT " POSTGRES_USER_COLUMNS " FROM users AS u WHERE u.id = ANY ($1::bigint[]) "          \
      "ORDER BY u.id FOR NO KEY UPDATE")                                                           \
    X(LOGINS, "TT",                                                                                \
      "SELECT u.email_folded, 1, u.id FROM users AS u WHERE u.email_folded = ANY ($1::text[]) "    \
      "UNION ALL "                                                                                 \
      "SELECT u.username_folded, 0, u.id FROM users AS u "                                         \
      "WHERE u.username_folded = ANY ($2::text[])")                                                \
    X(HOLDERS, "NN",                                                                               \
      "SELECT h.event_id, h.user_id, h.quantity "                                                  \
      "FROM unnest($1::bigint[], $2::bigint[]) AS w (event, holder) "                              \
      "JOIN holders AS h ON h.event_id = w.event AND h.user_id = w.holder")                        \
    X(REPLAYS, "NBn",                                                                              \
      "SELECT i.user_id, i.key, i.request, i.status, i.at, i.body "                                \
      "FROM unnest($1::bigint[], $2::bytea[]) AS w (owner, key) "                                  \
      "JOIN idempotency AS i ON i.user_id = w.owner AND i.key = w.key AND i.at >= $3")             \
    X(NEWEST, "NN",                                                                                \
      "SELECT w.event, w.owner, b.id FROM unnest($1::bigint[], $2::bigint[]) AS w (event, owner)," \
      " LATERAL (SELECT b.id FROM " POSTGRES_BUCKETS(                                              \
          " WHERE event_id = w.event") " JOIN bookings AS b ON b.id / 8192 = bucket AND "          \
                                       "b.user_id = w.owner "                                      \
                                       "AND b.event_id = w.event AND b.status IN (1, 2, 3) "       \
                                       "ORDER BY b.status = 1, b.id DESC LIMIT 1) AS b")           \
    X(COMING, "Nn",                                                                                \
      "SELECT b.user_id, b.id FROM " POSTGRES_BUCKETS(                                             \
          "") " JOIN bookings AS b "                                                               \
              "ON b.id / 8192 = bucket AND b.user_id = ANY ($1::bigint[]) AND b.status IN (1, 2, " \
              "3) "                                                                                \
              "JOIN events AS e ON e.id = b.event_id AND e.status <> 3 "                           \
              "AND (e.starts_at = 0 OR e.starts_at > $2) ORDER BY b.user_id, b.id")                \
    X(EVENT_IDS, "n", "SELECT nextval('event_ids') FROM generate_series(1, $1)")                   \
    X(TICKET_TYPE_IDS, "n", "SELECT nextval('ticket_type_ids') FROM generate_series(1, $1)")       \
    X(BOOKING_IDS, "n", "SELECT nextval('booking_ids') FROM generate_series(1, $1)")               \
    X(USER_IDS, "n", "SELECT nextval('user_ids') FROM generate_series(1, $1)")                     \
    X(PAYMENT_IDS, "n", "SELECT nextval('payment_ids') FROM generate_series(1, $1)")               \
    X(WEBHOOK_IDS, "n", "SELECT nextval('webhook_ids') FROM generate_series(1, $1)")

/* ---- what a batch writes ---- */

/* The highest id of the journal that was given out. */
#define POSTGRES_JOURNAL_DRAWN "last_value - 1 + is_called::int"

#define POSTGRES_COMMIT_STATEMENTS(X)                                                              \
    /* See postgres_journal.c: "Jf" and the mark. */                                               \
    X(JOURNAL_MARK, "",                                                                            \
      "SELECT pg_advisory_xact_lock_shared((19046::bigint << 48) | (" POSTGRES_JOURNAL_DRAWN       \
      ")) FROM journal_ids")                                                                       \
    X(BATCH_INSERT, "nn", "INSERT INTO batches (id, at) VALUES ($1, $2)")                          \
    X(BOOKINGS_INSERT, "NNNNNNNNNNN",                                                              \
      "INSERT INTO bookings (id, user_id, event_id, ticket_type_id, quantity, status, "            \
      "unit_price, paid, created_at, updated_at, expires_at) SELECT * FROM unnest($1::bigint[], "  \
      "$2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], "       \
      "$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])")                                 \
    X(BOOKINGS_UPDATE, "NNNNNNn",                                                                  \
      POSTGRES_EXACTLY("$7", "UPDATE bookings AS b SET quantity = w.quantity, status = w.status, " \
                             "paid = w.paid, updated_at = w.updated_at, "                          \
                             "expires_at = w.expires_at FROM unnest($1::bigint[], $2::bigint[], "  \
                             "$3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) "            \
                             "AS w (id, quantity, status, paid, updated_at, expires_at) "          \
                             "WHERE b.id = w.id"))                                                 \
    X(BOOKINGS_DELETE, "Nn",                                                                       \
      POSTGRES_EXACTLY("$2", "DELETE FROM bookings WHERE id = ANY ($1::bigint[])"))                \
    X(TICKETS_INSERT, "NNNN",                                                                      \
      "INSERT INTO tickets (event_id, number, booking_id, is_booked) "                             \
      "SELECT w.event, w.number, nullif(w.booking, 0), w.is_booked FROM unnest($1::bigint[], "     \
      "$2::bigint[], $3::bigint[], $4::bigint[]) AS w (event, number, booking, is_booked)")        \
    /* Each must belong to 'was' or to 'other', 0 for nobody, and then belongs to 'booking'. */    \
    X(TICKETS_UPDATE, "NNNNNNn",                                                                   \
      POSTGRES_EXACTLY("$7", "UPDATE tickets AS k SET booking_id = nullif(w.booking, 0), "         \
                             "is_booked = w.is_booked FROM unnest($1::bigint[], $2::bigint[], "    \
                             "$3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) "            \
                             "AS w (event, number, was, other, booking, is_booked) "               \
                             "WHERE k.event_id = w.event AND k.number = w.number "                 \
                             "AND coalesce(k.booking_id, 0) IN (w.was, w.other)"))                 \
    X(JOURNAL_INSERT, "NNNNNNNNT",                                                                 \
      "INSERT INTO journal (booking_id, id, event_id, ticket_type_id, from_status, to_status, "    \
      "quantity, actor_id, at, reason) SELECT w.booking, nextval('journal_ids'), w.event, "        \
      "w.type, "                                                                                   \
      "w.from_status, w.to_status, w.quantity, w.actor, w.at, w.reason FROM unnest("               \
      "$1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], "       \
      "$7::bigint[], $8::bigint[], $9::text[]) "                                                   \
      "AS w (booking, event, type, from_status, to_status, quantity, actor, at, reason)")          \
    X(TYPES_COUNT, "NNNNNNn",                                                                      \
      POSTGRES_EXACTLY("$7", "UPDATE ticket_types AS t SET capacity = w.capacity, "                \
                             "booked = w.booked, held = w.held, waiting = w.waiting, "             \
                             "wanted = w.wanted FROM unnest($1::bigint[], $2::bigint[], "          \
                             "$3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) "            \
                             "AS w (id, capacity, booked, held, waiting, wanted) "                 \
                             "WHERE t.id = w.id"))                                                 \
    X(COUNTERS_UPDATE, "NNNn",                                                                     \
      POSTGRES_EXACTLY("$4", "UPDATE event_counters AS c SET next_number = w.next_number, "        \
                             "ever_booked = w.ever_booked FROM unnest($1::bigint[], "              \
                             "$2::bigint[], $3::bigint[]) AS w (event, next_number, ever_booked) " \
                             "WHERE c.event_id = w.event"))                                        \
    X(LINE_BLOCKS_MAKE, "NN",                                                                      \
      "INSERT INTO line_blocks (ticket_type_id, block, waiting, wanted) "                          \
      "SELECT w.type, w.block, 0, 0 FROM unnest($1::bigint[], $2::bigint[]) AS w (type, block) "   \
      "ON CONFLICT (ticket_type_id, block) DO NOTHING")                                            \
    X(LINE_BLOCKS_ADD, "NNNNn",                                                                    \
      POSTGRES_EXACTLY("$5", "UPDATE line_blocks AS l SET waiting = l.waiting + w.waiting, "       \
                             "wanted = l.wanted + w.wanted FROM unnest($1::bigint[], "             \
                             "$2::bigint[], $3::bigint[], $4::bigint[]) "                          \
                             "AS w (type, block, waiting, wanted) "                                \
                             "WHERE l.ticket_type_id = w.type AND l.block = w.block"))             \
    X(LINE_BLOCKS_DROP, "NN",                                                                      \
      "DELETE FROM line_blocks AS l USING unnest($1::bigint[], $2::bigint[]) AS w (type, block) "  \
      "WHERE l.ticket_type_id = w.type AND l.block = w.block AND l.waiting = 0")                   \
    X(HOLDERS_PUT, "NNN",                                                                          \
      "INSERT INTO holders (event_id, user_id, quantity) "                                         \
      "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) "                            \
      "ON CONFLICT (event_id, user_id) DO UPDATE SET quantity = excluded.quantity")                \
    X(HOLDERS_DROP, "NN",                                                                          \
      "DELETE FROM holders AS h USING unnest($1::bigint[], $2::bigint[]) AS w (event, holder) "    \
      "WHERE h.event_id = w.event AND h.user_id = w.holder")                                       \
    /* In the order of keys, so that two batches with the same keys do not wait for each other in  \
     * a ring. An answer that is as old as $7 is replaced; a newer one was given by another        \
     * process meanwhile. */                                                                       \
    X(REPLAYS_INSERT, "NBBNNBnn",                                                                  \
      POSTGRES_EXACTLY("$8", "INSERT INTO idempotency "                                            \
                             "(user_id, key, request, status, at, body) SELECT * FROM "            \
                             "unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[], "       \
                             "$5::bigint[], $6::bytea[]) "                                         \
                             "AS w (owner, key, request, status, at, body) "                       \
                             "ORDER BY w.owner, w.key ON CONFLICT (user_id, key) DO UPDATE SET "   \
                             "request = excluded.request, status = excluded.status, "              \
                             "at = excluded.at, body = excluded.body "                             \
                             "WHERE idempotency.at <= $7"))                                        \
    X(PAYMENT_INSERT, "nnnntntn",                                                                  \
      "INSERT INTO payments (id, booking_id, actor_id, amount, currency, method, note, "           \
      "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")                                       \
    X(EVENT_INSERT, "nnnnnnnnnntttttt",                                                            \
      "INSERT INTO events (id, organizer_id, status, starts_at, ends_at, local_day, "              \
      "max_per_user, version, created_at, updated_at, currency, timezone, name, "                  \
      "name_folded, venue, description) "                                                          \
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)")            \
    X(EVENT_UPDATE, "nnnnnnnnnntttttt",                                                            \
      POSTGRES_EXACTLY("1", "UPDATE events SET organizer_id = $2, status = $3, starts_at = $4, "   \
                            "ends_at = $5, local_day = $6, max_per_user = $7, version = $8, "      \
                            "created_at = $9, updated_at = $10, currency = $11, timezone = $12, "  \
                            "name = $13, name_folded = $14, venue = $15, description = $16 "       \
                            "WHERE id = $1"))                                                      \
    X(EVENT_DELETE, "n", POSTGRES_EXACTLY("1", "DELETE FROM events WHERE id = $1"))                \
    X(EVENT_WORDS_INSERT, "nTN",                                                                   \
      "INSERT INTO event_words (event_id, word, fields) SELECT $1, w.word, bit_or(w.field) "       \
      "FROM unnest($2::text[], $3::bigint[]) AS w (word, field) GROUP BY w.word")                  \
    X(EVENT_WORDS_DELETE, "n", "DELETE FROM event_words WHERE event_id = $1")                      \
    X(COUNTERS_INSERT, "nnn",                                                                      \
      "INSERT INTO event_counters (event_id, next_number, ever_booked) VALUES ($1, $2, $3)")       \
    X(COUNTERS_DELETE, "n", "DELETE FROM event_counters WHERE event_id = $1")                      \
    X(TYPE_INSERT, "nntnnnnnnnnn",                                                                 \
      "INSERT INTO ticket_types (id, event_id, name, capacity, booked, held, waiting, wanted, "    \
      "price, max_per_booking, sales_start, sales_end) "                                           \
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")                                \
    X(TYPE_UPDATE, "ntnnnn",                                                                       \
      POSTGRES_EXACTLY("1", "UPDATE ticket_types SET name = $2, price = $3, max_per_booking = $4," \
                            " sales_start = $5, sales_end = $6 WHERE id = $1"))                    \
    X(TYPES_DELETE, "n", "DELETE FROM ticket_types WHERE event_id = $1")                           \
    X(CANCEL_JOURNAL, "nnn",                                                                       \
      "INSERT INTO journal (booking_id, id, event_id, ticket_type_id, from_status, to_status, "    \
      "quantity, actor_id, at, reason) SELECT b.id, nextval('journal_ids'), b.event_id, "          \
      "b.ticket_type_id, b.status, 4, b.quantity, $2, $3, 'event_cancelled' FROM (SELECT * "       \
      "FROM bookings WHERE event_id = $1 AND status IN (1, 2, 3) ORDER BY id) AS b")               \
    X(CANCEL_TICKETS, "n",                                                                         \
      "UPDATE tickets SET booking_id = NULL, is_booked = 0 "                                       \
      "WHERE event_id = $1 AND booking_id IS NOT NULL")                                            \
    X(CANCEL_BOOKINGS, "nn",                                                                       \
      "UPDATE bookings SET status = 4, updated_at = $2 "                                           \
      "WHERE event_id = $1 AND status IN (1, 2, 3)")                                               \
    X(REMOVE_BOOKINGS, "n", "DELETE FROM bookings WHERE event_id = $1 AND status IN (1, 2, 3)")    \
    X(LINE_BLOCKS_DELETE, "n",                                                                     \
      "DELETE FROM line_blocks WHERE ticket_type_id IN "                                           \
      "(SELECT id FROM ticket_types WHERE event_id = $1)")                                         \
    X(HOLDERS_DELETE, "n", "DELETE FROM holders WHERE event_id = $1")                              \
    X(HOLDERS_FILL, "n",                                                                           \
      "INSERT INTO holders (event_id, user_id, quantity) "                                         \
      "SELECT b.event_id, b.user_id, sum(b.quantity) FROM events AS e "                            \
      "JOIN bookings AS b ON b.event_id = e.id WHERE e.id = $1 AND e.max_per_user > 0 "            \
      "AND b.status IN (1, 2, 3) GROUP BY b.event_id, b.user_id")                                  \
    X(USER_INSERT, "nttttttnnnnn",                                                                 \
      "INSERT INTO users (id, email, email_folded, username, username_folded, name, "              \
      "password_hash, role, created_at, erased_at, verified_at, mail) "                            \
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")                                \
    X(USER_UPDATE, "nttttttnnnnn",                                                                 \
      POSTGRES_EXACTLY(                                                                            \
          "1", "UPDATE users SET email = $2, email_folded = $3, username = $4, "                   \
               "username_folded = $5, name = $6, password_hash = $7, role = $8, "                  \
               "created_at = $9, erased_at = $10, verified_at = $11, mail = $12 WHERE id = $1"))   \
    X(USER_WORDS_INSERT, "nT",                                                                     \
      "INSERT INTO user_words (user_id, word) SELECT DISTINCT $1::bigint, w "                      \
      "FROM unnest($2::text[]) AS w")                                                              \
    X(USER_WORDS_DELETE, "n", "DELETE FROM user_words WHERE user_id = $1")                         \
    /* Where the user has or gets a role ($2), which is to be seen before he has it. */            \
    X(DIRECTORY_MOVE_FOR, "nn",                                                                    \
      "UPDATE directory SET version = version + 1 "                                                \
      "WHERE $2 > 0 OR EXISTS (SELECT 1 FROM users WHERE id = $1 AND role > 0)")                   \
    X(DIRECTORY_MOVE, "", "UPDATE directory SET version = version + 1")                            \
    X(REVOKE, "nn",                                                                                \
      "INSERT INTO revocations AS r (user_id, not_before) VALUES ($1, $2) ON CONFLICT (user_id) "  \
      "DO UPDATE SET not_before = greatest(r.not_before, excluded.not_before)")                    \
    X(PRUNE_BOOKINGS, "nn",                                                                        \
      "DELETE FROM bookings WHERE id = ANY (ARRAY(SELECT id FROM bookings "                        \
      "WHERE status IN (4, 5) AND updated_at < $1 ORDER BY updated_at LIMIT $2 "                   \
      "FOR UPDATE SKIP LOCKED))")                                                                  \
    X(PRUNE_REPLAYS, "nn",                                                                         \
      "DELETE FROM idempotency AS i USING (SELECT user_id, key FROM idempotency "                  \
      "WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old "                         \
      "WHERE i.user_id = old.user_id AND i.key = old.key")                                         \
    X(PRUNE_REVOCATIONS, "nn",                                                                     \
      "DELETE FROM revocations WHERE user_id = ANY (ARRAY(SELECT user_id FROM revocations "        \
      "WHERE not_before < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))")                                   \
    X(PRUNE_BATCHES, "nn",                                                                         \
      "DELETE FROM batches WHERE id = ANY (ARRAY(SELECT id FROM batches "                          \
      "WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))")

/* ---- what readers find ---- */

#define POSTGRES_VIEW_COLUMNS                                                                      \
    POSTGRES_BOOKING_COLUMNS ", e.name, e.venue, e.timezone, e.starts_at, e.status, "              \
                             "e.organizer_id, e.currency, t.name, u.name, u.email, u.username"
#define POSTGRES_VIEW_JOINS                                                                        \
    " JOIN events AS e ON e.id = b.event_id "                                                      \
    "JOIN ticket_types AS t ON t.id = b.ticket_type_id "                                           \
    "LEFT JOIN users AS u ON u.id = b.user_id AND u.erased_at = 0 "

/* True when every word of the array 'words' begins a word of the user 'id'. A word is below its
 * successor in the order of code points: what it begins lies between it and it with the last code
 * point behind. */
#define POSTGRES_USER_HAS_WORDS(words, id)                                                         \
    "NOT EXISTS (SELECT 1 FROM unnest(" words "::text[]) AS w (word) WHERE NOT EXISTS "            \
    "(SELECT 1 FROM user_words AS h WHERE h.user_id = " id                                         \
    " AND h.word >= w.word AND h.word < w.word || chr(1114111)))"

#define POSTGRES_JOURNAL_COLUMNS                                                                   \
    "j.booking_id, j.id, j.event_id, j.ticket_type_id, j.from_status, j.to_status, j.quantity, "   \
    "j.actor_id, j.at, j.reason"

/* Of the buckets $1 to $2, of each no more than the page has room for. */
#define POSTGRES_FEED(events, which)                                                               \
    "SELECT " POSTGRES_JOURNAL_COLUMNS " FROM generate_series($1, $2) AS bucket " events           \
    " CROSS JOIN LATERAL (SELECT * FROM journal AS h WHERE h.id / 8192 = bucket AND h.id > $3 "    \
    "AND h.id <= $4 AND " which " ORDER BY h.id LIMIT $5) AS j ORDER BY j.id LIMIT $5"

#define POSTGRES_READ_STATEMENTS(X)                                                                \
    X(BOOKING_VIEW, "n",                                                                           \
      "SELECT " POSTGRES_VIEW_COLUMNS " FROM bookings AS b" POSTGRES_VIEW_JOINS "WHERE b.id = $1") \
    X(PLACE, "nn",                                                                                 \
      "SELECT (before.bookings + within.bookings)::bigint, (before.tickets + within.tickets)"      \
      "::bigint FROM bookings AS mine, "                                                           \
      "LATERAL (SELECT coalesce(sum(l.waiting), 0) AS bookings, "                                  \
      "coalesce(sum(l.wanted), 0) AS tickets FROM line_blocks AS l "                               \
      "WHERE l.ticket_type_id = mine.ticket_type_id AND l.block < $1 / $2) AS before, "            \
      "LATERAL (SELECT count(*) AS bookings, coalesce(sum(b.quantity), 0) AS tickets "             \
      "FROM bookings AS b WHERE b.ticket_type_id = mine.ticket_type_id AND b.status = 1 "          \
      "AND b.id >= $1 / $2 * $2 AND b.id < $1) AS within "                                         \
      "WHERE mine.id = $1 AND mine.status = 1")                                                    \
    X(BUCKETS, "n", "SELECT min(id) / 8192, max(id) / 8192 FROM bookings WHERE event_id = $1")     \
    X(BUCKETS_OF_ALL, "", "SELECT min(id) / 8192, max(id) / 8192 FROM bookings")                   \
    X(BOOKINGS_OF_USERS, "Nnnnnnn",                                                                \
      "SELECT " POSTGRES_VIEW_COLUMNS " FROM (SELECT b.* FROM generate_series($6, $7) AS bucket "  \
      "JOIN bookings AS b ON b.id / 8192 = bucket AND b.user_id = ANY ($1::bigint[]) "             \
      "AND b.id < $2 AND ($3 = 0 OR b.event_id = $3) AND ($4 < 0 OR b.status = $4) "               \
      "ORDER BY b.id DESC LIMIT $5) AS b" POSTGRES_VIEW_JOINS "ORDER BY b.id DESC")                \
    X(BOOKINGS_OF_EVENT, "nnnTn",                                                                  \
      "SELECT " POSTGRES_VIEW_COLUMNS " FROM (SELECT * FROM bookings AS b "                        \
      "WHERE b.event_id = $1 AND b.id < $2 AND ($3 < 0 OR b.status = $3) "                         \
      "AND " POSTGRES_USER_HAS_WORDS(                                                              \
          "$4", "b.user_id") " ORDER BY b.id DESC LIMIT $5) AS b" POSTGRES_VIEW_JOINS              \
                             "ORDER BY b.id DESC")                                                 \
    X(TICKETS, "nnn",                                                                              \
      "SELECT k.number, k.is_booked, k.booking_id, u.id, u.name, u.email, u.username "             \
      "FROM (SELECT * FROM tickets WHERE event_id = $1 AND number > $2 "                           \
      "ORDER BY number LIMIT $3) AS k LEFT JOIN bookings AS b ON b.id = k.booking_id "             \
      "LEFT JOIN users AS u ON u.id = b.user_id AND u.erased_at = 0 ORDER BY k.number")            \
    X(HISTORY, "n",                                                                                \
      "SELECT " POSTGRES_JOURNAL_COLUMNS                                                           \
      " FROM journal AS j WHERE j.booking_id = $1 ORDER BY j.id")                                  \
    X(JOURNAL_LAST, "", "SELECT " POSTGRES_JOURNAL_DRAWN " FROM journal_ids")                      \
    X(JOURNAL_MARKS, "",                                                                           \
      "SELECT min((classid::bigint << 32 | objid::bigint) & 281474976710655) FROM pg_locks "       \
      "WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = 19046 "            \
      "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")           \
    X(FEED_EVENTS, "nn", "SELECT id FROM events WHERE organizer_id = $1 LIMIT $2")                 \
    X(FEED, "nnnnnn",                                                                              \
      POSTGRES_FEED("", "($6 = 0 OR EXISTS (SELECT 1 FROM events AS e WHERE e.id = h.event_id "    \
                        "AND e.organizer_id = $6))"))                                              \
    X(FEED_OF_EVENTS, "nnnnnN",                                                                    \
      POSTGRES_FEED("CROSS JOIN unnest($6::bigint[]) AS event", "h.event_id = event"))             \
    X(PAYMENTS, "n",                                                                               \
      "SELECT id, actor_id, amount, currency, method, note, created_at FROM payments "             \
      "WHERE booking_id = $1 ORDER BY id")                                                         \
    X(USER, "n", "SELECT " POSTGRES_USER_COLUMNS " FROM users AS u WHERE u.id = $1")               \
    X(USER_BY_LOGIN, "tt",                                                                         \
      "SELECT " POSTGRES_USER_COLUMNS " FROM users AS u "                                          \
      "WHERE u.email_folded = $1 AND u.erased_at = 0 UNION ALL "                                   \
      "SELECT " POSTGRES_USER_COLUMNS " FROM users AS u "                                          \
      "WHERE u.username_folded = $2 AND u.erased_at = 0 LIMIT 1")                                  \
    X(USER_WORD_COUNT, "tn",                                                                       \
      "SELECT count(*) FROM (SELECT 1 FROM user_words "                                            \
      "WHERE word >= $1 AND word < $1 || chr(1114111) LIMIT $2) AS few")                           \
    X(USERS, "nnTn",                                                                               \
      "SELECT " POSTGRES_USER_COLUMNS " FROM users AS u WHERE u.id > $1 "                          \
      "AND ($2 < 0 OR u.role = $2) "                                                               \
      "AND " POSTGRES_USER_HAS_WORDS("$3", "u.id") " ORDER BY u.id LIMIT $4")                      \
    X(USERS_BY_WORD, "nnTnt",                                                                      \
      "SELECT " POSTGRES_USER_COLUMNS " FROM (SELECT DISTINCT user_id FROM user_words "            \
      "WHERE word >= $5 AND word < $5 || chr(1114111)) AS few JOIN users AS u "                    \
      "ON u.id = few.user_id WHERE u.id > $1 AND ($2 < 0 OR u.role = $2) "                         \
      "AND " POSTGRES_USER_HAS_WORDS("$3", "u.id") " ORDER BY u.id LIMIT $4")                      \
    X(USERS_PRIVILEGED, "nnTn",                                                                    \
      "SELECT " POSTGRES_USER_COLUMNS " FROM users AS u "                                          \
      "WHERE u.role > 0 AND u.role = $2 AND u.id > $1 "                                            \
      "AND " POSTGRES_USER_HAS_WORDS("$3", "u.id") " ORDER BY u.id LIMIT $4")                      \
    X(PRIVILEGED, "", "SELECT id, role FROM users WHERE role > 0 ORDER BY id")                     \
    X(REVOCATIONS, "", "SELECT user_id, not_before FROM revocations")                              \
    X(LAST_USER, "", "SELECT coalesce(max(id), 0) FROM users")                                     \
    X(DIRECTORY_VERSION, "", "SELECT version FROM directory")

/* ---- the search for events ----
 *
 * $1 words, and $2 for each the bits of 'fields' where it may stand   $3 day or NULL
 * $4, $5 starts_at from and below   $6 status or -1   $7 organizer or 0
 * $8 whose drafts, 0 none, -1 all   $9 now, or 0: available or not   $10 limit
 * $11, $12 ... where the page begins: sort key and id
 *
 * The first five walk an index in the order that is wanted, and stop when the page is full. The
 * last one begins with the few events that have a rare word, a day or an organizer, and sorts their
 * ids: only those of the page are read whole. */
#define POSTGRES_SEARCH_FILTERS                                                                    \
    "e.starts_at + 0 >= $4 AND e.starts_at + 0 < $5 AND ($3::bigint IS NULL OR "                   \
    "e.local_day = $3) AND ($6 < 0 OR e.status = $6) AND ($7 = 0 OR e.organizer_id = $7) "         \
    "AND (e.status <> 0 OR $8 = -1 OR ($8 <> 0 AND e.organizer_id = $8)) "                         \
    "AND ($9 = 0 OR (e.status = 1 AND (e.starts_at = 0 OR e.starts_at > $9) AND EXISTS "           \
    "(SELECT 1 FROM ticket_types AS t WHERE t.event_id = e.id AND t.waiting = 0 "                  \
    "AND t.booked + t.held < t.capacity))) "                                                       \
    "AND NOT EXISTS (SELECT 1 FROM unnest($1::text[], $2::bigint[]) AS w (word, fields) "          \
    "WHERE NOT EXISTS (SELECT 1 FROM event_words AS h WHERE h.event_id = e.id "                    \
    "AND h.word >= w.word AND h.word < w.word || chr(1114111) AND h.fields & w.fields <> 0)) "
#define POSTGRES_SEARCH(where, order)                                                              \
    "SELECT " POSTGRES_EVENT_COLUMNS " FROM (SELECT * FROM events AS e WHERE " where               \
    " AND " POSTGRES_SEARCH_FILTERS "ORDER BY " order " LIMIT $10) AS e "                          \
    "JOIN event_counters AS c ON c.event_id = e.id ORDER BY " order
/* Two keys, because one is a number and the other a text: the one that is not asked for is
 * constant. */
#define POSTGRES_SEARCH_KEYS                                                                       \
    "CASE WHEN $14 = 2 THEN 0 WHEN e.starts_at = 0 THEN 9223372036854775807 "                      \
    "WHEN $14 = 0 THEN e.starts_at ELSE -e.starts_at END, "                                        \
    "CASE WHEN $14 = 2 THEN e.name_folded ELSE '' END COLLATE \"C\", e.id"
#define POSTGRES_SEARCH_TYPES "TNnnnnnnnn"

#define POSTGRES_SEARCH_STATEMENTS(X)                                                              \
    X(SEARCH_STARTING_AT, POSTGRES_SEARCH_TYPES "nn",                                              \
      POSTGRES_SEARCH("e.starts_at = $11 AND e.id > $12", "e.starts_at, e.id"))                    \
    X(SEARCH_STARTING_LATER, POSTGRES_SEARCH_TYPES "n",                                            \
      POSTGRES_SEARCH("e.starts_at > $11 AND e.starts_at < $5", "e.starts_at, e.id"))              \
    X(SEARCH_STARTING_EARLIER, POSTGRES_SEARCH_TYPES "n",                                          \
      POSTGRES_SEARCH("e.starts_at < $11 AND e.starts_at >= greatest($4, 1)",                      \
                      "e.starts_at DESC, e.id"))                                                   \
    X(SEARCH_NAMED, POSTGRES_SEARCH_TYPES "tn",                                                    \
      POSTGRES_SEARCH("e.name_folded = $11 AND e.id > $12", "e.name_folded, e.id"))                \
    X(SEARCH_NAMED_LATER, POSTGRES_SEARCH_TYPES "t",                                               \
      POSTGRES_SEARCH("e.name_folded > $11", "e.name_folded, e.id"))                               \
    /* $11, $12, $13: keys and id, $11 NULL: from the beginning   $14 sort                         \
     * $15 by what: 1 the word $16 in fields $17, 2 the day, 3 the organizer */                    \
    X(SEARCH_FEW, POSTGRES_SEARCH_TYPES "ntnnntn",                                                 \
      "SELECT " POSTGRES_EVENT_COLUMNS " FROM (SELECT e.id FROM events AS e WHERE "                \
      "e.id IN (SELECT event_id FROM event_words WHERE $15 = 1 AND word >= $16 "                   \
      "AND word < $16 || chr(1114111) AND fields & $17 <> 0 "                                      \
      "UNION SELECT id FROM events WHERE $15 = 2 AND local_day = $3 AND local_day IS NOT NULL "    \
      "UNION SELECT id FROM events WHERE $15 = 3 AND organizer_id = $7) "                          \
      "AND ($11::bigint IS NULL OR (" POSTGRES_SEARCH_KEYS ") > ($11, $12, $13)) "                 \
      "AND " POSTGRES_SEARCH_FILTERS "ORDER BY " POSTGRES_SEARCH_KEYS " LIMIT $10) AS f "          \
      "JOIN events AS e ON e.id = f.id JOIN event_counters AS c ON c.event_id = e.id "             \
      "ORDER BY " POSTGRES_SEARCH_KEYS)                                                            \
    X(EVENT_WORD_COUNT, "tn",                                                                      \
      "SELECT count(*) FROM (SELECT 1 FROM event_words "                                           \
      "WHERE word >= $1 AND word < $1 || chr(1114111) LIMIT $2) AS few")                           \
    X(EVENTS_OF_DAY, "nn",                                                                         \
      "SELECT count(*) FROM (SELECT 1 FROM events WHERE local_day = $1 "                           \
      "AND local_day IS NOT NULL LIMIT $2) AS few")                                                \
    X(EVENTS_OF_ORGANIZER, "nn",                                                                   \
      "SELECT count(*) FROM (SELECT 1 FROM events WHERE organizer_id = $1 LIMIT $2) AS few")

/* ---- the check ----
 *
 * Rows are fetched from cursors, some thousand at a time: several are under way at once, and none
 * is held in memory whole. The check reads tables whole, which the settings of the connection are
 * against. */

#define POSTGRES_CHECK_CURSOR(X, name, types, text)                                                \
    X(name, types, "DECLARE " #name " NO SCROLL CURSOR FOR " text)                                 \
    X(name##_FETCH, "", "FETCH 5000 FROM " #name)                                                  \
    X(name##_CLOSE, "", "CLOSE " #name)

#define POSTGRES_CHECK_STATEMENTS(X)                                                               \
    X(CHECK_PLANS, "",                                                                             \
      "SELECT set_config(name, value, true) FROM (VALUES ('enable_seqscan', 'on'), "               \
      "('enable_sort', 'on'), ('enable_hashjoin', 'on'), ('enable_mergejoin', 'on'), "             \
      "('statement_timeout', '0')) AS s (name, value)")                                            \
    POSTGRES_CHECK_CURSOR(                                                                         \
        X, CHECK_COUNTS, "",                                                                       \
        "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM ticket_types), "              \
        "(SELECT count(*) FROM users WHERE erased_at = 0)")                                        \
    POSTGRES_CHECK_CURSOR(X, CHECK_EVENTS, "",                                                     \
                          "SELECT e.id, e.max_per_user, c.next_number FROM events AS e "           \
                          "LEFT JOIN event_counters AS c ON c.event_id = e.id ORDER BY e.id")      \
    POSTGRES_CHECK_CURSOR(X, CHECK_TYPES, "",                                                      \
                          "SELECT id, event_id, capacity, booked, held, waiting, wanted FROM "     \
                          "ticket_types ORDER BY id")                                              \
    POSTGRES_CHECK_CURSOR(                                                                         \
        X, CHECK_BOOKINGS, "",                                                                     \
        "SELECT id, event_id, ticket_type_id, status, quantity FROM bookings ORDER BY id")         \
    POSTGRES_CHECK_CURSOR(                                                                         \
        X, CHECK_JOURNAL, "",                                                                      \
        "SELECT booking_id, count(*), min(event_id), min(ticket_type_id), max(ticket_type_id), "   \
        "sum(CASE WHEN to_status = 1 THEN quantity ELSE 0 END "                                    \
        "- CASE WHEN from_status = 1 THEN quantity ELSE 0 END), "                                  \
        "sum(CASE WHEN to_status = 2 THEN quantity ELSE 0 END "                                    \
        "- CASE WHEN from_status = 2 THEN quantity ELSE 0 END), "                                  \
        "sum(CASE WHEN to_status = 3 THEN quantity ELSE 0 END "                                    \
        "- CASE WHEN from_status = 3 THEN quantity ELSE 0 END) "                                   \
        "FROM journal GROUP BY booking_id ORDER BY booking_id")                                    \
    POSTGRES_CHECK_CURSOR(                                                                         \
        X, CHECK_TICKETS_OF_BOOKINGS, "",                                                          \
        "SELECT booking_id, count(*), min(event_id), max(event_id), min(is_booked), "              \
        "max(is_booked) "                                                                          \
        "FROM tickets WHERE booking_id IS NOT NULL GROUP BY booking_id ORDER BY booking_id")       \
    POSTGRES_CHECK_CURSOR(                                                                         \
        X, CHECK_TICKETS_OF_EVENTS, "",                                                            \
        "SELECT event_id, count(*), max(number), count(booking_id), "                              \
        "min(CASE WHEN booking_id IS NULL AND is_booked <> 0 THEN number END) FROM tickets "       \
        "GROUP BY event_id ORDER BY event_id")                                                     \
    POSTGRES_CHECK_CURSOR(                                                                         \
        X, CHECK_LINE_BLOCKS, "",                                                                  \
        "SELECT ticket_type_id, block, sum(kept)::bigint, sum(counted)::bigint FROM ("             \
        "SELECT ticket_type_id, block, waiting AS kept, 0 AS counted, wanted AS kept_wanted, "     \
        "0 AS counted_wanted FROM line_blocks UNION ALL "                                          \
        "SELECT ticket_type_id, id / 1024, 0, count(*), 0, sum(quantity) FROM bookings "           \
        "WHERE status = 1 GROUP BY ticket_type_id, id / 1024) AS blocks "                          \
        "GROUP BY ticket_type_id, block "                                                          \
        "HAVING sum(kept) <> sum(counted) OR sum(kept_wanted) <> sum(counted_wanted) "             \
        "ORDER BY ticket_type_id, block")                                                          \
    POSTGRES_CHECK_CURSOR(X, CHECK_HOLDERS, "n",                                                   \
                          "SELECT user_id, sum(held)::bigint, sum(booked)::bigint FROM ("          \
                          "SELECT user_id, quantity AS held, 0 AS booked FROM holders WHERE "      \
                          "event_id = $1 UNION ALL "                                               \
                          "SELECT user_id, 0, quantity FROM bookings "                             \
                          "WHERE event_id = $1 AND status IN (1, 2, 3)) AS tickets "               \
                          "GROUP BY user_id HAVING sum(held) <> sum(booked) ORDER BY user_id")     \
    POSTGRES_CHECK_CURSOR(X, CHECK_PLACES, "",                                                     \
                          "SELECT (SELECT max(id) FROM journal WHERE id / 8192 = (SELECT max(id "  \
                          "/ 8192) FROM journal)), "                                               \
                          "(SELECT " POSTGRES_JOURNAL_DRAWN " FROM journal_ids)")

/* ---- who is to be told what ---- */

#define POSTGRES_MESSAGE_COLUMNS                                                                   \
    "o.id, o.webhook_id, o.subject, o.topic, o.event_id, o.user_id, o.status, o.tries, "           \
    "o.created_at, o.due_at, o.settled_at, o.answer, o.message, o.error, o.body"

/* Of those about one booking the first only; what another process is looking at is passed over. */
#define POSTGRES_OUTBOX_STATEMENTS(X)                                                              \
    X(NOTICE_INSERT, "nnnnnt",                                                                     \
      "INSERT INTO notices (topic, event_id, user_id, webhook_id, at, address, told) "             \
      "VALUES ($1, $2, $3, $4, $5, $6, 0)")                                                        \
    X(NOTICE_TOLD, "nn", "UPDATE notices SET told = $2 WHERE id = $1")                             \
    X(NOTICE_DELETE, "n", "DELETE FROM notices WHERE id = $1")                                     \
    X(NOTICES, "n",                                                                                \
      "SELECT id, topic, event_id, user_id, webhook_id, at, told, address FROM notices "           \
      "ORDER BY id LIMIT $1")                                                                      \
    X(OUTBOX_POSITION, "", "SELECT journal_id, turn FROM outbox_position WHERE id = 1")            \
    X(OUTBOX_POSITION_LOCK, "",                                                                    \
      "SELECT journal_id, turn FROM outbox_position WHERE id = 1 FOR UPDATE")                      \
    X(OUTBOX_POSITION_PUT, "nn",                                                                   \
      "INSERT INTO outbox_position (id, journal_id, turn) VALUES (1, $1, $2) "                     \
      "ON CONFLICT (id) DO UPDATE SET journal_id = excluded.journal_id, turn = excluded.turn")     \
    X(MESSAGE_INSERT, "nnnnnnnnnnnttt",                                                            \
      "INSERT INTO outbox (webhook_id, subject, topic, event_id, user_id, status, tries, "         \
      "created_at, due_at, settled_at, answer, message, error, body) "                             \
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "                      \
      "ON CONFLICT (message) DO NOTHING")                                                          \
    X(MESSAGE_UPDATE, "nnnnnnt",                                                                   \
      "UPDATE outbox SET status = $2, tries = $3, due_at = $4, settled_at = $5, answer = $6, "     \
      "error = $7 WHERE id = $1")                                                                  \
    X(MESSAGE_DELETE, "n", "DELETE FROM outbox WHERE id = $1")                                     \
    X(MESSAGES_BY_ID, "N",                                                                         \
      "SELECT " POSTGRES_MESSAGE_COLUMNS " FROM outbox AS o "                                      \
      "WHERE o.id = ANY ($1::bigint[]) ORDER BY o.id FOR UPDATE")                                  \
    X(MESSAGES_DUE, "nnn",                                                                         \
      "SELECT " POSTGRES_MESSAGE_COLUMNS " FROM outbox AS o WHERE o.status = 1 "                   \
      "AND o.webhook_id = $1 AND o.due_at <= $2 AND NOT EXISTS (SELECT 1 FROM outbox AS e "        \
      "WHERE e.status = 1 AND e.webhook_id = o.webhook_id AND e.subject = o.subject "              \
      "AND e.subject <> 0 AND e.id < o.id) ORDER BY o.due_at, o.id LIMIT $3 "                      \
      "FOR UPDATE OF o SKIP LOCKED")                                                               \
    X(MESSAGES, "nnn",                                                                             \
      "SELECT " POSTGRES_MESSAGE_COLUMNS " FROM outbox AS o WHERE o.id < $1 "                      \
      "AND ($2 < 0 OR o.status = $2) ORDER BY o.id DESC LIMIT $3")                                 \
    X(MESSAGES_OF_WAY, "nnnn",                                                                     \
      "SELECT " POSTGRES_MESSAGE_COLUMNS " FROM outbox AS o WHERE o.webhook_id = $4 "              \
      "AND o.id < $1 AND ($2 < 0 OR o.status = $2) ORDER BY o.id DESC LIMIT $3")                   \
    X(DUE_WAYS, "n",                                                                               \
      "SELECT w.id FROM (SELECT 0::bigint AS id UNION ALL "                                        \
      "SELECT id FROM webhooks WHERE status = 1) AS w WHERE EXISTS (SELECT 1 FROM outbox AS o "    \
      "WHERE o.status = 1 AND o.webhook_id = w.id AND o.due_at <= $1)")                            \
    X(PRUNE_MESSAGES, "nnn",                                                                       \
      "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE status > 1 "                    \
      "AND settled_at < $1 AND (status = 2 OR settled_at < $2) LIMIT $3)")

/* ---- webhooks ---- */

#define POSTGRES_WEBHOOK_COLUMNS                                                                   \
    "id, user_id, everything, topics, status, failing_since, created_at, updated_at, "             \
    "old_secret_until, secret, old_secret, url, description"

#define POSTGRES_WEBHOOK_STATEMENTS(X)                                                             \
    X(WEBHOOK_PUT, "nnnnnnnnnbbtt",                                                                \
      "INSERT INTO webhooks (" POSTGRES_WEBHOOK_COLUMNS ") "                                       \
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "                           \
      "ON CONFLICT (id) DO UPDATE SET topics = excluded.topics, status = excluded.status, "        \
      "failing_since = excluded.failing_since, updated_at = excluded.updated_at, "                 \
      "old_secret_until = excluded.old_secret_until, secret = excluded.secret, "                   \
      "old_secret = excluded.old_secret, url = excluded.url, "                                     \
      "description = excluded.description")                                                        \
    X(WEBHOOK_DELETE, "n", "DELETE FROM webhooks WHERE id = $1")                                   \
    X(MESSAGES_OF_WEBHOOK_DELETE, "n", "DELETE FROM outbox WHERE webhook_id = $1")                 \
    X(MESSAGES_OF_USER_DELETE, "n", "DELETE FROM outbox WHERE user_id = $1")                       \
    X(WEBHOOKS_OF_USER_DELETE, "n", "DELETE FROM webhooks WHERE user_id = $1")                     \
    X(WEBHOOK, "n", "SELECT " POSTGRES_WEBHOOK_COLUMNS " FROM webhooks WHERE id = $1")             \
    X(WEBHOOK_COUNT, "n", "SELECT count(*) FROM webhooks WHERE user_id = $1")                      \
    X(WEBHOOKS_OF_USER, "n",                                                                       \
      "SELECT " POSTGRES_WEBHOOK_COLUMNS " FROM webhooks WHERE user_id = $1 ORDER BY id")          \
    X(WEBHOOKS, "", "SELECT " POSTGRES_WEBHOOK_COLUMNS " FROM webhooks ORDER BY id")               \
    X(WEBHOOK_LOCK, "n",                                                                           \
      "SELECT " POSTGRES_WEBHOOK_COLUMNS " FROM webhooks WHERE id = $1 FOR UPDATE")

#define POSTGRES_STATEMENTS(X)                                                                     \
    POSTGRES_COMMON_STATEMENTS(X)                                                                  \
    POSTGRES_LOAD_STATEMENTS(X)                                                                    \
    POSTGRES_COMMIT_STATEMENTS(X)                                                                  \
    POSTGRES_READ_STATEMENTS(X)                                                                    \
    POSTGRES_SEARCH_STATEMENTS(X)                                                                  \
    POSTGRES_CHECK_STATEMENTS(X)                                                                   \
    POSTGRES_OUTBOX_STATEMENTS(X)                                                                  \
    POSTGRES_WEBHOOK_STATEMENTS(X)

#endif
