/* SPDX-License-Identifier: Apache-2.0 */
/* search_words.h -- by which words events and people are found: what every store keeps of them, and
 * what a search asks for, as base/text.h cuts them. */
#ifndef STORE_SEARCH_WORDS_H
#define STORE_SEARCH_WORDS_H

#include "store/store.h"

/* Bits of event_words.fields. */
enum {
    WORD_OF_NAME = 1,
    WORD_OF_VENUE = 2,
    WORD_OF_DESCRIPTION = 4,
    WORD_ANYWHERE = WORD_OF_NAME | WORD_OF_VENUE | WORD_OF_DESCRIPTION,
};

struct field_word {
    struct str word;
    unsigned fields; /* where it stands, or in one of which it must stand */
};

struct field_words {
    struct field_word *items;
    size_t count, size;
};

/* A word that stands in two texts is there twice. In 'arena', but for the words of the query. */
struct field_words event_words(const struct event *event, struct arena *arena);
struct field_words event_query_words(const struct event_query *query, struct arena *arena);
struct words user_words(const struct user *user, struct arena *arena);

#endif
