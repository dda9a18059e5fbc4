/* SPDX-License-Identifier: Apache-2.0 */
#include "store/search_words.h"

#include "base/array.h"

enum {
    /* The most words of a text that can be searched for: all of the longest description. */
    EVENT_WORDS_MAX = DESCRIPTION_MAX_CHARACTERS / 2 + 1,
    USER_WORDS_MAX = 256,
};

static void add_words(struct field_words *all, struct words words, unsigned fields,
                      struct arena *arena)
{
    for (size_t i = 0; i < words.count; i++)
        *ARRAY_PUSH(arena, all) = (struct field_word){words.items[i], fields};
}

struct field_words event_words(const struct event *event, struct arena *arena)
{
    struct field_words all = {0};
    add_words(&all, text_words(arena, event->name, EVENT_WORDS_MAX), WORD_OF_NAME, arena);
    add_words(&all, text_words(arena, event->venue, EVENT_WORDS_MAX), WORD_OF_VENUE, arena);
    add_words(&all, text_words(arena, event->description, EVENT_WORDS_MAX), WORD_OF_DESCRIPTION,
              arena);
    return all;
}

struct field_words event_query_words(const struct event_query *query, struct arena *arena)
{
    struct field_words all = {0};
    add_words(&all, query->name, WORD_OF_NAME, arena);
    add_words(&all, query->venue, WORD_OF_VENUE, arena);
    add_words(&all, query->q, WORD_ANYWHERE, arena);
    return all;
}

struct words user_words(const struct user *user, struct arena *arena)
{
    const struct str texts[] = {user->name, user->email, user->username};
    struct {
        struct str *items;
        size_t count, size;
    } all = {0};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct words words = text_words(arena, texts[i], USER_WORDS_MAX);
        for (size_t j = 0; j < words.count; j++)
            *ARRAY_PUSH(arena, &all) = words.items[j];
    }
    return (struct words){all.items, all.count};
}
