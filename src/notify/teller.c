/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the journal and the notices, and writes a message for each who wants to know.
 *
 * How far it has come stands in the store and moves in the transaction that writes the messages; of
 * several processes that read the same stretch one gets it (STALE for the others), and each message
 * has a key of its own, so that nothing is told twice.
 *
 * While the lanes are busy it takes its time: what people do comes before what they hear of it. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "notify/workers.h"

enum {
    LOOK_EVERY_MS = 1000, /* where other processes write too, nobody rings */
    FAILED_MS = 1000,
    JOURNAL_MOST = 200, /* rows at once, and messages in a turn, or a few more */
    PAGES_MOST = 50,    /* of rows, in a turn */
    NOTICES_MOST = 20,
    GUESTS_MOST = 200, /* of an event, in a turn */
    SILENT_EVERY_MS = 5000,
    /* A busy box office is left alone for so many times as long as a turn took. */
    BUSY_PAUSE = 20,
};

/* Messages that are about an event and no booking keep their order too: the subjects of events lie
 * above all bookings'. */
#define EVENT_SUBJECT(id) ((id) | UINT64_C(1) << 61)

/* In the names of messages journal rows and notices are written like references, as their numbers
 * would tell how much is going on. No place in the journal has such an id. */
#define NOTICE (UINT64_C(1) << 57)

struct teller {
    const struct notify_settings *settings;
    struct store *reader;
    struct sender *sender;
    struct notify_counts *counts;
    pthread_t thread;
    struct bell stop; /* closed when it is to end; no lane rings it */
    struct trouble trouble;
    bool silent;       /* nobody wanted to know in the turn before */
    int64_t passed_us; /* when it last passed over what nobody wanted to know */
};

/* What a turn finds to tell. */
struct turn {
    struct teller *teller;
    struct arena arena;
    struct webhook_list webhooks;
    int64_t since; /* what is older nobody wants to know */
    struct outbox_position from;
    uint64_t journal_id; /* told up to here */
    struct {
        struct message *items;
        size_t count, size;
    } messages;
    struct {
        struct notice_progress *items;
        size_t count, size;
    } progress;
    enum store_status status; /* of what was read */
};

static bool is_good(struct turn *turn, enum store_status status)
{
    if (turn->status == STORE_OK) turn->status = status;
    return turn->status == STORE_OK;
}

/* ---- messages ---- */

static struct str text_of(struct turn *turn, struct buf *out)
{
    struct str text = arena_str(&turn->arena, buf_str(out));
    buf_free(out);
    return text;
}

static void add(struct turn *turn, struct message message)
{
    int64_t now = clock_now_ms();
    message.status = MESSAGE_WAITING;
    message.created_at = message.due_at = now;
    message.error = STR("");
    *ARRAY_PUSH(&turn->arena, &turn->messages) = message;
}

/* To every webhook that asked for it before it happened. The key tells what the message is about.
 */
static void add_for_webhooks(struct turn *turn, struct message message, uint64_t organizer_id,
                             struct str about, int64_t at)
{
    for (size_t i = 0; i < turn->webhooks.count; i++) {
        const struct webhook *webhook = turn->webhooks.items[i];
        if (!(webhook->topics & 1u << message.topic)) continue;
        if (!webhook->everything && webhook->user_id != organizer_id) continue;
        if (webhook->created_at > at) continue;
        message.webhook_id = webhook->id;
        message.user_id = webhook->user_id;
        message.key = arena_printf(&turn->arena, "msg_%.*s_w%" PRIu64, STR_FMT(about), webhook->id);
        add(turn, message);
    }
}

static void add_mail(struct turn *turn, struct message message, uint64_t user_id, struct str about)
{
    struct user *user;
    if (!turn->teller->settings->mail || !user_id) return;
    if (!is_good(turn, store_find_user(turn->teller->reader, user_id, (struct str){0},
                                       (struct str){0}, &turn->arena, &user)))
        return;
    if (!user || !mail_wanted(message.topic, user)) return;
    message.user_id = user_id;
    message.key = arena_printf(&turn->arena, "msg_%.*s_m%" PRIu64, STR_FMT(about), user_id);
    add(turn, message);
}

/* ---- bookings ---- */

static enum topic topic_of(const struct journal_entry *entry)
{
    switch (entry->to) {
    case BOOKING_WAITING: return TOPIC_BOOKING_WAITING;
    case BOOKING_CONFIRMED:
        return entry->from == BOOKING_WAITING ? TOPIC_BOOKING_PROMOTED : TOPIC_BOOKING_CONFIRMED;
    case BOOKING_CANCELLED: return TOPIC_BOOKING_CANCELLED;
    case BOOKING_NONE:
    case BOOKING_HELD:
    case BOOKING_EXPIRED: break;
    }
    return TOPIC_NONE;
}

/* Where nothing is kept of what was cancelled, this much is still known. */
static void compose_gone(struct buf *out, const struct teller *teller,
                         const struct journal_entry *entry)
{
    char text[REFERENCE_TEXT_SIZE];
    reference_write(&teller->settings->maker.reference_key, entry->booking_id, text);
    emit_open(out, '{');
    emit_key_str(out, "reference", str_of(text));
    emit_key_u64(out, "event_id", entry->event_id);
    emit_key_str(out, "status", str_of(booking_status_names[entry->to]));
    emit_close(out, '}');
}

static struct str booking_body(struct turn *turn, const struct journal_entry *entry,
                               const struct booking_view *booking)
{
    const struct notify_settings *settings = turn->teller->settings;
    struct buf out = {0};
    emit_open(&out, '{');
    emit_key(&out, "booking");
    if (booking)
        settings->compose_booking(&out, booking, settings->compose_data);
    else
        compose_gone(&out, turn->teller, entry);
    emit_key_str(&out, "from", str_of(booking_status_names[entry->from]));
    emit_key_str(&out, "to", str_of(booking_status_names[entry->to]));
    emit_key_u64(&out, "quantity", entry->quantity);
    emit_key_str(&out, "reason", str_of(entry->reason));
    emit_key_time(&out, "at", entry->at);
    emit_close(&out, '}');
    return text_of(turn, &out);
}

static void tell_entry(struct turn *turn, const struct journal_entry *entry)
{
    struct store *reader = turn->teller->reader;
    struct message message = {
        .topic = topic_of(entry), .subject = entry->booking_id, .event_id = entry->event_id};
    if (message.topic == TOPIC_NONE || entry->at < turn->since) return;
    struct booking_view *booking;
    struct event *event = NULL;
    if (!is_good(turn, store_find_booking(reader, entry->booking_id, &turn->arena, &booking)))
        return;
    if (!booking && !is_good(turn, store_find_event(reader, entry->event_id, &turn->arena, &event)))
        return;
    message.body = booking_body(turn, entry, booking);
    char about_text[REFERENCE_TEXT_SIZE];
    place_write(&turn->teller->settings->maker.reference_key, entry->id, about_text);
    struct str about = str_of(about_text);
    uint64_t organizer = booking ? booking->organizer_id : event ? event->organizer_id : 0;
    add_for_webhooks(turn, message, organizer, about, entry->at);
    if (booking) add_mail(turn, message, booking->row.user_id, about);
}

/* From 'page' on, of which many may pass at once where nobody wanted to know: up to the end that
 * the journal had before the webhooks were listed, so that none is missed that was made since. */
static void tell_journal(struct turn *turn, struct journal_page page)
{
    struct store *reader = turn->teller->reader;
    const uint64_t end = page.end;
    for (unsigned pages = 1;; pages++) {
        for (size_t i = 0; i < page.count && turn->status == STORE_OK; i++)
            if (pages == 1 || page.items[i].id <= end) tell_entry(turn, &page.items[i]);
        if (pages == 1 || page.next < end)
            turn->journal_id = page.next;
        else if (end > turn->journal_id)
            turn->journal_id = end;
        if (page.next >= end || pages == PAGES_MOST || turn->messages.count >= JOURNAL_MOST) return;
        const struct journal_query query = {.after = page.next, .limit = JOURNAL_MOST};
        if (!is_good(turn, store_list_journal(reader, &query, &turn->arena, &page))) return;
    }
}

/* ---- notices ---- */

static struct str event_body(struct turn *turn, const struct event *event)
{
    const struct notify_settings *settings = turn->teller->settings;
    struct buf out = {0};
    emit_open(&out, '{');
    emit_key(&out, "event");
    settings->compose_event(&out, event, settings->compose_data);
    emit_close(&out, '}');
    return text_of(turn, &out);
}

/* Those who have booked the event, or wait for it, a page in each turn. Returns where the next turn
 * goes on; UINT64_MAX: all of them. */
static uint64_t tell_guests(struct turn *turn, struct message message, const struct notice *notice,
                            struct str about)
{
    const struct booking_query query = {
        .event_id = notice->event_id, .status = -1, .before = notice->told, .limit = GUESTS_MOST};
    struct booking_list list;
    if (!turn->teller->settings->mail ||
        !is_good(turn, store_list_bookings(turn->teller->reader, &query, &turn->arena, &list)))
        return UINT64_MAX;
    for (size_t i = 0; i < list.count && i < GUESTS_MOST; i++) {
        const struct booking_view *booking = list.items[i];
        if (!booking_is_active(booking->row.status)) continue;
        message.subject = booking->row.id;
        add_mail(turn, message, booking->row.user_id,
                 arena_printf(&turn->arena, "%.*s_b%" PRIu64, STR_FMT(about), booking->row.id));
    }
    return list.count < GUESTS_MOST ? UINT64_MAX : list.items[GUESTS_MOST - 1]->row.id;
}

static uint64_t tell_event(struct turn *turn, const struct notice *notice, struct str about)
{
    struct event *event;
    if (!is_good(turn,
                 store_find_event(turn->teller->reader, notice->event_id, &turn->arena, &event)) ||
        !event)
        return UINT64_MAX;
    struct message message = {.topic = notice->topic,
                              .subject = EVENT_SUBJECT(event->id),
                              .event_id = event->id,
                              .body = event_body(turn, event)};
    if (!notice->told) add_for_webhooks(turn, message, event->organizer_id, about, notice->at);
    /* Of an event that was cancelled the guests hear by what became of their bookings. */
    return notice->topic == TOPIC_EVENT_CHANGED ? tell_guests(turn, message, notice, about)
                                                : UINT64_MAX;
}

/* Whoever asked for it, whatever topics he chose. */
static void tell_test(struct turn *turn, const struct notice *notice, struct str about)
{
    for (size_t i = 0; i < turn->webhooks.count; i++) {
        const struct webhook *webhook = turn->webhooks.items[i];
        if (webhook->id == notice->webhook_id)
            add(turn, (struct message){.topic = notice->topic,
                                       .webhook_id = webhook->id,
                                       .user_id = webhook->user_id,
                                       .key = arena_printf(&turn->arena, "msg_%.*s_w%" PRIu64,
                                                           STR_FMT(about), webhook->id),
                                       .body = STR("{}")});
    }
}

static struct str account_body(struct turn *turn, const struct notice *notice)
{
    struct buf out = {0};
    emit_open(&out, '{');
    emit_key_u64(&out, "webhook_id", notice->webhook_id);
    emit_key_str(&out, "address", notice->address);
    emit_close(&out, '}');
    return text_of(turn, &out);
}

static void tell_notice(struct turn *turn, const struct notice *notice)
{
    char about_text[REFERENCE_TEXT_SIZE];
    reference_write(&turn->teller->settings->maker.reference_key, NOTICE | notice->id, about_text);
    struct str about = str_of(about_text);
    uint64_t told = UINT64_MAX;
    switch (notice->topic) {
    case TOPIC_EVENT_CHANGED:
    case TOPIC_EVENT_CANCELLED:
    case TOPIC_EVENT_SOLD_OUT: told = tell_event(turn, notice, about); break;
    case TOPIC_WEBHOOK_TEST: tell_test(turn, notice, about); break;
    default:
        add_mail(turn, (struct message){.topic = notice->topic, .body = account_body(turn, notice)},
                 notice->user_id, about);
    }
    *ARRAY_PUSH(&turn->arena, &turn->progress) = (struct notice_progress){notice->id, told};
}

static void tell_notices(struct turn *turn)
{
    struct notice_list list;
    if (!is_good(turn, store_list_notices(turn->teller->reader, NOTICES_MOST, &turn->arena, &list)))
        return;
    for (size_t i = 0; i < list.count && turn->status == STORE_OK; i++)
        tell_notice(turn, &list.items[i]);
}

/* ---- a turn ---- */

/* STALE: another process tells it. */
static enum outcome write_turn(const struct turn *turn)
{
    struct command command = {.kind = COMMAND_TELL};
    command.tell.from = turn->from;
    command.tell.journal_id = turn->journal_id;
    command.tell.messages = turn->messages.items;
    command.tell.message_count = turn->messages.count;
    command.tell.notices = turn->progress.items;
    command.tell.notice_count = turn->progress.count;
    return engine_errand(turn->teller->settings->engine, &command, (struct errand_take){0});
}

static void list_webhooks(struct turn *turn)
{
    const struct notify_settings *settings = turn->teller->settings;
    struct webhook_list all = {0};
    turn->since = settings->mail ? 0 : INT64_MAX;
    if (!settings->webhooks ||
        !is_good(turn, store_list_webhooks(turn->teller->reader, 0, &turn->arena, &all)))
        return;
    turn->webhooks.items = ARENA_ARRAY(&turn->arena, struct webhook *, all.count);
    for (size_t i = 0; i < all.count; i++) {
        if (all.items[i]->status != WEBHOOK_ON || !webhook_may_hear(settings, all.items[i]))
            continue;
        turn->webhooks.items[turn->webhooks.count++] = all.items[i];
        if (all.items[i]->created_at < turn->since) turn->since = all.items[i]->created_at;
    }
}

static bool nobody_listens(const struct turn *turn)
{
    return !turn->teller->settings->mail && !turn->webhooks.count;
}

static bool anything_to_write(const struct turn *turn)
{
    return turn->status == STORE_OK &&
           (turn->messages.count || turn->progress.count || turn->from.turn == 0 ||
            turn->journal_id != turn->from.journal_id);
}

/* Nobody wants to know: what happens is passed over, now and then, so that who wants to know later
 * does not begin with what is long past. */
static bool pass_over(struct turn *turn, uint64_t end)
{
    turn->teller->passed_us = clock_monotonic_us();
    if (!is_good(turn, store_outbox_position(turn->teller->reader, &turn->from))) return false;
    turn->journal_id = end > turn->from.journal_id ? end : turn->from.journal_id;
    tell_notices(turn);
    return anything_to_write(turn);
}

/* As long as nobody wants to know, no row of the journal is read. True when there is something to
 * write; *ret_over when somebody wants to know after all. */
static bool read_silently(struct turn *turn, bool *ret_over)
{
    const struct journal_query query = {.after = INT64_MAX, .limit = 1};
    struct journal_page page = {0};
    bool due = clock_monotonic_us() - turn->teller->passed_us > INT64_C(1000) * SILENT_EVERY_MS;
    if (due &&
        !is_good(turn, store_list_journal(turn->teller->reader, &query, &turn->arena, &page)))
        return false;
    list_webhooks(turn); /* behind the journal: one that is older than its end is seen */
    *ret_over = turn->status == STORE_OK && !nobody_listens(turn);
    return !*ret_over && due && turn->status == STORE_OK && pass_over(turn, page.end);
}

/* Reads what is to be told next, and to whom. True when there is something to write. */
static bool read_turn(struct turn *turn)
{
    struct teller *teller = turn->teller;
    struct journal_page page = {0};
    if (teller->silent) {
        bool over = false, found = read_silently(turn, &over);
        if (!over) return found;
    }
    turn->webhooks.count = 0;
    if (!is_good(turn, store_outbox_position(teller->reader, &turn->from))) return false;
    const struct journal_query query = {.after = turn->from.journal_id, .limit = JOURNAL_MOST};
    if (!is_good(turn, store_list_journal(teller->reader, &query, &turn->arena, &page)))
        return false;
    list_webhooks(turn); /* behind the journal, as above */
    teller->silent = nobody_listens(turn);
    if (teller->silent) return pass_over(turn, page.end);
    turn->journal_id = turn->from.journal_id;
    tell_notices(turn);
    if (turn->from.turn == 0) /* what was before anybody asked is not told */
        turn->journal_id = page.end;
    else
        tell_journal(turn, page);
    return anything_to_write(turn);
}

/* How long to wait before the next turn; 0: there may be more. NEWS: until there is. */
enum { NEWS = -1 };
static long take_turn(struct teller *teller)
{
    int64_t before = clock_monotonic_us();
    struct turn turn = {.teller = teller};
    long pause = NEWS;
    if (read_turn(&turn)) {
        enum outcome outcome = write_turn(&turn);
        if (outcome == OUTCOME_OK) {
            atomic_fetch_add(&teller->counts->told, turn.messages.count);
            trouble_over(&teller->trouble);
            if (turn.messages.count) sender_wake(teller->sender);
            pause = engine_is_busy(teller->settings->engine)
                        ? (long)((clock_monotonic_us() - before) * BUSY_PAUSE / 1000)
                        : 0;
        } else if (outcome == STALE) {
            pause = LOOK_EVERY_MS / 2 + (long)(before % LOOK_EVERY_MS); /* it will go on with it */
        } else {
            trouble_is(&teller->trouble, str_of(outcome_texts[outcome].text));
            pause = FAILED_MS;
        }
    } else if (turn.status != STORE_OK) {
        trouble_is(&teller->trouble, str_of(store_error(teller->reader)));
        pause = FAILED_MS;
    } else {
        trouble_over(&teller->trouble);
    }
    if (teller->silent && pause < LOOK_EVERY_MS) pause = LOOK_EVERY_MS; /* and costs nothing */
    arena_free(&turn.arena);
    return pause;
}

static void *teller_run(void *data)
{
    struct teller *teller = data;
    pthread_setname_np(pthread_self(), "teller");
    long pause = 0;
    while (bell_wait(&teller->stop, pause)) {
        pause = take_turn(teller);
        if (pause != NEWS) continue;
        bell_wait(&teller->settings->engine->news, LOOK_EVERY_MS);
        pause = 0;
    }
    return NULL;
}

struct teller *teller_start(const struct notify_settings *settings, struct store *reader,
                            struct sender *sender, struct notify_counts *counts)
{
    struct teller *teller = calloc(1, sizeof(*teller));
    if (!teller) out_of_memory();
    *teller = (struct teller){
        .settings = settings,
        .reader = reader,
        .sender = sender,
        .counts = counts,
        .trouble = {.what = "what happened cannot be told"},
    };
    bell_init(&teller->stop);
    if (pthread_create(&teller->thread, NULL, teller_run, teller) != 0) abort();
    return teller;
}

void teller_stop(struct teller *teller)
{
    bell_close(&teller->stop);
    bell_ring(&teller->settings->engine->news);
    pthread_join(teller->thread, NULL);
    bell_destroy(&teller->stop);
    store_close(teller->reader);
    free(teller);
}
