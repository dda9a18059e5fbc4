/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "api/compose.h"
#include "api/events.h"
#include "api/fields.h"
#include "api/reply.h"
#include "api/resources.h"
#include "base/clock.h"

enum { PAGE_EVENT, PAGE_STATUS }; /* of a snapshot */

/* ---- reading an event from a body ---- */

static bool read_limit(struct fields *fields, const char *name, int64_t max, uint32_t *ret_limit)
{
    int64_t value = 0;
    bool given = field_integer(fields, name, NULLABLE, 1, max, &value);
    if (!given && !field_is_null(fields, name)) return false;
    *ret_limit = (uint32_t)value;
    return true;
}

/* A time that null clears. */
static bool read_time(struct fields *fields, const char *name, int64_t *ret_at)
{
    int64_t at = 0;
    if (!field_time(fields, name, NULLABLE, &at) && !field_is_null(fields, name)) return false;
    *ret_at = at;
    return true;
}

/* One ticket type. 'required' says which of its members must be there. */
static unsigned read_type(struct call *call, json_t *object, const char *prefix, bool is_new,
                          bool with_id, struct ticket_type *type)
{
    struct fields fields = fields_of(call, object, prefix);
    unsigned needed = is_new ? REQUIRED : OPTIONAL, given = 0;
    int64_t number;
    if (with_id && field_integer(&fields, "id", OPTIONAL, 1, INT64_MAX, &number))
        type->id = (uint64_t)number;
    if (field_text(&fields, "name", needed, 1, NAME_MAX_CHARACTERS, &type->name))
        given |= FIELD_NAME;
    if (field_integer(&fields, "capacity", needed, is_new ? 1 : 0, CAPACITY_MAX, &number)) {
        type->capacity = (uint32_t)number;
        given |= FIELD_CAPACITY;
    }
    if (field_integer(&fields, "price", OPTIONAL, 0, PRICE_MAX, &type->price)) given |= FIELD_PRICE;
    if (read_limit(&fields, "max_per_booking", QUANTITY_MAX, &type->max_per_booking))
        given |= FIELD_MAX_PER_BOOKING;
    if (read_time(&fields, "sales_start", &type->sales_start)) given |= FIELD_SALES_START;
    if (read_time(&fields, "sales_end", &type->sales_end)) given |= FIELD_SALES_END;
    fields_end(&fields);
    return given;
}

/* What events have in common when they are made and when they are changed. */
static unsigned read_event(struct fields *fields, bool is_new, struct event *event)
{
    unsigned given = 0;
    int status;
    if (field_text(fields, "name", is_new ? REQUIRED : OPTIONAL, 1, NAME_MAX_CHARACTERS,
                   &event->name))
        given |= FIELD_NAME;
    if (field_text(fields, "description", MULTILINE, 0, DESCRIPTION_MAX_CHARACTERS,
                   &event->description))
        given |= FIELD_DESCRIPTION;
    if (field_text(fields, "venue", OPTIONAL, 0, VENUE_MAX_CHARACTERS, &event->venue))
        given |= FIELD_VENUE;
    if (read_time(fields, "starts_at", &event->starts_at)) given |= FIELD_STARTS_AT;
    if (read_time(fields, "ends_at", &event->ends_at)) given |= FIELD_ENDS_AT;
    if (field_zone(fields, "timezone", OPTIONAL, &event->timezone)) given |= FIELD_TIMEZONE;
    if (field_currency(fields, "currency", OPTIONAL, event->currency)) given |= FIELD_CURRENCY;
    /* "cancelled" is not among them: that is what DELETE is for. */
    if (field_choice(fields, "status", OPTIONAL, event_status_names, is_new ? 2 : 3, &status)) {
        event->status = (enum event_status)status;
        given |= FIELD_STATUS;
    }
    if (read_limit(fields, "max_per_user", QUANTITY_MAX, &event->max_per_user))
        given |= FIELD_MAX_PER_USER;
    return given;
}

struct event event_defaults(void)
{
    return (struct event){
        .timezone = STR("UTC"),
        .currency = "EUR",
        .status = EVENT_ON_SALE,
    };
}

static const char *type_prefix(struct call *call, size_t index)
{
    return arena_printf(call->arena, "/ticket_types/%zu", index).data;
}

/* ---- making one ---- */

/* The short form: capacity and price on the event itself make one type. */
static void read_short_form(struct fields *fields, struct event *event)
{
    int64_t capacity = 0;
    event->types = ARENA_NEW(fields->call->arena, struct ticket_type);
    event->type_count = 1;
    event->types->name = STR("General admission");
    if (!field_is_given(fields, "capacity"))
        field_error(fields, "ticket_types",
                    "is missing, and so is capacity: one of them is needed");
    if (field_integer(fields, "capacity", OPTIONAL, 1, CAPACITY_MAX, &capacity))
        event->types->capacity = (uint32_t)capacity;
    field_integer(fields, "price", OPTIONAL, 0, PRICE_MAX, &event->types->price);
}

static void read_types(struct fields *fields, struct event *event)
{
    struct call *call = fields->call;
    json_t *types = field_array(fields, "ticket_types", OPTIONAL, 1, TICKET_TYPES_MAX);
    if (!field_is_given(fields, "ticket_types")) {
        read_short_form(fields, event);
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        static const char *const shorts[] = {"capacity", "price"};
        if (field_is_given(fields, shorts[i]))
            field_error(fields, shorts[i], "goes with each of ticket_types here");
    }
    fields->asked[fields->asked_count++] = "capacity";
    fields->asked[fields->asked_count++] = "price";
    if (!types) return;
    event->type_count = json_array_size(types);
    event->types = ARENA_ARRAY(call->arena, struct ticket_type, event->type_count);
    for (size_t i = 0; i < event->type_count; i++) {
        json_t *object = json_array_get(types, i);
        const char *prefix = type_prefix(call, i);
        if (json_is_object(object))
            read_type(call, object, prefix, true, false, &event->types[i]);
        else
            call_add_error(call, str_of(prefix), STR("must be an object"));
    }
}

static void compose_created(struct call *call, const struct result *result)
{
    struct buf *out = call_scratch();
    char etag[ETAG_SIZE], location[40];
    compose_event(out, result->event);
    compose_etag(etag, result->event);
    snprintf(location, sizeof(location), "/v1/events/%llu", (unsigned long long)result->event->id);
    reply_set_json(call, 201, buf_str(out));
    reply_header(call, "Location", str_of(location));
    reply_header(call, "ETag", str_of(etag));
}

void events_create(struct call *call)
{
    struct command *command = call_command(call, COMMAND_CREATE_EVENT);
    command->create = event_defaults();
    struct fields fields = fields_of(call, call->body, "");
    read_event(&fields, true, &command->create);
    read_types(&fields, &command->create);
    fields_end(&fields);
    if (reply_errors(call)) return;
    call_decide(call, compose_created);
}

/* ---- changing and ending one ---- */

static void compose_changed(struct call *call, const struct result *result)
{
    if (result->outcome == OUTCOME_GONE) {
        reply_set_empty(call, 204);
        return;
    }
    struct buf *out = call_scratch();
    char etag[ETAG_SIZE];
    compose_event(out, result->event);
    compose_etag(etag, result->event);
    reply_set_json(call, 200, buf_str(out));
    reply_header(call, "ETag", str_of(etag));
}

static void read_type_updates(struct fields *fields, struct event_update *update)
{
    struct call *call = fields->call;
    json_t *types = field_array(fields, "ticket_types", OPTIONAL, 0, TICKET_TYPES_MAX);
    if (!types) return;
    update->type_count = json_array_size(types);
    update->types = ARENA_ARRAY(call->arena, struct ticket_type_update, update->type_count);
    for (size_t i = 0; i < update->type_count; i++) {
        json_t *object = json_array_get(types, i);
        const char *prefix = type_prefix(call, i);
        if (!json_is_object(object)) {
            call_add_error(call, str_of(prefix), STR("must be an object"));
            continue;
        }
        bool is_new = !json_object_get(object, "id");
        update->types[i].fields =
            read_type(call, object, prefix, is_new, true, &update->types[i].type);
    }
}

/* The version that If-Match wants: the part of our ETag before the counters, so that selling does
 * not make an edit stale. 0 for any, UINT64_MAX for one that nothing matches. */
static uint64_t wanted_version(const struct call *call)
{
    struct str etag = str_trim(http_header(call->request, "If-Match"));
    uint64_t version;
    if (!etag.len || str_equal(etag, STR("*"))) return 0;
    if (etag.data[0] != '"') return UINT64_MAX;
    etag.data++, etag.len--;
    return str_to_u64(str_cut(&etag, '-'), &version) && version ? version : UINT64_MAX;
}

void events_update(struct call *call)
{
    struct command *command = call_command(call, COMMAND_UPDATE_EVENT);
    struct event_update *update = &command->update;
    update->version = wanted_version(call);
    struct fields fields = fields_of(call, call->body, "");
    update->fields = read_event(&fields, false, &update->event);
    read_type_updates(&fields, update);
    fields_end(&fields);
    if (!call_path_id(call, NO_SUCH_EVENT, &update->event.id) || reply_errors(call)) return;
    call_decide(call, compose_changed);
}

void events_delete(struct call *call)
{
    struct command *command = call_command(call, COMMAND_DELETE_EVENT);
    if (call_path_id(call, NO_SUCH_EVENT, &command->event_id)) call_decide(call, compose_changed);
}

/* ---- showing one, from memory where it is there ---- */

bool event_is_visible(const struct actor *actor, bool may_organize, const struct event *event)
{
    return event->status != EVENT_DRAFT || (actor && actor_manages(actor, may_organize, event));
}

static bool is_visible(const struct call *call, const struct event *event)
{
    return event_is_visible(call->signed_in ? &call->actor : NULL, call_may_organize(call), event);
}

static struct page *render(struct snapshot *snapshot, unsigned slot)
{
    struct page *page = snapshot_page(snapshot, slot, NULL);
    if (page) return page;
    struct buf *out = call_scratch();
    if (slot == PAGE_EVENT)
        compose_event(out, &snapshot->event);
    else
        compose_status(out, &snapshot->event);
    page = malloc(sizeof(*page) + out->len);
    if (!page) abort();
    page->size = out->len;
    compose_etag(page->tag, &snapshot->event);
    memcpy(page->data, out->data, out->len);
    return snapshot_page(snapshot, slot, page);
}

static struct str page_str(const struct page *page)
{
    return (struct str){page->data, page->size};
}

struct str event_status_page(struct snapshot *snapshot)
{
    return page_str(render(snapshot, PAGE_STATUS));
}

/* Does If-None-Match hold this ETag? (RFC 9110 section 13.1.2: weak comparison, "*" matches all.)
 */
static bool is_unchanged(const struct call *call, struct str etag)
{
    struct str list = http_header(call->request, "If-None-Match");
    while (list.len) {
        struct str item = str_trim(str_cut(&list, ','));
        if (str_starts(item, STR("W/"))) item.data += 2, item.len -= 2;
        if (str_equal(item, etag) || str_equal(item, STR("*"))) return true;
    }
    return false;
}

static void release_snapshot(void *owner)
{
    snapshot_release(owner);
}

static void show_page(struct call *call, struct snapshot *snapshot, unsigned slot)
{
    if (!snapshot || !is_visible(call, &snapshot->event)) {
        snapshot_release(snapshot);
        reply_problem(call, NO_SUCH_EVENT, (struct str){0});
        return;
    }
    const struct page *page = render(snapshot, slot);
    struct str etag = str_of(page->tag);
    if (slot == PAGE_EVENT && is_unchanged(call, etag)) {
        reply_set_empty(call, 304);
    } else {
        reply_set_json(call, 200, (struct str){0});
        call->request->reply.body = page_str(page);
    }
    /* The page, its tag among it, lives until the answer has left. */
    call->request->reply.release = release_snapshot;
    call->request->reply.owner = snapshot;
    reply_cache(call, call->signed_in ? "private, no-cache" : "public, max-age=1");
    if (slot == PAGE_EVENT) http_add_header(call->request, "ETag", etag);
    reply_send(call);
}

static void show_event(struct call *call, struct snapshot *snapshot)
{
    show_page(call, snapshot, PAGE_EVENT);
}

static void show_status(struct call *call, struct snapshot *snapshot)
{
    show_page(call, snapshot, PAGE_STATUS);
}

static void show(struct call *call, struct snapshot *snapshot)
{
    ((const struct shower *)call->state)->show(call, snapshot);
}

/* All who waited for a reading that failed. */
static void send_away(struct list *waiters, enum outcome outcome)
{
    for (struct link *link; (link = list_pop(waiters));)
        reply_later(LINK_OWNER(link, struct call, job.link), outcome);
}

static void read_snapshot(struct call *call, struct store *store)
{
    struct snapshots *snapshots = call->api->engine->snapshots;
    struct mark mark = snapshots_mark(snapshots);
    struct list waiters;
    struct event *event;
    enum store_status status = store_find_event(store, call->id, call->arena, &event);
    if (status != STORE_OK) {
        snapshots_not_read(snapshots, call->id, &waiters);
        send_away(&waiters, UNAVAILABLE);
        reply_fault(call, store, status);
        return;
    }
    struct snapshot *snapshot = snapshots_found(snapshots, call->id, event, mark, &waiters);
    for (struct link *link; (link = list_pop(&waiters));)
        show(LINK_OWNER(link, struct call, job.link), snapshot_hold(snapshot));
    show(call, snapshot);
}

void event_look_up(struct call *call, uint64_t id, const struct shower *shower)
{
    struct snapshots *snapshots = call->api->engine->snapshots;
    struct snapshot *snapshot = NULL;
    struct list waiters;
    bool on_loop = call->on_loop;
    call->id = id;
    call->state = (void *)shower;
    call->on_loop = false; /* who waits is answered by a reader, perhaps before this returns */
    enum look look = snapshots_look(snapshots, id, &call->job.link, &snapshot);
    if (look == LOOK_WAIT) return;
    call->on_loop = on_loop;
    if (look == LOOK_SHOWN) {
        shower->show(call, snapshot);
    } else if (!call_read(call, read_snapshot)) {
        snapshots_not_read(snapshots, id, &waiters);
        send_away(&waiters, OVERLOADED);
    }
}

void events_show(struct call *call)
{
    static const struct shower shower = {show_event};
    uint64_t id;
    if (call_path_id(call, NO_SUCH_EVENT, &id)) event_look_up(call, id, &shower);
}

void events_status(struct call *call)
{
    static const struct shower shower = {show_status};
    uint64_t id;
    if (call_path_id(call, NO_SUCH_EVENT, &id)) event_look_up(call, id, &shower);
}

/* ---- finding ---- */

/* A cursor holds the sort that it was made for, the sort key and the id of the last event shown. */
static struct str search_cursor(struct call *call, const struct event_query *query,
                                const struct event *last)
{
    struct buf *out = call_scratch();
    struct str name =
        query->sort == SORT_NAME ? text_fold(call->arena, last->name) : (struct str){0};
    buf_add_char(out, (char)query->sort);
    buf_add(out, &last->id, sizeof(last->id));
    buf_add(out, &last->starts_at, sizeof(last->starts_at));
    buf_add_str(out, name);
    return arena_str(call->arena, buf_str(out));
}

static void read_search_cursor(struct parameters *parameters, struct event_query *query)
{
    struct page_after *after = &query->after;
    const size_t fixed = 1 + sizeof(after->id) + sizeof(after->number);
    struct str bytes;
    if (!parameter_cursor(parameters, &bytes)) return;
    if (bytes.len < fixed || bytes.data[0] != (char)query->sort) {
        cursor_error(parameters);
        return;
    }
    memcpy(&after->id, bytes.data + 1, sizeof(after->id));
    memcpy(&after->number, bytes.data + 1 + sizeof(after->id), sizeof(after->number));
    after->text = (struct str){bytes.data + fixed, bytes.len - fixed};
    after->set = true;
    if (after->id > INT64_MAX || !str_is_utf8(after->text)) cursor_error(parameters);
}

static void read_search(struct call *call, struct event_query *query)
{
    static const char *const sorts[] = {"starts_at", "-starts_at", "name"};
    static const char *const booleans[] = {"false", "true"};
    struct parameters parameters = parameters_of(call);
    struct str date;
    int index;
    parameter_words(&parameters, "q", &query->q);
    parameter_words(&parameters, "name", &query->name);
    parameter_words(&parameters, "venue", &query->venue);
    if (parameter_text(&parameters, "date", 10, &date)) {
        query->has_day = date_parse(date, &query->day);
        if (!query->has_day) parameter_error(&parameters, "date", "must be a day like 2027-06-01");
    }
    parameter_time(&parameters, "from", &query->from);
    parameter_time(&parameters, "to", &query->to);
    if (parameter_choice(&parameters, "available", booleans, 2, &index)) query->available = index;
    if (parameter_choice(&parameters, "status", event_status_names, 4, &index))
        query->status = index;
    parameter_id(&parameters, "organizer", &query->organizer);
    if (parameter_choice(&parameters, "sort", sorts, 3, &index))
        query->sort = (enum event_sort)index;
    query->limit = parameter_limit(&parameters) + 1;
    read_search_cursor(&parameters, query);
    parameters_end(&parameters);
}

/* The snapshots that a list is made of, in its order: those that were there, which is told by the
 * address, then all. */
struct shelf {
    struct snapshots *all;
    const struct event_query *query;
    struct snapshot **held;
    size_t count;
};

static bool has_available(const struct event *event)
{
    for (size_t i = 0; i < event->type_count; i++)
        if (ticket_type_sells(&event->types[i])) return true;
    return false;
}

/* What the version does not tell is how much is left: what is shown of that is what GET shows. */
static struct event *take_from_shelf(uint64_t id, uint64_t version, void *data)
{
    struct shelf *shelf = data;
    struct snapshot *snapshot = snapshots_newest(shelf->all, id);
    if (snapshot && snapshot->event.version == version &&
        (!shelf->query->available || has_available(&snapshot->event))) {
        shelf->held[shelf->count++] = snapshot;
        return &snapshot->event;
    }
    snapshot_release(snapshot);
    return NULL;
}

static void release_shelf(struct shelf *shelf)
{
    for (size_t i = 0; i < shelf->count; i++)
        snapshot_release(shelf->held[i]);
}

/* Puts those that had to be read beside those that were there. */
static void fill_shelf(struct shelf *shelf, const struct event_list *list, struct mark mark,
                       struct arena *arena)
{
    struct snapshot **all = ARENA_ARRAY(arena, struct snapshot *, list->count);
    for (size_t i = 0, next = 0; i < list->count; i++) {
        if (next < shelf->count && list->items[i] == &shelf->held[next]->event) {
            all[i] = shelf->held[next++];
        } else {
            all[i] = snapshot_new(list->items[i]);
            snapshots_keep(shelf->all, all[i], mark);
        }
    }
    shelf->held = all;
    shelf->count = list->count;
}

/* From snapshots, where nobody else writes to the store. */
static enum store_status search_by_shelf(struct call *call, struct store *store,
                                         const struct event_query *query, struct shelf *shelf,
                                         struct event_list *ret_list)
{
    struct event_query known = *query;
    *shelf = (struct shelf){.all = call->api->engine->snapshots, .query = query};
    shelf->held = ARENA_ARRAY(call->arena, struct snapshot *, query->limit);
    known.known = take_from_shelf;
    known.known_data = shelf;
    struct mark mark = snapshots_mark(shelf->all);
    enum store_status status = store_search_events(store, &known, call->arena, ret_list);
    if (status == STORE_OK) fill_shelf(shelf, ret_list, mark, call->arena);
    for (size_t i = 0; status == STORE_OK && i < shelf->count; i++)
        render(shelf->held[i], PAGE_EVENT); /* now, as both want the scratch */
    return status;
}

static void search(struct call *call, struct store *store)
{
    const struct event_query *query = call->state;
    size_t limit = query->limit - 1;
    struct event_list list;
    struct shelf shelf = {0};
    enum store_status status = store_is_shared(store)
                                   ? store_search_events(store, query, call->arena, &list)
                                   : search_by_shelf(call, store, query, &shelf, &list);
    if (status != STORE_OK) {
        release_shelf(&shelf);
        reply_fault(call, store, status);
        return;
    }
    struct str cursor = {0};
    if (list.count > limit) cursor = search_cursor(call, query, list.items[limit - 1]);
    struct buf *out = call_scratch();
    compose_list_open(out);
    for (size_t i = 0; i < list.count && i < limit; i++)
        if (shelf.count)
            emit_json(out, page_str(render(shelf.held[i], PAGE_EVENT)));
        else
            compose_event(out, list.items[i]);
    release_shelf(&shelf);
    compose_list_close(out, call, cursor);
    reply_cache(call, call->signed_in ? "private, no-cache" : "public, max-age=1");
    reply_send(call);
}

void events_search(struct call *call)
{
    struct event_query *query = ARENA_NEW(call->arena, struct event_query);
    query->status = -1;
    query->now = clock_now_ms();
    if (call->actor.role == ROLE_ADMIN)
        query->drafts_of = UINT64_MAX;
    else if (call_may_organize(call))
        query->drafts_of = call->actor.id;
    read_search(call, query);
    if (reply_errors(call)) return;
    call->state = query;
    call_read(call, search);
}

/* ---- for its managers ---- */

struct event *event_find_managed(struct call *call, struct store *store, uint64_t id)
{
    struct event *event;
    enum store_status status = store_find_event(store, id, call->arena, &event);
    if (status != STORE_OK)
        reply_fault(call, store, status);
    else if (!event || (event->status == EVENT_DRAFT && !call_manages(call, event)))
        reply_problem(call, NO_SUCH_EVENT, (struct str){0});
    else if (!call_manages(call, event))
        reply_problem(call, FORBIDDEN, STR("Only those who manage the event may see this."));
    else
        return event;
    return NULL;
}
