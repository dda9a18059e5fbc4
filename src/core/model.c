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

const char *const topic_names[TOPIC_COUNT] = {
    [TOPIC_NONE] = "none",
    [TOPIC_BOOKING_CONFIRMED] = "booking.confirmed",
    [TOPIC_BOOKING_WAITING] = "booking.waiting",
    [TOPIC_BOOKING_PROMOTED] = "booking.promoted",
    [TOPIC_BOOKING_CANCELLED] = "booking.cancelled",
    [TOPIC_EVENT_CHANGED] = "event.changed",
    [TOPIC_EVENT_CANCELLED] = "event.cancelled",
    [TOPIC_EVENT_SOLD_OUT] = "event.sold_out",
    [TOPIC_WEBHOOK_TEST] = "webhook.test",
    [TOPIC_WELCOME] = "account.welcome",
    [TOPIC_CONFIRM_EMAIL] = "account.confirm_email",
    [TOPIC_PASSWORD_RESET] = "account.password_reset",
    [TOPIC_PASSWORD_CHANGED] = "account.password_changed",
    [TOPIC_WEBHOOK_DISABLED] = "webhook.disabled",
    [TOPIC_EMAIL_CHANGED] = "account.email_changed",
};

const char *const message_status_names[4] = {
    "none",
    [MESSAGE_WAITING] = "waiting",
    [MESSAGE_SENT] = "sent",
    [MESSAGE_PARKED] = "parked",
};

const char *const webhook_status_names[4] = {
    "none",
    [WEBHOOK_ON] = "on",
    [WEBHOOK_OFF] = "off",
    [WEBHOOK_DISABLED] = "disabled",
};

int name_index(const char *const *names, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(str_of(names[i]), name)) return (int)i;
    return -1;
}
