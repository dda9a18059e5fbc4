/* SPDX-License-Identifier: Apache-2.0 */
/* The short routes that the original systems publish, on the same engine. */
#include "api/accounts.h"
#include "api/compose.h"
#include "api/events.h"
#include "api/fields.h"
#include "api/reply.h"
#include "api/resources.h"
#include "base/clock.h"

static void answer_message(struct buf *out, const char *message)
{
    emit_open(out, '{');
    emit_key_str(out, "message", str_of(message));
}

/* ---- accounts ---- */

static void compose_registered(struct call *call, const struct result *result)
{
    struct buf *out = call_scratch();
    answer_message(out, "Registration Successful");
    emit_key(out, "user");
    compose_user(out, result->user);
    emit_close(out, '}');
    reply_set_json(call, 201, buf_str(out));
}

void classic_register(struct call *call)
{
    struct user user = {.role = ROLE_USER};
    struct fields fields = fields_of(call, call->body, "");
    bool has_email = field_is_given(&fields, "email");
    field_username(&fields, "username", has_email ? OPTIONAL : REQUIRED, &user.username);
    field_email(&fields, "email", OPTIONAL, &user.email);
    field_secret(&fields, "password", REQUIRED, PASSWORD_MIN_BYTES, PASSWORD_MAX_BYTES,
                 &call->secret);
    if (!field_text(&fields, "name", OPTIONAL, 1, NAME_MAX_CHARACTERS, &user.name))
        user.name = user.username.len ? user.username : user.email;
    fields_end(&fields);
    if (reply_errors(call)) return;
    account_register(call, &user, compose_registered);
}

static void answer_token(struct call *call, struct str token)
{
    struct buf *out = call_scratch();
    emit_open(out, '{');
    emit_key_str(out, "token", token);
    emit_close(out, '}');
    reply_json(call, 200, buf_str(out));
}

void classic_login(struct call *call)
{
    struct str login = {0};
    struct fields fields = fields_of(call, call->body, "");
    bool by_email = field_is_given(&fields, "email");
    field_text(&fields, "email", OPTIONAL, 1, EMAIL_MAX_BYTES, &login);
    field_text(&fields, "username", by_email ? OPTIONAL : REQUIRED, 1, EMAIL_MAX_BYTES, &login);
    field_secret(&fields, "password", REQUIRED, 1, PASSWORD_MAX_BYTES, &call->secret);
    fields_end(&fields);
    if (reply_errors(call)) return;
    account_sign_in(call, login, answer_token);
}

/* ---- events ---- */

static void compose_initialized(struct call *call, const struct result *result)
{
    struct buf *out = call_scratch();
    answer_message(out, "Event Created");
    emit_key_u64(out, "eventId", result->event->id);
    emit_close(out, '}');
    reply_set_json(call, 201, buf_str(out));
}

/* "date" is a day, or a whole RFC 3339 time; "time" is HH:MM in UTC, midnight when not given. */
static void read_start(struct fields *fields, struct event *event)
{
    struct str date = {0}, time = STR("00:00");
    bool has_date = field_text(fields, "date", OPTIONAL, 1, 40, &date);
    bool has_time = field_text(fields, "time", OPTIONAL, 1, 20, &time);
    if (has_date && time_parse(date, &event->starts_at)) return;
    if (!has_date) {
        if (has_time) field_error(fields, "time", "needs a date");
        return;
    }
    const char *seconds = time.len == 5 ? ":00Z" : "Z";
    struct str whole =
        arena_printf(fields->call->arena, "%.*sT%.*s%s", STR_FMT(date), STR_FMT(time), seconds);
    if (!time_parse(whole, &event->starts_at))
        field_error(fields, "date", "and time must be like 2027-06-01 and 19:00");
}

void classic_initialize(struct call *call)
{
    struct command *command = call_command(call, COMMAND_CREATE_EVENT);
    struct event *event = &command->create;
    *event = event_defaults();
    event->types = ARENA_NEW(call->arena, struct ticket_type);
    event->type_count = 1;
    event->types->name = STR("General admission");
    int64_t tickets = 0;
    struct fields fields = fields_of(call, call->body, "");
    bool has_title = field_is_given(&fields, "title");
    field_text(&fields, "title", OPTIONAL, 1, NAME_MAX_CHARACTERS, &event->name);
    field_text(&fields, "name", has_title ? OPTIONAL : REQUIRED, 1, NAME_MAX_CHARACTERS,
               &event->name);
    field_integer(&fields, "tickets", REQUIRED, 1, CAPACITY_MAX, &tickets);
    field_integer(&fields, "price", OPTIONAL, 0, PRICE_MAX, &event->types->price);
    field_text(&fields, "venue", OPTIONAL, 0, VENUE_MAX_CHARACTERS, &event->venue);
    read_start(&fields, event);
    fields_end(&fields);
    if (reply_errors(call)) return;
    event->types->capacity = (uint32_t)tickets;
    call_decide(call, compose_initialized);
}

static void show_status(struct call *call, struct snapshot *snapshot)
{
    const struct event *event = snapshot ? &snapshot->event : NULL;
    if (!event || (event->status == EVENT_DRAFT && !call_manages(call, event))) {
        snapshot_release(snapshot);
        reply_problem(call, NO_SUCH_EVENT, (struct str){0});
        return;
    }
    uint64_t available = 0, booked = 0, waiting = 0;
    for (size_t i = 0; i < event->type_count; i++) {
        available += ticket_type_available(&event->types[i]);
        booked += event->types[i].booked;
        waiting += event->types[i].waiting;
    }
    struct buf *out = call_scratch();
    emit_open(out, '{');
    emit_key_str(out, "event_name", event->name);
    emit_key_u64(out, "available_tickets", available);
    emit_key_u64(out, "total_ticket_booked", booked);
    emit_key_u64(out, "waiting_list_count", waiting);
    emit_close(out, '}');
    snapshot_release(snapshot);
    reply_json(call, 200, buf_str(out));
}

void classic_status(struct call *call)
{
    static const struct shower shower = {show_status};
    uint64_t id;
    if (call_path_id(call, NO_SUCH_EVENT, &id)) event_look_up(call, id, &shower);
}

/* ---- booking and cancelling ---- */

static void compose_booked(struct call *call, const struct result *result)
{
    struct buf *out = call_scratch();
    bool waits = result->outcome == OUTCOME_WAITING;
    answer_message(out, waits ? "Tickets sold out, added to the waiting list" : "Ticket booked");
    emit_key(out, "bookingId");
    compose_reference(out, call->api, result->booking->id);
    if (waits) {
        emit_key_u64(out, "position", result->position);
    } else {
        emit_key(out, "ticketNumbers");
        emit_open(out, '[');
        for (size_t i = 0; i < result->booking->number_count; i++)
            emit_u64(out, result->booking->numbers[i]);
        emit_close(out, ']');
    }
    emit_close(out, '}');
    reply_set_json(call, outcome_texts[result->outcome].status, buf_str(out));
}

static void read_event_id(struct fields *fields, unsigned flags, uint64_t *ret_id)
{
    int64_t id;
    if (field_integer(fields, "eventId", flags, 1, INT64_MAX, &id)) *ret_id = (uint64_t)id;
}

void classic_book(struct call *call)
{
    struct command *command = call_command(call, COMMAND_BOOK);
    int64_t quantity = 1;
    struct fields fields = fields_of(call, call->body, "");
    read_event_id(&fields, REQUIRED, &command->book.event_id);
    field_integer(&fields, "quantity", OPTIONAL, 1, CAPACITY_MAX, &quantity);
    fields_end(&fields);
    if (reply_errors(call)) return;
    command->book.quantity = (uint32_t)quantity;
    command->book.join_waiting_list = true;
    call_decide(call, compose_booked);
}

static void compose_cancelled(struct call *call, const struct result *result)
{
    struct buf *out = call_scratch();
    answer_message(out,
                   result->was == BOOKING_WAITING ? "Removed from the waiting list"
                   : result->promoted
                       ? "Booking canceled, ticket assigned to another user on the waiting list"
                       : "Booking canceled, ticket now available to other users");
    emit_close(out, '}');
    reply_set_json(call, 200, buf_str(out));
}

void classic_cancel(struct call *call)
{
    uint64_t event_id = 0, booking_id = 0;
    struct str reference = {0};
    struct fields fields = fields_of(call, call->body, "");
    bool by_booking = field_is_given(&fields, "bookingId");
    read_event_id(&fields, by_booking ? OPTIONAL : REQUIRED, &event_id);
    field_text(&fields, "bookingId", OPTIONAL, 1, 40, &reference);
    if (by_booking && event_id)
        field_error(&fields, "eventId", "does not go with bookingId: send one of them");
    fields_end(&fields);
    if (reply_errors(call)) return;
    struct command *command =
        call_command(call, by_booking ? COMMAND_CANCEL : COMMAND_CANCEL_NEWEST);
    if (by_booking && !reference_read(&call->api->settings.reference_key, reference, &booking_id)) {
        reply_problem(call, NO_SUCH_BOOKING, (struct str){0});
        return;
    }
    command->cancel.booking_id = booking_id;
    command->cancel.event_id = event_id;
    call_decide(call, compose_cancelled);
}
