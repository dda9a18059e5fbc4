/* SPDX-License-Identifier: Apache-2.0 */
/* Events, found. What is rarest in a search (a word, the day, the organizer) is the source of
 * events: they are walked in the order of the page, and the rest is looked at one by one, until the
 * page is full. Where there is no such source in that order, because a word begins several others
 * or the order is that of names, those of a rare word are gathered and sorted, and otherwise all
 * events walked. */
#include <stdlib.h>

#include "base/array.h"
#include "store/search_words.h"
#include "store/sqlite_internal.h"

enum {
    COUNT_FIRST = 256, /* how far everything is counted before anything is counted to SQLITE_MANY */
    NOT_COUNTED = -1,
    WALK_MOST = 4000, /* of all events, before a walk gives up and gathers */
};

/* The place of an event in the order of the page. */
struct place {
    int64_t number;  /* starts_at, so that those without come last; negative in descending order */
    struct str name; /* folded, where the order is that of names */
    uint64_t id;
};

/* The rarest thing that is asked for. */
enum source { SOURCE_ALL, SOURCE_WORD, SOURCE_DAY, SOURCE_ORGANIZER };
struct rare {
    enum source source;
    struct field_word word;
    int64_t count; /* as far as it was counted, or NOT_COUNTED */
};

struct search {
    struct sqlite_store *store;
    const struct event_query *query;
    struct arena *arena;
    struct sqlite_value filters[8]; /* ?2 to ?8 of the statements stand in [1] to [7] */
    int64_t from, to;
    struct field_words words;
    struct place last; /* what was looked at so far: the page begins behind it */
    bool has_last;
    uint64_t *ids; /* of the page */
    size_t count;
};

static bool is_full(const struct search *search)
{
    return search->count >= search->query->limit;
}

/* The word that is known already is not looked for again. */
static bool has_words(struct search *search, uint64_t id, const struct field_word *known)
{
    for (size_t i = 0; i < search->words.count; i++) {
        const struct field_word *word = &search->words.items[i];
        if (known && word->fields == known->fields && str_equal(word->word, known->word)) continue;
        sqlite3_stmt *rows =
            QUERY(search->store, EVENT_HAS_WORD, NUM(id), TEXT(word->word), NUM(word->fields));
        bool has = sqlite_next(search->store, rows);
        sqlite_end(rows);
        if (!has) return false;
    }
    return true;
}

static bool passes_filters(struct search *search, uint64_t id)
{
    struct sqlite_value values[8];
    memcpy(values, search->filters, sizeof(values));
    values[0] = NUM(id);
    sqlite3_stmt *rows = sqlite_query(search->store, STATEMENT_SEARCH_ONE, values, 8);
    bool passes = sqlite_next(search->store, rows);
    sqlite_end(rows);
    return passes;
}

/* ---- walking ---- */

static int64_t place_number(const struct search *search, int64_t starts_at)
{
    if (search->query->sort == SORT_NAME) return 0;
    if (starts_at == 0) return INT64_MAX;
    return search->query->sort == SORT_STARTS_AT ? starts_at : -starts_at;
}

static struct str place_name(struct search *search, uint64_t id)
{
    if (search->query->sort != SORT_NAME) return (struct str){0};
    sqlite3_stmt *rows = QUERY(search->store, EVENT_NAME, NUM(id));
    struct str name =
        sqlite_next(search->store, rows) ? sqlite_text(rows, 0, search->arena) : (struct str){0};
    sqlite_end(rows);
    return name;
}

/* What a walk goes through. */
struct walk {
    enum source source;
    enum sqlite_statement at, later, earlier;
    struct sqlite_value values[2]; /* ?11, ?12, as many of them as the statements have */
    size_t value_count;
    const struct field_word *known;
    size_t left; /* of all events it gives up after so many */
};

static void walk_step(struct search *search, struct walk *walk, enum sqlite_statement which,
                      struct sqlite_value key, uint64_t id)
{
    if (is_full(search) || walk->left == 0) return;
    struct sqlite_value values[12];
    memcpy(values, search->filters, sizeof(search->filters));
    values[8] = key;
    values[9] = NUM(id);
    memcpy(values + 10, walk->values, sizeof(walk->values));
    bool all = walk->source == SOURCE_ALL;
    bool by_id = which == walk->at || which == STATEMENT_SEARCH_NAMED;
    sqlite3_stmt *rows = sqlite_query(search->store, which, values,
                                      walk->value_count ? 10 + walk->value_count
                                      : by_id           ? 10
                                                        : 9);
    while (!is_full(search) && walk->left > 0 && sqlite_next(search->store, rows)) {
        search->last.id = sqlite_u64(rows, 0);
        search->last.number = place_number(search, sqlite3_column_int64(rows, 1));
        search->has_last = true;
        if (all && search->words.count) walk->left--;
        if (has_words(search, search->last.id, walk->known) &&
            (all || passes_filters(search, search->last.id)))
            search->ids[search->count++] = search->last.id;
    }
    sqlite_end(rows);
}

/* Those with a start, in order; behind them those without. */
static void walk_by_start(struct search *search, struct walk *walk)
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
            walk_step(search, walk, walk->at, NUM(after->number), after->id);
            if (descending ? after->number < at : after->number > at) at = after->number;
        }
        walk_step(search, walk, descending ? walk->earlier : walk->later, NUM(at), 0);
    }
    if (search->from == 0)
        walk_step(search, walk, walk->at, NUM(0), after->set && !after->number ? after->id : 0);
}

static void walk_by_name(struct search *search, struct walk *walk)
{
    const struct page_after *after = &search->query->after;
    struct str name = after->set ? after->text : STR("");
    walk_step(search, walk, STATEMENT_SEARCH_NAMED, TEXT(name), after->set ? after->id : 0);
    walk_step(search, walk, STATEMENT_SEARCH_NAMED_LATER, TEXT(name), 0);
    if (search->has_last) search->last.name = place_name(search, search->last.id);
}

/* ---- gathering ---- */

static int place_compare(const void *left, const void *right)
{
    const struct place *one = left, *two = right;
    int order = (one->number > two->number) - (one->number < two->number);
    size_t common = one->name.len < two->name.len ? one->name.len : two->name.len;
    if (!order && common) order = memcmp(one->name.data, two->name.data, common);
    if (!order) order = (one->name.len > two->name.len) - (one->name.len < two->name.len);
    return order ? order : (one->id > two->id) - (one->id < two->id);
}

static sqlite3_stmt *candidates(struct search *search, const struct rare *rare)
{
    struct sqlite_store *store = search->store;
    const struct event_query *query = search->query;
    if (rare->source == SOURCE_DAY) return QUERY(store, EVENTS_OF_DAY, NUM(query->day));
    if (rare->source == SOURCE_ORGANIZER)
        return QUERY(store, EVENTS_OF_ORGANIZER, NUM(query->organizer));
    return QUERY(store, EVENTS_WITH_WORD, TEXT(rare->word.word), NUM(rare->word.fields));
}

/* Those behind 'last' in the order of the page. An event may be there more than once: two of its
 * words may begin alike. */
static struct place *gather(struct search *search, const struct rare *rare, size_t *ret_count)
{
    struct {
        struct place *items;
        size_t count, size;
    } places = {0};
    sqlite3_stmt *rows = candidates(search, rare);
    while (sqlite_next(search->store, rows)) {
        int64_t starts_at = sqlite3_column_int64(rows, 1);
        if (starts_at < search->from || starts_at >= search->to) continue;
        struct place place = {.number = place_number(search, starts_at), .id = sqlite_u64(rows, 0)};
        place.name = place_name(search, place.id);
        if (search->has_last && place_compare(&place, &search->last) <= 0) continue;
        *ARRAY_PUSH(search->arena, &places) = place;
    }
    if (places.count) qsort(places.items, places.count, sizeof(*places.items), place_compare);
    *ret_count = places.count;
    return places.items;
}

static void look_at_few(struct search *search, const struct rare *rare)
{
    size_t count;
    const struct place *places = gather(search, rare, &count);
    const struct field_word *known = rare->source == SOURCE_WORD ? &rare->word : NULL;
    for (size_t i = 0; i < count && !is_full(search); i++) {
        if (i && places[i].id == places[i - 1].id) continue;
        if (has_words(search, places[i].id, known) && passes_filters(search, places[i].id))
            search->ids[search->count++] = places[i].id;
    }
}

/* ---- choosing ---- */

static void count_one(struct search *search, struct rare *rare, const struct rare *other,
                      enum sqlite_statement which, struct sqlite_value value)
{
    const struct sqlite_value values[] = {value, NUM(rare->count)};
    int64_t count = sqlite_number(search->store, sqlite_query(search->store, which, values, 2), 0);
    if (count >= rare->count) return;
    *rare = *other;
    rare->count = count;
}

/* What there are fewer of than 'most'; SOURCE_ALL where there is nothing like that. */
static struct rare rarer_than(struct search *search, int64_t most)
{
    const struct event_query *query = search->query;
    struct rare rare = {.count = most};
    for (size_t i = 0; i < search->words.count && rare.count > 0; i++)
        count_one(search, &rare, &(struct rare){SOURCE_WORD, search->words.items[i], 0},
                  STATEMENT_EVENT_WORD_COUNT, TEXT(search->words.items[i].word));
    if (query->has_day && rare.count > 0)
        count_one(search, &rare, &(struct rare){.source = SOURCE_DAY},
                  STATEMENT_EVENTS_OF_DAY_COUNT, NUM(query->day));
    if (query->organizer && rare.count > 0)
        count_one(search, &rare, &(struct rare){.source = SOURCE_ORGANIZER},
                  STATEMENT_EVENTS_OF_ORGANIZER_COUNT, NUM(query->organizer));
    return rare;
}

/* What is asked for alone is not counted, nor a common word as far as it goes: that would cost more
 * than it tells. Of common words any will do. */
static struct rare rarest(struct search *search)
{
    const struct event_query *query = search->query;
    size_t asked = search->words.count + query->has_day + (query->organizer > 0);
    if (asked == 0) return (struct rare){.source = SOURCE_ALL};
    if (asked == 1 && query->sort != SORT_NAME) {
        if (query->has_day) return (struct rare){.source = SOURCE_DAY, .count = NOT_COUNTED};
        if (query->organizer)
            return (struct rare){.source = SOURCE_ORGANIZER, .count = NOT_COUNTED};
        return (struct rare){SOURCE_WORD, search->words.items[0], NOT_COUNTED};
    }
    struct rare rare = rarer_than(search, COUNT_FIRST);
    if (rare.source == SOURCE_ALL) rare = rarer_than(search, SQLITE_MANY);
    if (rare.source == SOURCE_ALL && search->words.count)
        rare = (struct rare){SOURCE_WORD, search->words.items[0], SQLITE_MANY};
    return rare;
}

/* The word of the table that 'word' begins; false where it begins several. */
static bool only_word(struct search *search, struct str word, struct str *ret_word)
{
    sqlite3_stmt *rows = QUERY(search->store, WORD_FIRST, TEXT(word));
    struct str first = {0}, last = {0};
    if (sqlite_next(search->store, rows)) first = sqlite_text(rows, 0, search->arena);
    sqlite_end(rows);
    rows = QUERY(search->store, WORD_LAST, TEXT(word));
    if (sqlite_next(search->store, rows)) last = sqlite_text(rows, 0, search->arena);
    sqlite_end(rows);
    *ret_word = first;
    return str_equal(first, last);
}

#define SOURCE_STATEMENTS(name)                                                                    \
    .at = STATEMENT_SEARCH_##name##_AT, .later = STATEMENT_SEARCH_##name##_LATER,                  \
    .earlier = STATEMENT_SEARCH_##name##_EARLIER

/* A walk in the order of time through what is rare; through all events where that is not possible.
 */
static struct walk walk_of(struct search *search, const struct rare *rare)
{
    const struct event_query *query = search->query;
    struct str word;
    if (query->sort != SORT_NAME) {
        if (rare->source == SOURCE_DAY)
            return (struct walk){
                SOURCE_DAY, SOURCE_STATEMENTS(DAY), {NUM(query->day), NIL}, 1, NULL, SIZE_MAX};
        if (rare->source == SOURCE_ORGANIZER)
            return (struct walk){SOURCE_ORGANIZER,
                                 SOURCE_STATEMENTS(ORGANIZER),
                                 {NUM(query->organizer), NIL},
                                 1,
                                 NULL,
                                 SIZE_MAX};
        if (rare->source == SOURCE_WORD && only_word(search, rare->word.word, &word))
            return (struct walk){SOURCE_WORD,
                                 SOURCE_STATEMENTS(WORD),
                                 {TEXT(word), NUM(rare->word.fields)},
                                 2,
                                 &rare->word,
                                 SIZE_MAX};
    }
    return (struct walk){SOURCE_ALL, SOURCE_STATEMENTS(ALL), {NIL, NIL}, 0, NULL, WALK_MOST};
}

/* ---- a search ---- */

static void search_begin(struct search *search, struct store *base, const struct event_query *query,
                         struct arena *arena)
{
    *search = (struct search){
        .store = sqlite_begin_read(base),
        .query = query,
        .arena = arena,
        .to = query->to ? query->to : INT64_MAX,
        .ids = ARENA_ARRAY(arena, uint64_t, query->limit),
        .has_last = query->after.set,
        .last = {.id = query->after.id},
    };
    /* Whoever asks for a time asks for events that have one. */
    if (query->from || query->to || query->has_day)
        search->from = query->from > 1 ? query->from : 1;
    search->last.number = place_number(search, query->after.number);
    if (query->sort == SORT_NAME) search->last.name = query->after.text;
    search->words = event_query_words(query, arena);
    const struct sqlite_value filters[] = {
        NIL,
        NUM(search->from),
        NUM(search->to),
        sqlite_num_or_nil(query->has_day, query->day),
        NUM(query->status),
        NUM(query->organizer),
        NUM(query->drafts_of),
        NUM(query->available ? query->now : 0),
    };
    memcpy(search->filters, filters, sizeof(filters));
}

static bool is_few(struct search *search, const struct rare *rare)
{
    if (rare->source == SOURCE_ALL) return false;
    /* What was not counted is the only thing there is to count. */
    int64_t count =
        rare->count == NOT_COUNTED ? rarer_than(search, SQLITE_MANY).count : rare->count;
    return count < SQLITE_MANY;
}

static void find_ids(struct search *search)
{
    struct rare rare = rarest(search);
    struct walk walk = walk_of(search, &rare);
    if (walk.source != SOURCE_ALL || !is_few(search, &rare)) {
        if (search->query->sort == SORT_NAME)
            walk_by_name(search, &walk);
        else
            walk_by_start(search, &walk);
        if (walk.left > 0 || is_full(search)) return;
        /* It gave up: each of the words is common, and hardly any event has all of them. */
    }
    look_at_few(search, &rare);
}

enum store_status sqlite_search_events(struct store *base, const struct event_query *query,
                                       struct arena *arena, struct event_list *ret_list)
{
    struct search search;
    search_begin(&search, base, query, arena);
    find_ids(&search);
    struct event **events = ARENA_ARRAY(arena, struct event *, search.count);
    for (size_t i = 0; i < search.count; i++)
        events[i] = sqlite_event(search.store, search.ids[i], arena);
    *ret_list = (struct event_list){events, search.count};
    return sqlite_end_read(search.store);
}

enum store_status sqlite_find_event(struct store *base, uint64_t id, struct arena *arena,
                                    struct event **ret_event)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    *ret_event = sqlite_event(store, id, arena);
    return sqlite_end_read(store);
}
