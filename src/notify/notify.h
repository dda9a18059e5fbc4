/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h -- tells people and programs what happened.
 *
 *   lanes -> journal, notices -> [teller] -> outbox -> [sender] -> [courier] -> their servers
 *                                              ^            |
 *                                              +- settled --+
 *
 * Two threads, each with a connection of its own to read by; what they write goes through a lane,
 * like everything else. The teller follows what was committed and writes a message for each who
 * wants to know; the sender claims messages that are due, hands them to the courier and writes
 * down what came of it. See core/outbox.c for the states of a message. */
#ifndef NOTIFY_NOTIFY_H
#define NOTIFY_NOTIFY_H

#include "engine/engine.h"
#include "notify/courier.h"
#include "notify/mail.h"

struct notify_settings {
    struct engine *engine;
    const char *database_url;
    bool mail;               /* there is a mail server */
    bool webhooks;           /* they are allowed */
    bool open_organizing;    /* every user may manage his own events */
    int64_t retry_first_ms;  /* the first pause after a failure */
    int64_t retry_for_ms;    /* for so long it is tried */
    struct mail_maker maker; /* where there is mail */
    struct courier_settings courier;
    /* The JSON of what is told of, as the interface shows it. */
    void (*compose_booking)(struct buf *out, const struct booking_view *booking, const void *data);
    void (*compose_event)(struct buf *out, const struct event *event, const void *data);
    const void *compose_data;
};

struct notify_counts {
    _Atomic uint64_t told;                          /* messages that were written to the outbox */
    _Atomic uint64_t sent[2], failed[2], parked[2]; /* [0] mail, [1] webhooks */
};

struct notify;

/* NULL with a sentence in *ret_error. */
struct notify *notify_start(const struct notify_settings *settings, struct arena *arena,
                            const char **ret_error);
const struct notify_counts *notify_counts(const struct notify *notify);
void notify_stop(struct notify *notify); /* before the engine; NULL is fine */

/* How long to wait before the try after 'tries' of them, with a jitter of a fifth by 'random' (any
 * number): the first pause, then three times as long each time, six hours at most. */
int64_t notify_pause_ms(int64_t first_ms, uint32_t tries, uint32_t random);

#endif
