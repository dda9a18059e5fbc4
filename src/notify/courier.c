/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/courier.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "notify/courier_internal.h"

struct courier {
    struct courier_settings settings;
    struct mail_server server;
    struct arena arena; /* the texts of both */
    struct posts *posts;
    struct mails *mails; /* NULL: none are sent */
};

bool parcel_is_overdue(const struct parcel *parcel)
{
    return parcel->begin_by_us && clock_monotonic_us() > parcel->begin_by_us;
}

static const char *copy(struct courier *courier, const char *text)
{
    return text ? arena_cstr(&courier->arena, str_of(text)) : NULL;
}

struct courier *courier_start(const struct courier_settings *settings, struct arena *arena,
                              const char **ret_error)
{
    assert(settings->most && settings->each_most && settings->depth && settings->user_agent);
    assert(settings->http_try_ms <= COURIER_TRY_MOST_MS &&
           settings->mail_try_ms <= COURIER_TRY_MOST_MS);
    const char *smtp_url = settings->smtp_url;
    const char *error = smtp_url ? courier_mail_url_error(smtp_url, arena) : NULL;
    if (error) {
        *ret_error = arena_printf(arena, "SMTP_URL will not do: %s", error).data;
        return NULL;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        *ret_error = "libcurl does not start";
        return NULL;
    }
    struct courier *courier = calloc(1, sizeof(*courier));
    if (!courier) out_of_memory();
    courier->settings = *settings;
    courier->settings.smtp_url = NULL; /* it is in 'server', and its password once is enough */
    courier->settings.ca_file = copy(courier, settings->ca_file);
    courier->settings.user_agent = copy(courier, settings->user_agent);
    courier->posts = posts_start(&courier->settings);
    if (smtp_url) {
        mail_server_parse(smtp_url, &courier->arena, &courier->server);
        courier->mails = mails_start(&courier->settings, &courier->server);
    }
    return courier;
}

bool courier_send(struct courier *courier, struct parcel *parcel)
{
    assert(parcel->done && (parcel->kind == PARCEL_POST || courier->mails));
    parcel->fate = PARCEL_UNTRIED;
    parcel->answer = 0;
    parcel->retry_after_s = parcel->took_us = 0;
    parcel->error[0] = '\0';
    return parcel->kind == PARCEL_POST ? posts_send(courier->posts, parcel)
                                       : mails_send(courier->mails, parcel);
}

size_t courier_room(struct courier *courier, enum parcel_kind kind)
{
    if (kind == PARCEL_POST) return posts_room(courier->posts);
    return courier->mails ? mails_room(courier->mails) : 0;
}

size_t courier_busy(struct courier *courier, uint64_t *receivers, size_t most)
{
    return posts_busy(courier->posts, receivers, most);
}

void courier_stop(struct courier *courier, int wait_ms)
{
    if (!courier) return;
    int64_t until_us = clock_monotonic_us() + (int64_t)wait_ms * 1000;
    posts_close(courier->posts, until_us);
    if (courier->mails) mails_close(courier->mails);
    posts_free(courier->posts);
    if (courier->mails) mails_free(courier->mails, until_us);
    arena_free(&courier->arena);
    free(courier);
    curl_global_cleanup();
}
