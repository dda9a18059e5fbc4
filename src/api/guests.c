/* SPDX-License-Identifier: Apache-2.0 */
/* What an event's managers see of those who booked: the bookings as a list and as a table, and
 * who holds which ticket. */
#include "api/bookings.h"
#include "api/compose.h"
#include "api/events.h"
#include "api/reply.h"
#include "api/resources.h"
#include "base/clock.h"

struct guests {
    struct booking_query query;
    void (*answer)(struct call *call, struct store *store);
};

/* Only for those who manage the event. */
static void read_for_managers(struct call *call, struct store *store)
{
    const struct guests *guests = call->state;
    if (event_find_managed(call, store, call->id)) guests->answer(call, store);
}

static void ask(struct call *call, struct guests *guests)
{
    if (reply_errors(call) || !call_path_id(call, NO_SUCH_EVENT, &call->id)) return;
    guests->query.event_id = call->id;
    call->state = guests;
    call_read(call, read_for_managers);
}

static void answer_list(struct call *call, struct store *store)
{
    const struct guests *guests = call->state;
    booking_list_answer(call, store, &guests->query, true);
}

void guests_list(struct call *call)
{
    struct guests *guests = ARENA_NEW(call->arena, struct guests);
    guests->answer = answer_list;
    struct parameters parameters = parameters_of(call);
    booking_query_read(&parameters, &guests->query);
    parameter_words(&parameters, "q", &guests->query.q);
    parameters_end(&parameters);
    ask(call, guests);
}

/* ---- as a table (RFC 4180) ---- */

/* A cell that begins like a formula would be run by spreadsheets: an apostrophe says it is text. */
static void csv_text(struct buf *out, struct str text)
{
    buf_add_char(out, '"');
    if (text.len && strchr("=+-@\t\r", text.data[0])) buf_add_char(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"') buf_add_char(out, '"');
        buf_add_char(out, text.data[i]);
    }
    buf_add_char(out, '"');
}

static void csv_row(struct buf *out, const struct api *api, const struct booking_view *booking)
{
    char reference[REFERENCE_TEXT_SIZE], time[TIME_TEXT_SIZE];
    const struct booking *row = &booking->row;
    reference_write(&api->settings.reference_key, row->id, reference);
    buf_printf(out, "%s,%s,", reference, booking_status_names[row->status]);
    csv_text(out, booking->type_name);
    buf_printf(out, ",%u,", row->quantity);
    for (size_t i = 0; i < row->number_count; i++)
        buf_printf(out, i ? " %u" : "%u", row->numbers[i]);
    buf_printf(out, ",%lld,%lld,%lld,%s,%llu,", (long long)row->unit_price,
               (long long)booking_total(row), (long long)row->paid, booking->currency,
               (unsigned long long)row->user_id);
    csv_text(out, booking->user.name);
    buf_add_char(out, ',');
    csv_text(out, booking->user.email);
    buf_add_char(out, ',');
    csv_text(out, booking->user.username);
    time_format(row->created_at, time);
    buf_printf(out, ",%s", time);
    time_format(row->updated_at, time);
    buf_printf(out, ",%s\r\n", time);
}

static void answer_csv(struct call *call, struct store *store)
{
    struct guests *guests = call->state;
    struct buf *out = call_scratch();
    struct arena page = {0};
    buf_add_str(out, STR("reference,status,ticket_type,quantity,tickets,unit_price,total,paid,"
                         "currency,user_id,name,email,username,created_at,updated_at\r\n"));
    guests->query.limit = 500;
    for (size_t count = guests->query.limit; count == guests->query.limit;) {
        struct booking_list list;
        arena_reset(&page);
        enum store_status status = store_list_bookings(store, &guests->query, &page, &list);
        if (status != STORE_OK) {
            arena_free(&page);
            reply_fault(call, store, status);
            return;
        }
        for (size_t i = 0; i < list.count; i++)
            csv_row(out, call->api, list.items[i]);
        count = list.count;
        if (count) guests->query.before = list.items[count - 1]->row.id;
    }
    arena_free(&page);
    reply_set_json(call, 200, buf_str(out));
    call->request->reply.content_type = "text/csv; charset=utf-8";
    reply_header(call, "Content-Disposition", STR("attachment; filename=\"bookings.csv\""));
    reply_send(call);
}

void guests_csv(struct call *call)
{
    struct guests *guests = ARENA_NEW(call->arena, struct guests);
    guests->answer = answer_csv;
    int status;
    struct parameters parameters = parameters_of(call);
    guests->query.status = -1;
    if (parameter_choice(&parameters, "status", booking_status_names + BOOKING_WAITING, 5, &status))
        guests->query.status = status + BOOKING_WAITING;
    parameter_words(&parameters, "q", &guests->query.q);
    parameters_end(&parameters);
    ask(call, guests);
}

/* ---- tickets ---- */

static void compose_ticket(struct buf *out, const struct api *api, const struct ticket_view *ticket)
{
    emit_open(out, '{');
    emit_key_u64(out, "number", ticket->number);
    emit_key_bool(out, "booked", ticket->is_booked);
    emit_key(out, "booking");
    if (ticket->booking_id)
        compose_reference(out, api, ticket->booking_id);
    else
        emit_null(out);
    emit_key(out, "holder");
    if (ticket->booking_id)
        compose_holder(out, &ticket->user);
    else
        emit_null(out);
    emit_close(out, '}');
}

static void answer_tickets(struct call *call, struct store *store)
{
    const struct guests *guests = call->state;
    size_t limit = guests->query.limit - 1;
    struct ticket_list list;
    enum store_status status = store_list_tickets(store, call->id, (uint32_t)guests->query.before,
                                                  guests->query.limit, call->arena, &list);
    if (status != STORE_OK) {
        reply_fault(call, store, status);
        return;
    }
    struct buf *out = call_scratch();
    compose_list_open(out);
    for (size_t i = 0; i < list.count && i < limit; i++)
        compose_ticket(out, call->api, &list.items[i]);
    uint64_t last = list.count > limit ? list.items[limit - 1].number : 0;
    compose_list_close_id(out, call, last);
    reply_send(call);
}

void guests_tickets(struct call *call)
{
    struct guests *guests = ARENA_NEW(call->arena, struct guests);
    guests->answer = answer_tickets;
    struct parameters parameters = parameters_of(call);
    guests->query.limit = parameter_limit(&parameters) + 1;
    parameter_id_cursor(&parameters, &guests->query.before);
    parameters_end(&parameters);
    if (guests->query.before > UINT32_MAX) cursor_error(&parameters);
    ask(call, guests);
}
