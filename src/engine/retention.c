/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/retention.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/wait.h"
#include "engine/errand.h"

enum {
    PERIOD_MS = 60000,
    ROWS_MOST = 10000,
    SENT_KEPT_DAYS = 7,    /* deliveries of webhooks, for who looks what came */
    PARKED_KEPT_DAYS = 30, /* for who can still mend why */
};
#define HOUR_MS INT64_C(3600000)
/* The longest TOKEN_TTL there may be: the setting could have been lowered since a token was issued.
 */
#define REVOCATION_KEPT_MS (367 * 24 * HOUR_MS)

struct retention {
    pthread_t thread;
    struct bell bell;
    struct lane *lane;
};

/* A full lane has better things to do; the next minute comes. */
static void prune(struct retention *retention)
{
    int64_t now = clock_now_ms();
    const struct command command = {
        .kind = COMMAND_PRUNE,
        .prune = {.replays_before = now - 25 * HOUR_MS,
                  .revocations_before = now - REVOCATION_KEPT_MS,
                  .sent_before = now - SENT_KEPT_DAYS * 24 * HOUR_MS,
                  .parked_before = now - PARKED_KEPT_DAYS * 24 * HOUR_MS,
                  .most = ROWS_MOST},
    };
    errand_run(retention->lane, &command, (struct errand_take){0});
}

static void *retention_run(void *data)
{
    struct retention *retention = data;
    pthread_setname_np(pthread_self(), "retention");
    while (bell_wait(&retention->bell, PERIOD_MS))
        prune(retention);
    return NULL;
}

struct retention *retention_start(struct lane *lane)
{
    struct retention *retention = calloc(1, sizeof(*retention));
    if (!retention) abort();
    retention->lane = lane;
    bell_init(&retention->bell);
    if (pthread_create(&retention->thread, NULL, retention_run, retention) != 0) abort();
    return retention;
}

void retention_stop(struct retention *retention)
{
    if (!retention) return;
    bell_close(&retention->bell);
    pthread_join(retention->thread, NULL);
    bell_destroy(&retention->bell);
    free(retention);
}
