/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model.h"

const char *const event_status_names[4] = {
    [EVENT_DRAFT] = "draft",
    [EVENT_ON_SALE] = "on_sale",
    [EVENT_CLOSED] = "closed",
    [EVENT_IS_CANCELLED] = "cancelled",
};

const char *const booking_status_names[6] = {
    [BOOKING_NONE] = "none",           [BOOKING_WAITING] = "waiting",
    [BOOKING_HELD] = "held",           [BOOKING_CONFIRMED] = "confirmed",
    [BOOKING_CANCELLED] = "cancelled", [BOOKING_EXPIRED] = "expired",
};

const char *const role_names[3] = {
    [ROLE_USER] = "user",
    [ROLE_ORGANIZER] = "organizer",
    [ROLE_ADMIN] = "admin",
};

const char *const payment_method_names[4] = {
    [PAYMENT_CASH] = "cash",
    [PAYMENT_TRANSFER] = "transfer",
    [PAYMENT_CARD] = "card",
    [PAYMENT_OTHER] = "other",
};

int name_index(const char *const *names, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(str_of(names[i]), name)) return (int)i;
    return -1;
}
