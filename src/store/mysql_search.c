/* SPDX-License-Identifier: Apache-2.0 */
/* Events, found. A page is read in one of two ways: by walking the index of the wanted order until
 * the page is full, which is quick when many events match; or by gathering the few events that
 * have a rare word, a day or an organizer, and sorting those. Which of them it is, is counted
 * before, up to a bound. */
#include "base/array.h"
#include "store/mysql_internal.h"
#include "store/search_words.h"

/* By what the few are gathered: ?12 of SEARCH_FEW. */
enum few_by { FEW_BY_WORD = 1, FEW_BY_DAY = 2, FEW_BY_ORGANIZER = 3 };

struct search {
    struct maria_store *store;
    const struct event_query *query;
    struct arena *arena;
    struct maria_value words; /* ?1 */
    int64_t from, to;         /* ?3, ?4 */
    struct {
        struct event **items;
        size_t count, size;
    } found;
};

static struct maria_value search_words(const struct event_query *query, struct arena *arena)
{
    struct field_words words = event_query_words(query, arena);
    if (words.count == 0) return NIL;
    struct maria_set set = {0};
    for (size_t i = 0; i < words.count; i++)
        maria_set_add_pair(&set, words.items[i].fields, maria_cut(words.items[i].word, WORD_MAX));
    return maria_set_end(&set, arena);
}

/* The rows of one statement; 'after' are the values from ?10 on that it knows. */
static void search_step(struct search *search, enum maria_statement which,
                        const struct maria_value *after, size_t after_count)
{
    const struct event_query *query = search->query;
    if (search->found.count >= query->limit) return;
    struct maria_value values[14] = {
        search->words,
        maria_num_or_nil(query->has_day, query->day),
        NUM(search->from),
        NUM(search->to),
        NUM(query->status),
        NUM(query->organizer),
        NUM(query->drafts_of),
        NUM(query->available ? query->now : 0),
        NUM(query->limit - search->found.count),
    };
    memcpy(values + 9, after, after_count * sizeof(*after));
    struct maria_rows *rows = maria_query(search->store, which, values, 9 + after_count);
    while (maria_next(search->store, rows)) {
        struct event *event = ARENA_NEW(search->arena, struct event);
        *event = maria_event_row(rows, search->arena);
        *ARRAY_PUSH(search->arena, &search->found) = event;
    }
}

#define SEARCH(search, name, ...)                                                                  \
    search_step((search), STATEMENT_SEARCH_##name, MARIA_VALUES(__VA_ARGS__))

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
            SEARCH(search, STARTING_EARLIER, NUM(-at));
        else
            SEARCH(search, STARTING_LATER, NUM(at));
    }
    if (search->from == 0)
        SEARCH(search, STARTING_AT, NUM(0), NUM(after->set && !after->number ? after->id : 0));
}

static void walk_by_name(struct search *search)
{
    const struct page_after *after = &search->query->after;
    struct str name = after->set ? maria_cut(after->text, KEY_MAX) : STR("");
    SEARCH(search, NAMED, BLOB(name), NUM(after->set ? after->id : 0));
    SEARCH(search, NAMED_LATER, BLOB(name));
}

/* 'fields' says where the word must stand. */
static void gather_few(struct search *search, enum few_by by, struct str word, unsigned fields)
{
    const struct event_query *query = search->query;
    const struct page_after *after = &query->after;
    struct maria_value id = NUM(after->set ? after->id : 0), gathered = NUM(by), rare = BLOB(word),
                       places = NUM(fields);
    /* The only word needs no second look at each of those that were found by it. */
    if (by == FEW_BY_WORD && query->name.count + query->venue.count + query->q.count == 1)
        search->words = NIL;
    bool is_last = after->set && after->number == 0; /* those without a start */
    switch (query->sort) {
    case SORT_NAME:
        SEARCH(search, FEW_BY_NAME, BLOB(maria_cut(after->text, KEY_MAX)), id, gathered, rare,
               places);
        break;
    case SORT_STARTS_AT:
        SEARCH(search, FEW_BY_START, NUM(is_last ? INT64_MAX : after->number), id, gathered, rare,
               places);
        break;
    case SORT_STARTS_AT_DESCENDING:
        SEARCH(search, FEW_DESCENDING, NUM(is_last ? INT64_MAX : -after->number), id, gathered,
               rare, places);
        break;
    }
}

/* Gathers where something is rare enough; false where nothing is. */
static bool search_few(struct search *search)
{
    const struct event_query *query = search->query;
    struct maria_store *store = search->store;
    const struct words *lists[] = {&query->name, &query->venue, &query->q};
    static const unsigned places[] = {WORD_OF_NAME, WORD_OF_VENUE, WORD_ANYWHERE};
    unsigned fields = 0;
    struct maria_rare rare = {.count = MARIA_MANY};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct maria_rare other = maria_rare_word(store, STATEMENT_EVENT_WORD_COUNT, lists[i]);
        if (other.count < rare.count) rare = other, fields = places[i];
    }
    enum few_by by = FEW_BY_WORD;
    if (query->has_day && rare.count > 0) {
        int64_t count =
            maria_number(store, QUERY(store, EVENTS_OF_DAY, NUM(query->day), NUM(MARIA_MANY)), 0);
        if (count < rare.count) by = FEW_BY_DAY, rare.count = count;
    }
    if (query->organizer && rare.count > 0) {
        int64_t count = maria_number(
            store, QUERY(store, EVENTS_OF_ORGANIZER, NUM(query->organizer), NUM(MARIA_MANY)), 0);
        if (count < rare.count) by = FEW_BY_ORGANIZER, rare.count = count;
    }
    if (rare.count >= MARIA_MANY) return false;
    gather_few(search, by, by == FEW_BY_WORD ? rare.word : STR(""), fields);
    return true;
}

enum store_status maria_search_events(struct store *base, const struct event_query *query,
                                      struct arena *arena, struct event_list *ret_list)
{
    struct search search = {
        .store = maria_begin_read(base),
        .query = query,
        .arena = arena,
        .words = search_words(query, arena),
        .to = query->to ? query->to : INT64_MAX,
    };
    /* Whoever asks for a time asks for events that have one. */
    if (query->from || query->to || query->has_day) search.from = query->from > 1 ? query->from : 1;
    if (!search_few(&search)) {
        if (query->sort == SORT_NAME)
            walk_by_name(&search);
        else
            walk_by_start(&search);
    }
    maria_types_of(search.store, search.found.items, search.found.count, arena);
    *ret_list = (struct event_list){search.found.items, search.found.count};
    return maria_end_read(search.store);
}

enum store_status maria_find_event(struct store *base, uint64_t id, struct arena *arena,
                                   struct event **ret_event)
{
    struct maria_store *store = maria_begin_read(base);
    struct event *event = NULL;
    struct maria_rows *rows = QUERY(store, EVENT, NUM(id));
    if (maria_next(store, rows)) {
        event = ARENA_NEW(arena, struct event);
        *event = maria_event_row(rows, arena);
        maria_types_of(store, &event, 1, arena);
    }
    *ret_event = event;
    return maria_end_read(store);
}
