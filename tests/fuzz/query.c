/* SPDX-License-Identifier: Apache-2.0 */
/* Query strings: taken apart, encoded and taken apart again, and behind every list. */
#include "lib/office.h"

#include "http/query.h"

static struct arena arena;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    office_api();
    return 0;
}

static void check_pair(struct str text)
{
    struct buf encoded = {0};
    struct str again;
    assert(str_is_utf8(text));
    percent_encode(&encoded, text);
    assert(percent_decode(&arena, buf_str(&encoded), &again) && str_equal(again, text));
    buf_free(&encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        const char *path;
        unsigned user;
    } lists[] = {{"/v1/events", 0},
                 {"/v1/events", 2},
                 {"/v1/bookings", 3},
                 {"/v1/users", 1},
                 {"/v1/events/1/bookings", 2},
                 {"/v1/events/1/tickets", 2},
                 {"/v1/journal", 1},
                 {"/v1/journal", 2},
                 {"/v1/webhooks", 2},
                 {"/v1/webhooks/1/deliveries", 2},
                 {"/v1/events/1/bookings.csv", 2}};
    struct query query;
    if (query_parse(&arena, fuzz_text(data, size), &query))
        for (size_t i = 0; i < query.count; i++) {
            check_pair(query.pairs[i].name);
            check_pair(query.pairs[i].value);
        }
    office_begin();
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct buf target = {0};
        buf_printf(&target, "%s?", lists[i].path);
        buf_add(&target, data, size);
        office_request(HTTP_GET, buf_str(&target), lists[i].user, (struct str){0}, (struct str){0});
        buf_free(&target);
    }
    office_end();
    arena_reset(&arena);
    return 0;
}
