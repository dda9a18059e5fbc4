/* SPDX-License-Identifier: Apache-2.0 */
/* The courier by itself, for tests/courier: orders come in and reports go out, one JSON object a
 * line.
 *
 *     courier [--allow-private] [--smtp URL] [--ca FILE] [--most N] [--each-most N] [--depth N]
 *             [--http-try MS] [--mail-try MS] [--name NAME=ADDRESS[,ADDRESS...]]...
 *
 *     {"id": 1, "url": "https://...", "headers": ["a: b"], "body": "...", "receiver": 7}
 *     {"id": 2, "from": "...", "to": "...", "body": "..."}       a mail; "begin_by_ms" in both
 *     {"busy": true}        is answered with {"busy": [7], "room": 3}
 *     {"stop": MS}          and it ends; so it does at the end of the input, at once
 *
 *     {"id": 1, "fate": "delivered", "answer": 200, "error": "", "retry_after_s": 0}
 *
 * --name is the resolver of a stranger: at each look-up the next address, then always the last. */
#include <assert.h>
#include <dlfcn.h>
#include <getopt.h>
#include <jansson.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "notify/courier.h"

/* ---- names ---- */

enum { NAMES_MOST = 8, NAME_SIZE = 256 };

static struct {
    const char *name, *addresses;
    atomic_uint looked_up;
} names[NAMES_MOST];
static size_t name_count;

static void add_name(char *text)
{
    char *equals = strchr(text, '=');
    assert(equals && name_count < NAMES_MOST);
    *equals = '\0';
    names[name_count].name = text;
    names[name_count++].addresses = equals + 1;
}

static struct str address_for(size_t index)
{
    struct str rest = str_of(names[index].addresses), address = str_cut(&rest, ',');
    for (unsigned skip = names[index].looked_up++; skip && rest.len; skip--)
        address = str_cut(&rest, ',');
    return address;
}

#ifdef __clang__ /* Its control flow integrity does not know the C library's functions. */
#define CALLS_A_LIBRARY __attribute__((no_sanitize("cfi-icall")))
#else
#define CALLS_A_LIBRARY
#endif

/* In place of the C library's, for libcurl, too. */
__attribute__((visibility("default"))) CALLS_A_LIBRARY int getaddrinfo(const char *node,
                                                                       const char *service,
                                                                       const struct addrinfo *hints,
                                                                       struct addrinfo **ret_list)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    char address[NAME_SIZE];
    for (size_t i = 0; node && i < name_count; i++) {
        if (strcmp(names[i].name, node) != 0) continue;
        struct str text = address_for(i);
        snprintf(address, sizeof(address), "%.*s", STR_FMT(text));
        node = address;
        break;
    }
    return real(node, service, hints, ret_list);
}

/* ---- orders and reports ---- */

struct order {
    struct parcel parcel;
    json_t *json; /* the texts of the parcel are its */
    struct str headers[8];
};

static pthread_mutex_t out = PTHREAD_MUTEX_INITIALIZER;

static void print(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    pthread_mutex_lock(&out);
    puts(text);
    fflush(stdout);
    pthread_mutex_unlock(&out);
    free(text);
    json_decref(json);
}

static void report(struct order *order, const char *fate)
{
    const struct parcel *parcel = &order->parcel;
    print(json_pack("{s:I,s:s,s:i,s:s,s:I}", "id",
                    json_integer_value(json_object_get(order->json, "id")), "fate", fate, "answer",
                    parcel->answer, "error", parcel->error, "retry_after_s",
                    (json_int_t)parcel->retry_after_s));
    json_decref(order->json);
    free(order);
}

static void done(struct parcel *parcel)
{
    static const char *const fates[] = {[PARCEL_UNTRIED] = "untried",
                                        [PARCEL_DELIVERED] = "delivered",
                                        [PARCEL_FAILED] = "failed",
                                        [PARCEL_REFUSED] = "refused"};
    report(parcel->data, fates[parcel->fate]);
}

static struct str text_of(json_t *json, const char *key)
{
    json_t *value = json_object_get(json, key);
    return (struct str){json_string_value(value), json_string_length(value)};
}

static void send_order(struct courier *courier, json_t *json)
{
    struct order *order = calloc(1, sizeof(*order));
    assert(order);
    struct parcel *parcel = &order->parcel;
    json_int_t begin_by_ms = json_integer_value(json_object_get(json, "begin_by_ms"));
    json_t *headers = json_object_get(json, "headers");
    order->json = json;
    *parcel = (struct parcel){
        .kind = json_object_get(json, "url") ? PARCEL_POST : PARCEL_MAIL,
        .receiver = (uint64_t)json_integer_value(json_object_get(json, "receiver")),
        .begin_by_us = begin_by_ms ? clock_monotonic_us() + begin_by_ms * 1000 : 0,
        .url = text_of(json, "url"),
        .from = text_of(json, "from"),
        .to = text_of(json, "to"),
        .body = text_of(json, "body"),
        .headers = order->headers,
        .header_count = json_array_size(headers),
        .done = done,
        .data = order,
    };
    assert(parcel->header_count <= sizeof(order->headers) / sizeof(order->headers[0]));
    for (size_t i = 0; i < parcel->header_count; i++)
        order->headers[i] = str_of(json_string_value(json_array_get(headers, i)));
    if (!courier_send(courier, parcel)) report(order, "not taken");
}

static void tell_busy(struct courier *courier)
{
    uint64_t receivers[16];
    size_t count = courier_busy(courier, receivers, 16);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer((json_int_t)receivers[i]));
    print(json_pack("{s:o,s:I}", "busy", list, "room",
                    (json_int_t)courier_room(courier, PARCEL_POST)));
}

/* How long what is under way may still take. */
static int obey(struct courier *courier)
{
    static char line[1 << 20];
    while (fgets(line, sizeof(line), stdin)) {
        json_t *json = json_loads(line, 0, NULL);
        assert(json);
        json_t *stop = json_object_get(json, "stop");
        bool busy = json_object_get(json, "busy");
        int wait_ms = (int)json_integer_value(stop);
        if (!stop && !busy) {
            send_order(courier, json);
            continue;
        }
        json_decref(json);
        if (stop) return wait_ms;
        tell_busy(courier);
    }
    return 0;
}

static struct courier_settings settings_of(int argc, char **argv)
{
    struct courier_settings settings = {.most = 64,
                                        .each_most = 4,
                                        .depth = 256,
                                        .http_try_ms = 15000,
                                        .mail_try_ms = 15000,
                                        .user_agent = "admit/test"};
    static const struct option flags[] = {
        {"allow-private", no_argument, NULL, 'p'},   {"smtp", required_argument, NULL, 's'},
        {"ca", required_argument, NULL, 'c'},        {"most", required_argument, NULL, 'm'},
        {"each-most", required_argument, NULL, 'e'}, {"depth", required_argument, NULL, 'd'},
        {"http-try", required_argument, NULL, 'h'},  {"mail-try", required_argument, NULL, 't'},
        {"name", required_argument, NULL, 'n'},      {0}};
    for (int flag; (flag = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
        switch (flag) {
        case 'p': settings.allow_private = true; break;
        case 's': settings.smtp_url = optarg; break;
        case 'c': settings.ca_file = optarg; break;
        case 'm': settings.most = (unsigned)atoi(optarg); break;
        case 'e': settings.each_most = (unsigned)atoi(optarg); break;
        case 'd': settings.depth = (unsigned)atoi(optarg); break;
        case 'h': settings.http_try_ms = atoi(optarg); break;
        case 't': settings.mail_try_ms = atoi(optarg); break;
        case 'n': add_name(optarg); break;
        default: exit(2);
        }
    }
    return settings;
}

int main(int argc, char **argv)
{
    struct courier_settings settings = settings_of(argc, argv);
    struct arena arena = {0};
    const char *error;
    struct courier *courier = courier_start(&settings, &arena, &error);
    if (!courier) {
        fprintf(stderr, "%s\n", error);
        arena_free(&arena);
        return 1;
    }
    courier_stop(courier, obey(courier));
    arena_free(&arena);
    return 0;
}
