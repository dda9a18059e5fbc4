/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <assert.h>
#include <glib.h>

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.data[i] >= 0x80) return false;
    return true;
}

static struct str lower_ascii(struct arena *arena, struct str s)
{
    char *data = arena_alloc(arena, s.len + 1);
    for (size_t i = 0; i < s.len; i++)
        data[i] = g_ascii_tolower(s.data[i]);
    data[s.len] = '\0';
    return (struct str){data, s.len};
}

struct str text_fold(struct arena *arena, struct str s)
{
    if (is_ascii(s)) return lower_ascii(arena, s);

    char *composed = g_utf8_normalize(s.data, (gssize)s.len, G_NORMALIZE_NFKC);
    assert(composed);
    char *folded = g_utf8_casefold(composed, -1);
    /* Folding may take letters apart: they are put together again. */
    char *normal = g_utf8_normalize(folded, -1, G_NORMALIZE_NFKC);
    struct str result = arena_str(arena, str_of(normal));
    g_free(normal);
    g_free(folded);
    g_free(composed);
    return result;
}

/* The word in ASCII letters and digits, or as it is where some letter has no such form. */
static struct str word_without_accents(struct arena *arena, const char *word)
{
    /* In the locale "C" no language has a say, and a word is the same on every machine. */
    char *ascii = g_str_to_ascii(word, "C");
    struct str plain = str_of(ascii);
    for (size_t i = 0; i < plain.len; i++)
        if (!g_ascii_isalnum(plain.data[i])) plain.len = 0;
    struct str result = plain.len ? lower_ascii(arena, plain) : arena_str(arena, str_of(word));
    g_free(ascii);
    return result;
}

struct words text_words(struct arena *arena, struct str s, size_t most)
{
    char **tokens = g_str_tokenize_and_fold(arena_cstr(arena, s), "C", NULL);
    size_t count = g_strv_length(tokens);
    struct words words = {.items = ARENA_ARRAY(arena, struct str, count < most ? count : most)};
    GHashTable *seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t i = 0; i < count && words.count < most; i++) {
        struct str word = word_without_accents(arena, tokens[i]);
        if (g_hash_table_add(seen, (void *)word.data)) words.items[words.count++] = word;
    }
    g_hash_table_destroy(seen);
    g_strfreev(tokens);
    return words;
}
