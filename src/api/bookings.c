/* SPDX-License-Identifier: Apache-2.0 */
#include "api/bookings.h"

#include "api/compose.h"
#include "api/reply.h"
#include "api/resources.h"

/* ---- booking ---- */

/* Not by printf: it is on the way of every booking, and took a tenth of what composing does. */
static const char *location_of(struct call *call, uint64_t booking_id)
{
    static const char path[] = "/v1/bookings/";
    char *text = ARENA_ARRAY(call->arena, char, sizeof(path) - 1 + REFERENCE_TEXT_SIZE);
    memcpy(text, path, sizeof(path) - 1);
    reference_write(&call->api->settings.reference_key, booking_id, text + sizeof(path) - 1);
    return text;
}

static void compose_booked(struct call *call, const struct result *result)
{
    struct buf *out = call_scratch();
    struct booking_view view = booking_view_of(result);
    compose_booking(out, call->api, &view, false);
    reply_set_json(call, outcome_texts[result->outcome].status, buf_str(out));
    reply_header(call, "Location", str_of(location_of(call, result->booking->id)));
}

void bookings_create(struct call *call)
{
    struct command *command = call_command(call, COMMAND_BOOK);
    int64_t quantity = 1, type_id = 0;
    command->book.join_waiting_list = true;
    struct fields fields = fields_of(call, call->body, "");
    /* More than a booking can have is for the rules to refuse (too_many), not for the form. */
    field_integer(&fields, "quantity", REQUIRED, 1, CAPACITY_MAX, &quantity);
    field_integer(&fields, "ticket_type_id", NULLABLE, 1, INT64_MAX, &type_id);
    field_boolean(&fields, "join_waiting_list", OPTIONAL, &command->book.join_waiting_list);
    fields_end(&fields);
    if (reply_errors(call)) return;
    command->book.quantity = (uint32_t)quantity;
    command->book.ticket_type_id = (uint64_t)type_id;
    if (call_path_id(call, NO_SUCH_EVENT, &command->book.event_id))
        call_decide(call, compose_booked);
}

/* ---- changing one ---- */

bool booking_path_id(struct call *call, uint64_t *ret_id)
{
    if (call_path_reference(call, 0, ret_id)) return true;
    reply_problem(call, NO_SUCH_BOOKING, (struct str){0});
    return false;
}

static void compose_the_booking(struct call *call, const struct result *result)
{
    struct buf *out = call_scratch();
    struct booking_view view = booking_view_of(result);
    compose_booking(out, call->api, &view, false);
    reply_set_json(call, 200, buf_str(out));
}

/* DELETE and POST .../cancel alike. */
void bookings_cancel(struct call *call)
{
    struct command *command = call_command(call, COMMAND_CANCEL);
    int64_t quantity = 0;
    struct fields fields = fields_of(call, call->body, "");
    field_integer(&fields, "quantity", OPTIONAL, 1, CAPACITY_MAX, &quantity);
    fields_end(&fields);
    if (reply_errors(call)) return;
    command->cancel.quantity = (uint32_t)quantity;
    if (booking_path_id(call, &command->cancel.booking_id)) call_decide(call, compose_the_booking);
}

static void compose_paid(struct call *call, const struct result *result)
{
    struct buf *out = call_scratch();
    compose_payment(out, call->api, result->payment, result->booking);
    reply_set_json(call, 201, buf_str(out));
}

void bookings_pay(struct call *call)
{
    struct command *command = call_command(call, COMMAND_PAY);
    int method = 0;
    struct fields fields = fields_of(call, call->body, "");
    field_integer(&fields, "amount", REQUIRED, 1, PRICE_MAX * QUANTITY_MAX / 100,
                  &command->pay.amount);
    field_choice(&fields, "method", REQUIRED, payment_method_names, 4, &method);
    field_text(&fields, "note", NULLABLE | MULTILINE, 0, NOTE_MAX_CHARACTERS, &command->pay.note);
    fields_end(&fields);
    if (reply_errors(call)) return;
    command->pay.method = (enum payment_method)method;
    if (booking_path_id(call, &command->pay.booking_id)) call_decide(call, compose_paid);
}

/* ---- looking ---- */

bool booking_is_visible(const struct actor *actor, bool may_organize,
                        const struct booking_view *booking)
{
    if (!booking) return false;
    struct event event = {.organizer_id = booking->organizer_id};
    return booking->row.user_id == actor->id || actor_manages(actor, may_organize, &event);
}

struct booking_view *booking_find(struct call *call, struct store *store)
{
    struct booking_view *booking;
    enum store_status status = store_find_booking(store, call->id, call->arena, &booking);
    if (status != STORE_OK)
        reply_fault(call, store, status);
    else if (!booking_is_visible(&call->actor, call_may_organize(call), booking))
        reply_problem(call, NO_SUCH_BOOKING, (struct str){0});
    else
        return booking;
    return NULL;
}

static void read_booking(struct call *call, struct store *store)
{
    const struct booking_view *booking = booking_find(call, store);
    if (!booking) return;
    struct buf *out = call_scratch();
    compose_booking(out, call->api, booking, booking->row.user_id != call->actor.id);
    reply_json(call, 200, buf_str(out));
}

void bookings_show(struct call *call)
{
    if (booking_path_id(call, &call->id)) call_read(call, read_booking);
}

static void read_history(struct call *call, struct store *store)
{
    const struct booking_view *booking = booking_find(call, store);
    if (!booking) return;
    struct journal_list journal;
    enum store_status status = store_booking_history(store, call->id, call->arena, &journal);
    if (status != STORE_OK) {
        reply_fault(call, store, status);
        return;
    }
    struct buf *out = call_scratch();
    emit_open(out, '{');
    emit_key(out, "data");
    compose_history(out, &journal, booking->row.user_id);
    emit_key(out, "next_cursor");
    emit_null(out);
    emit_close(out, '}');
    reply_json(call, 200, buf_str(out));
}

void bookings_history(struct call *call)
{
    if (booking_path_id(call, &call->id)) call_read(call, read_history);
}

/* ---- lists ---- */

/* The reference of the last booking shown: its id would tell how many there are. */
static void read_cursor(struct parameters *parameters, struct booking_query *query)
{
    const struct api_settings *settings = &parameters->call->api->settings;
    struct str bytes;
    if (parameter_cursor(parameters, &bytes) &&
        !reference_read(&settings->reference_key, bytes, &query->before))
        cursor_error(parameters);
}

void booking_query_read(struct parameters *parameters, struct booking_query *query)
{
    int status;
    query->status = -1;
    /* From "waiting" on: "none" is no state that anybody sees. */
    if (parameter_choice(parameters, "status", booking_status_names + BOOKING_WAITING, 5, &status))
        query->status = status + BOOKING_WAITING;
    query->limit = parameter_limit(parameters) + 1;
    read_cursor(parameters, query);
}

void booking_list_answer(struct call *call, struct store *store, const struct booking_query *query,
                         bool with_user)
{
    size_t limit = query->limit - 1;
    struct booking_list list;
    enum store_status status = store_list_bookings(store, query, call->arena, &list);
    if (status != STORE_OK) {
        reply_fault(call, store, status);
        return;
    }
    struct buf *out = call_scratch();
    compose_list_open(out);
    for (size_t i = 0; i < list.count && i < limit; i++)
        compose_booking(out, call->api, list.items[i], with_user);
    char last[REFERENCE_TEXT_SIZE];
    bool more = list.count > limit;
    if (more)
        reference_write(&call->api->settings.reference_key, list.items[limit - 1]->row.id, last);
    compose_list_close(out, call, more ? str_of(last) : (struct str){0});
    reply_send(call);
}

static void read_my_bookings(struct call *call, struct store *store)
{
    booking_list_answer(call, store, call->state, false);
}

void bookings_list(struct call *call)
{
    struct booking_query *query = ARENA_NEW(call->arena, struct booking_query);
    struct parameters parameters = parameters_of(call);
    query->user_id = call->actor.id;
    parameter_id(&parameters, "event", &query->event_id);
    booking_query_read(&parameters, query);
    parameters_end(&parameters);
    if (reply_errors(call)) return;
    call->state = query;
    call_read(call, read_my_bookings);
}
