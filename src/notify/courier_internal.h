/* SPDX-License-Identifier: Apache-2.0 */
/* courier_internal.h -- the two halves of the courier, for itself alone.
 *
 * POSTs are carried by one thread, many at once (courier_posts.c). Mails are carried by a few
 * threads, each with a connection of its own (courier_mails.c): libcurl's SMTP waits for the
 * server's word behind a mail, and for its farewell, without letting other transfers go on, so that
 * one slow mail server would hold up all. */
#ifndef NOTIFY_COURIER_INTERNAL_H
#define NOTIFY_COURIER_INTERNAL_H

#include "notify/courier.h"
#include "notify/reach.h"

struct posts;
struct mails;

/* 'settings' and 'server' must stay as long as they do. */
struct posts *posts_start(const struct courier_settings *settings);
struct mails *mails_start(const struct courier_settings *settings,
                          const struct mail_server *server);

/* As courier_send(), courier_room() and courier_busy(). */
bool posts_send(struct posts *posts, struct parcel *parcel);
bool mails_send(struct mails *mails, struct parcel *parcel);
size_t posts_room(struct posts *posts);
size_t mails_room(struct mails *mails);
size_t posts_busy(struct posts *posts, uint64_t *receivers, size_t most);

/* From now on nothing is begun, and what is under way is given up when 'until_us' is over. */
void posts_close(struct posts *posts, int64_t until_us);
void mails_close(struct mails *mails);

/* Waits for the end; afterwards nothing of it is left. */
void posts_free(struct posts *posts);
void mails_free(struct mails *mails, int64_t until_us);

/* Was it not begun in time? */
bool parcel_is_overdue(const struct parcel *parcel);

static inline struct parcel *parcel_of(struct link *link)
{
    return LINK_OWNER(link, struct parcel, link);
}

#endif
