/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes inside the cursors of all lists. The first byte chooses the order of the events. */
#include "lib/office.h"

#include <sodium.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    office_api();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const orders[] = {"starts_at", "-starts_at", "name", "name&q=concert"};
    static const struct {
        const char *path;
        unsigned user;
    } lists[] = {{"/v1/events?limit=1&sort=%s&cursor=%s", 2},
                 {"/v1/events?available=true&sort=%s&cursor=%s", 0},
                 {"/v1/bookings?limit=1&%.0scursor=%s", 3},
                 {"/v1/users?limit=1&%.0scursor=%s", 1},
                 {"/v1/events/1/bookings?limit=1&%.0scursor=%s", 2},
                 {"/v1/events/1/tickets?limit=1&%.0scursor=%s", 2},
                 {"/v1/webhooks?limit=1&%.0scursor=%s", 2},
                 {"/v1/webhooks/1/deliveries?limit=1&%.0scursor=%s", 2},
                 {"/v1/journal?limit=1&%.0safter=%s", 2}};
    if (size < 1 || size > 2000) return 0;
    char cursor[3000];
    sodium_bin2base64(cursor, sizeof(cursor), data + 1, size - 1,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    office_begin();
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct buf target = {0};
        buf_printf(&target, lists[i].path, orders[data[0] % 4], cursor);
        office_request(HTTP_GET, buf_str(&target), lists[i].user, (struct str){0}, (struct str){0});
        buf_free(&target);
    }
    office_end();
    return 0;
}
