/* SPDX-License-Identifier: Apache-2.0 */
/* Mails: a few threads, each with a connection of its own to the one mail server. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/queue.h"
#include "base/wait.h"
#include "notify/courier_internal.h"
#include "notify/trip.h"

/* A connection that has nothing to carry is closed, so that the mail server need not do it. */
enum { IDLE_MS = 2000 };

struct mailer {
    struct mails *mails;
    pthread_t thread;
    struct trip trip;
    pthread_mutex_t mutex; /* of the socket */
    int socket;            /* of the open connection, -1 when there is none */
};

struct mails {
    const struct courier_settings *settings;
    const struct mail_server *server;
    struct queue queue;
    _Atomic bool closed;   /* nothing is begun any more */
    _Atomic bool hung_up;  /* what is under way is given up */
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t one_ended;
    size_t running;
    size_t count;
    struct mailer mailers[];
};

/* ---- the connection: it must be possible to end it from outside, whatever libcurl waits for ----
 */

static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct mailer *mailer = data;
    (void)purpose;
    if (mailer->mails->hung_up) return CURL_SOCKET_BAD;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    pthread_mutex_lock(&mailer->mutex);
    mailer->socket = fd; /* of several that are tried at once, the last */
    pthread_mutex_unlock(&mailer->mutex);
    return fd;
}

static int close_socket(void *data, curl_socket_t fd)
{
    struct mailer *mailer = data;
    pthread_mutex_lock(&mailer->mutex);
    if (mailer->socket == fd) mailer->socket = -1;
    int status = close(fd); /* within, so that the number is not another one's when it is used */
    pthread_mutex_unlock(&mailer->mutex);
    return status;
}

static void hang_up(struct mailer *mailer)
{
    pthread_mutex_lock(&mailer->mutex);
    if (mailer->socket >= 0) shutdown(mailer->socket, SHUT_RDWR);
    pthread_mutex_unlock(&mailer->mutex);
}

/* Called once a second at least; anything but 0 gives up. */
static int look(void *data, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct mailer *mailer = data;
    (void)a, (void)b, (void)c, (void)d;
    return mailer->mails->hung_up;
}

/* ---- the threads ---- */

static void carry(struct mailer *mailer, struct parcel *parcel)
{
    struct mails *mails = mailer->mails;
    struct trip *trip = &mailer->trip;
    if (!mails->closed && !parcel_is_overdue(parcel) &&
        trip_begin(trip, parcel, mails->settings, mails->server)) {
        curl_easy_setopt(trip->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
        curl_easy_setopt(trip->easy, CURLOPT_OPENSOCKETDATA, mailer);
        curl_easy_setopt(trip->easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
        curl_easy_setopt(trip->easy, CURLOPT_CLOSESOCKETDATA, mailer);
        curl_easy_setopt(trip->easy, CURLOPT_XFERINFOFUNCTION, look);
        curl_easy_setopt(trip->easy, CURLOPT_XFERINFODATA, mailer);
        curl_easy_setopt(trip->easy, CURLOPT_NOPROGRESS, 0L);
        CURLcode code = curl_easy_perform(trip->easy);
        if (code != CURLE_OK && mails->hung_up)
            trip_give_up(trip);
        else
            trip_end(trip, code);
    }
    parcel->done(parcel);
}

static void *mailer_run(void *data)
{
    struct mailer *mailer = data;
    struct list list = {0};
    pthread_setname_np(pthread_self(), "mails");
    while (queue_take(&mailer->mails->queue, &list, 1, mailer->trip.easy ? IDLE_MS : -1)) {
        struct link *link = list_pop(&list);
        if (link)
            carry(mailer, parcel_of(link));
        else
            trip_free(&mailer->trip);
    }
    trip_free(&mailer->trip);
    pthread_mutex_lock(&mailer->mails->mutex);
    mailer->mails->running--;
    pthread_cond_signal(&mailer->mails->one_ended);
    pthread_mutex_unlock(&mailer->mails->mutex);
    return NULL;
}

/* ---- from outside ---- */

struct mails *mails_start(const struct courier_settings *settings, const struct mail_server *server)
{
    struct mails *mails =
        calloc(1, sizeof(*mails) + settings->each_most * sizeof(mails->mailers[0]));
    if (!mails) out_of_memory();
    mails->settings = settings;
    mails->server = server;
    mails->count = mails->running = settings->each_most;
    pthread_mutex_init(&mails->mutex, NULL);
    wait_cond_init(&mails->one_ended);
    queue_init(&mails->queue, settings->depth);
    for (size_t i = 0; i < mails->count; i++) {
        struct mailer *mailer = &mails->mailers[i];
        mailer->mails = mails;
        mailer->socket = -1;
        pthread_mutex_init(&mailer->mutex, NULL);
        if (pthread_create(&mailer->thread, NULL, mailer_run, mailer) != 0) abort();
    }
    return mails;
}

bool mails_send(struct mails *mails, struct parcel *parcel)
{
    return queue_put(&mails->queue, &parcel->link);
}

size_t mails_room(struct mails *mails)
{
    return mails->settings->depth - queue_count(&mails->queue);
}

void mails_close(struct mails *mails)
{
    mails->closed = true;
    queue_close(&mails->queue);
}

/* Until all have ended or the time is over. */
static void wait_for_all(struct mails *mails, int64_t until_us)
{
    struct timespec deadline = deadline_at(until_us);
    int error = 0;
    pthread_mutex_lock(&mails->mutex);
    while (mails->running && error == 0)
        error = pthread_cond_timedwait(&mails->one_ended, &mails->mutex, &deadline);
    pthread_mutex_unlock(&mails->mutex);
}

void mails_free(struct mails *mails, int64_t until_us)
{
    assert(mails->closed);
    wait_for_all(mails, until_us);
    mails->hung_up = true;
    for (size_t i = 0; i < mails->count; i++) {
        hang_up(&mails->mailers[i]);
        pthread_join(mails->mailers[i].thread, NULL);
        pthread_mutex_destroy(&mails->mailers[i].mutex);
    }
    pthread_cond_destroy(&mails->one_ended);
    pthread_mutex_destroy(&mails->mutex);
    queue_destroy(&mails->queue);
    free(mails);
}
