/* SPDX-License-Identifier: Apache-2.0 */
/* The journal as a feed: every change of state of bookings, in the order in which it was written,
 * for those who manage the events. */
#include "api/compose.h"
#include "api/events.h"
#include "api/fields.h"
#include "api/reply.h"
#include "api/resources.h"

static void compose_entry(struct buf *out, const struct api *api, const struct journal_entry *entry)
{
    char id[REFERENCE_TEXT_SIZE];
    place_write(&api->settings.reference_key, entry->id, id);
    emit_open(out, '{');
    emit_key_str(out, "id", str_of(id));
    emit_key(out, "booking");
    compose_reference(out, api, entry->booking_id);
    emit_key_u64(out, "event_id", entry->event_id);
    emit_key_u64(out, "ticket_type_id", entry->ticket_type_id);
    compose_change(out, entry);
    emit_close(out, '}');
}

static void answer_page(struct call *call, struct store *store, const struct journal_query *query)
{
    struct journal_page page;
    enum store_status status = store_list_journal(store, query, call->arena, &page);
    if (status != STORE_OK) {
        reply_fault(call, store, status);
        return;
    }
    if (query->after > page.last) {
        call_add_error(call, STR("/after"),
                       STR("lies beyond the end of the journal: was the database restored from an "
                           "older copy? Begin again without it"));
        reply_errors(call);
        return;
    }
    struct buf *out = call_scratch();
    compose_list_open(out);
    for (size_t i = 0; i < page.count; i++)
        compose_entry(out, call->api, &page.items[i]);
    char next[REFERENCE_TEXT_SIZE];
    place_write(&call->api->settings.reference_key, page.next, next);
    compose_feed_close(out, call, str_of(next), page.next >= page.end);
    reply_send(call);
}

static void read_journal(struct call *call, struct store *store)
{
    const struct journal_query *query = call->state;
    if (!query->event_id || event_find_managed(call, store, query->event_id))
        answer_page(call, store, query);
}

void journal_list(struct call *call)
{
    struct journal_query *query = ARENA_NEW(call->arena, struct journal_query);
    struct parameters parameters = parameters_of(call);
    struct str after;
    query->limit = parameter_limit(&parameters);
    parameter_id(&parameters, "event", &query->event_id);
    if (parameter_text(&parameters, "after", REFERENCE_TEXT_SIZE, &after) &&
        !place_read(&call->api->settings.reference_key, after, &query->after))
        parameter_error(&parameters, "after", "is not one that was handed out here");
    parameters_end(&parameters);
    if (reply_errors(call)) return;
    if (!call_may_organize(call)) {
        reply_problem(call, FORBIDDEN, STR("Only organizers and administrators may do this."));
        return;
    }
    if (!query->event_id && call->actor.role != ROLE_ADMIN) query->organizer_id = call->actor.id;
    call->state = query;
    call_read(call, read_journal);
}
