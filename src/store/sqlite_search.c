/* SPDX-License-Identifier: Apache-2.0 */
/* Events, found. What is rarest in a search (a word, the day, the organizer) is the source of
 * events: they are walked in the order of the page, and the rest is looked at one by one, until the
 * page is full. Where there is no such source in that order, because a word begins several others
 * or the order is that of names, those of a rare word are gathered and sorted, and otherwise all
 * events walked. Of two words that are walked, the other one is looked up by the statement itself.
 */
#include <stdlib.h>

#include "base/array.h"
#include "store/search_words.h"
#include "store/sqlite_internal.h"

enum {
    AHEAD = 64,       /* so many events of a word tell how close together they are */
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
    size_t word; /* of search.words */
    enum { NOT_COUNTED, FEW, MANY } count;
};

/* The words that begin with a word of the search. */
struct begun {
    bool is_one;
    struct str word; /* that one */
};

struct found {
    uint64_t id, version;
};

struct search {
    struct sqlite_store *store;
    const struct event_query *query;
    struct arena *arena;
    struct sqlite_value filters[8]; /* ?2 to ?8 of the statements stand in [1] to [7] */
    int64_t from, to;
    struct field_words words;
    struct begun *begun; /* of each word; NULL where the order is that of names */
    struct place last;   /* what was looked at so far: the page begins behind it */
    bool has_last;
    struct found *found; /* of the page */
    size_t count;
};

static bool is_full(const struct search *search)
{
    return search->count >= search->query->limit;
}

/* The words of the bits of 'known' are not looked for again. */
static bool has_words(struct search *search, uint64_t id, uint64_t known)
{
    for (size_t i = 0; i < search->words.count; i++) {
        const struct field_word *word = &search->words.items[i];
        if (known >> i & 1) continue;
        sqlite3_stmt *rows =
            QUERY(search->store, EVENT_HAS_WORD, NUM(id), TEXT(word->word), NUM(word->fields));
        bool has = sqlite_next(search->store, rows);
        sqlite_end(rows);
        if (!has) return false;
    }
    return true;
}

static bool passes_filters(struct search *search, uint64_t id, uint64_t *ret_version)
{
    struct sqlite_value values[8];
    memcpy(values, search->filters, sizeof(values));
    values[0] = NUM(id);
    sqlite3_stmt *rows = sqlite_query(search->store, STATEMENT_SEARCH_ONE, values, 8);
    bool passes = sqlite_next(search->store, rows);
    if (passes) *ret_version = sqlite_u64(rows, 0);
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
    struct sqlite_value values[4]; /* ?11 to ?14, as many of them as the statements have */
    size_t value_count;
    uint64_t known; /* bits of the words that all of them have */
    size_t left;    /* of all events it gives up after so many */
};

static void walk_step(struct search *search, struct walk *walk, enum sqlite_statement which,
                      struct sqlite_value key, uint64_t id)
{
    if (is_full(search) || walk->left == 0) return;
    struct sqlite_value values[14];
    memcpy(values, search->filters, sizeof(search->filters));
    values[8] = key;
    values[9] = NUM(id);
    memcpy(values + 10, walk->values, sizeof(walk->values));
    bool counts = walk->source == SOURCE_ALL && search->words.count;
    bool by_id = which == walk->at || which == STATEMENT_SEARCH_NAMED;
    sqlite3_stmt *rows = sqlite_query(search->store, which, values,
                                      walk->value_count ? 10 + walk->value_count
                                      : by_id           ? 10
                                                        : 9);
    while (!is_full(search) && walk->left > 0 && sqlite_next(search->store, rows)) {
        struct found found = {sqlite_u64(rows, 0), sqlite_u64(rows, 2)};
        search->last.id = found.id;
        search->last.number = place_number(search, sqlite3_column_int64(rows, 1));
        search->has_last = true;
        if (counts) walk->left--;
        if (has_words(search, found.id, walk->known)) search->found[search->count++] = found;
    }
    sqlite_end(rows);
}

/* Where those with a start begin: behind it, or before it when they are walked backwards. */
static int64_t first_start(const struct search *search)
{
    const struct event_query *query = search->query;
    const struct page_after *after = &query->after;
    bool descending = query->sort == SORT_STARTS_AT_DESCENDING;
    int64_t first = search->from > 0 ? search->from : 1;
    /* What has begun is not available. */
    if (query->available && query->now >= first) first = query->now + 1;
    int64_t at = descending ? search->to : first - 1;
    if (after->set && (descending ? after->number < at : after->number > at)) return after->number;
    return at;
}

/* Those with a start, in order; behind them those without. */
static void walk_by_start(struct search *search, struct walk *walk)
{
    const struct event_query *query = search->query;
    const struct page_after *after = &query->after;
    if (!after->set || after->number) {
        if (after->set) walk_step(search, walk, walk->at, NUM(after->number), after->id);
        walk_step(search, walk,
                  query->sort == SORT_STARTS_AT_DESCENDING ? walk->earlier : walk->later,
                  NUM(first_start(search)), 0);
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
    const struct field_word *word = &search->words.items[rare->word];
    return QUERY(store, EVENTS_WITH_WORD, TEXT(word->word), NUM(word->fields));
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
    uint64_t known = rare->source == SOURCE_WORD ? UINT64_C(1) << rare->word : 0;
    for (size_t i = 0; i < count && !is_full(search); i++) {
        struct found found = {.id = places[i].id};
        if (i && found.id == places[i - 1].id) continue;
        if (has_words(search, found.id, known) && passes_filters(search, found.id, &found.version))
            search->found[search->count++] = found;
    }
}

/* ---- choosing ---- */

/* What is asked for, one after the other: false behind the last. */
static bool asked(const struct search *search, size_t index, struct rare *ret_rare)
{
    const struct event_query *query = search->query;
    *ret_rare = (struct rare){.source = SOURCE_WORD, .word = index};
    if (index < search->words.count) return true;
    index -= search->words.count;
    ret_rare->source = query->has_day && index == 0 ? SOURCE_DAY : SOURCE_ORGANIZER;
    return index < (size_t)query->has_day + (query->organizer > 0);
}

static bool are_fewer(struct search *search, const struct rare *rare, int64_t count)
{
    struct sqlite_store *store = search->store;
    const struct event_query *query = search->query;
    sqlite3_stmt *rows =
        rare->source == SOURCE_DAY
            ? QUERY(store, EVENTS_OF_DAY_FROM, NUM(query->day), NUM(count - 1))
        : rare->source == SOURCE_ORGANIZER
            ? QUERY(store, EVENTS_OF_ORGANIZER_FROM, NUM(query->organizer), NUM(count - 1))
            : QUERY(store, EVENTS_WITH_WORD_FROM, TEXT(search->words.items[rare->word].word),
                    NUM(count - 1));
    bool are = !sqlite_next(store, rows);
    sqlite_end(rows);
    return are;
}

/* Something of which there are fewer than 'count'. */
static bool find_scarce(struct search *search, int64_t count, struct rare *ret_rare)
{
    for (size_t i = 0; asked(search, i, ret_rare); i++)
        if (are_fewer(search, ret_rare, count)) {
            ret_rare->count = FEW;
            return true;
        }
    return false;
}

/* Of common words the one whose next events take the longest time: the shortest walk, as far as it
 * goes. False where that cannot be told, as they are not all walked in that order, or one ends
 * soon: those are better counted. */
static bool find_sparse(struct search *search, struct rare *ret_rare)
{
    const struct event_query *query = search->query;
    if (!search->begun || query->has_day || query->organizer) return false;
    if (query->after.set && !query->after.number) return false;
    bool descending = query->sort == SORT_STARTS_AT_DESCENDING;
    int64_t from = first_start(search), most = INT64_MIN;
    for (size_t i = 0; i < search->words.count; i++) {
        struct sqlite_value values[] = {TEXT(search->begun[i].word), NUM(from), NUM(AHEAD - 1)};
        if (!search->begun[i].is_one) return false;
        int64_t at = sqlite_number(
            search->store,
            sqlite_query(search->store, descending ? STATEMENT_WORD_BEHIND : STATEMENT_WORD_AHEAD,
                         values, 3),
            0);
        if (!at) return false;
        if (descending) at = -at;
        if (at > most) *ret_rare = (struct rare){SOURCE_WORD, i, MANY};
        if (at > most) most = at;
    }
    return true;
}

/* What is asked for alone is not counted, nor a common word as far as it goes: that would cost more
 * than it tells. */
static struct rare rarest(struct search *search)
{
    static const int64_t counts[] = {16, 256, SQLITE_MANY};
    struct rare rare, other;
    if (!asked(search, 0, &rare)) return (struct rare){.source = SOURCE_ALL};
    if (!asked(search, 1, &other) && search->query->sort != SORT_NAME) return rare;
    if (find_sparse(search, &rare)) return rare;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        if (find_scarce(search, counts[i], &rare)) return rare;
    /* Any word will do, best one that can be walked. */
    for (size_t i = search->words.count; i-- > 0;)
        if (rare.source != SOURCE_WORD || (search->begun && search->begun[i].is_one))
            rare = (struct rare){SOURCE_WORD, i, MANY};
    return search->words.count ? rare : (struct rare){.source = SOURCE_ALL};
}

/* False: nothing begins with one of the words. */
static bool look_up_words(struct search *search)
{
    size_t count = search->words.count;
    if (search->query->sort == SORT_NAME) return true;
    search->begun = ARENA_ARRAY(search->arena, struct begun, count);
    for (size_t i = 0; i < count; i++) {
        struct str first, last;
        sqlite3_stmt *rows = QUERY(search->store, WORD_FIRST, TEXT(search->words.items[i].word));
        if (!sqlite_next(search->store, rows)) return false;
        first = sqlite_text(rows, 0, search->arena);
        sqlite_end(rows);
        rows = QUERY(search->store, WORD_LAST, TEXT(search->words.items[i].word));
        if (!sqlite_next(search->store, rows)) return false;
        last = sqlite_text(rows, 0, search->arena);
        sqlite_end(rows);
        search->begun[i] = (struct begun){str_equal(first, last), first};
    }
    return true;
}

#define SOURCE_STATEMENTS(name)                                                                    \
    .at = STATEMENT_SEARCH_##name##_AT, .later = STATEMENT_SEARCH_##name##_LATER,                  \
    .earlier = STATEMENT_SEARCH_##name##_EARLIER

/* A walk through the events that have a word, and another one where there is one to look up. */
static struct walk walk_of_word(const struct search *search, size_t word)
{
    struct walk walk = {
        SOURCE_WORD,
        SOURCE_STATEMENTS(WORD),
        {TEXT(search->begun[word].word), NUM(search->words.items[word].fields)},
        2,
        UINT64_C(1) << word,
        SIZE_MAX,
    };
    for (size_t i = 0; i < search->words.count; i++) {
        if (i == word || !search->begun[i].is_one) continue;
        walk.at = STATEMENT_SEARCH_WORDS_AT;
        walk.later = STATEMENT_SEARCH_WORDS_LATER;
        walk.earlier = STATEMENT_SEARCH_WORDS_EARLIER;
        walk.values[2] = TEXT(search->begun[i].word);
        walk.values[3] = NUM(search->words.items[i].fields);
        walk.value_count = 4;
        walk.known |= UINT64_C(1) << i;
        break;
    }
    return walk;
}

/* A walk in the order of time through what is rare; through all events where that is not possible.
 */
static struct walk walk_of(const struct search *search, const struct rare *rare)
{
    const struct event_query *query = search->query;
    if (query->sort != SORT_NAME) {
        if (rare->source == SOURCE_DAY)
            return (struct walk){SOURCE_DAY, SOURCE_STATEMENTS(DAY), {NUM(query->day)}, 1, 0,
                                 SIZE_MAX};
        if (rare->source == SOURCE_ORGANIZER)
            return (struct walk){
                SOURCE_ORGANIZER, SOURCE_STATEMENTS(ORGANIZER), {NUM(query->organizer)}, 1, 0,
                SIZE_MAX};
        if (rare->source == SOURCE_WORD && search->begun[rare->word].is_one)
            return walk_of_word(search, rare->word);
    }
    return (struct walk){SOURCE_ALL, SOURCE_STATEMENTS(ALL), {NIL}, 0, 0, WALK_MOST};
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
        .found = ARENA_ARRAY(arena, struct found, query->limit),
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
    return rare->count == FEW ||
           (rare->count == NOT_COUNTED && are_fewer(search, rare, SQLITE_MANY));
}

static void find_events(struct search *search)
{
    if (!look_up_words(search)) return;
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
    find_events(&search);
    struct event **events = ARENA_ARRAY(arena, struct event *, search.count);
    for (size_t i = 0; i < search.count; i++) {
        const struct found *found = &search.found[i];
        if (query->known) events[i] = query->known(found->id, found->version, query->known_data);
        if (!events[i]) events[i] = sqlite_event(search.store, found->id, arena);
    }
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
