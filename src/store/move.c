/* SPDX-License-Identifier: Apache-2.0 */
#include "store/move.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>

#include "store/bulk.h"

/* The note: "SOURCE TABLE KEY...", where SOURCE is what the source was like, and each part of the
 * key a number or "x" and the octets in hexadecimal. */
static const char note_name[] = "moving";

struct move {
    struct store *source, *target;
    const struct move_listener *listener;
    struct arena *arena; /* for as long as the move takes */
    struct arena page;
    const char **ret_error;
    struct str state;         /* of the source */
    size_t table;             /* where to begin, and behind which key */
    struct bulk_value *after; /* NULL: at the first row */
    struct bulk_value keys[BULK_COLUMNS_MAX];
};

#define REFUSE(move, ...)                                                                          \
    (*(move)->ret_error = arena_printf((move)->arena, __VA_ARGS__).data, false)

static bool refuse_status(struct move *move, struct store *store, enum store_status status)
{
    return REFUSE(move, "the %s failed: %s (%s)", store == move->source ? "source" : "target",
                  store_status_text(status), store_error(store));
}

/* ---- what a store is like ---- */

static void pass_breach(const char *sentence, void *data)
{
    const struct move *move = data;
    if (move->listener->breach) move->listener->breach(sentence, move->listener->data);
}

static bool check(struct move *move, struct store *store, struct check_figures *ret_figures)
{
    const char *which = store == move->source ? "source" : "target";
    if (move->listener->checking) move->listener->checking(which, move->listener->data);
    enum store_status status = store_check(store, ret_figures, pass_breach, move);
    if (status != STORE_OK) return refuse_status(move, store, status);
    return ret_figures->breaches == 0 ||
           REFUSE(move, "the rules are broken in the %s: see above", which);
}

static bool figures_equal(const struct check_figures *a, const struct check_figures *b)
{
    return a->events == b->events && a->ticket_types == b->ticket_types && a->users == b->users &&
           a->bookings == b->bookings && a->confirmed == b->confirmed && a->waiting == b->waiting &&
           a->cancelled == b->cancelled && a->tickets == b->tickets && a->journal == b->journal &&
           a->capacity == b->capacity && a->booked == b->booked && a->held == b->held;
}

/* The store itself, by what nobody else has: a hash of its keys. */
static bool write_identity(struct move *move, struct buf *out)
{
    struct bulk_rows rows;
    const struct bulk_table *settings = bulk_table("settings");
    enum store_status status =
        bulk_read(move->source, settings, NULL, settings->page, move->arena, &rows);
    if (status != STORE_OK) return refuse_status(move, move->source, status);
    unsigned char hash[16];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    for (size_t i = 0; i < rows.count; i++) {
        if (str_equal(rows.values[2 * i].text, str_of(note_name))) continue;
        struct str value = rows.values[2 * i + 1].text;
        crypto_generichash_update(&state, (const unsigned char *)value.data, value.len);
    }
    crypto_generichash_final(&state, hash, sizeof(hash));
    for (size_t i = 0; i < sizeof(hash); i++)
        buf_printf(out, "%02x", hash[i]);
    return true;
}

/* Identity, figures and sequences of the source, in one word: almost anything that is done to it
 * moves one of them. */
static bool read_state(struct move *move, const struct check_figures *figures,
                       struct str *ret_state)
{
    struct buf out = {0};
    struct bulk_rows rows;
    const struct bulk_table *sequences = bulk_table("sequences");
    enum store_status status =
        bulk_read(move->source, sequences, NULL, sequences->page, move->arena, &rows);
    if (status != STORE_OK) return refuse_status(move, move->source, status);
    if (!write_identity(move, &out)) {
        buf_free(&out);
        return false;
    }
    buf_printf(&out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, figures->events,
               figures->users, figures->bookings, figures->cancelled, figures->journal);
    for (size_t i = 0; i < rows.count; i++)
        buf_printf(&out, ",%" PRId64 ":%" PRId64, rows.values[2 * i].number,
                   rows.values[2 * i + 1].number);
    *ret_state = arena_str(move->arena, buf_str(&out));
    buf_free(&out);
    return true;
}

/* ---- the note ---- */

static void write_key(struct buf *out, const struct bulk_value *value)
{
    if (value->kind == BULK_NUMBER) {
        buf_printf(out, " %" PRId64, value->number);
        return;
    }
    buf_add_str(out, STR(" x"));
    for (size_t i = 0; i < value->text.len; i++)
        buf_printf(out, "%02x", (unsigned char)value->text.data[i]);
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_key(struct move *move, struct str word, enum bulk_kind kind,
                     struct bulk_value *ret_value)
{
    uint64_t number = 0;
    *ret_value = (struct bulk_value){.kind = kind};
    if (kind == BULK_NUMBER) {
        if (!str_to_u64(word, &number) || number > INT64_MAX) return false;
        ret_value->number = (int64_t)number;
        return true;
    }
    if (!word.len || word.data[0] != 'x' || word.len % 2 == 0) return false;
    char *text = arena_alloc(move->arena, word.len);
    for (size_t i = 1; i < word.len; i += 2) {
        int high = digit_of(word.data[i]), low = digit_of(word.data[i + 1]);
        if (high < 0 || low < 0) return false;
        text[i / 2] = (char)(high * 16 + low);
    }
    ret_value->text = (struct str){text, word.len / 2};
    return true;
}

static bool read_note(struct move *move, struct str note)
{
    struct str state = str_cut(&note, ' ');
    if (!str_equal(state, move->state))
        return REFUSE(move, "the target has the beginning of another move, or the source has "
                            "changed since: begin anew with an empty target");
    struct str name = str_cut(&note, ' ');
    for (move->table = 0; move->table < bulk_table_count; move->table++)
        if (str_equal(name, str_of(bulk_tables[move->table].name))) break;
    if (move->table == bulk_table_count || !note.len) {
        if (move->table == bulk_table_count && name.len)
            return REFUSE(move, "the target's note of how far the move came is damaged");
        return true; /* nothing of this table yet */
    }
    const struct bulk_table *table = &bulk_tables[move->table];
    for (size_t i = 0; i < table->key_count; i++)
        if (!read_key(move, str_cut(&note, ' '), table->columns[i].kind, &move->keys[i]))
            return REFUSE(move, "the target's note of how far the move came is damaged");
    move->after = move->keys;
    return true;
}

/* The row of the note in the table of settings. */
static struct bulk_part note_part(struct str note, struct bulk_value values[2])
{
    values[0] = (struct bulk_value){.kind = BULK_TEXT, .text = str_of(note_name)};
    values[1] = (struct bulk_value){.kind = BULK_BLOB, .text = note};
    return (struct bulk_part){.table = bulk_table("settings"), .rows = {values, 1}};
}

static bool write_note(struct move *move, struct str note)
{
    struct bulk_value values[2];
    struct bulk_part part = note_part(note, values);
    enum store_status status = bulk_write(move->target, &part, 1);
    return status == STORE_OK || refuse_status(move, move->target, status);
}

static struct str note_of(struct move *move, const struct bulk_table *table,
                          const struct bulk_value *key)
{
    struct buf out = {0};
    buf_add_str(&out, move->state);
    buf_printf(&out, " %s", table->name);
    for (size_t i = 0; key && i < table->key_count; i++)
        write_key(&out, &key[i]);
    struct str note = arena_str(&move->page, buf_str(&out));
    buf_free(&out);
    return note;
}

/* ---- the target ---- */

/* Its note, empty where there is none. */
static bool find_note(struct move *move, struct str *ret_note)
{
    struct bulk_rows rows;
    const struct bulk_table *settings = bulk_table("settings");
    enum store_status status =
        bulk_read(move->target, settings, NULL, settings->page, move->arena, &rows);
    if (status != STORE_OK) return refuse_status(move, move->target, status);
    *ret_note = (struct str){0};
    for (size_t i = 0; i < rows.count; i++)
        if (str_equal(rows.values[2 * i].text, str_of(note_name)))
            *ret_note = rows.values[2 * i + 1].text;
    return true;
}

/* A number drawn, a key made: somebody has used it. Sequences that a schema brings with it count
 * from 1. */
static bool is_used(const struct bulk_table *table, const struct bulk_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct bulk_value *row = &rows->values[i * table->column_count];
        bool is_initial = table == bulk_table("sequences") && row[1].number == 1;
        bool is_note = table == bulk_table("settings") && str_equal(row[0].text, str_of(note_name));
        if (!is_initial && !is_note) return true;
    }
    return false;
}

static bool is_empty(struct move *move)
{
    for (size_t i = 0; i < bulk_table_count; i++) {
        struct bulk_rows rows;
        const struct bulk_table *table = &bulk_tables[i];
        enum store_status status =
            bulk_read(move->target, table, NULL, table->replaces ? 20 : 1, &move->page, &rows);
        if (status != STORE_OK) return refuse_status(move, move->target, status);
        if (is_used(table, &rows))
            return REFUSE(move,
                          "the target is not empty, its table %s has rows: name a new database",
                          table->name);
    }
    return true;
}

/* From the first row on, or from where the same move was stopped. */
static bool begin(struct move *move)
{
    struct str note;
    if (!find_note(move, &note)) return false;
    if (note.len) {
        if (!read_note(move, note)) return false;
    } else if (!is_empty(move) || !write_note(move, note_of(move, &bulk_tables[0], NULL))) {
        return false;
    }
    if (move->listener->began) move->listener->began(note.len > 0, move->listener->data);
    return true;
}

/* ---- copying ---- */

static void copied(struct move *move, const struct bulk_table *table, uint64_t rows, bool is_end)
{
    if (move->listener->copied)
        move->listener->copied(table->name, rows, is_end, move->listener->data);
}

/* The source's own note is not the target's. */
static void leave_out_note(const struct bulk_table *table, struct bulk_rows *rows)
{
    if (table != bulk_table("settings")) return;
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (str_equal(rows->values[2 * i].text, str_of(note_name))) continue;
        memmove(&rows->values[2 * kept++], &rows->values[2 * i], 2 * sizeof(rows->values[0]));
    }
    rows->count = kept;
}

/* The key of the last row, where it outlives the page. */
static struct bulk_value *keep_key(struct move *move, const struct bulk_table *table,
                                   const struct bulk_value *key, struct buf kept[BULK_COLUMNS_MAX])
{
    for (size_t i = 0; i < table->key_count; i++) {
        move->keys[i] = key[i];
        buf_clear(&kept[i]);
        buf_add_str(&kept[i], key[i].text);
        move->keys[i].text = buf_str(&kept[i]);
    }
    return move->keys;
}

static bool copy_pages(struct move *move, const struct bulk_table *table,
                       struct buf kept[BULK_COLUMNS_MAX])
{
    struct bulk_value *after = move->after;
    move->after = NULL;
    for (uint64_t total = 0;;) {
        struct bulk_rows rows;
        arena_reset(&move->page);
        enum store_status status =
            bulk_read(move->source, table, after, table->page, &move->page, &rows);
        if (status != STORE_OK) return refuse_status(move, move->source, status);
        size_t count = rows.count;
        if (count == 0) {
            copied(move, table, total, true);
            return true;
        }
        after = keep_key(move, table, &rows.values[(count - 1) * table->column_count], kept);
        struct bulk_value values[2];
        leave_out_note(table, &rows);
        struct bulk_part parts[] = {{table, rows}, note_part(note_of(move, table, after), values)};
        status = bulk_write(move->target, parts, 2);
        if (status != STORE_OK) return refuse_status(move, move->target, status);
        store_tidy(move->target);
        copied(move, table, total += count, false);
    }
}

static bool copy_all(struct move *move)
{
    struct buf kept[BULK_COLUMNS_MAX] = {0};
    bool good = true;
    for (size_t i = move->table; good && i < bulk_table_count; i++)
        good = copy_pages(move, &bulk_tables[i], kept);
    for (size_t i = 0; i < BULK_COLUMNS_MAX; i++)
        buf_free(&kept[i]);
    return good;
}

/* ---- the whole ---- */

/* Both ends by the same arithmetic; and nobody wrote to the source meanwhile. */
static bool compare_ends(struct move *move, struct check_figures *ret_figures)
{
    struct check_figures there;
    struct str state;
    if (!check(move, move->source, ret_figures) || !read_state(move, ret_figures, &state) ||
        !check(move, move->target, &there))
        return false;
    if (!str_equal(state, move->state))
        return REFUSE(move, "the source was written to while it was copied: stop its servers, and "
                            "begin anew with an empty target");
    return figures_equal(ret_figures, &there) ||
           REFUSE(move, "the target does not have what the source has: compare what `admit check` "
                        "says of both");
}

static bool run(struct move *move, struct check_figures *ret_figures)
{
    if (!bulk_is_possible(move->source) || !bulk_is_possible(move->target))
        return REFUSE(move, "a memory: store keeps nothing that could be moved");
    if ((*move->ret_error = move_unfinished(move->source, move->arena))) return false;
    return check(move, move->source, ret_figures) && read_state(move, ret_figures, &move->state) &&
           begin(move) && copy_all(move) && compare_ends(move, ret_figures) &&
           write_note(move, STR(""));
}

bool store_move(struct store *source, struct store *target, const struct move_listener *listener,
                struct arena *arena, struct check_figures *ret_figures, const char **ret_error)
{
    struct move move = {.source = source,
                        .target = target,
                        .listener = listener,
                        .arena = arena,
                        .ret_error = ret_error};
    *ret_figures = (struct check_figures){0};
    bool done = run(&move, ret_figures);
    arena_free(&move.page);
    return done;
}

const char *move_unfinished(struct store *writer, struct arena *arena)
{
    struct str note;
    enum store_status status = store_setting(writer, note_name, STR(""), arena, &note);
    if (status != STORE_OK) return arena_cstr(arena, str_of(store_error(writer)));
    return note.len ? "this store is the target of a move that has not ended: run the same `admit "
                      "move` again"
                    : NULL;
}
