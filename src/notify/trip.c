/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/trip.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/model.h"

enum { RETRY_AFTER_MOST_S = 24 * 3600 };

/* An option that this libcurl does not have: found when it is tried for the first time. */
static void must(CURLcode code)
{
    assert(code == CURLE_OK);
    (void)code;
}
#define SET(easy, option, value) must(curl_easy_setopt((easy), (option), (value)))

static struct curl_slist *list_add(struct curl_slist *list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(list, text);
    if (!longer) out_of_memory();
    return longer;
}

/* What others wrote, fit for one line. */
static void put_printable(char *to, size_t size, const char *text, size_t len)
{
    size_t i = 0;
    for (; i < len && i + 1 < size; i++)
        to[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
    to[i] = '\0';
}

/* ---- what libcurl calls ---- */

/* A name is resolved at each connection, to whatever its owner likes: the address counts. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct trip *trip = data;
    (void)purpose;
    if (!trip->settings->allow_private && !address_is_public(&address->addr)) {
        trip->was_private = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A line of the header, or of what the mail server says: its farewell is none that we want to know.
 * Of 1xx answers there may be any number, so it is counted over all of them. */
static size_t take_header(char *data, size_t size, size_t count, void *user)
{
    struct trip *trip = user;
    size_t len = size * count;
    trip->header_read += len;
    if (trip->parcel->kind == PARCEL_MAIL && memcmp(trip->command, "QUIT", 4) != 0) {
        while (len && (data[len - 1] == '\n' || data[len - 1] == '\r'))
            len--;
        put_printable(trip->line, sizeof(trip->line), data, len);
        memcpy(trip->answered, trip->command, sizeof(trip->answered));
    }
    return trip->header_read > TRIP_READ_MOST ? 0 : size * count;
}

/* Read so that the connection can be used again, and not kept. */
static size_t take_body(char *data, size_t size, size_t count, void *user)
{
    struct trip *trip = user;
    (void)data;
    trip->body_read += size * count;
    return trip->body_read > TRIP_READ_MOST ? 0 : size * count;
}

static size_t give_mail(char *to, size_t size, size_t count, void *user)
{
    struct trip *trip = user;
    struct str body = trip->parcel->body;
    size_t len = body.len - trip->body_sent;
    if (len > size * count) len = size * count;
    if (len) memcpy(to, body.data + trip->body_sent, len);
    trip->body_sent += len;
    return len;
}

/* Which command the mail server's answer belongs to. Others hold the password: only the word is
 * kept. */
static int watch(CURL *easy, curl_infotype type, char *data, size_t size, void *user)
{
    struct trip *trip = user;
    (void)easy;
    if (type == CURLINFO_HEADER_OUT && size >= 4) memcpy(trip->command, data, 4);
    return 0;
}

/* ---- preparing ---- */

static void prepare_any(struct trip *trip)
{
    CURL *easy = trip->easy;
    SET(easy, CURLOPT_PRIVATE, trip);
    SET(easy, CURLOPT_ERRORBUFFER, trip->problem);
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    /* A name that takes long to resolve would otherwise hold the thread when it is given up. */
    SET(easy, CURLOPT_QUICK_EXIT, 1L);
    SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)TRIP_CONNECT_MS);
    SET(easy, CURLOPT_PROXY, ""); /* not even one of the environment */
    SET(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, CURLOPT_HEADERFUNCTION, take_header);
    SET(easy, CURLOPT_HEADERDATA, trip);
    SET(easy, CURLOPT_WRITEFUNCTION, take_body);
    SET(easy, CURLOPT_WRITEDATA, trip);
    SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (trip->settings->ca_file) {
        SET(easy, CURLOPT_CAINFO, trip->settings->ca_file);
        SET(easy, CURLOPT_CAPATH, NULL);
    }
}

static bool prepare_post(struct trip *trip, struct arena *arena)
{
    CURL *easy = trip->easy;
    const struct parcel *parcel = trip->parcel;
    bool allow_private = trip->settings->allow_private;
    const char *error = courier_post_url_error(parcel->url, allow_private, arena);
    if (error) {
        /* The setting may have been another one when it was registered. */
        snprintf(trip->parcel->error, PARCEL_ERROR_SIZE, "the URL %s", error);
        return false;
    }
    SET(easy, CURLOPT_URL, arena_cstr(arena, parcel->url));
    SET(easy, CURLOPT_PROTOCOLS_STR, allow_private ? "http,https" : "https");
    SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_TIMEOUT_MS, (long)trip->settings->http_try_ms);
    SET(easy, CURLOPT_MAXAGE_CONN, 20L);
    SET(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(easy, CURLOPT_OPENSOCKETDATA, trip);
    SET(easy, CURLOPT_USERAGENT, trip->settings->user_agent);
    SET(easy, CURLOPT_PATH_AS_IS, 1L);
    SET(easy, CURLOPT_POST, 1L);
    SET(easy, CURLOPT_POSTFIELDS, parcel->body.len ? parcel->body.data : "");
    SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)parcel->body.len);
    trip->list = list_add(NULL, "Expect:"); /* no "100 Continue" is waited for */
    for (size_t i = 0; i < parcel->header_count; i++)
        trip->list = list_add(trip->list, arena_cstr(arena, parcel->headers[i]));
    SET(easy, CURLOPT_HTTPHEADER, trip->list);
    return true;
}

/* It goes into a line of the protocol as it is. */
static bool is_mailbox(struct str text)
{
    if (text.len == 0 || text.len > EMAIL_MAX_BYTES || !str_is_utf8(text)) return false;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f || text.data[i] == '<' ||
            text.data[i] == '>')
            return false;
    return memchr(text.data, '@', text.len) != NULL;
}

static bool prepare_mail(struct trip *trip, const struct mail_server *server, struct arena *arena)
{
    CURL *easy = trip->easy;
    struct parcel *parcel = trip->parcel;
    if (!is_mailbox(parcel->to) || !is_mailbox(parcel->from)) {
        snprintf(parcel->error, PARCEL_ERROR_SIZE, "the %s is no address that mail can go to",
                 is_mailbox(parcel->to) ? "sender" : "recipient");
        return false;
    }
    SET(easy, CURLOPT_URL, server->url);
    SET(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(easy, CURLOPT_USE_SSL, (long)(server->starttls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    if (server->user) SET(easy, CURLOPT_USERNAME, server->user);
    if (server->password) SET(easy, CURLOPT_PASSWORD, server->password);
    if (server->options) SET(easy, CURLOPT_LOGIN_OPTIONS, server->options);
    SET(easy, CURLOPT_TIMEOUT_MS, (long)trip->settings->mail_try_ms);
    /* A server that has had enough of waiting says so and hangs up, which would be taken for the
     * answer to the next mail: a connection is used again at once, or not at all. */
    SET(easy, CURLOPT_MAXAGE_CONN, 2L);
    SET(easy, CURLOPT_MAIL_FROM, arena_printf(arena, "<%.*s>", STR_FMT(parcel->from)).data);
    trip->list = list_add(NULL, arena_printf(arena, "<%.*s>", STR_FMT(parcel->to)).data);
    SET(easy, CURLOPT_MAIL_RCPT, trip->list);
    SET(easy, CURLOPT_UPLOAD, 1L);
    SET(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)parcel->body.len);
    SET(easy, CURLOPT_READFUNCTION, give_mail);
    SET(easy, CURLOPT_READDATA, trip);
    SET(easy, CURLOPT_DEBUGFUNCTION, watch);
    SET(easy, CURLOPT_DEBUGDATA, trip);
    SET(easy, CURLOPT_VERBOSE, 1L);
    return true;
}

/* The handle stays: a mail's connection hangs on it. */
static void trip_clear(struct trip *trip)
{
    CURL *easy = trip->easy;
    if (easy) curl_easy_reset(easy); /* it must not point to what is freed */
    curl_slist_free_all(trip->list);
    *trip = (struct trip){.easy = easy};
}

void trip_free(struct trip *trip)
{
    assert(!trip->parcel);
    curl_easy_cleanup(trip->easy);
    *trip = (struct trip){0};
}

bool trip_begin(struct trip *trip, struct parcel *parcel, const struct courier_settings *settings,
                const struct mail_server *server)
{
    struct arena arena = {0}; /* libcurl copies texts, but for the body */
    assert(!trip->parcel);
    if (!trip->easy && !(trip->easy = curl_easy_init())) out_of_memory();
    trip->parcel = parcel;
    trip->settings = settings;
    trip->began_us = clock_monotonic_us();
    prepare_any(trip);
    bool good = parcel->kind == PARCEL_POST ? prepare_post(trip, &arena)
                                            : prepare_mail(trip, server, &arena);
    if (!good) {
        parcel->fate = PARCEL_REFUSED;
        trip_clear(trip);
    }
    arena_free(&arena);
    return good;
}

/* ---- the report ---- */

static void report_post(struct trip *trip, CURLcode code)
{
    struct parcel *parcel = trip->parcel;
    curl_off_t retry_after = 0;
    if (parcel->answer >= 200 && parcel->answer < 300) {
        /* Whatever became of the rest, it says that it has it. */
        parcel->fate = PARCEL_DELIVERED;
        return;
    }
    parcel->fate = PARCEL_FAILED;
    if (curl_easy_getinfo(trip->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK)
        parcel->retry_after_s = retry_after < RETRY_AFTER_MOST_S ? retry_after : RETRY_AFTER_MOST_S;
    if (parcel->answer >= 300 && parcel->answer < 400)
        snprintf(parcel->error, PARCEL_ERROR_SIZE,
                 "it answered %d, and redirects are not followed: register where it leads to",
                 parcel->answer);
    else if (parcel->answer >= 400)
        snprintf(parcel->error, PARCEL_ERROR_SIZE, "it answered %d", parcel->answer);
    else if (trip->was_private ||
             (code == CURLE_COULDNT_RESOLVE_HOST && !trip->settings->allow_private))
        /* In the same words, as a stranger may ask for names of an inner network. */
        snprintf(parcel->error, PARCEL_ERROR_SIZE, "its name leads to no public address");
    else if (code == CURLE_OPERATION_TIMEDOUT)
        snprintf(parcel->error, PARCEL_ERROR_SIZE, "it did not answer within %d seconds",
                 trip->settings->http_try_ms / 1000);
    else if (trip->header_read > TRIP_READ_MOST)
        snprintf(parcel->error, PARCEL_ERROR_SIZE, "it answered with a header without end");
    else
        put_printable(parcel->error, PARCEL_ERROR_SIZE, trip->problem, strlen(trip->problem));
}

static void report_mail(struct trip *trip, CURLcode code)
{
    struct parcel *parcel = trip->parcel;
    if (code == CURLE_OK) {
        parcel->fate = PARCEL_DELIVERED;
        return;
    }
    /* What it has against us (our login, our address) can be mended; what it has against the
     * recipient or the mail stays. */
    bool about_mail =
        memcmp(trip->answered, "RCPT", 4) == 0 || memcmp(trip->answered, "DATA", 4) == 0;
    parcel->fate = parcel->answer >= 500 && about_mail ? PARCEL_REFUSED : PARCEL_FAILED;
    if (parcel->answer >= 400 && trip->line[0])
        snprintf(parcel->error, PARCEL_ERROR_SIZE, "the mail server answered: %s", trip->line);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        snprintf(parcel->error, PARCEL_ERROR_SIZE,
                 "the mail server did not answer within %d seconds",
                 trip->settings->mail_try_ms / 1000);
    else
        put_printable(parcel->error, PARCEL_ERROR_SIZE, trip->problem, strlen(trip->problem));
}

/* The last status that came. */
static int answer_of(const struct trip *trip)
{
    long answer = 0;
    if (trip->parcel->kind == PARCEL_MAIL) {
        uint64_t code;
        size_t len = strnlen(trip->line, 3);
        return str_to_u64((struct str){trip->line, len}, &code) ? (int)code : 0;
    }
    curl_easy_getinfo(trip->easy, CURLINFO_RESPONSE_CODE, &answer);
    return answer >= 200 ? (int)answer : 0; /* 1xx are none yet */
}

void trip_end(struct trip *trip, CURLcode code)
{
    struct parcel *parcel = trip->parcel;
    parcel->took_us = clock_monotonic_us() - trip->began_us;
    parcel->answer = answer_of(trip);
    (parcel->kind == PARCEL_POST ? report_post : report_mail)(trip, code);
    if (parcel->fate != PARCEL_DELIVERED && !parcel->error[0])
        put_printable(parcel->error, PARCEL_ERROR_SIZE, curl_easy_strerror(code),
                      strlen(curl_easy_strerror(code)));
    trip_clear(trip);
}

void trip_give_up(struct trip *trip)
{
    struct parcel *parcel = trip->parcel;
    parcel->took_us = clock_monotonic_us() - trip->began_us;
    parcel->fate = PARCEL_FAILED;
    snprintf(parcel->error, PARCEL_ERROR_SIZE, "admit was stopped before an answer came");
    trip_clear(trip);
}
