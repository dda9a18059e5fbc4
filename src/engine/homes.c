/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/homes.h"

#include <stdatomic.h>
#include <stdlib.h>

/* A booking and its lane in one word, in a table that forgets: half a megabyte. */
enum { PLACES = 65536, LANE_BITS = 8 };

struct homes {
    size_t lanes;
    _Atomic uint64_t places[PLACES];
};

struct homes *homes_new(size_t lanes)
{
    struct homes *homes = calloc(1, sizeof(*homes));
    if (!homes || lanes == 0 || lanes > 1 << LANE_BITS) abort();
    homes->lanes = lanes;
    return homes;
}

void homes_free(struct homes *homes)
{
    free(homes);
}

static size_t lane_by_id(const struct homes *homes, uint64_t id)
{
    return (size_t)((id * 0x9e3779b97f4a7c15u >> 32) % homes->lanes);
}

static size_t lane_of_booking(const struct homes *homes, uint64_t id)
{
    uint64_t place = atomic_load_explicit(&homes->places[id % PLACES], memory_order_relaxed);
    if (place >> LANE_BITS == (id & UINT64_MAX >> LANE_BITS))
        return (size_t)(place & ((1 << LANE_BITS) - 1));
    return lane_by_id(homes, id);
}

size_t homes_find(const struct homes *homes, const struct command *command)
{
    if (homes->lanes == 1) return 0;
    switch (command->kind) {
    case COMMAND_BOOK: return lane_by_id(homes, command->book.event_id);
    case COMMAND_CANCEL: return lane_of_booking(homes, command->cancel.booking_id);
    case COMMAND_CANCEL_NEWEST: return lane_by_id(homes, command->cancel.event_id);
    case COMMAND_PAY: return lane_of_booking(homes, command->pay.booking_id);
    case COMMAND_UPDATE_EVENT: return lane_by_id(homes, command->update.event.id);
    case COMMAND_DELETE_EVENT: return lane_by_id(homes, command->event_id);
    case COMMAND_UPDATE_USER:
    case COMMAND_SET_ROLE:
    case COMMAND_SIGN_OUT:
    case COMMAND_RESET_PASSWORD:
    case COMMAND_ASK_CONFIRMATION:
    case COMMAND_CONFIRM_EMAIL:
    case COMMAND_ERASE_USER: return lane_by_id(homes, command->user.user.id);
    case COMMAND_CREATE_EVENT:
    case COMMAND_REGISTER:
    case COMMAND_ASK_RESET:
    case COMMAND_PRUNE:
    case COMMAND_TELL:
    case COMMAND_CLAIM:
    case COMMAND_SETTLE:
    case COMMAND_RETRY:
    case COMMAND_DROP:
    case COMMAND_CREATE_WEBHOOK:
    case COMMAND_UPDATE_WEBHOOK:
    case COMMAND_DELETE_WEBHOOK:
    case COMMAND_TEST_WEBHOOK:
    case COMMAND_KINDS: break;
    }
    return lane_by_id(homes, command->actor.id);
}

void homes_note(struct homes *homes, const struct working_set *set)
{
    const struct booking_entry *entry;
    if (homes->lanes == 1) return;
    for (size_t i = 0; (entry = map_each(&set->bookings, &i));)
        if (entry->found)
            atomic_store_explicit(&homes->places[entry->id % PLACES],
                                  entry->id << LANE_BITS | lane_by_id(homes, entry->row.event_id),
                                  memory_order_relaxed);
}
