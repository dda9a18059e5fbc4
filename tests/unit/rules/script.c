/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/script.h"

#include <assert.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/batch.h"

enum { NAMES_MAX = 200 + 256, WORDS_MAX = 24, LINE_MAX_BYTES = 300 };

/* Names of the script and the ids behind them. */
struct names {
    struct {
        char name[160];
        uint64_t id;
    } items[NAMES_MAX];
    size_t count;
};

struct line {
    struct task task;
    char text[LINE_MAX_BYTES]; /* for messages */
    char expected[LINE_MAX_BYTES];
    char actual[LINE_MAX_BYTES], with_ahead[LINE_MAX_BYTES];
    char label[140]; /* what a new booking or event is called */
    struct script *script;
    bool done;
};

struct script {
    const char *file, *url;
    int number;
    struct names users, events, types, bookings;
    struct store *reader;
    struct batcher batcher;
    struct batch_counts counts;
    int64_t now;
    struct line *pending[BATCH_MAX];
    size_t pending_count;
    bool together;
    struct arena arena; /* the lines */
    char breach[LINE_MAX_BYTES];
    bool is_breach;
    char *error;
    jmp_buf failed;
};

/* Ends the script. Never inside a batch or a check, which would be left half done. */
_Noreturn static void fail_line(struct script *script, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

_Noreturn static void fail_line(struct script *script, const char *format, ...)
{
    size_t len = (size_t)snprintf(script->error, SCRIPT_ERROR_SIZE, "%s:%d (%s): ", script->file,
                                  script->number, script->url);
    va_list values;
    va_start(values, format);
    if (len < SCRIPT_ERROR_SIZE)
        vsnprintf(script->error + len, SCRIPT_ERROR_SIZE - len, format, values);
    va_end(values);
    longjmp(script->failed, 1);
}

static uint64_t name_find(const struct names *names, const char *name)
{
    for (size_t i = names->count; i > 0; i--)
        if (strcmp(names->items[i - 1].name, name) == 0) return names->items[i - 1].id;
    return 0;
}

static void name_add(struct names *names, const char *name, uint64_t id)
{
    if (names->count == NAMES_MAX) return; /* run_command() has an eye on that */
    snprintf(names->items[names->count].name, sizeof(names->items[0].name), "%s", name);
    names->items[names->count++].id = id;
}

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

/* ---- results as texts ---- */

/* Appends what there is room for. */
static void add(char text[LINE_MAX_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(char text[LINE_MAX_BYTES], const char *format, ...)
{
    size_t len = strlen(text);
    va_list values;
    va_start(values, format);
    vsnprintf(text + len, LINE_MAX_BYTES - len, format, values);
    va_end(values);
}

static void text_numbers(char *text, const struct booking *booking)
{
    copy(text, LINE_MAX_BYTES, "confirmed");
    for (size_t i = 0; i < booking->number_count; i++)
        add(text, " %u", booking->numbers[i]);
}

static struct replay_answer compose(struct task *task)
{
    struct line *line = task->owner;
    const struct result *result = &task->result;
    struct script *script = line->script;
    line->with_ahead[0] = '\0';
    copy(line->actual, sizeof(line->actual), outcome_texts[result->outcome].word);
    if (outcome_is_error(result->outcome)) return (struct replay_answer){0};

    switch (task->command.kind) {
    case COMMAND_BOOK:
        name_add(&script->bookings, line->label, result->booking->id);
        if (result->outcome == OUTCOME_CREATED) {
            text_numbers(line->actual, result->booking);
        } else {
            sprintf(line->actual, "waiting %u", result->position);
            sprintf(line->with_ahead, "waiting %u ahead %llu", result->position,
                    (unsigned long long)result->ahead);
        }
        break;
    case COMMAND_CREATE_EVENT: {
        name_add(&script->events, line->label, result->event->id);
        char type[160];
        snprintf(type, sizeof(type), "%s/", line->label);
        name_add(&script->types, type, result->event->types[0].id);
        break;
    }
    case COMMAND_UPDATE_EVENT:
        copy(line->actual, sizeof(line->actual), "ok");
        if (line->label[0])
            name_add(&script->types, line->label,
                     result->event->types[result->event->type_count - 1].id);
        break;
    case COMMAND_REGISTER: name_add(&script->users, line->label, result->user->id); break;
    case COMMAND_CANCEL:
    case COMMAND_CANCEL_NEWEST: copy(line->actual, sizeof(line->actual), "cancelled"); break;
    case COMMAND_DELETE_EVENT:
        copy(line->actual, sizeof(line->actual),
             result->outcome == OUTCOME_GONE ? "gone" : "cancelled");
        break;
    case COMMAND_ERASE_USER: copy(line->actual, sizeof(line->actual), "gone"); break;
    default: break;
    }
    if (result->promoted && task->command.kind != COMMAND_ERASE_USER)
        add(line->actual, " promoted %u", result->promoted);
    return (struct replay_answer){0};
}

static void done(struct task *task)
{
    struct line *line = task->owner;
    if (!task->composed)
        copy(line->actual, sizeof(line->actual), outcome_texts[task->result.outcome].word);
    line->done = true;
}

static void expect(struct script *script, const struct line *line)
{
    if (!line->expected[0]) {
        if (outcome_is_error(line->task.result.outcome))
            fail_line(script, "\"%s\" gave %s", line->text, line->actual);
    } else if (strcmp(line->expected, line->actual) != 0 &&
               strcmp(line->expected, line->with_ahead) != 0) {
        fail_line(script, "\"%s\" gave \"%s\", expected \"%s\"", line->text, line->actual,
                  line->expected);
    }
}

/* ---- running ---- */

static void expect_ok(struct script *script, enum store_status status)
{
    if (status == STORE_OK) return;
    script->is_breach = true;
    fail_line(script, "the store says: %s", store_status_text(status));
}

static void breach(const char *sentence, void *data)
{
    struct script *script = data;
    snprintf(script->breach, sizeof(script->breach), "%s", sentence);
}

static void run_pending(struct script *script)
{
    struct task *tasks[BATCH_MAX];
    size_t count = script->pending_count;
    struct list again = {0};
    if (!count) return;
    for (size_t i = 0; i < count; i++)
        tasks[i] = &script->pending[i]->task;
    batch_run(&script->batcher, tasks, count, &again);
    while (again.head) { /* as the lane does: they come first in the next batch */
        struct list more = {0};
        size_t left = 0;
        for (struct link *link; (link = list_pop(&again));)
            tasks[left++] = LINK_OWNER(link, struct task, link);
        batch_run(&script->batcher, tasks, left, &more);
        again = more;
    }
    for (size_t i = 0; i < count; i++) {
        assert(script->pending[i]->done);
        expect(script, script->pending[i]);
    }
    script->pending_count = 0;
    struct check_figures figures = {0};
    expect_ok(script, store_check(script->reader, &figures, breach, script));
    script->is_breach = script->breach[0] != '\0';
    if (script->is_breach) fail_line(script, "the store's check says: %s", script->breach);
}

/* A line whose command is still to be filled in. */
static struct line *line_new(struct script *script, const char *text, const char *expected,
                             enum command_kind kind, uint64_t actor_id)
{
    struct line *line = ARENA_NEW(&script->arena, struct line);
    snprintf(line->text, sizeof(line->text), "%s", text);
    snprintf(line->expected, sizeof(line->expected), "%s", expected);
    line->script = script;
    line->task = (struct task){
        .command = {.kind = kind,
                    .actor = {.id = actor_id, .token_at = script->now},
                    .organizing_allowed = true},
        .directory_version = 1,
        .compose = compose,
        .done = done,
        .owner = line,
    };
    return line;
}

static void line_run(struct script *script, struct line *line)
{
    if (script->together && command_is_alone(&line->task.command))
        fail_line(script, "\"%s\" cannot be together with others", line->text);
    if (script->pending_count == BATCH_MAX) fail_line(script, "too many are together");
    script->pending[script->pending_count++] = line;
    if (!script->together) run_pending(script);
}

static uint64_t user_id(struct script *script, const char *name)
{
    uint64_t id = name_find(&script->users, name);
    if (id) return id;
    /* Who is new must be there before a batch that is being gathered. */
    bool together = script->together;
    struct line *gathered[BATCH_MAX];
    size_t count = script->pending_count;
    memcpy(gathered, script->pending, sizeof(gathered));
    script->pending_count = 0;
    script->together = false;

    struct line *line = line_new(script, name, "", COMMAND_REGISTER, 0);
    copy(line->label, sizeof(line->label), name);
    line->task.directory_version = 0;
    line->task.command.user.fields = FIELD_USERNAME;
    line->task.command.user.user.username = str_of(line->label);
    line->task.command.user.user.name = str_of(line->label);
    line_run(script, line);

    memcpy(script->pending, gathered, sizeof(gathered));
    script->pending_count = count;
    script->together = together;
    return name_find(&script->users, name);
}

/* ---- the words of a line ---- */

/* The word behind 'name', "" when there is none. */
static const char *option(char **words, int count, const char *name)
{
    for (int i = 0; i + 1 < count; i++)
        if (strcmp(words[i], name) == 0) return words[i + 1];
    return "";
}

static bool has_word(char **words, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], name) == 0) return true;
    return false;
}

/* 0 for what is none, or larger than anything in a command may be. */
static uint32_t number(const char *word)
{
    unsigned long value = strtoul(word, NULL, 10);
    return value <= CAPACITY_MAX ? (uint32_t)value : 0;
}

static uint64_t type_id(const struct script *script, const char *event, const char *type)
{
    char key[160];
    snprintf(key, sizeof(key), "%s/%s", event, type);
    return name_find(&script->types, key);
}

static void do_event(struct script *script, char **words, int count, struct line *line)
{
    struct event *event = &line->task.command.create;
    struct ticket_type *type = ARENA_NEW(&script->arena, struct ticket_type);
    const char *starts_in = option(words, count, "starts_in");
    copy(line->label, sizeof(line->label), words[1]);
    *type = (struct ticket_type){
        .name = STR("General admission"),
        .capacity = number(option(words, count, "capacity")),
        .price = number(option(words, count, "price")),
        .max_per_booking = number(option(words, count, "max_per_booking")),
    };
    *event = (struct event){
        .name = str_of(line->label),
        .timezone = STR("UTC"),
        .currency = "EUR",
        .status = has_word(words, count, "draft") ? EVENT_DRAFT : EVENT_ON_SALE,
        .max_per_user = number(option(words, count, "max_per_user")),
        .starts_at = *starts_in ? script->now + 1000 * (int64_t)number(starts_in) : 0,
        .types = type,
        .type_count = 1,
    };
    line_run(script, line);
}

static void do_update(struct script *script, char **words, int count, struct line *line)
{
    struct event_update *update = &line->task.command.update;
    struct ticket_type_update *type = ARENA_NEW(&script->arena, struct ticket_type_update);
    update->event.id = name_find(&script->events, words[1]);
    if (strcmp(words[0], "type") == 0) {
        snprintf(line->label, sizeof(line->label), "%s/%s", words[1], words[2]);
        type->fields = FIELD_NAME | FIELD_CAPACITY | FIELD_PRICE;
        type->type.name = str_of(line->label);
        type->type.capacity = number(option(words, count, "capacity"));
        type->type.price = number(option(words, count, "price"));
        update->types = type;
        update->type_count = 1;
    } else if (strcmp(words[0], "capacity") == 0) {
        type->fields = FIELD_CAPACITY;
        type->type.id = type_id(script, words[1], option(words, count, "type"));
        type->type.capacity = number(words[count - 1]);
        update->types = type;
        update->type_count = 1;
    } else if (strcmp(words[2], "status") == 0) {
        update->fields = FIELD_STATUS;
        int status = NAME_INDEX(event_status_names, str_of(words[3]));
        if (status < 0 || status == EVENT_CANCELLED) fail_line(script, "no such status");
        update->event.status = (enum event_status)status;
    } else {
        if (strcmp(words[2], "max_per_user") != 0) fail_line(script, "no such field");
        update->fields = FIELD_MAX_PER_USER;
        update->event.max_per_user = number(words[3]);
    }
    line_run(script, line);
}

static void do_book(struct script *script, char **words, int count, struct line *line)
{
    struct command *command = &line->task.command;
    const char *label = option(words, count, "as"), *type = option(words, count, "type");
    copy(line->label, sizeof(line->label), *label ? label : words[1]);
    command->book.event_id = name_find(&script->events, words[2]);
    command->book.quantity = count > 3 && number(words[3]) ? number(words[3]) : 1;
    command->book.join_waiting_list = !has_word(words, count, "nowait");
    command->book.ticket_type_id = *type ? type_id(script, words[2], type) : 0;
    if (*type && !command->book.ticket_type_id) command->book.ticket_type_id = 999999;
    line_run(script, line);
}

static void look(struct script *script, char **words, int count, const char *expected)
{
    struct arena arena = {0};
    char actual[LINE_MAX_BYTES] = "none";
    if (strcmp(words[0], "status") == 0) {
        struct booking_view *booking = NULL;
        uint64_t id = name_find(&script->bookings, words[1]);
        expect_ok(script, store_find_booking(script->reader, id, &arena, &booking));
        if (booking && booking->row.status == BOOKING_CONFIRMED)
            text_numbers(actual, &booking->row);
        else if (booking && booking->row.status == BOOKING_WAITING)
            sprintf(actual, "waiting %u", booking->position);
        else if (booking)
            copy(actual, sizeof(actual), booking_status_names[booking->row.status]);
    } else {
        struct event *event = NULL;
        uint64_t id = name_find(&script->events, words[1]);
        uint64_t type = type_id(script, words[1], option(words, count, "type"));
        expect_ok(script, store_find_event(script->reader, id, &arena, &event));
        for (size_t i = 0; event && i < event->type_count; i++)
            if (event->types[i].id == type)
                sprintf(actual, "booked %u held %u waiting %u available %u", event->types[i].booked,
                        event->types[i].held, event->types[i].waiting,
                        ticket_type_available(&event->types[i]));
    }
    arena_free(&arena);
    if (strcmp(actual, expected) != 0)
        fail_line(script, "%s %s is \"%s\", expected \"%s\"", words[0], words[1], actual, expected);
}

static void run_command(struct script *script, char **words, int count, const char *text,
                        const char *expected)
{
    static const struct {
        const char *word;
        enum command_kind kind;
    } kinds[] = {
        {"event", COMMAND_CREATE_EVENT},
        {"type", COMMAND_UPDATE_EVENT},
        {"capacity", COMMAND_UPDATE_EVENT},
        {"set", COMMAND_UPDATE_EVENT},
        {"book", COMMAND_BOOK},
        {"cancel", COMMAND_CANCEL},
        {"newest", COMMAND_CANCEL_NEWEST},
        {"delete", COMMAND_DELETE_EVENT},
        {"erase", COMMAND_ERASE_USER},
        {"pay", COMMAND_PAY},
    };
    size_t i = 0;
    while (i < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[i].word, words[0]) != 0)
        i++;
    if (i == sizeof(kinds) / sizeof(kinds[0])) fail_line(script, "\"%s\" is no verb", words[0]);
    enum command_kind kind = kinds[i].kind;

    /* Who acts: the one who books; the booking's owner, called like it where not said; the
     * organizer. */
    bool personal =
        kind == COMMAND_BOOK || kind == COMMAND_CANCEL_NEWEST || kind == COMMAND_ERASE_USER;
    const char *by = option(words, count, "by");
    const char *actor = *by ? by : personal ? words[1] : "o1";
    uint64_t booking = name_find(&script->bookings, words[1]), actor_id;
    if (kind == COMMAND_CANCEL && !*by) {
        struct arena arena = {0};
        struct booking_view *view = NULL;
        expect_ok(script, store_find_booking(script->reader, booking, &arena, &view));
        actor_id = view ? view->row.user_id : user_id(script, words[1]);
        arena_free(&arena);
    } else {
        actor_id = user_id(script, actor);
    }
    const struct names *names[] = {&script->users, &script->events, &script->types,
                                   &script->bookings};
    for (size_t j = 0; j < 4; j++)
        if (names[j]->count + BATCH_MAX > NAMES_MAX) fail_line(script, "too many names");
    struct line *line = line_new(script, text, expected, kind, actor_id);
    struct command *command = &line->task.command;
    /* One token for all of a user's life here: older than what revokes it. */
    if (personal) command->actor.token_at = 1;
    switch (kind) {
    case COMMAND_CREATE_EVENT: do_event(script, words, count, line); return;
    case COMMAND_UPDATE_EVENT: do_update(script, words, count, line); return;
    case COMMAND_BOOK: do_book(script, words, count, line); return;
    case COMMAND_CANCEL:
        command->cancel.booking_id = booking;
        command->cancel.quantity = count > 2 ? number(words[2]) : 0;
        break;
    case COMMAND_CANCEL_NEWEST:
        command->cancel.event_id = name_find(&script->events, words[2]);
        break;
    case COMMAND_DELETE_EVENT: command->event_id = name_find(&script->events, words[1]); break;
    case COMMAND_ERASE_USER: command->user.user.id = actor_id; break;
    case COMMAND_PAY:
        command->pay.booking_id = booking;
        command->pay.amount = number(words[2]);
        break;
    default: break;
    }
    line_run(script, line);
}

static void run_line(struct script *script, char *text)
{
    char *words[WORDS_MAX], whole[LINE_MAX_BYTES], expected[LINE_MAX_BYTES] = "";
    int count = 0;
    static char nothing[] = "";
    for (size_t i = 0; i < WORDS_MAX; i++)
        words[i] = nothing; /* what a line leaves out is no name and no number */
    text[strcspn(text, "#\n")] = '\0';
    snprintf(whole, sizeof(whole), "%s", text);
    /* What is expected stands behind the first gap of two spaces that comes after a word that is no
     * verb. */
    char *gap = NULL;
    for (char *at = text; (at = strstr(at, "  "));) {
        char *end = at + strspn(at, " ");
        bool one_word = memchr(text, ' ', (size_t)(at - text)) == NULL;
        if (!one_word) {
            gap = at;
            snprintf(expected, sizeof(expected), "%s", end);
            break;
        }
        at = end;
    }
    if (gap) *gap = '\0';
    expected[strcspn(expected, "\n")] = '\0';
    for (size_t end = strlen(expected); end > 0 && expected[end - 1] == ' ';)
        expected[--end] = '\0';
    for (char *word = strtok(text, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
        words[count++] = word;
    if (!count) return;

    if (strcmp(words[0], "together") == 0) {
        script->together = true;
    } else if (strcmp(words[0], "end") == 0) {
        run_pending(script);
        script->together = false;
    } else if (strcmp(words[0], "clock") == 0) {
        script->now += 1000 * (int64_t)number(words[1]);
    } else if (strcmp(words[0], "keep") == 0) {
        script->batcher.keep_cancelled_ms = 1000 * (int64_t)number(words[1]);
    } else if (strcmp(words[0], "status") == 0 || strcmp(words[0], "counts") == 0) {
        look(script, words, count, expected);
    } else {
        run_command(script, words, count, whole, expected);
    }
}

static int64_t script_now(void *data)
{
    return ((struct script *)data)->now;
}

static void no_pause(unsigned ms, void *data)
{
    (void)ms, (void)data;
}

static void run_lines(struct script *script, FILE *in)
{
    char text[LINE_MAX_BYTES];
    while (fgets(text, sizeof(text), in)) {
        script->number++;
        if (!strchr(text, '\n') && !feof(in)) fail_line(script, "a line is too long");
        if (!str_is_utf8(str_of(text))) fail_line(script, "a line is not UTF-8");
        run_line(script, text);
    }
    if (script->together) fail_line(script, "\"together\" without an end");
    if (script->events.count == 0) fail_line(script, "nothing happens in it");
}

enum script_end script_run(FILE *in, const char *name, const char *url,
                           char error[SCRIPT_ERROR_SIZE])
{
    struct script *script = calloc(1, sizeof(*script));
    if (!script) abort();
    const char *reason = "";
    script->file = name;
    script->url = url;
    script->now = INT64_C(1800000000000);
    script->error = error;
    script->batcher = (struct batcher){
        .keep_cancelled_ms = INT64_C(1000) * 3600,
        .now = script_now,
        .pause = no_pause,
        .clock_data = script,
        .counts = &script->counts,
    };
    bool good = setjmp(script->failed) == 0;
    if (good) {
        struct directory_rows rows = {0};
        script->batcher.store = store_open(url, STORE_WRITE, true, &script->arena, &reason);
        if (!script->batcher.store) fail_line(script, "%s", reason);
        script->reader = store_open(url, STORE_READ, false, &script->arena, &reason);
        if (!script->reader) fail_line(script, "%s", reason);
        expect_ok(script, store_load_directory(script->batcher.store, &script->arena, &rows));
        script->batcher.directory = directory_new(&rows);
        run_lines(script, in);
    }
    store_close(script->reader);
    store_close(script->batcher.store);
    directory_free(script->batcher.directory);
    batcher_free(&script->batcher);
    arena_free(&script->arena);
    enum script_end end = good ? SCRIPT_GOOD : script->is_breach ? SCRIPT_BREACH : SCRIPT_WRONG;
    free(script);
    return end;
}
