/* SPDX-License-Identifier: Apache-2.0 */
/* text.h -- Unicode as people type it: folded for comparing, cut into words for searching. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/arena.h"

/* Normalised (NFKC) and case-folded, so that "Ana@x.org" and "ANA@X.ORG" are one. 's' must be
 * valid UTF-8, as str_is_utf8() says. */
struct str text_fold(struct arena *arena, struct str s);

/* The words of a text, folded and without accents where there is an ASCII form; duplicates
 * removed, at most 'most'. */
struct words {
    struct str *items;
    size_t count;
};
struct words text_words(struct arena *arena, struct str s, size_t most);

#endif
