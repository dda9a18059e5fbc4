/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/mail.h"

#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "notify/calendar.h"

enum {
    RANGES_MOST = 40, /* of ticket numbers; who has more looks at the booking */
    HASH_BYTES = crypto_generichash_BYTES_MIN,
    HASH_TEXT = 2 * HASH_BYTES + 1,
};

bool mail_wanted(enum topic topic, const struct user *user)
{
    if (!mail_topic_has_template(topic) || user->erased_at || !user->email.len) return false;
    return user->mail || topic >= TOPIC_WELCOME;
}

/* ---- links ---- */

/* A new password or another address ends every link for a new password. */
struct link_claim mail_reset_claim(const struct user *user, struct arena *arena)
{
    return (struct link_claim){
        .purpose = LINK_RESET_PASSWORD,
        .user_id = user->id,
        .proof = {user->password_hash, text_fold(arena, user->email)},
    };
}

struct link_claim mail_confirm_claim(const struct user *user, struct arena *arena)
{
    return (struct link_claim){
        .purpose = LINK_CONFIRM_EMAIL,
        .user_id = user->id,
        .proof = {text_fold(arena, user->email)},
    };
}

/* The token stands behind '#', so that no log of any server has it. */
static struct str link_to(const struct mail_maker *maker, const char *page,
                          struct link_claim *claim, int64_t expires_at, struct arena *arena)
{
    char token[LINK_TEXT_SIZE];
    claim->expires_at = expires_at;
    link_issue(&maker->link_key, claim, token);
    struct str link = arena_printf(arena, "%.*s/%s#%s", STR_FMT(maker->public_url), page, token);
    sodium_memzero(token, sizeof(token));
    return link;
}

static void put_link(struct mail_values *values, const struct mail_maker *maker,
                     const struct mail_facts *facts, struct arena *arena)
{
    struct link_claim claim;
    if (facts->topic == TOPIC_PASSWORD_RESET) {
        claim = mail_reset_claim(facts->user, arena);
        values->items[MAIL_LINK] =
            link_to(maker, "reset", &claim, facts->now + MAIL_RESET_MS, arena);
        values->items[MAIL_MINUTES] = arena_printf(arena, "%d", (int)(MAIL_RESET_MS / 60000));
    } else if (!facts->user->verified_at &&
               (facts->topic == TOPIC_WELCOME || facts->topic == TOPIC_CONFIRM_EMAIL)) {
        claim = mail_confirm_claim(facts->user, arena);
        values->items[MAIL_LINK] =
            link_to(maker, "confirm", &claim, facts->now + MAIL_CONFIRM_MS, arena);
        values->items[MAIL_DAYS] = arena_printf(arena, "%d", (int)(MAIL_CONFIRM_MS / 86400000));
    }
}

/* ---- values for people ---- */

/* "tickets.example.org" of "https://tickets.example.org:8443/box". */
static struct str host_of(struct str url)
{
    const char *behind = url.len ? memmem(url.data, url.len, "://", 3) : NULL;
    if (!behind) return url;
    struct str rest = {behind + 3, url.len - (size_t)(behind + 3 - url.data)};
    struct str host = str_cut(&rest, '/');
    const char *colon = host.len ? memrchr(host.data, ':', host.len) : NULL;
    if (colon && host.data[host.len - 1] != ']') host.len = (size_t)(colon - host.data);
    return host;
}

static void put_time(struct mail_values *values, const struct event *event, struct arena *arena)
{
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    if (!event->starts_at) return;
    struct str zone = zone_known(event->timezone) ? event->timezone : STR("UTC");
    struct local_time time = zone_time(zone, event->starts_at);
    values->items[MAIL_WHEN] =
        arena_printf(arena, "%s, %d %s %d, %02d:%02d (%.*s)", days[time.weekday], time.day,
                     months[time.month - 1], time.year, time.hour, time.minute, STR_FMT(zone));
    values->items[MAIL_DATE] =
        arena_printf(arena, "%04d-%02d-%02d", time.year, time.month, time.day);
    values->items[MAIL_TIME] = arena_printf(arena, "%02d:%02d", time.hour, time.minute);
    values->items[MAIL_TIMEZONE] = zone;
}

/* How many digits of an amount are behind the point (ISO 4217); two where it is not one of these.
 */
static int minor_digits(const char *currency)
{
    static const char none[] = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF "
                               "XPF",
                      three[] = "BHD IQD JOD KWD LYD OMR TND";
    return strstr(none, currency) ? 0 : strstr(three, currency) ? 3 : 2;
}

static struct str money(int64_t amount, const char currency[4], struct arena *arena)
{
    int digits = minor_digits(currency);
    int64_t unit = digits == 0 ? 1 : digits == 2 ? 100 : 1000;
    const char *sign = amount < 0 ? "-" : "";
    uint64_t minor = amount < 0 ? -(uint64_t)amount : (uint64_t)amount;
    if (digits == 0)
        return arena_printf(arena, "%s%llu %s", sign, (unsigned long long)minor, currency);
    return arena_printf(arena, "%s%llu.%0*llu %s", sign,
                        (unsigned long long)(minor / (uint64_t)unit), digits,
                        (unsigned long long)(minor % (uint64_t)unit), currency);
}

/* "1-4, 9": the numbers are ascending. */
static struct str ranges(const struct booking *booking, struct arena *arena)
{
    struct buf out = {0};
    size_t count = booking->number_count;
    int written = 0;
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && booking->numbers[end] == booking->numbers[end - 1] + 1;)
            end++;
        if (written++) buf_add_str(&out, STR(", "));
        if (written > RANGES_MOST) {
            buf_add_str(&out, STR("..."));
            break;
        }
        buf_add_u64(&out, booking->numbers[i]);
        if (end - i > 1) buf_printf(&out, "-%u", booking->numbers[end - 1]);
    }
    struct str text = arena_str(arena, buf_str(&out));
    buf_free(&out);
    return text;
}

static struct str number_text(uint64_t number, struct arena *arena)
{
    return arena_printf(arena, "%llu", (unsigned long long)number);
}

static enum topic topic_of(const struct mail_facts *facts)
{
    bool whole_event =
        facts->topic == TOPIC_BOOKING_CANCELLED && str_equal(facts->reason, STR("event_cancelled"));
    return whole_event ? TOPIC_EVENT_CANCELLED : facts->topic;
}

static void put_booking(struct mail_values *values, const struct mail_maker *maker,
                        const struct mail_facts *facts, struct arena *arena)
{
    const struct booking_view *booking = facts->booking;
    const struct booking *row = &booking->row;
    struct str *items = values->items;
    bool active = booking_is_active(row->status);
    enum topic topic = topic_of(facts);
    char reference[REFERENCE_TEXT_SIZE];
    reference_write(&maker->reference_key, row->id, reference);
    items[MAIL_REFERENCE] = arena_str(arena, str_of(reference));
    items[MAIL_TYPE] = text_line(booking->type_name, arena);
    items[MAIL_QUANTITY] = number_text(
        facts->quantity && topic != TOPIC_EVENT_CHANGED ? facts->quantity : row->quantity, arena);
    items[MAIL_NUMBERS] = ranges(row, arena);
    if (topic == TOPIC_BOOKING_CANCELLED ? facts->was == BOOKING_WAITING
                                         : row->status == BOOKING_WAITING)
        items[MAIL_WAITING] = STR("yes");
    if (topic == TOPIC_BOOKING_CANCELLED && active)
        items[MAIL_KEPT] = number_text(row->quantity, arena);
    int64_t total = booking_total(row);
    if (total > 0) items[MAIL_TOTAL] = money(total, booking->currency, arena);
    if (total > row->paid) items[MAIL_DUE] = money(total - row->paid, booking->currency, arena);
    uint32_t position = facts->position ? facts->position : booking->position;
    uint64_t ahead = facts->position ? facts->ahead : booking->ahead;
    if (position) items[MAIL_POSITION] = number_text(position, arena);
    if (position && ahead) items[MAIL_AHEAD] = number_text(ahead, arena);
}

static struct str address_of(const struct mail_facts *facts)
{
    return facts->topic == TOPIC_EMAIL_CHANGED ? facts->address : facts->user->email;
}

static struct mail_values values_of(const struct mail_maker *maker, const struct mail_facts *facts,
                                    struct arena *arena)
{
    struct mail_values values = {0};
    const struct user *user = facts->user;
    bool of_account = facts->topic >= TOPIC_WELCOME;
    /* Anybody can make an account with somebody else's address, and a name that says what he likes:
     * a name is repeated only to an address that was confirmed. */
    bool is_his = !of_account || (user->verified_at && facts->topic != TOPIC_EMAIL_CHANGED);
    if (is_his) values.items[MAIL_NAME] = text_line(user->name, arena);
    values.items[MAIL_EMAIL] = text_line(address_of(facts), arena);
    values.items[MAIL_URL] = maker->public_url;
    values.items[MAIL_OFFICE] = host_of(maker->public_url);
    if (!of_account) values.items[MAIL_NEWS] = STR("yes");
    if (facts->event) {
        values.items[MAIL_EVENT] = text_line(facts->event->name, arena);
        values.items[MAIL_VENUE] = text_line(facts->event->venue, arena);
        put_time(&values, facts->event, arena);
    }
    if (facts->booking) put_booking(&values, maker, facts, arena);
    if (of_account) put_link(&values, maker, facts, arena);
    if (facts->webhook) {
        values.items[MAIL_WEBHOOK] = text_line(facts->webhook->url, arena);
        values.items[MAIL_REASON] = text_line(facts->reason, arena);
    }
    return values;
}

/* ---- the calendar ---- */

/* What a later state of the same booking has is never lower: seconds since the event was made, up
 * to the last change of either; the event's version, for two changes within a second; and one more
 * at the end (RFC 5545, section 3.8.7.4). */
static uint32_t sequence_of(const struct event *event, const struct booking *booking, bool cancel)
{
    int64_t changed =
        booking->updated_at > event->updated_at ? booking->updated_at : event->updated_at;
    int64_t seconds = (changed - event->created_at) / 1000;
    uint64_t sequence = (seconds > 0 ? (uint64_t)seconds : 0) + event->version + cancel;
    return sequence < INT32_MAX ? (uint32_t)sequence : INT32_MAX;
}

/* Who has tickets has the event in his calendar; it goes when all of them are gone. */
static bool wants_calendar(const struct mail_facts *facts, bool *ret_cancel)
{
    if (!facts->event || !facts->event->starts_at || !facts->booking) return false;
    enum booking_status status = facts->booking->row.status;
    *ret_cancel = !booking_is_active(status);
    switch (topic_of(facts)) {
    case TOPIC_BOOKING_CONFIRMED:
    case TOPIC_BOOKING_PROMOTED:
    case TOPIC_EVENT_CHANGED: return status == BOOKING_CONFIRMED;
    case TOPIC_BOOKING_CANCELLED:
    case TOPIC_EVENT_CANCELLED:
        return status == BOOKING_CONFIRMED || (*ret_cancel && facts->was != BOOKING_WAITING);
    default: return false;
    }
}

static struct str calendar_of(const struct mail_maker *maker, const struct mail_facts *facts,
                              const struct mail_values *values, struct str to, bool cancel,
                              struct arena *arena)
{
    const struct booking *booking = &facts->booking->row;
    struct str domain = mailbox_domain(&maker->from), reference = values->items[MAIL_REFERENCE],
               numbers = values->items[MAIL_NUMBERS];
    struct calendar calendar = {
        .cancel = cancel,
        .uid = arena_printf(arena, "%.*s@%.*s", STR_FMT(reference), STR_FMT(domain)),
        .sequence = sequence_of(facts->event, booking, cancel),
        .written_at = facts->created_at,
        .starts_at = facts->event->starts_at,
        .ends_at = facts->event->ends_at,
        .summary = values->items[MAIL_EVENT],
        .location = values->items[MAIL_VENUE],
        .description = arena_printf(arena, "%.*s\n%u × %.*s%s%.*s", STR_FMT(reference),
                                    booking->quantity, STR_FMT(values->items[MAIL_TYPE]),
                                    numbers.len ? ": " : "", STR_FMT(numbers)),
        .url = maker->public_url,
        .organizer = maker->from,
        .attendee = {.name = values->items[MAIL_NAME], .address = to},
    };
    return calendar_write(&calendar, arena);
}

/* ---- the message ---- */

/* Hexadecimal digits that are another key's, or purpose's, for nobody else, and tell nothing of the
 * key: keys count up, and so would tell how much is going on. */
static void hash_key(const struct mail_maker *maker, struct str key, char purpose,
                     char text[HASH_TEXT])
{
    unsigned char hash[HASH_BYTES];
    crypto_generichash_state state;
    crypto_generichash_init(&state, maker->reference_key.bytes, sizeof(maker->reference_key.bytes),
                            sizeof(hash));
    crypto_generichash_update(&state, (const unsigned char *)&purpose, 1);
    crypto_generichash_update(&state, (const unsigned char *)key.data, key.len);
    crypto_generichash_final(&state, hash, sizeof(hash));
    sodium_bin2hex(text, HASH_TEXT, hash, sizeof(hash));
}

struct message_parts {
    struct mail_words words;
    struct str calendar; /* empty: none */
    bool cancel;
};

/* "=_" cannot stand in what is quoted-printable, nor '_' in base64, so it is never in a part. */
static void open_multipart(struct buf *out, const char *kind, const char *boundary)
{
    buf_printf(out, "Content-Type: multipart/%s;\r\n boundary=\"=_%s\"\r\n\r\n", kind, boundary);
}

static void open_part(struct buf *out, const char *boundary)
{
    buf_printf(out, "--=_%s\r\n", boundary);
}

static void close_multipart(struct buf *out, const char *boundary)
{
    buf_printf(out, "--=_%s--\r\n", boundary);
}

static void add_words(struct buf *out, const char *type, struct str text)
{
    buf_printf(out,
               "Content-Type: text/%s; charset=utf-8\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
               type);
    mime_quoted_printable(out, text);
    buf_add_str(out, STR("\r\n"));
}

static void add_alternatives(struct buf *out, const struct message_parts *parts,
                             const char *boundary)
{
    open_multipart(out, "alternative", boundary);
    open_part(out, boundary);
    add_words(out, "plain", parts->words.text);
    open_part(out, boundary);
    add_words(out, "html", parts->words.html);
    if (parts->calendar.len) {
        open_part(out, boundary);
        buf_printf(out,
                   "Content-Type: text/calendar; charset=utf-8; method=%s\r\n"
                   "Content-Transfer-Encoding: base64\r\n\r\n",
                   parts->cancel ? "CANCEL" : "REQUEST");
        mime_base64(out, parts->calendar);
        buf_add_str(out, STR("\r\n"));
    }
    close_multipart(out, boundary);
}

/* Calendars in browsers look for the part among the alternatives, those on a desk for a file. */
static void add_body(struct buf *out, const struct mail_maker *maker,
                     const struct message_parts *parts, struct str key)
{
    char inner[HASH_TEXT], outer[HASH_TEXT];
    hash_key(maker, key, 'a', inner);
    hash_key(maker, key, 'm', outer);
    if (!parts->calendar.len) {
        add_alternatives(out, parts, inner);
        return;
    }
    open_multipart(out, "mixed", outer);
    open_part(out, outer);
    add_alternatives(out, parts, inner);
    open_part(out, outer);
    buf_add_str(out, STR("Content-Type: application/ics; name=\"event.ics\"\r\n"
                         "Content-Disposition: attachment; filename=\"event.ics\"\r\n"
                         "Content-Transfer-Encoding: base64\r\n\r\n"));
    mime_base64(out, parts->calendar);
    buf_add_str(out, STR("\r\n"));
    close_multipart(out, outer);
}

static struct str message_of(const struct mail_maker *maker, const struct mail_facts *facts,
                             const struct mailbox *to, const struct message_parts *parts,
                             struct arena *arena)
{
    struct buf out = {0};
    char id[HASH_TEXT];
    hash_key(maker, facts->key, 'i', id);
    mime_date(&out, "Date", facts->created_at);
    mime_mailbox(&out, "From", &maker->from, arena);
    mime_mailbox(&out, "To", to, arena);
    mime_text(&out, "Subject", parts->words.subject, arena);
    mime_field(&out, "Message-ID",
               arena_printf(arena, "<%s@%.*s>", id, STR_FMT(mailbox_domain(&maker->from))));
    mime_field(&out, "Auto-Submitted", STR("auto-generated")); /* RFC 3834, section 5 */
    mime_field(&out, "MIME-Version", STR("1.0"));
    add_body(&out, maker, parts, facts->key);
    struct str data = arena_str(arena, buf_str(&out));
    buf_free(&out);
    return data;
}

/* What the mail is about may be gone by now, or have come true, or be of no concern any more. */
static bool is_about_something(const struct mail_facts *facts)
{
    const struct booking_view *booking = facts->booking;
    switch (facts->topic) {
    case TOPIC_BOOKING_CONFIRMED:
    case TOPIC_BOOKING_WAITING:
    case TOPIC_BOOKING_PROMOTED:
    case TOPIC_BOOKING_CANCELLED: return facts->event && booking;
    case TOPIC_EVENT_CHANGED:
        return facts->event && (!booking || booking_is_active(booking->row.status));
    case TOPIC_EVENT_CANCELLED: return facts->event;
    case TOPIC_CONFIRM_EMAIL: return !facts->user->verified_at;
    case TOPIC_WEBHOOK_DISABLED: return facts->webhook;
    case TOPIC_EMAIL_CHANGED: return facts->address.len > 0;
    default: return true;
    }
}

bool mail_compose(const struct mail_maker *maker, const struct mail_facts *facts,
                  struct arena *arena, struct mail *ret_mail)
{
    const struct user *user = facts->user;
    struct mailbox to;
    if (!mail_wanted(facts->topic, user) || !is_about_something(facts)) return false;
    if (!mailbox_address(address_of(facts), arena, &to.address)) return false;

    struct mail_values values = values_of(maker, facts, arena);
    to.name = values.items[MAIL_NAME];
    struct message_parts parts = {
        .words = mail_templates_render(maker->templates, topic_of(facts), &values, arena)};
    if (wants_calendar(facts, &parts.cancel))
        parts.calendar = calendar_of(maker, facts, &values, to.address, parts.cancel, arena);
    *ret_mail = (struct mail){
        .from = maker->from.address,
        .to = to.address,
        .data = message_of(maker, facts, &to, &parts, arena),
    };
    return true;
}
