/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h -- what a database must be able to do. Included by src/store only; each function is that
 * of store.h with the same name. */
#ifndef STORE_DRIVER_H
#define STORE_DRIVER_H

#include "store/bulk.h"
#include "store/store.h"

struct store_driver {
    const char *scheme; /* "sqlite" for URLs that begin with "sqlite:" */
    const char *alias;  /* another name of it, or NULL */
    bool shared;
    struct store *(*open)(const char *rest, enum store_mode mode, bool migrate, struct arena *arena,
                          const char **ret_error);
    void (*close)(struct store *);
    const char *(*error)(const struct store *);

    enum store_status (*load)(struct store *, struct working_set *);
    enum store_status (*commit)(struct store *, struct working_set *);
    void (*abandon)(struct store *);
    enum store_status (*was_committed)(struct store *, bool *);
    enum store_status (*setting)(struct store *, const char *, struct str, struct arena *,
                                 struct str *);
    void (*tidy)(struct store *); /* may be NULL */

    enum store_status (*ping)(struct store *);
    enum store_status (*find_event)(struct store *, uint64_t, struct arena *, struct event **);
    enum store_status (*search_events)(struct store *, const struct event_query *, struct arena *,
                                       struct event_list *);
    enum store_status (*find_booking)(struct store *, uint64_t, struct arena *,
                                      struct booking_view **);
    enum store_status (*list_bookings)(struct store *, const struct booking_query *, struct arena *,
                                       struct booking_list *);
    enum store_status (*list_tickets)(struct store *, uint64_t, uint32_t, size_t, struct arena *,
                                      struct ticket_list *);
    enum store_status (*booking_history)(struct store *, uint64_t, struct arena *,
                                         struct journal_list *);
    enum store_status (*list_journal)(struct store *, const struct journal_query *, struct arena *,
                                      struct journal_page *);
    enum store_status (*booking_payments)(struct store *, uint64_t, struct arena *,
                                          struct payment_list *);
    enum store_status (*find_user)(struct store *, uint64_t, struct str, struct str, struct arena *,
                                   struct user **);
    enum store_status (*list_users)(struct store *, const struct user_query *, struct arena *,
                                    struct user_list *);
    enum store_status (*load_directory)(struct store *, struct arena *, struct directory_rows *);
    enum store_status (*directory_version)(struct store *, uint64_t *); /* where it is shared */
    enum store_status (*list_notices)(struct store *, size_t, struct arena *, struct notice_list *);
    enum store_status (*outbox_position)(struct store *, struct outbox_position *);
    enum store_status (*list_messages)(struct store *, const struct message_query *, struct arena *,
                                       struct message_list *);
    enum store_status (*due_ways)(struct store *, int64_t, struct arena *, struct way_list *);
    enum store_status (*list_webhooks)(struct store *, uint64_t, struct arena *,
                                       struct webhook_list *);
    enum store_status (*find_webhook)(struct store *, uint64_t, struct arena *, struct webhook **);
    enum store_status (*backup)(struct store *, const char *, struct arena *, const char **);
    enum store_status (*check)(struct store *, struct check_figures *,
                               void (*)(const char *, void *), void *);
    /* Those of bulk.h; both or none: then there is nothing to be moved. */
    enum store_status (*bulk_read)(struct store *, const struct bulk_table *,
                                   const struct bulk_value *, size_t, struct arena *,
                                   struct bulk_rows *);
    enum store_status (*bulk_write)(struct store *, const struct bulk_part *, size_t);
};

/* store_hurry() was called; and how long a server may be silent then. */
bool store_is_hurried(void);
enum { HURRIED_PATIENCE_S = 3 };

struct store {
    const struct store_driver *driver; /* first in every driver's own struct */
};

extern const struct store_driver sqlite_driver;
extern const struct store_driver memory_driver;
extern const struct store_driver postgres_driver;
extern const struct store_driver mysql_driver;

#endif
