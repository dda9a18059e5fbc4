/* SPDX-License-Identifier: Apache-2.0 */
/* All the data held on one person, for that person (GDPR, articles 15 and 20). */
#include "api/compose.h"
#include "api/reply.h"
#include "api/resources.h"
#include "base/clock.h"

enum { PAGE = 200 };

static enum store_status export_booking(struct buf *out, struct call *call, struct store *store,
                                        struct arena *page, const struct booking_view *booking)
{
    struct journal_list journal;
    struct payment_list payments;
    enum store_status status = store_booking_history(store, booking->row.id, page, &journal);
    if (status == STORE_OK)
        status = store_booking_payments(store, booking->row.id, page, &payments);
    if (status != STORE_OK) return status;

    compose_booking_open(out, call->api, booking, false);
    emit_key(out, "history");
    compose_history(out, &journal, booking->row.user_id);
    emit_key(out, "payments");
    emit_open(out, '[');
    for (size_t i = 0; i < payments.count; i++)
        compose_payment(out, call->api, &payments.items[i], NULL);
    emit_close(out, ']');
    emit_close(out, '}');
    return STORE_OK;
}

static enum store_status export_bookings(struct buf *out, struct call *call, struct store *store,
                                         struct arena *page)
{
    struct booking_query query = {.user_id = call->actor.id, .status = -1, .limit = PAGE};
    for (size_t count = PAGE; count == PAGE;) {
        struct booking_list list;
        arena_reset(page);
        enum store_status status = store_list_bookings(store, &query, page, &list);
        for (size_t i = 0; status == STORE_OK && i < list.count; i++) {
            status = export_booking(out, call, store, page, list.items[i]);
            query.before = list.items[i]->row.id;
        }
        if (status != STORE_OK) return status;
        count = list.count;
    }
    return STORE_OK;
}

static enum store_status export_events(struct buf *out, struct call *call, struct store *store,
                                       struct arena *page)
{
    struct event_query query = {
        .organizer = call->actor.id,
        .drafts_of = call->actor.id,
        .status = -1,
        .limit = PAGE,
        .now = clock_now_ms(),
    };
    enum store_status status = STORE_OK;
    for (size_t count = PAGE; status == STORE_OK && count == PAGE;) {
        struct event_list list = {0};
        arena_reset(page);
        status = store_search_events(store, &query, page, &list);
        for (size_t i = 0; status == STORE_OK && i < list.count; i++)
            compose_event(out, list.items[i]);
        count = list.count;
        if (count) {
            const struct event *event = list.items[count - 1];
            query.after =
                (struct page_after){.set = true, .id = event->id, .number = event->starts_at};
        }
    }
    return status;
}

static enum store_status export_webhooks(struct buf *out, struct call *call, struct store *store,
                                         struct arena *page)
{
    struct webhook_list list = {0};
    arena_reset(page);
    enum store_status status = store_list_webhooks(store, call->actor.id, page, &list);
    for (size_t i = 0; status == STORE_OK && i < list.count; i++)
        compose_webhook(out, list.items[i]);
    return status;
}

static const struct {
    const char *name;
    enum store_status (*write)(struct buf *out, struct call *call, struct store *store,
                               struct arena *page);
} parts[] = {
    {"bookings", export_bookings},
    {"events", export_events},
    {"webhooks", export_webhooks},
};

static void read_export(struct call *call, struct store *store)
{
    struct arena page = {0};
    struct buf *out = call_scratch();
    struct user *user = NULL;
    enum store_status status = store_find_user(store, call->actor.id, (struct str){0},
                                               (struct str){0}, call->arena, &user);
    if (status == STORE_OK && !user) {
        reply_problem(call, UNAUTHORIZED, (struct str){0});
        return;
    }
    if (status == STORE_OK) {
        emit_open(out, '{');
        emit_key_time(out, "exported_at", clock_now_ms());
        emit_key(out, "user");
        compose_user(out, user);
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && status == STORE_OK; i++) {
        emit_key(out, parts[i].name);
        emit_open(out, '[');
        status = parts[i].write(out, call, store, &page);
        emit_close(out, ']');
    }
    arena_free(&page);
    if (status != STORE_OK) {
        reply_fault(call, store, status);
        return;
    }
    emit_close(out, '}');
    reply_json(call, 200, buf_str(out));
}

void me_export(struct call *call)
{
    call_read(call, read_export);
}
