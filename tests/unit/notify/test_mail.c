/* SPDX-License-Identifier: Apache-2.0 */
/* Mails are taken apart here by another hand than the one that put them together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include "notify/mail.h"

/* 2027-05-01T12:00:00Z */
static const int64_t NOW = 1809172800000;

static struct arena arena;
static struct mail_maker maker;
static struct user user;
static struct event event;
static struct booking_view booking;
static uint32_t numbers[] = {3, 4, 5, 9};

static int group_begin(void **state)
{
    (void)state;
    static struct arena kept;
    const char *error;
    if (sodium_init() < 0) return 1;
    maker.templates = mail_templates_read(NULL, &kept, &error);
    maker.from = (struct mailbox){STR("Box Office"), STR("tickets@example.org")};
    maker.public_url = STR("https://tickets.example.org:8443/box");
    maker.link_key = link_key_of(STR("0123456789abcdef0123456789abcdef"));
    return !maker.templates;
}

static int begin(void **state)
{
    (void)state;
    user = (struct user){.id = 7,
                         .email = STR("Ana@example.org"),
                         .name = STR("Ána"),
                         .password_hash = STR("hash"),
                         .mail = true};
    event = (struct event){.id = 1,
                           .name = STR("Concert, \"live\""),
                           .venue = STR("Grand Hall"),
                           .timezone = STR("Europe/Madrid"),
                           .currency = "EUR",
                           .starts_at = INT64_C(1811876400000), /* 2027-06-01T19:00:00Z */
                           .status = EVENT_ON_SALE,
                           .version = 1,
                           .created_at = NOW - 5000,
                           .updated_at = NOW - 5000};
    booking = (struct booking_view){.row = {.id = 99,
                                            .user_id = 7,
                                            .event_id = 1,
                                            .quantity = 4,
                                            .status = BOOKING_CONFIRMED,
                                            .unit_price = 2550,
                                            .paid = 100,
                                            .created_at = NOW,
                                            .updated_at = NOW,
                                            .numbers = numbers,
                                            .number_count = 4},
                                    .type_name = STR("Balcony"),
                                    .currency = "EUR"};
    return 0;
}

static int clear(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct mail_facts facts_of(enum topic topic)
{
    bool of_account = topic >= TOPIC_WELCOME;
    return (struct mail_facts){
        .topic = topic,
        .key = STR("msg_1"),
        .created_at = NOW,
        .now = NOW,
        .user = &user,
        .event = of_account ? NULL : &event,
        .booking = of_account ? NULL : &booking,
    };
}

static struct mail compose(const struct mail_facts *facts)
{
    struct mail mail;
    assert_true(mail_compose(&maker, facts, &arena, &mail));
    return mail;
}

/* ---- taking apart ---- */

static const char *find(const char *text, const char *wanted)
{
    const char *at = strstr(text, wanted);
    if (!at) fail_msg("\"%s\" is not in:\n%s", wanted, text);
    return at;
}

static void expect_no(const char *text, const char *unwanted)
{
    if (strstr(text, unwanted)) fail_msg("\"%s\" is in:\n%s", unwanted, text);
}

/* The body of the first part of this type behind 'from', decoded. */
static const char *part(const char *from, const char *type)
{
    const char *head = find(from, arena_printf(&arena, "Content-Type: %s", type).data);
    const char *body = find(head, "\r\n\r\n") + 4, *end = find(body, "\r\n--=_");
    const char *encoding = strstr(head, "Content-Transfer-Encoding: base64");
    bool base64 = encoding && encoding < body;
    char *decoded = arena_alloc(&arena, (size_t)(end - body) + 1);
    size_t len = 0;
    if (base64) {
        assert_int_equal(sodium_base642bin((unsigned char *)decoded, (size_t)(end - body), body,
                                           (size_t)(end - body), "\r\n", &len, NULL,
                                           sodium_base64_VARIANT_ORIGINAL),
                         0);
    } else {
        for (const char *at = body; at < end; at++) {
            char hex[3] = {at[1], at[2], '\0'};
            if (*at != '=') {
                decoded[len++] = *at;
            } else {
                if (at[1] != '\r') decoded[len++] = (char)strtol(hex, NULL, 16);
                at += 2;
            }
        }
    }
    decoded[len] = '\0';
    return decoded;
}

/* Quoted-printable where there is no base64 in the head. */
static const char *text_of(const struct mail *mail)
{
    return part(mail->data.data, "text/plain");
}

/* A calendar's lines, unfolded. */
static const char *calendar_of(const struct mail *mail)
{
    const char *text = part(mail->data.data, "text/calendar");
    char *unfolded = arena_alloc(&arena, strlen(text) + 1), *end = unfolded;
    for (const char *at = text; *at;) {
        if (strncmp(at, "\r\n ", 3) == 0)
            at += 3;
        else
            *end++ = *at++;
    }
    *end = '\0';
    assert_string_equal(part(mail->data.data, "application/ics"), text); /* the same as a file */
    return unfolded;
}

/* Whole lines, of a sane length, and ASCII. */
static void expect_sound(const struct mail *mail)
{
    struct str rest = mail->data;
    assert_int_equal(strlen(rest.data), rest.len);
    while (rest.len) {
        struct str line = str_cut(&rest, '\n');
        assert_true(line.len > 0 && line.len <= 79 && line.data[line.len - 1] == '\r');
        for (size_t i = 0; i + 1 < line.len; i++)
            assert_true((unsigned char)line.data[i] >= ' ' && (unsigned char)line.data[i] < 0x7f);
    }
}

static void expect_token(const char *text, const char *before, const struct link_claim *claim,
                         int64_t good_until)
{
    struct str token = {find(text, before) + strlen(before), LINK_TEXT_SIZE - 1};
    assert_true(link_verify(&maker.link_key, claim, token, good_until - 1));
    assert_false(link_verify(&maker.link_key, claim, token, good_until));
}

/* ---- headers ---- */

static void a_mail_has_the_fields_that_rfc_5322_asks_for(void **state)
{
    (void)state;
    struct mail_facts facts = facts_of(TOPIC_BOOKING_CONFIRMED);
    struct mail mail = compose(&facts);
    const char head[] = "Date: Sat, 01 May 2027 12:00:00 +0000\r\n"
                        "From: \"Box Office\" <tickets@example.org>\r\n"
                        "To: =?UTF-8?B?w4FuYQ==?= <Ana@example.org>\r\n"
                        "Subject: Booked: Concert, \"live\"\r\n"
                        "Message-ID: <",
               rest[] = "@example.org>\r\n"
                        "Auto-Submitted: auto-generated\r\n"
                        "MIME-Version: 1.0\r\n"
                        "Content-Type: multipart/mixed;\r\n boundary=\"=_";
    assert_memory_equal(mail.data.data, head, sizeof(head) - 1);
    assert_memory_equal(mail.data.data + sizeof(head) - 1 + 32, rest, sizeof(rest) - 1);
    assert_string_equal(mail.from.data, "tickets@example.org");
    assert_string_equal(mail.to.data, "Ana@example.org");
    expect_sound(&mail);
    assert_string_equal(compose(&facts).data.data, mail.data.data); /* stable over retries */
}

static void a_message_id_says_nothing_of_its_key(void **state)
{
    (void)state;
    struct mail_facts facts = facts_of(TOPIC_BOOKING_CONFIRMED);
    facts.key = STR("x>\r\nBcc: a@b.c");
    const char *id = find(compose(&facts).data.data, "Message-ID: <") + strlen("Message-ID: <");
    for (int i = 0; i < 32; i++)
        assert_true(strchr("0123456789abcdef", id[i]));
    assert_memory_equal(id + 32, "@example.org>\r\n", 15);
    facts.key = STR("y");
    expect_no(compose(&facts).data.data, arena_printf(&arena, "%.32s", id).data);
    facts.key = STR("msg_j12");
    expect_no(compose(&facts).data.data, "msg_j12");
}

static void no_name_makes_a_field(void **state)
{
    (void)state;
    static const char evil[] = "x\r\nBcc: victim@example.org\r\n\r\n<b>body</b>";
    user.name = event.name = event.venue = booking.type_name = str_of(evil);
    for (int topic = TOPIC_BOOKING_CONFIRMED; topic <= TOPIC_EVENT_CANCELLED; topic++) {
        struct mail_facts facts = facts_of((enum topic)topic);
        struct mail mail = compose(&facts);
        expect_sound(&mail);
        expect_no(mail.data.data, "\nBcc");
        expect_no(text_of(&mail), "\nBcc");
        expect_no(part(mail.data.data, "text/html"), "<b>");
        if (strstr(mail.data.data, "text/calendar")) expect_no(calendar_of(&mail), "\nBcc");
    }
}

/* ---- what is said ---- */

static void who_has_booked_is_told_what(void **state)
{
    (void)state;
    struct mail_facts facts = facts_of(TOPIC_BOOKING_CONFIRMED);
    struct mail mail = compose(&facts);
    const char *text = text_of(&mail);
    find(text, "Hello Ána,\r\n\r\nyour booking is confirmed.\r\n\r\nConcert, \"live\"\r\n"
               "When: Tuesday, 1 June 2027, 21:00 (Europe/Madrid)\r\nWhere: Grand Hall\r\n"
               "Tickets: 4 (Balcony), number 3-5, 9\r\n"
               "To pay: 102.00 EUR, of which 101.00 EUR is open\r\nBooking: ");
    find(text, "tickets.example.org\r\nhttps://tickets.example.org:8443/box\r\n");
    const char *html = part(mail.data.data, "text/html");
    find(html, "<p>Concert, &quot;live&quot;<br>");
    find(html, "Tickets: 4 (Balcony), number 3-5, 9<br>");
}

static void what_is_not_there_is_not_mentioned(void **state)
{
    (void)state;
    event.starts_at = 0;
    event.venue = STR("");
    booking.row.unit_price = booking.row.paid = 0;
    struct mail_facts facts = facts_of(TOPIC_BOOKING_CONFIRMED);
    struct mail mail = compose(&facts);
    const char *text = text_of(&mail);
    static const char *const words[] = {"When", "Where", "To pay", "\r\n\r\n\r\n"};
    for (size_t i = 0; i < 4; i++)
        expect_no(text, words[i]);
    expect_no(mail.data.data, "calendar"); /* nor is there a date for it */
    find(mail.data.data, "Content-Type: multipart/alternative;");
}

static void who_waits_is_told_his_place(void **state)
{
    (void)state;
    booking.row.status = BOOKING_WAITING;
    booking.row.number_count = 0;
    struct mail_facts facts = facts_of(TOPIC_BOOKING_WAITING);
    facts.position = 3;
    facts.ahead = 5;
    booking.position = 1; /* by now */
    struct mail mail = compose(&facts);
    find(text_of(&mail), "Place in line: 3, tickets wanted before you: 5\r\n");
    expect_no(mail.data.data, "calendar");
    facts.position = 0;
    mail = compose(&facts);
    find(text_of(&mail), "Place in line: 1\r\n");
}

static void who_cancels_some_keeps_the_rest(void **state)
{
    (void)state;
    struct mail_facts facts = facts_of(TOPIC_BOOKING_CANCELLED);
    facts.was = BOOKING_CONFIRMED;
    facts.quantity = 2;
    struct mail mail = compose(&facts);
    find(text_of(&mail), "some of your tickets were cancelled");
    find(text_of(&mail), "Tickets cancelled: 2 (Balcony)\r\nTickets left: 4, number 3-5, 9\r\n");
    find(calendar_of(&mail), "METHOD:REQUEST\r\n");

    booking.row.status = BOOKING_CANCELLED;
    booking.row.number_count = 0;
    mail = compose(&facts);
    find(text_of(&mail), "your booking was cancelled");
    expect_no(text_of(&mail), "Tickets left");
    find(calendar_of(&mail), "METHOD:CANCEL\r\n");

    facts.was = BOOKING_WAITING;
    mail = compose(&facts);
    find(text_of(&mail), "you have left the waiting list");
    expect_no(mail.data.data, "calendar");

    booking.row.status = BOOKING_WAITING;
    mail = compose(&facts);
    find(text_of(&mail), "your place in line is kept");
    find(text_of(&mail), "Tickets left: 4\r\n");
}

static void an_event_that_is_cancelled_is_not_the_guests_doing(void **state)
{
    (void)state;
    booking.row.status = BOOKING_CANCELLED;
    struct mail_facts facts = facts_of(TOPIC_BOOKING_CANCELLED);
    facts.reason = STR("event_cancelled");
    facts.quantity = 4;
    struct mail mail = compose(&facts);
    find(text_of(&mail), "this event will not take place");
    find(calendar_of(&mail), "METHOD:CANCEL\r\n");
    facts = facts_of(TOPIC_EVENT_CANCELLED);
    assert_string_equal(text_of(&mail), (mail = compose(&facts), text_of(&mail)));
}

static void what_is_over_is_not_told(void **state)
{
    (void)state;
    struct mail mail;
    for (int topic = TOPIC_BOOKING_CONFIRMED; topic <= TOPIC_EVENT_CANCELLED; topic++) {
        struct mail_facts facts = facts_of((enum topic)topic);
        facts.event = NULL;
        assert_false(mail_compose(&maker, &facts, &arena, &mail));
        facts.event = &event;
        facts.booking = NULL;
        assert_int_equal(mail_compose(&maker, &facts, &arena, &mail), topic >= TOPIC_EVENT_CHANGED);
    }
    struct mail_facts facts = facts_of(TOPIC_EVENT_CHANGED);
    booking.row.status = BOOKING_CANCELLED;
    assert_false(mail_compose(&maker, &facts, &arena, &mail));
    facts = facts_of(TOPIC_WEBHOOK_DISABLED);
    assert_false(mail_compose(&maker, &facts, &arena, &mail));
    facts = facts_of(TOPIC_EMAIL_CHANGED);
    assert_false(mail_compose(&maker, &facts, &arena, &mail));
}

static void money_is_written_as_its_currency_is(void **state)
{
    (void)state;
    struct mail_facts facts = facts_of(TOPIC_BOOKING_CONFIRMED);
    booking.row.paid = booking.row.unit_price * 4;
    memcpy(booking.currency, "JPY", 4);
    struct mail mail = compose(&facts);
    find(text_of(&mail), "To pay: 10200 JPY\r\n");
    memcpy(booking.currency, "KWD", 4);
    mail = compose(&facts);
    find(text_of(&mail), "To pay: 10.200 KWD\r\n");
}

/* ---- the calendar ---- */

static uint32_t sequence(enum topic topic)
{
    struct mail_facts facts = facts_of(topic);
    struct mail mail = compose(&facts);
    return (uint32_t)strtoul(find(calendar_of(&mail), "SEQUENCE:") + 9, NULL, 10);
}

static void a_calendar_knows_the_booking_again(void **state)
{
    (void)state;
    struct mail_facts facts = facts_of(TOPIC_BOOKING_CONFIRMED);
    struct mail mail = compose(&facts);
    const char *calendar = calendar_of(&mail);
    char reference[REFERENCE_TEXT_SIZE];
    reference_write(&maker.reference_key, 99, reference);
    find(calendar, arena_printf(&arena, "UID:%s@example.org\r\n", reference).data);
    find(calendar, "DTSTART:20270601T190000Z\r\n");
    find(calendar, "SUMMARY:Concert\\, \"live\"\r\nLOCATION:Grand Hall\r\n");
    find(calendar, ": 3-5\\, 9\r\n");
    find(calendar, "ORGANIZER;CN=\"Box Office\":mailto:tickets@example.org\r\n");
    find(calendar, "ATTENDEE;PARTSTAT=ACCEPTED;RSVP=FALSE;CN=\"Ána\":mailto:Ana@example.org\r\n");
}

static void every_later_state_has_a_higher_sequence(void **state)
{
    (void)state;
    uint32_t booked = sequence(TOPIC_BOOKING_CONFIRMED);
    event.version++; /* within the same second */
    uint32_t changed = sequence(TOPIC_EVENT_CHANGED);
    assert_true(changed > booked);
    event.version++;
    event.updated_at = NOW + 60000;
    uint32_t later = sequence(TOPIC_EVENT_CHANGED);
    assert_true(later > changed);
    booking.row.updated_at = NOW + 61000;
    uint32_t fewer = sequence(TOPIC_BOOKING_CANCELLED);
    assert_true(fewer > later);
    booking.row.status = BOOKING_CANCELLED; /* within the same second */
    assert_true(sequence(TOPIC_BOOKING_CANCELLED) > fewer);
}

/* ---- accounts ---- */

static void a_new_account_is_asked_to_confirm_its_address(void **state)
{
    (void)state;
    struct mail_facts facts = facts_of(TOPIC_WELCOME);
    struct mail mail = compose(&facts);
    const char *text = text_of(&mail);
    struct link_claim claim = mail_confirm_claim(&user, &arena);
    expect_token(text, "https://tickets.example.org:8443/box/confirm#", &claim,
                 NOW + MAIL_CONFIRM_MS);
    find(text, "Ana@example.org at tickets.example.org");
    find(part(mail.data.data, "text/html"),
         "<a href=\"https://tickets.example.org:8443/box/confirm#");
    /* Anybody can register somebody else's address: what he calls himself is not passed on. */
    find(mail.data.data, "\r\nTo: Ana@example.org\r\n");
    find(text, "Hello,\r\n");
    user.verified_at = NOW;
    mail = compose(&facts);
    find(text_of(&mail), "Hello Ána,\r\n");
    expect_no(text_of(&mail), "confirm#");
    facts.topic = TOPIC_CONFIRM_EMAIL;
    assert_false(mail_compose(&maker, &facts, &arena, &mail)); /* it came true meanwhile */
}

static void a_new_password_is_chosen_by_a_link(void **state)
{
    (void)state;
    struct mail_facts facts = facts_of(TOPIC_PASSWORD_RESET);
    facts.now = NOW + 5000; /* from when it is sent */
    struct mail mail = compose(&facts);
    struct link_claim claim = mail_reset_claim(&user, &arena);
    const char *text = text_of(&mail);
    expect_token(text, "/box/reset#", &claim, NOW + 5000 + 30 * 60 * 1000);
    find(text, "good for 30 minutes");
    user.password_hash = STR("another hash");
    claim = mail_reset_claim(&user, &arena);
    struct str token = {find(text, "/box/reset#") + 11, LINK_TEXT_SIZE - 1};
    assert_false(link_verify(&maker.link_key, &claim, token, NOW));
}

static void a_webhook_that_is_switched_off_is_named(void **state)
{
    (void)state;
    struct webhook webhook = {.url = STR("https://example.net/hook?x=1&y=2")};
    struct mail_facts facts = facts_of(TOPIC_WEBHOOK_DISABLED);
    facts.webhook = &webhook;
    facts.reason = STR("500\r\n.\r\nQUIT");
    struct mail mail = compose(&facts);
    find(text_of(&mail), "https://example.net/hook?x=1&y=2\r\nThe last answer: 500 . QUIT\r\n");
    expect_sound(&mail);
}

/* ---- to whom ---- */

static void an_address_that_was_changed_is_told_and_not_the_new_one(void **state)
{
    (void)state;
    struct mail_facts facts = facts_of(TOPIC_EMAIL_CHANGED);
    facts.address = STR("old@example.org");
    struct mail mail = compose(&facts);
    assert_true(str_equal(mail.to, STR("old@example.org")));
    find(text_of(&mail), "old@example.org was the address of your account");
    assert_null(memmem(mail.data.data, mail.data.len, user.email.data, user.email.len));
    assert_null(memmem(mail.data.data, mail.data.len, user.name.data, user.name.len));
    expect_sound(&mail);
}

static void who_does_not_want_it_gets_none(void **state)
{
    (void)state;
    struct mail mail;
    for (int topic = TOPIC_NONE; topic < TOPIC_COUNT; topic++) {
        bool has = mail_topic_has_template((enum topic)topic);
        struct webhook webhook = {.url = STR("https://example.net")};
        struct mail_facts facts = facts_of((enum topic)topic);
        facts.webhook = &webhook;
        facts.address = STR("old@example.org");
        user.mail = true;
        assert_int_equal(mail_wanted((enum topic)topic, &user), has);
        user.mail = false;
        assert_int_equal(mail_wanted((enum topic)topic, &user), has && topic >= TOPIC_WELCOME);
        assert_int_equal(mail_compose(&maker, &facts, &arena, &mail),
                         has && topic >= TOPIC_WELCOME);
    }
    user.mail = true;
    user.email = STR("");
    assert_false(mail_wanted(TOPIC_WELCOME, &user));
    user.email = STR("ana@b(c).example"); /* which registering takes */
    struct mail_facts facts = facts_of(TOPIC_WELCOME);
    assert_false(mail_compose(&maker, &facts, &arena, &mail));
    user.email = STR("ana@example.org");
    user.erased_at = NOW;
    assert_false(mail_compose(&maker, &facts, &arena, &mail));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, clear)
    const struct CMUnitTest tests[] = {
        TEST(a_mail_has_the_fields_that_rfc_5322_asks_for),
        TEST(a_message_id_says_nothing_of_its_key),
        TEST(no_name_makes_a_field),
        TEST(who_has_booked_is_told_what),
        TEST(what_is_not_there_is_not_mentioned),
        TEST(who_waits_is_told_his_place),
        TEST(who_cancels_some_keeps_the_rest),
        TEST(an_event_that_is_cancelled_is_not_the_guests_doing),
        TEST(what_is_over_is_not_told),
        TEST(money_is_written_as_its_currency_is),
        TEST(a_calendar_knows_the_booking_again),
        TEST(every_later_state_has_a_higher_sequence),
        TEST(a_new_account_is_asked_to_confirm_its_address),
        TEST(a_new_password_is_chosen_by_a_link),
        TEST(a_webhook_that_is_switched_off_is_named),
        TEST(an_address_that_was_changed_is_told_and_not_the_new_one),
        TEST(who_does_not_want_it_gets_none),
    };
    return cmocka_run_group_tests(tests, group_begin, NULL);
}
