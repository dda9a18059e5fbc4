/* SPDX-License-Identifier: Apache-2.0 */
/* Events, found: as in sqlite_search.c. A page is read in one of two ways: by walking the index of
 * the wanted order until the page is full, which is quick when many events match; or by gathering
 * the few events that have a rare word, a day or an organizer, and sorting those. */
#include <stdlib.h>

#include "base/array.h"
#include "store/postgres_internal.h"
#include "store/search_words.h"

/* By what the few are gathered: $15 of SEARCH_FEW. */
enum few_by { FEW_BY_WORD = 1, FEW_BY_DAY = 2, FEW_BY_ORGANIZER = 3 };

enum { SEARCH_VALUES = 10 }; /* $1 to $10, of all searches */

struct search {
    struct postgres_store *store;
    const struct event_query *query;
    struct arena *arena;
    struct postgres_array *words, *fields; /* $1, $2 */
    int64_t from, to;                      /* $4, $5 */
    struct {
        struct event **items;
        size_t count, size;
    } found;
};

static void take_words(struct search *search)
{
    struct field_words words = event_query_words(search->query, search->arena);
    for (size_t i = 0; i < words.count; i++) {
        postgres_array_text(search->words, words.items[i].word);
        postgres_array_number(search->fields, words.items[i].fields);
    }
}

/* The rows of one statement; 'after' are the values from $11 on that it knows. */
static void search_step(struct search *search, enum postgres_statement which,
                        const struct postgres_value *after, size_t after_count)
{
    const struct event_query *query = search->query;
    if (search->found.count >= query->limit) return;
    struct postgres_value values[POSTGRES_VALUES_MAX] = {
        ARRAY(search->words),
        ARRAY(search->fields),
        postgres_num_or_nil(query->has_day, query->day),
        NUM(search->from),
        NUM(search->to),
        NUM(query->status),
        NUM(query->organizer),
        NUM(query->drafts_of),
        NUM(query->available ? query->now : 0),
        NUM(query->limit - search->found.count),
    };
    memcpy(values + SEARCH_VALUES, after, after_count * sizeof(*after));
    PGresult *rows = postgres_query(search->store, which, values, SEARCH_VALUES + after_count);
    for (int row = 0; row < postgres_count(rows); row++) {
        struct event *event = ARENA_NEW(search->arena, struct event);
        *event = postgres_event_row(rows, row, search->arena);
        *ARRAY_PUSH(search->arena, &search->found) = event;
    }
    PQclear(rows);
}

#define SEARCH(search, name, ...)                                                                  \
    search_step((search), STATEMENT_SEARCH_##name, POSTGRES_VALUES(__VA_ARGS__))

/* Those with a start, in order; behind them those without. */
static void walk_by_start(struct search *search)
{
    const struct event_query *query = search->query;
    const struct page_after *after = &query->after;
    bool descending = query->sort == SORT_STARTS_AT_DESCENDING;
    if (!after->set || after->number) {
        int64_t first = search->from > 0 ? search->from : 1;
        /* What has begun is not available. */
        if (query->available && query->now >= first) first = query->now + 1;
        int64_t at = descending ? search->to : first - 1;
        if (after->set) {
            SEARCH(search, STARTING_AT, NUM(after->number), NUM(after->id));
            if (descending ? after->number < at : after->number > at) at = after->number;
        }
        if (descending)
            SEARCH(search, STARTING_EARLIER, NUM(at));
        else
            SEARCH(search, STARTING_LATER, NUM(at));
    }
    if (search->from == 0)
        SEARCH(search, STARTING_AT, NUM(0), NUM(after->set && !after->number ? after->id : 0));
}

static void walk_by_name(struct search *search)
{
    const struct page_after *after = &search->query->after;
    struct str name = after->set ? after->text : STR("");
    SEARCH(search, NAMED, TEXT(name), NUM(after->set ? after->id : 0));
    SEARCH(search, NAMED_LATER, TEXT(name));
}

/* 'fields' says where the word must stand. */
static void gather_few(struct search *search, enum few_by by, struct str word, unsigned fields)
{
    const struct event_query *query = search->query;
    const struct page_after *after = &query->after;
    struct postgres_value number = NIL;
    if (after->set && query->sort == SORT_NAME)
        number = NUM(0);
    else if (after->set && after->number == 0)
        number = NUM(INT64_MAX);
    else if (after->set)
        number = NUM(query->sort == SORT_STARTS_AT ? after->number : -after->number);
    struct str name = after->set && query->sort == SORT_NAME ? after->text : STR("");
    SEARCH(search, FEW, number, TEXT(name), NUM(after->id), NUM(query->sort), NUM(by), TEXT(word),
           NUM(fields));
}

static int64_t count_few(struct postgres_store *store, enum postgres_statement which, int64_t of)
{
    return postgres_number(
        postgres_query(store, which, POSTGRES_VALUES(NUM(of), NUM(POSTGRES_MANY))));
}

/* Gathers where something is rare enough; false where nothing is. */
static bool search_few(struct search *search)
{
    const struct event_query *query = search->query;
    struct postgres_store *store = search->store;
    const struct words *lists[] = {&query->name, &query->venue, &query->q};
    static const unsigned places[] = {WORD_OF_NAME, WORD_OF_VENUE, WORD_ANYWHERE};
    unsigned fields = 0;
    struct postgres_rare rare = {.count = POSTGRES_MANY};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct postgres_rare other =
            postgres_rare_word(store, STATEMENT_EVENT_WORD_COUNT, lists[i]);
        if (other.count < rare.count) rare = other, fields = places[i];
    }
    enum few_by by = FEW_BY_WORD;
    if (query->has_day && rare.count > 0) {
        int64_t count = count_few(store, STATEMENT_EVENTS_OF_DAY, query->day);
        if (count < rare.count) by = FEW_BY_DAY, rare.count = count;
    }
    if (query->organizer && rare.count > 0) {
        int64_t count = count_few(store, STATEMENT_EVENTS_OF_ORGANIZER, (int64_t)query->organizer);
        if (count < rare.count) by = FEW_BY_ORGANIZER, rare.count = count;
    }
    if (rare.count >= POSTGRES_MANY) return false;
    gather_few(search, by, by == FEW_BY_WORD ? rare.word : STR(""), fields);
    return true;
}

static int by_id(const void *a, const void *b)
{
    const struct event *first = *(struct event *const *)a, *second = *(struct event *const *)b;
    return (first->id > second->id) - (first->id < second->id);
}

/* The types of all events that were found, in one go. */
static void find_types(struct search *search)
{
    size_t count = search->found.count;
    if (count == 0) return;
    struct event **events = ARENA_ARRAY(search->arena, struct event *, count);
    memcpy(events, search->found.items, count * sizeof(struct event *));
    qsort(events, count, sizeof(struct event *), by_id);
    struct postgres_array *ids = postgres_fresh(search->store, 2);
    for (size_t i = 0; i < count; i++)
        postgres_array_number(ids, (int64_t)events[i]->id);
    PGresult *types = QUERY(search->store, TYPES, ARRAY(ids));
    int at = 0;
    for (size_t i = 0; i < count; i++)
        events[i]->types =
            postgres_types_of(types, &at, events[i]->id, search->arena, &events[i]->type_count);
    PQclear(types);
}

enum store_status postgres_search_events(struct store *base, const struct event_query *query,
                                         struct arena *arena, struct event_list *ret_list)
{
    struct postgres_store *store = postgres_begin_read(base, true);
    struct search search = {
        .store = store,
        .query = query,
        .arena = arena,
        .words = postgres_fresh(store, 0),
        .fields = postgres_fresh(store, 1),
        .to = query->to ? query->to : INT64_MAX,
    };
    take_words(&search);
    /* Whoever asks for a time asks for events that have one. */
    if (query->from || query->to || query->has_day) search.from = query->from > 1 ? query->from : 1;
    if (!search_few(&search)) {
        if (query->sort == SORT_NAME)
            walk_by_name(&search);
        else
            walk_by_start(&search);
    }
    find_types(&search);
    *ret_list = (struct event_list){search.found.items, search.found.count};
    return postgres_end_read(store);
}

enum store_status postgres_find_event(struct store *base, uint64_t id, struct arena *arena,
                                      struct event **ret_event)
{
    struct postgres_store *store = postgres_begin_read(base, true);
    struct postgres_array *ids = postgres_fresh(store, 0);
    struct event *event = NULL;
    postgres_array_number(ids, (int64_t)id);
    SEND(store, EVENTS, ARRAY(ids));
    SEND(store, TYPES, ARRAY(ids));
    postgres_sync(store);
    PGresult *rows = postgres_result(store), *types = postgres_result(store);
    int at = 0;
    if (postgres_count(rows)) {
        event = ARENA_NEW(arena, struct event);
        *event = postgres_event_row(rows, 0, arena);
        event->types = postgres_types_of(types, &at, id, arena, &event->type_count);
    }
    PQclear(rows);
    PQclear(types);
    *ret_event = event;
    return postgres_end_read(store);
}
