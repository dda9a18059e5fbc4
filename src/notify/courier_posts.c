/* SPDX-License-Identifier: Apache-2.0 */
/* POSTs: one thread, by libcurl's multi interface. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "notify/courier_internal.h"
#include "notify/trip.h"

/* Others wake the thread when there is something new; this is for what only time brings. */
enum { LOOK_MS = 1000 };

struct posts {
    const struct courier_settings *settings;
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows; trips are written by the thread alone */
    struct list waiting;
    int64_t stop_at_us; /* 0: not yet */
    size_t trip_count;
    struct trip trips[];
};

/* ---- who may begin ---- */

static unsigned under_way_for(const struct posts *posts, uint64_t receiver)
{
    unsigned count = 0;
    for (size_t i = 0; i < posts->trip_count; i++) {
        const struct parcel *parcel = posts->trips[i].parcel;
        count += parcel && parcel->receiver == receiver;
    }
    return count;
}

/* NULL when as many are under way as may be, for this receiver or in all. */
static struct trip *free_trip(struct posts *posts, const struct parcel *parcel)
{
    struct trip *trip = posts->trips, *end = trip + posts->trip_count;
    while (trip < end && trip->parcel)
        trip++;
    bool may = trip < end && under_way_for(posts, parcel->receiver) < posts->settings->each_most;
    return may ? trip : NULL;
}

static void give_back(struct list *parcels)
{
    for (struct link *link; (link = list_pop(parcels));) {
        struct parcel *parcel = parcel_of(link);
        parcel->done(parcel);
    }
}

/* In the order in which they came, but those whose receiver is busy stand aside. */
static void begin_what_may(struct posts *posts)
{
    struct list keep = {0}, back = {0};
    pthread_mutex_lock(&posts->mutex);
    for (struct link *link; (link = list_pop(&posts->waiting));) {
        struct parcel *parcel = parcel_of(link);
        struct trip *trip = NULL;
        bool over = posts->stop_at_us || parcel_is_overdue(parcel);
        if (!over && !(trip = free_trip(posts, parcel)))
            list_push(&keep, link);
        else if (over || !trip_begin(trip, parcel, posts->settings, NULL))
            list_push(&back, link);
        else if (curl_multi_add_handle(posts->multi, trip->easy) != CURLM_OK)
            out_of_memory();
    }
    posts->waiting = keep;
    pthread_mutex_unlock(&posts->mutex);
    give_back(&back);
}

/* ---- what comes back ---- */

static void take_off(struct posts *posts, struct trip *trip, struct list *back)
{
    list_push(back, &trip->parcel->link);
    curl_multi_remove_handle(posts->multi, trip->easy);
}

/* True when there was any. */
static bool end_what_is_done(struct posts *posts)
{
    struct list back = {0};
    int left;
    pthread_mutex_lock(&posts->mutex);
    for (CURLMsg *message; (message = curl_multi_info_read(posts->multi, &left));) {
        struct trip *trip = NULL;
        CURLcode code = message->data.result; /* the message goes with its handle */
        if (message->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&trip);
        take_off(posts, trip, &back);
        trip_end(trip, code);
    }
    pthread_mutex_unlock(&posts->mutex);
    bool any = back.count > 0;
    give_back(&back);
    return any;
}

static void give_up_all(struct posts *posts)
{
    struct list back = {0};
    pthread_mutex_lock(&posts->mutex);
    for (size_t i = 0; i < posts->trip_count; i++) {
        struct trip *trip = &posts->trips[i];
        if (trip->parcel) {
            take_off(posts, trip, &back);
            trip_give_up(trip);
        }
        trip_free(trip);
    }
    pthread_mutex_unlock(&posts->mutex);
    give_back(&back);
}

/* ---- the thread ---- */

/* How long nothing needs to be done; -1 when it is over. */
static int pause_ms(struct posts *posts)
{
    bool under_way = false;
    pthread_mutex_lock(&posts->mutex);
    for (size_t i = 0; i < posts->trip_count; i++)
        under_way = under_way || posts->trips[i].parcel;
    bool stopping = posts->stop_at_us, waiting = posts->waiting.head;
    int64_t left_ms = stopping ? (posts->stop_at_us - clock_monotonic_us()) / 1000 : LOOK_MS;
    pthread_mutex_unlock(&posts->mutex);
    if (stopping && !waiting && (!under_way || left_ms <= 0)) return -1;
    return left_ms > LOOK_MS ? LOOK_MS : left_ms < 0 ? 0 : (int)left_ms;
}

static void *posts_run(void *data)
{
    struct posts *posts = data;
    pthread_setname_np(pthread_self(), "posts");
    for (int wait_ms; (wait_ms = pause_ms(posts)) >= 0;) {
        int running;
        begin_what_may(posts);
        curl_multi_perform(posts->multi, &running);
        if (!end_what_is_done(posts)) curl_multi_poll(posts->multi, NULL, 0, wait_ms, NULL);
    }
    give_up_all(posts);
    return NULL;
}

/* ---- from outside ---- */

struct posts *posts_start(const struct courier_settings *settings)
{
    struct posts *posts = calloc(1, sizeof(*posts) + settings->most * sizeof(posts->trips[0]));
    if (!posts || !(posts->multi = curl_multi_init())) out_of_memory();
    posts->settings = settings;
    posts->trip_count = settings->most;
    curl_multi_setopt(posts->multi, CURLMOPT_MAXCONNECTS, (long)settings->most);
    pthread_mutex_init(&posts->mutex, NULL);
    if (pthread_create(&posts->thread, NULL, posts_run, posts) != 0) abort();
    return posts;
}

bool posts_send(struct posts *posts, struct parcel *parcel)
{
    pthread_mutex_lock(&posts->mutex);
    bool taken = !posts->stop_at_us && posts->waiting.count < posts->settings->depth;
    if (taken) list_push(&posts->waiting, &parcel->link);
    pthread_mutex_unlock(&posts->mutex);
    if (taken) curl_multi_wakeup(posts->multi);
    return taken;
}

size_t posts_room(struct posts *posts)
{
    pthread_mutex_lock(&posts->mutex);
    size_t waiting = posts->waiting.count;
    pthread_mutex_unlock(&posts->mutex);
    return posts->settings->depth - waiting;
}

struct receivers {
    uint64_t *items;
    size_t count, most;
};

static void receivers_add(struct receivers *receivers, uint64_t receiver)
{
    if (receivers->count == receivers->most) return;
    for (size_t i = 0; i < receivers->count; i++)
        if (receivers->items[i] == receiver) return;
    receivers->items[receivers->count++] = receiver;
}

size_t posts_busy(struct posts *posts, uint64_t *receivers, size_t most)
{
    struct receivers busy = {.items = receivers, .most = most};
    pthread_mutex_lock(&posts->mutex);
    for (struct link *link = posts->waiting.head; link; link = link->next)
        receivers_add(&busy, parcel_of(link)->receiver);
    for (size_t i = 0; i < posts->trip_count; i++) {
        const struct parcel *parcel = posts->trips[i].parcel;
        if (parcel && under_way_for(posts, parcel->receiver) >= posts->settings->each_most)
            receivers_add(&busy, parcel->receiver);
    }
    pthread_mutex_unlock(&posts->mutex);
    return busy.count;
}

void posts_close(struct posts *posts, int64_t until_us)
{
    pthread_mutex_lock(&posts->mutex);
    posts->stop_at_us = until_us;
    pthread_mutex_unlock(&posts->mutex);
    curl_multi_wakeup(posts->multi);
}

void posts_free(struct posts *posts)
{
    assert(posts->stop_at_us);
    pthread_join(posts->thread, NULL);
    curl_multi_cleanup(posts->multi);
    pthread_mutex_destroy(&posts->mutex);
    free(posts);
}
