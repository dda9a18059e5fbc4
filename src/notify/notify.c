/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/notify.h"

#include <stdlib.h>

#include "notify/workers.h"

enum { PAUSE_MOST_MS = 6 * 60 * 60 * 1000 };

struct notify {
    struct notify_settings settings;
    struct notify_counts counts;
    struct teller *teller;
    struct sender *sender;
};

int64_t notify_pause_ms(int64_t first_ms, uint32_t tries, uint32_t random)
{
    int64_t pause = first_ms;
    for (uint32_t i = 1; i < tries && pause < PAUSE_MOST_MS; i++)
        pause *= 3;
    if (pause > PAUSE_MOST_MS) pause = PAUSE_MOST_MS;
    return pause + pause / 5 * (int64_t)(random % 1001) / 1000;
}

bool webhook_may_hear(const struct notify_settings *settings, const struct webhook *webhook)
{
    enum role role;
    /* As if by a token that no signing out has ended: those end sessions, and nothing else. */
    if (!directory_check(settings->engine->directory, webhook->user_id, INT64_MAX, &role))
        return false;
    if (webhook->everything) return role == ROLE_ADMIN;
    return settings->open_organizing || role != ROLE_USER;
}

struct notify *notify_start(const struct notify_settings *settings, struct arena *arena,
                            const char **ret_error)
{
    struct store *readers[2] = {NULL, NULL};
    struct courier *courier = NULL;
    for (size_t i = 0; i < 2; i++) {
        readers[i] = store_open(settings->database_url, STORE_READ, false, arena, ret_error);
        if (!readers[i]) goto fail;
    }
    if (!(courier = courier_start(&settings->courier, arena, ret_error))) goto fail;
    struct notify *notify = calloc(1, sizeof(*notify));
    if (!notify) out_of_memory();
    notify->settings = *settings;
    notify->sender = sender_start(&notify->settings, readers[0], courier, &notify->counts);
    notify->teller = teller_start(&notify->settings, readers[1], notify->sender, &notify->counts);
    return notify;

fail:
    for (size_t i = 0; i < 2; i++)
        store_close(readers[i]);
    return NULL;
}

const struct notify_counts *notify_counts(const struct notify *notify)
{
    return &notify->counts;
}

void notify_stop(struct notify *notify)
{
    if (!notify) return;
    teller_stop(notify->teller);
    sender_stop(notify->sender);
    free(notify);
}
