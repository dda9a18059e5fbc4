/* SPDX-License-Identifier: Apache-2.0 */
/* store.h -- where decided things become durable, and where they are found again.
 *
 * The engine decides, the store remembers. One 'struct store' is one connection: it belongs to
 * one thread. A writer loads what a batch needs and writes what was decided, in one transaction:
 *
 *     store_load(writer, set)       begins the transaction when there is none; locks and reads
 *     ...                           core decides
 *     store_commit(writer, set)     writes and commits; STORE_OK means: it is on disk
 *     store_abandon(writer)         instead: nothing happened
 *
 * Readers see what is committed. Results live in the arena that is handed in.
 * A function that "finds" leaves *ret_... NULL when there is no such thing, and is STORE_OK. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/text.h"
#include "core/model.h"
#include "core/working_set.h"

#define STORE_STATUSES(X)                                                                          \
    X(STORE_OK, "done")                                                                            \
    X(STORE_BUSY, "the database asks us to come back later")                                       \
    X(STORE_REFUSED, "the database refuses this change")                                           \
    X(STORE_DOWN, "the database cannot be reached or cannot write")                                \
    X(STORE_UNKNOWN, "the connection was lost during COMMIT")

/* BUSY: the whole batch may be tried again. REFUSED: a constraint; one command of the batch is
 * at fault. DOWN: later, perhaps. UNKNOWN: ask store_was_committed(). After anything but
 * STORE_OK the transaction is over and nothing of it was written (UNKNOWN: perhaps all of it).
 *
 * Behind a network, no call may block for ever, as a lane or a reader stands still with it: a
 * driver bounds connecting (2 s a host), waiting for a lock (then BUSY), a statement, and how long
 * a peer may be silent (then DOWN, after COMMIT was sent UNKNOWN). A lost connection is opened
 * again by the next call; while that fails, calls are DOWN at once, but for one attempt every now
 * and then.
 */
enum store_status {
#define X(name, text) name,
    STORE_STATUSES(X)
#undef X
};
const char *store_status_text(enum store_status status);

enum store_mode {
    STORE_WRITE, /* one at a time on an embedded store */
    STORE_READ,
};

struct store;

/* Opens the store named by 'url' ("sqlite:admit.db", "memory:" or "memory:name"). On failure NULL
 * and a sentence in *ret_error (in 'arena') that names the cause and the cure. A writer's schema is
 * brought up to date where 'migrate' is true, otherwise an older one is an error. A reader
 * needs an existing store of this very version. */
struct store *store_open(const char *url, enum store_mode mode, bool migrate, struct arena *arena,
                         const char **ret_error);
void store_close(struct store *store); /* NULL is fine */

/* What went wrong last, for the log; never contains values. */
const char *store_error(const struct store *store);

/* Other processes may write to it too, so that what is remembered of it may be out of date. */
bool store_is_shared(const struct store *store);

/* The process is about to end: from now on no server that is silent is waited for as long as
 * usual, and a connection that is lost stays so. For all stores; from any thread. */
void store_hurry(void);

/* ---- the writer ---- */

enum store_status store_load(struct store *store, struct working_set *set);
enum store_status store_commit(struct store *store, struct working_set *set);
void store_abandon(struct store *store);

/* After STORE_UNKNOWN: did the last batch reach the disk? DOWN: ask again, as often as it takes;
 * until the next store_load(). */
enum store_status store_was_committed(struct store *store, bool *ret_committed);

/* The setting 'name', made from 'fallback' and kept when it is not there yet (atomically). */
enum store_status store_setting(struct store *store, const char *name, struct str fallback,
                                struct arena *arena, struct str *ret_value);

/* Moves what the write-ahead log gathered into the database where the store has such a thing;
 * called between batches. */
void store_tidy(struct store *store);

/* ---- readers ---- */

/* Answers quickly whether the store can be read, and written to where that is cheap to know (a
 * server may be reachable and read-only). */
enum store_status store_ping(struct store *store);

enum store_status store_find_event(struct store *store, uint64_t id, struct arena *arena,
                                   struct event **ret_event);

enum event_sort { SORT_STARTS_AT, SORT_STARTS_AT_DESCENDING, SORT_NAME };

/* The place after which a page begins: the sort key and the id of the last row of the page before.
 */
struct page_after {
    bool set;
    uint64_t id;
    int64_t number;  /* starts_at */
    struct str text; /* folded name */
};

#define EVENT_QUERY_WORDS_MAX 16

struct event_query {
    struct words q, name,
        venue; /* every word must begin a word there; q: of name, description or venue */
    bool has_day;
    int32_t day;      /* days since 1970, in the event's own time zone */
    int64_t from, to; /* of starts_at, inclusive and exclusive; 0: open */
    bool available; /* on sale, not begun, something left that a newcomer can have (nobody waits) */
    int64_t now;
    int status;           /* enum event_status, -1 any */
    uint64_t organizer;   /* 0: any */
    uint64_t drafts_of;   /* drafts are found only of this organizer; UINT64_MAX: all drafts */
    enum event_sort sort; /* events without starts_at come last, by id; in the other
                           * direction too */
    struct page_after after;
    size_t limit;
    /* The event of that id and version, where the caller has it: then a store need not read it, and
     * it stands in the list. Within a transaction: short. NULL: the caller has none. */
    struct event *(*known)(uint64_t id, uint64_t version, void *data);
    void *known_data;
};

/* 'count' is limit + 1 when there is more: the caller asks for one more than it shows. */
struct event_list {
    struct event **items;
    size_t count;
};

enum store_status store_search_events(struct store *store, const struct event_query *query,
                                      struct arena *arena, struct event_list *ret_list);

/* A booking with what is shown of it. */
struct booking_view {
    struct booking row; /* with its numbers */
    struct str event_name, event_venue, event_timezone, type_name;
    int64_t event_starts_at;
    enum event_status event_status;
    uint64_t organizer_id;
    char currency[4];
    uint32_t position; /* in line, 1 = next; 0 when not waiting; only from store_find_booking */
    uint64_t ahead;
    struct user user; /* id, name, email, username; empty strings when erased */
};

enum store_status store_find_booking(struct store *store, uint64_t id, struct arena *arena,
                                     struct booking_view **ret_booking);

struct booking_query {
    uint64_t user_id;  /* of this user, or ... */
    uint64_t event_id; /* ... of this event, or both; not none */
    int status;        /* enum booking_status, -1 any */
    struct words q;    /* every word must begin a word of the user's name, e-mail or user name */
    uint64_t before;   /* newest first: ids below this; 0 from the newest on */
    size_t limit;
};

struct booking_list {
    struct booking_view **items;
    size_t count;
};

enum store_status store_list_bookings(struct store *store, const struct booking_query *query,
                                      struct arena *arena, struct booking_list *ret_list);

struct ticket_view {
    uint32_t number;
    bool is_booked;
    uint64_t booking_id; /* 0: a returned number */
    struct user user;    /* as above */
};

struct ticket_list {
    struct ticket_view *items;
    size_t count;
};

enum store_status store_list_tickets(struct store *store, uint64_t event_id, uint32_t after,
                                     size_t limit, struct arena *arena,
                                     struct ticket_list *ret_list);

struct journal_list {
    struct journal_entry *items; /* oldest first */
    size_t count;
};

enum store_status store_booking_history(struct store *store, uint64_t booking_id,
                                        struct arena *arena, struct journal_list *ret_list);

struct journal_query {
    uint64_t after;        /* ids above this; 0: from the first one on */
    uint64_t event_id;     /* of this event, or ... */
    uint64_t organizer_id; /* ... of this organizer's events; 0 and 0: of all */
    size_t limit;
};

/* A part of the journal in the order in which it was written: 'end' is as far as it can be told, as
 * no row at or below it will be committed any more. So who goes on from 'next' misses nothing,
 * whoever writes meanwhile. */
struct journal_page {
    struct journal_entry *items; /* by id, ascending */
    size_t count;
    uint64_t next; /* where the next page begins after; beyond the last item, too */
    uint64_t end;  /* next < end: there may be more now; otherwise ask again later, with 'next' */
    uint64_t last; /* no id above it was given out yet */
};

/* Looks at a bounded part of the journal: a page may be empty, and 'next' have moved on. */
enum store_status store_list_journal(struct store *store, const struct journal_query *query,
                                     struct arena *arena, struct journal_page *ret_page);

struct payment_list {
    struct payment *items; /* oldest first */
    size_t count;
};

enum store_status store_booking_payments(struct store *store, uint64_t booking_id,
                                         struct arena *arena, struct payment_list *ret_list);

/* By id, or (id 0) by folded e-mail address or user name; never an erased one by login. */
enum store_status store_find_user(struct store *store, uint64_t id, struct str folded_email,
                                  struct str folded_username, struct arena *arena,
                                  struct user **ret_user);

struct user_query {
    struct words q; /* as in booking_query */
    int role;       /* enum role, -1 any */
    uint64_t after; /* ids above this */
    size_t limit;
};

struct user_list {
    struct user **items;
    size_t count;
};

enum store_status store_list_users(struct store *store, const struct user_query *query,
                                   struct arena *arena, struct user_list *ret_list);

/* For the directory (engine/directory.h): who is more than a user, and which tokens are dead. */
struct revocation {
    uint64_t user_id;
    int64_t not_before; /* tokens issued at or before this are dead */
};

struct directory_rows {
    struct user_list privileged; /* id and role only */
    struct revocation *revocations;
    size_t revocation_count;
    uint64_t last_user_id;
};

enum store_status store_load_directory(struct store *store, struct arena *arena,
                                       struct directory_rows *ret_rows);

/* A number that is another one after every commit, of any process, that changed a role or
 * revoked tokens: cheap enough to be asked twice a second. 0 where the store is not shared. */
enum store_status store_directory_version(struct store *store, uint64_t *ret_version);

/* ---- who is to be told what (core/outbox.c) ---- */

struct notice_list {
    struct notice *items; /* oldest first */
    size_t count;
};

enum store_status store_list_notices(struct store *store, size_t limit, struct arena *arena,
                                     struct notice_list *ret_list);

/* 'turn' is 0 where it was never begun. */
enum store_status store_outbox_position(struct store *store, struct outbox_position *ret_position);

struct message_query {
    uint64_t webhook_id; /* UINT64_MAX: any way */
    int status;          /* enum message_status, -1 any */
    uint64_t before;     /* newest first: ids below this; 0 from the newest on */
    size_t limit;
};

struct message_list {
    struct message *items;
    size_t count;
};

enum store_status store_list_messages(struct store *store, const struct message_query *query,
                                      struct arena *arena, struct message_list *ret_list);

struct webhook_list {
    struct webhook **items; /* by id */
    size_t count;
};

/* Of this user, or (0) of everybody. */
enum store_status store_list_webhooks(struct store *store, uint64_t user_id, struct arena *arena,
                                      struct webhook_list *ret_list);
enum store_status store_find_webhook(struct store *store, uint64_t id, struct arena *arena,
                                     struct webhook **ret_webhook);

/* The ways by which something is due at 'now': 0 for mail, and webhooks that are on. */
struct way_list {
    uint64_t *webhook_ids;
    size_t count;
};

enum store_status store_due_ways(struct store *store, int64_t now, struct arena *arena,
                                 struct way_list *ret_list);

/* A consistent copy into a new file, while others write; embedded stores only. On failure a
 * sentence in *ret_error. */
enum store_status store_backup(struct store *store, const char *path, struct arena *arena,
                               const char **ret_error);

/* Proves rules 1 and 7 for every event: counters against CHECKs, against the journal, against
 * tickets and bookings. Calls 'breach' for each contradiction. Reads one consistent state. */
struct check_figures {
    uint64_t events, ticket_types, users, bookings, confirmed, waiting, cancelled, tickets, journal;
    uint64_t capacity, booked, held;
    uint64_t breaches;
};

enum store_status store_check(struct store *store, struct check_figures *ret_figures,
                              void (*breach)(const char *sentence, void *data), void *data);

#endif
