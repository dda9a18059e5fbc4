/* SPDX-License-Identifier: Apache-2.0 */
/* The store against the model, by way of what every reader can ask. After each commit: the events
 * that it touched with all their counters, the bookings that it touched with their numbers, their
 * place in line and their history, and rules 1 to 3. Now and then, and at the end: everything. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define SAME(what, is, wanted)                                                                     \
    if ((is) != (wanted))                                                                          \
        world_fail(world, "the store has %s %lld of %s %" PRIu64 ", the model %lld", what,         \
                   (long long)(is), noun, id, (long long)(wanted));

#define SAME_TEXT(what, is, wanted)                                                                \
    if (!str_equal((is), (wanted)))                                                                \
        world_fail(world, "the store has %s \"%.*s\" of %s %" PRIu64 ", the model \"%.*s\"", what, \
                   STR_FMT(is), noun, id, STR_FMT(wanted));

#define MUST(call)                                                                                 \
    if ((call) != STORE_OK) world_fail(world, "a reader is refused")

/* ---- events ---- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value;
    return random_next(&hash);
}

/* Of what selling and editing move. */
struct looks {
    uint64_t hash;
};

static void looks_event(struct looks *looks, uint64_t version, enum event_status status,
                        int64_t starts_at, uint32_t max_per_user)
{
    looks->hash = mix(mix(mix(mix(1, version), status), (uint64_t)starts_at), max_per_user);
}

static void looks_type(struct looks *looks, uint64_t id, uint32_t capacity, uint32_t booked,
                       uint32_t waiting, uint64_t wanted)
{
    looks->hash = mix(mix(mix(mix(mix(looks->hash, id), capacity), booked), waiting), wanted);
}

uint64_t event_face(const struct event *event)
{
    struct looks looks;
    looks_event(&looks, event->version, event->status, event->starts_at, event->max_per_user);
    for (size_t i = 0; i < event->type_count; i++) {
        const struct ticket_type *type = &event->types[i];
        looks_type(&looks, type->id, type->capacity, type->booked + type->held, type->waiting,
                   type->wanted);
    }
    return looks.hash;
}

static uint64_t model_face(const struct model *model, const struct m_event *event)
{
    struct looks looks;
    looks_event(&looks, event->version, event->status, event->starts_at, event->max_per_user);
    for (uint32_t i = 0; i < event->type_count; i++) {
        struct m_counters counters = model_count(model, event->types[i].id);
        looks_type(&looks, event->types[i].id, event->types[i].capacity, counters.booked,
                   counters.waiting, counters.wanted);
    }
    return looks.hash;
}

void note_faces(struct world *world)
{
    for (size_t i = 0; i < world->model.event_count; i++) {
        if (!world->model.event_touched[i]) continue;
        uint64_t hash = model_face(&world->model, &world->model.events[i]);
        uint64_t last = world->last_face[i];
        if (last && world->faces[last].hash == hash) continue;
        if (world->face_count + 1 >= world->face_size) {
            world->face_size = world->face_size ? world->face_size * 2 : 256;
            world->faces = realloc(world->faces, world->face_size * sizeof(*world->faces));
            if (!world->faces) abort();
        }
        world->faces[++world->face_count] = (struct face){hash, last};
        world->last_face[i] = world->face_count;
    }
}

bool face_is_known(const struct world *world, size_t event, uint64_t hash, uint64_t since)
{
    uint64_t at = world->last_face[event];
    for (; at && at >= since; at = world->faces[at].previous)
        if (world->faces[at].hash == hash) return true;
    return false;
}

static void check_event(struct world *world, const struct m_event *wanted)
{
    const char *noun = "event";
    uint64_t id = wanted->id;
    struct event *event;
    MUST(store_find_event(world->observer, id, &world->scratch, &event));
    if (!event != wanted->gone)
        world_fail(world, "event %" PRIu64 " %s", id, event ? "should be gone" : "is gone");
    if (!event) return;
    SAME("version", event->version, wanted->version)
    SAME("status", event->status, wanted->status)
    SAME("organizer", event->organizer_id, wanted->organizer_id)
    SAME("starts_at", event->starts_at, wanted->starts_at)
    SAME("ends_at", event->ends_at, wanted->ends_at)
    SAME("max_per_user", event->max_per_user, wanted->max_per_user)
    SAME("created_at", event->created_at, wanted->created_at)
    SAME("updated_at", event->updated_at, wanted->updated_at)
    SAME("next number", event->next_number, wanted->numbers + 1)
    SAME("ever_booked", event->ever_booked, wanted->ever_booked)
    SAME("ticket types", event->type_count, wanted->type_count)
    SAME_TEXT("name", event->name, wanted->name)
    SAME_TEXT("currency", str_of(event->currency), str_of(wanted->currency))
    noun = "ticket type";
    for (size_t i = 0; i < event->type_count; i++) {
        const struct ticket_type *type = &event->types[i];
        const struct m_type *m = &wanted->types[i];
        id = type->id;
        struct m_counters counters = model_count(&world->model, m->id);
        SAME("id", type->id, m->id)
        SAME("capacity", type->capacity, m->capacity)
        SAME("booked", type->booked, counters.booked)
        SAME("held", type->held, 0)
        SAME("waiting", type->waiting, counters.waiting)
        SAME("wanted", type->wanted, counters.wanted)
        SAME("price", type->price, m->price)
        SAME("max_per_booking", type->max_per_booking, m->max_per_booking)
        SAME("sales_start", type->sales_start, m->sales_start)
        SAME("sales_end", type->sales_end, m->sales_end)
        SAME_TEXT("name", type->name, m->name)
    }
    const char *wrong = model_sane(&world->model, wanted);
    if (wrong) world_fail(world, "event %" PRIu64 ": %s", wanted->id, wrong);
}

/* ---- bookings ---- */

static void check_row(struct world *world, const struct booking *row, const struct m_booking *m)
{
    const char *noun = "booking";
    uint64_t id = m->id;
    SAME("user", row->user_id, m->user_id)
    SAME("event", row->event_id, m->event->id)
    SAME("ticket type", row->ticket_type_id, m->type_id)
    SAME("quantity", row->quantity, m->quantity)
    SAME("status", row->status, m->status)
    SAME("unit_price", row->unit_price, m->unit_price)
    SAME("paid", row->paid, m->paid)
    SAME("created_at", row->created_at, m->created_at)
    SAME("updated_at", row->updated_at, m->updated_at)
    uint32_t numbers[ANSWER_NUMBERS];
    uint32_t count = model_numbers(&world->model, m, numbers);
    SAME("numbers", row->number_count, count)
    for (uint32_t i = 0; i < count; i++) {
        SAME("number", row->numbers[i], numbers[i])
    }
}

static void check_history(struct world *world, const struct m_booking *m)
{
    const char *noun = "the journal of booking";
    uint64_t id = m->id;
    struct journal_list journal;
    MUST(store_booking_history(world->observer, id, &world->scratch, &journal));
    int32_t at = m->first_entry;
    for (size_t i = 0; i < journal.count; i++) {
        const struct journal_entry *entry = &journal.items[i];
        if (at < 0) world_fail(world, "the journal of booking %" PRIu64 " has too many rows", id);
        const struct m_entry *wanted = &world->model.entries[at];
        SAME("from", entry->from, wanted->from)
        SAME("to", entry->to, wanted->to)
        SAME("quantity", entry->quantity, wanted->quantity)
        SAME("actor", entry->actor_id, wanted->actor_id)
        SAME("at", entry->at, wanted->at)
        SAME_TEXT("reason", str_of(entry->reason), str_of(wanted->reason))
        at = wanted->next;
    }
    if (at >= 0) world_fail(world, "the journal of booking %" PRIu64 " lacks a row", id);
}

static void check_booking(struct world *world, const struct m_booking *m)
{
    const char *noun = "booking";
    uint64_t id = m->id;
    struct booking_view *view;
    MUST(store_find_booking(world->observer, id, &world->scratch, &view));
    if (!view != m->removed)
        world_fail(world, "booking %" PRIu64 " %s", id, view ? "should be gone" : "is lost");
    if (view) {
        check_row(world, &view->row, m);
        uint64_t ahead = 0;
        uint32_t position = 0;
        if (m->status == BOOKING_WAITING) position = model_position(&world->model, m, &ahead);
        SAME("position", view->position, position)
        SAME("ahead", view->ahead, ahead)
    }
    check_history(world, m);
}

void check_touched(struct world *world)
{
    struct model *model = &world->model;
    if (world->deep) {
        check_all(world);
        return;
    }
    arena_reset(&world->scratch);
    for (size_t i = 0; i < model->event_count; i++) {
        if (model->event_touched[i]) check_event(world, &model->events[i]);
        model->event_touched[i] = false;
    }
    for (size_t i = 0; i < model->booking_count; i++) {
        if (model->bookings[i].touched) check_booking(world, &model->bookings[i]);
        model->bookings[i].touched = false;
    }
}

/* ---- everything ---- */

static void check_tickets(struct world *world, const struct m_event *event)
{
    const char *noun = "event";
    uint64_t id = event->id;
    struct ticket_list tickets;
    MUST(store_list_tickets(world->observer, id, 0, MODEL_NUMBERS, &world->scratch, &tickets));
    SAME("tickets", tickets.count, event->numbers)
    for (uint32_t i = 0; i < event->numbers; i++) {
        uint32_t owner = event->owner[i + 1];
        SAME("ticket number", tickets.items[i].number, i + 1)
        SAME("owner of a ticket", tickets.items[i].booking_id,
             owner ? world->model.bookings[owner - 1].id : 0)
        SAME("booked ticket", tickets.items[i].is_booked, owner != 0)
    }
}

static void check_bookings_of(struct world *world, const struct m_event *event)
{
    const char *noun = "event";
    uint64_t id = event->id;
    struct booking_list list;
    const struct booking_query query = {.event_id = id, .status = -1, .limit = 100000};
    MUST(store_list_bookings(world->observer, &query, &world->scratch, &list));
    size_t at = list.count;
    for (size_t i = 0; i < world->model.booking_count; i++) {
        const struct m_booking *m = &world->model.bookings[i];
        if (m->event != event || m->removed) continue;
        if (at == 0 || list.items[at - 1]->row.id != m->id)
            world_fail(world, "booking %" PRIu64 " is not in the list of its event", m->id);
        check_row(world, &list.items[--at]->row, m);
    }
    SAME("bookings too many", at, 0)
}

static void check_bookings_by(struct world *world, const struct m_user *user)
{
    const char *noun = "user";
    uint64_t id = user->id;
    struct booking_list list;
    const struct booking_query query = {.user_id = id, .status = -1, .limit = 100000};
    MUST(store_list_bookings(world->observer, &query, &world->scratch, &list));
    size_t count = 0;
    for (size_t i = 0; i < world->model.booking_count; i++)
        count += world->model.bookings[i].user_id == id && !world->model.bookings[i].removed;
    SAME("bookings", list.count, count)
}

static void check_user(struct world *world, const struct m_user *wanted)
{
    const char *noun = "user";
    uint64_t id = wanted->id;
    struct user *user;
    MUST(store_find_user(world->observer, id, (struct str){0}, (struct str){0}, &world->scratch,
                         &user));
    if (!user) world_fail(world, "user %" PRIu64 " is lost", id);
    SAME("role", user->role, wanted->role)
    SAME("created_at", user->created_at, wanted->created_at)
    SAME("erased_at", user->erased_at, wanted->erased_at)
    SAME_TEXT("name", user->name, wanted->name)
    SAME_TEXT("email", user->email, wanted->email)
    SAME_TEXT("username", user->username, wanted->username)
    check_bookings_by(world, wanted);
}

static void breach(const char *sentence, void *data)
{
    world_fail(data, "admit check: %s", sentence);
}

void check_all(struct world *world)
{
    struct model *model = &world->model;
    arena_reset(&world->scratch);
    for (size_t i = 0; i < model->event_count; i++) {
        check_event(world, &model->events[i]);
        model->event_touched[i] = false;
        if (model->events[i].gone) continue;
        check_tickets(world, &model->events[i]);
        check_bookings_of(world, &model->events[i]);
    }
    for (size_t i = 0; i < model->booking_count; i++) {
        check_booking(world, &model->bookings[i]);
        model->bookings[i].touched = false;
    }
    for (size_t i = 0; i < model->user_count; i++)
        check_user(world, &model->users[i]);
    struct check_figures figures;
    MUST(store_check(world->observer, &figures, breach, world));
}
