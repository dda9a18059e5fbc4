/* SPDX-License-Identifier: Apache-2.0 */
#include "api/compose.h"

#include <sodium.h>
#include <stdio.h>

#include "api/reply.h"

static void key_name(struct buf *out, const char *name, const char *value)
{
    emit_key_str(out, name, str_of(value));
}

static void key_limit(struct buf *out, const char *name, uint32_t limit)
{
    emit_key(out, name);
    if (limit)
        emit_u64(out, limit);
    else
        emit_null(out);
}

void compose_reference(struct buf *out, const struct api *api, uint64_t booking_id)
{
    char text[REFERENCE_TEXT_SIZE];
    reference_write(&api->settings.reference_key, booking_id, text);
    emit_str(out, (struct str){text, REFERENCE_TEXT_SIZE - 1});
}

void compose_user(struct buf *out, const struct user *user)
{
    emit_open(out, '{');
    emit_key_u64(out, "id", user->id);
    emit_key_str_or_null(out, "email", user->email);
    emit_key_bool(out, "email_verified", user->verified_at != 0);
    emit_key_str_or_null(out, "username", user->username);
    emit_key_str(out, "name", user->name);
    key_name(out, "role", role_names[user->role]);
    emit_key(out, "notify");
    emit_open(out, '{');
    emit_key_bool(out, "email", user->mail);
    emit_close(out, '}');
    emit_key_time(out, "created_at", user->created_at);
    emit_close(out, '}');
}

void compose_holder(struct buf *out, const struct user *user)
{
    emit_open(out, '{');
    emit_key_u64(out, "id", user->id);
    emit_key_str(out, "name", user->name);
    emit_key_str_or_null(out, "email", user->email);
    emit_key_str_or_null(out, "username", user->username);
    emit_close(out, '}');
}

/* ---- events ---- */

static void compose_counters(struct buf *out, const struct ticket_type *type)
{
    emit_key_u64(out, "capacity", type->capacity);
    emit_key_u64(out, "booked", type->booked);
    emit_key_u64(out, "held", type->held);
    emit_key_u64(out, "available", ticket_type_available(type));
    emit_key_u64(out, "waiting", type->waiting);
}

/* All types of an event together. */
static struct ticket_type sum_of(const struct event *event)
{
    struct ticket_type sum = {0};
    for (size_t i = 0; i < event->type_count; i++) {
        sum.capacity += event->types[i].capacity;
        sum.booked += event->types[i].booked;
        sum.held += event->types[i].held;
        sum.waiting += event->types[i].waiting;
    }
    return sum;
}

static void compose_type(struct buf *out, const struct ticket_type *type)
{
    emit_open(out, '{');
    emit_key_u64(out, "id", type->id);
    emit_key_str(out, "name", type->name);
    compose_counters(out, type);
    emit_key_i64(out, "price", type->price);
    key_limit(out, "max_per_booking", type->max_per_booking);
    emit_key_time(out, "sales_start", type->sales_start);
    emit_key_time(out, "sales_end", type->sales_end);
    emit_close(out, '}');
}

void compose_event(struct buf *out, const struct event *event)
{
    struct ticket_type sum = sum_of(event);
    emit_open(out, '{');
    emit_key_u64(out, "id", event->id);
    emit_key_str(out, "name", event->name);
    emit_key_str(out, "description", event->description);
    emit_key_str(out, "venue", event->venue);
    emit_key_time(out, "starts_at", event->starts_at);
    emit_key_time(out, "ends_at", event->ends_at);
    emit_key_str(out, "timezone", event->timezone);
    key_name(out, "currency", event->currency);
    key_name(out, "status", event_status_names[event->status]);
    key_limit(out, "max_per_user", event->max_per_user);
    emit_key_u64(out, "organizer_id", event->organizer_id);
    compose_counters(out, &sum);
    emit_key(out, "ticket_types");
    emit_open(out, '[');
    for (size_t i = 0; i < event->type_count; i++)
        compose_type(out, &event->types[i]);
    emit_close(out, ']');
    emit_key_time(out, "created_at", event->created_at);
    emit_key_time(out, "updated_at", event->updated_at);
    emit_close(out, '}');
}

void compose_status(struct buf *out, const struct event *event)
{
    struct ticket_type sum = sum_of(event);
    emit_open(out, '{');
    emit_key_u64(out, "event_id", event->id);
    emit_key_str(out, "name", event->name);
    key_name(out, "status", event_status_names[event->status]);
    emit_key_u64(out, "available", ticket_type_available(&sum));
    emit_key_u64(out, "booked", sum.booked);
    emit_key_u64(out, "held", sum.held);
    emit_key_u64(out, "waiting", sum.waiting);
    emit_key(out, "ticket_types");
    emit_open(out, '[');
    for (size_t i = 0; i < event->type_count; i++) {
        emit_open(out, '{');
        emit_key_u64(out, "id", event->types[i].id);
        emit_key_str(out, "name", event->types[i].name);
        compose_counters(out, &event->types[i]);
        emit_close(out, '}');
    }
    emit_close(out, ']');
    emit_close(out, '}');
}

void compose_etag(char etag[ETAG_SIZE], const struct event *event)
{
    /* FNV-1a, 64 bits (Fowler, Noll, Vo): no secret here, only "did it change". */
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < event->type_count; i++) {
        const struct ticket_type *type = &event->types[i];
        const uint32_t counters[] = {type->capacity, type->booked, type->held, type->waiting};
        for (size_t j = 0; j < 4; j++)
            hash = (hash ^ counters[j]) * 0x100000001b3u;
    }
    snprintf(etag, ETAG_SIZE, "\"%llu-%016llx\"", (unsigned long long)event->version,
             (unsigned long long)hash);
}

/* ---- bookings ---- */

static const char *payment_status(const struct booking *booking)
{
    int64_t total = booking_total(booking);
    if (total == 0 && booking->paid == 0) return "not_required";
    return booking->paid >= total ? "paid" : "due";
}

static void compose_paid(struct buf *out, const struct booking *booking)
{
    emit_key(out, "payment");
    emit_open(out, '{');
    key_name(out, "status", payment_status(booking));
    emit_key_i64(out, "paid", booking->paid);
    emit_close(out, '}');
}

static void compose_booking_event(struct buf *out, const struct booking_view *booking)
{
    emit_key(out, "event");
    emit_open(out, '{');
    emit_key_u64(out, "id", booking->row.event_id);
    emit_key_str(out, "name", booking->event_name);
    emit_key_str(out, "venue", booking->event_venue);
    emit_key_time(out, "starts_at", booking->event_starts_at);
    emit_key_str(out, "timezone", booking->event_timezone);
    key_name(out, "status", event_status_names[booking->event_status]);
    emit_close(out, '}');
    emit_key(out, "ticket_type");
    emit_open(out, '{');
    emit_key_u64(out, "id", booking->row.ticket_type_id);
    emit_key_str(out, "name", booking->type_name);
    emit_close(out, '}');
}

void compose_booking_open(struct buf *out, const struct api *api,
                          const struct booking_view *booking, bool with_user)
{
    const struct booking *row = &booking->row;
    emit_open(out, '{');
    emit_key(out, "reference");
    compose_reference(out, api, row->id);
    key_name(out, "status", booking_status_names[row->status]);
    compose_booking_event(out, booking);
    emit_key_u64(out, "quantity", row->quantity);
    emit_key(out, "tickets");
    emit_open(out, '[');
    for (size_t i = 0; i < row->number_count; i++) {
        emit_open(out, '{');
        emit_key_u64(out, "number", row->numbers[i]);
        emit_close(out, '}');
    }
    emit_close(out, ']');
    emit_key_i64(out, "unit_price", row->unit_price);
    emit_key_i64(out, "total", booking_total(row));
    key_name(out, "currency", booking->currency);
    compose_paid(out, row);
    emit_key_u64(out, "user_id", row->user_id);
    if (with_user) {
        emit_key(out, "user");
        compose_holder(out, &booking->user);
    }
    emit_key_time(out, "created_at", row->created_at);
    emit_key_time(out, "updated_at", row->updated_at);
    if (booking->position) {
        emit_key_u64(out, "position", booking->position);
        emit_key_u64(out, "ahead", booking->ahead);
    }
}

void compose_booking(struct buf *out, const struct api *api, const struct booking_view *booking,
                     bool with_user)
{
    compose_booking_open(out, api, booking, with_user);
    emit_close(out, '}');
}

struct booking_view booking_view_of(const struct result *result)
{
    struct booking_view view = {
        .row = *result->booking,
        .event_name = result->event->name,
        .event_venue = result->event->venue,
        .event_timezone = result->event->timezone,
        .event_starts_at = result->event->starts_at,
        .event_status = result->event->status,
        .organizer_id = result->event->organizer_id,
        .type_name = result->type->name,
        .position = result->position,
        .ahead = result->ahead,
    };
    memcpy(view.currency, result->event->currency, sizeof(view.currency));
    return view;
}

void compose_payment(struct buf *out, const struct api *api, const struct payment *payment,
                     const struct booking *booking)
{
    emit_open(out, '{');
    emit_key_u64(out, "id", payment->id);
    emit_key(out, "booking");
    compose_reference(out, api, payment->booking_id);
    emit_key_i64(out, "amount", payment->amount);
    key_name(out, "currency", payment->currency);
    key_name(out, "method", payment_method_names[payment->method]);
    emit_key_str(out, "note", payment->note);
    emit_key_time(out, "created_at", payment->created_at);
    if (booking) compose_paid(out, booking);
    emit_close(out, '}');
}

void compose_change(struct buf *out, const struct journal_entry *entry)
{
    emit_key_time(out, "at", entry->at);
    emit_key_str_or_null(out, "from",
                         entry->from ? str_of(booking_status_names[entry->from]) : (struct str){0});
    key_name(out, "to", booking_status_names[entry->to]);
    emit_key_u64(out, "quantity", entry->quantity);
    emit_key(out, "actor_id");
    if (entry->actor_id)
        emit_u64(out, entry->actor_id);
    else
        emit_null(out);
    key_name(out, "reason", entry->reason);
}

void compose_history(struct buf *out, const struct journal_list *journal, uint64_t owner_id)
{
    emit_open(out, '[');
    for (size_t i = 0; i < journal->count; i++) {
        const struct journal_entry *entry = &journal->items[i];
        emit_open(out, '{');
        compose_change(out, entry);
        key_name(out, "by",
                 entry->actor_id == 0          ? "system"
                 : entry->actor_id == owner_id ? "owner"
                                               : "manager");
        emit_close(out, '}');
    }
    emit_close(out, ']');
}

/* ---- webhooks ---- */

static void emit_topics(struct buf *out, uint32_t topics)
{
    emit_open(out, '[');
    for (int topic = TOPIC_NONE + 1; topic < TOPIC_COUNT; topic++)
        if (topics & 1u << topic) emit_str(out, str_of(topic_names[topic]));
    emit_close(out, ']');
}

void compose_webhook_open(struct buf *out, const struct webhook *webhook)
{
    emit_open(out, '{');
    emit_key_u64(out, "id", webhook->id);
    emit_key_str(out, "url", webhook->url);
    emit_key_str(out, "description", webhook->description);
    emit_key(out, "types");
    emit_topics(out, webhook->topics);
    emit_key_bool(out, "everything", webhook->everything);
    emit_key_str(out, "status", str_of(webhook_status_names[webhook->status]));
    emit_key_time(out, "failing_since", webhook->failing_since);
    emit_key_u64(out, "user_id", webhook->user_id);
    emit_key_time(out, "created_at", webhook->created_at);
    emit_key_time(out, "updated_at", webhook->updated_at);
}

void compose_webhook(struct buf *out, const struct webhook *webhook)
{
    compose_webhook_open(out, webhook);
    emit_close(out, '}');
}

/* ---- lists ---- */

void compose_list_open(struct buf *out)
{
    emit_open(out, '{');
    emit_key(out, "data");
    emit_open(out, '[');
}

/* Where the next page is: this request's path and query with another cursor (RFC 8288). */
static void set_next_link(struct call *call, const char *parameter, struct str cursor)
{
    struct buf link = {0};
    buf_add_char(&link, '<');
    buf_add_str(&link, call->request->path);
    buf_add_char(&link, '?');
    for (size_t i = 0; i < call->query.count; i++) {
        const struct query_pair *pair = &call->query.pairs[i];
        if (str_equal(pair->name, str_of(parameter))) continue;
        percent_encode(&link, pair->name);
        buf_add_char(&link, '=');
        percent_encode(&link, pair->value);
        buf_add_char(&link, '&');
    }
    buf_add_str(&link, str_of(parameter));
    buf_add_char(&link, '=');
    buf_add_str(&link, cursor);
    buf_add_str(&link, STR(">; rel=\"next\""));
    reply_header(call, "Link", buf_str(&link));
    buf_free(&link);
}

void compose_list_close(struct buf *out, struct call *call, struct str cursor)
{
    emit_close(out, ']');
    emit_key(out, "next_cursor");
    struct str encoded = {0};
    if (cursor.len) {
        size_t size =
            sodium_base64_encoded_len(cursor.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        char *text = arena_alloc(call->arena, size);
        sodium_bin2base64(text, size, (const unsigned char *)cursor.data, cursor.len,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        encoded = (struct str){text, size - 1};
    }
    emit_str_or_null(out, encoded);
    emit_close(out, '}');
    reply_set_json(call, 200, buf_str(out));
    if (encoded.len) set_next_link(call, "cursor", encoded);
}

void compose_list_close_id(struct buf *out, struct call *call, uint64_t last)
{
    compose_list_close(out, call, (struct str){(const char *)&last, last ? sizeof(last) : 0});
}

void compose_feed_close(struct buf *out, struct call *call, struct str cursor, bool caught_up)
{
    emit_close(out, ']');
    emit_key_str(out, "next_cursor", cursor);
    emit_key_bool(out, "caught_up", caught_up);
    emit_close(out, '}');
    reply_set_json(call, 200, buf_str(out));
    if (!caught_up) set_next_link(call, "after", cursor);
}

void compose_booking_told(struct buf *out, const struct booking_view *booking, const void *api)
{
    compose_booking(out, api, booking, true);
}

void compose_event_told(struct buf *out, const struct event *event, const void *api)
{
    (void)api;
    compose_event(out, event);
}
