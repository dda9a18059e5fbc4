/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include "notify/calendar.h"
#include "notify/mime.h"

static struct arena arena;
static struct buf out;

static int begin(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

static int clear(void **state)
{
    (void)state;
    arena_free(&arena);
    buf_free(&out);
    return 0;
}

static void expect(const char *expected)
{
    buf_add_char(&out, '\0');
    assert_string_equal(out.data, expected);
    buf_clear(&out);
}

static const char *address(const char *text)
{
    struct str address;
    return mailbox_address(str_of(text), &arena, &address) ? address.data : NULL;
}

/* ---- addresses ---- */

static void an_address_is_written_as_mail_needs_it(void **state)
{
    (void)state;
    assert_string_equal(address("Ana@Example.org"), "Ana@example.org");
    assert_string_equal(address("a.b+c=d@x-y.example"), "a.b+c=d@x-y.example");
    assert_string_equal(address("ana@münchen.example"), "ana@xn--mnchen-3ya.example");
    assert_string_equal(address("ána@example.org"), "ána@example.org"); /* RFC 6531 */
    /* What could be read as something else is put into quotes. */
    assert_string_equal(address("a:b@example.org"), "\"a:b\"@example.org");
    assert_string_equal(address("a(b)c@example.org"), "\"a(b)c\"@example.org");
    assert_string_equal(address(".a@example.org"), "\".a\"@example.org");
    assert_string_equal(address("a..b@example.org"), "\"a..b\"@example.org");
    assert_string_equal(address("a\\b@example.org"), "\"a\\\\b\"@example.org");
    assert_string_equal(address("a\"b@example.org"), "\"a\\\"b\"@example.org");
    assert_string_equal(address("a>,b@example.org"), "\"a>,b\"@example.org");
}

static void where_no_mail_can_go_is_said(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "plain",         "@example.org",   "a@",
        "a@b..c",    "a@.b",          "a@b.",           "a@-b.example",
        "a@b-.c",    "a@[127.0.0.1]", "a@b(c).example", "a@b\r\nRCPT TO:<c>",
        "a\r\n@b.c", "a\x01@b.c",     "a@b c",          "a@b>",
        "a@b,c.d",   "a@b_c.example", "a@b\tc.example", "\xff@b.c",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (address(bad[i])) fail_msg("\"%s\" is taken", bad[i]);
    struct str nul = {"a\0b@example.org", 15}, ret;
    assert_false(mailbox_address(nul, &arena, &ret));
}

static void a_mailbox_is_an_address_with_or_without_a_name(void **state)
{
    (void)state;
    struct mailbox box;
    assert_true(mailbox_read(STR(" tickets@example.org "), &arena, &box));
    assert_string_equal(box.address.data, "tickets@example.org");
    assert_int_equal(box.name.len, 0);
    assert_true(mailbox_read(STR("Box Office <tickets@example.org>"), &arena, &box));
    assert_memory_equal(box.name.data, "Box Office", box.name.len);
    assert_true(mailbox_read(STR("\"Box, \\\"Office\\\"\" <tickets@example.org>"), &arena, &box));
    assert_int_equal(box.name.len, strlen("Box, \"Office\""));
    assert_memory_equal(box.name.data, "Box, \"Office\"", box.name.len);
    assert_string_equal(mailbox_domain(&box).data, "example.org");

    static const char *const bad[] = {
        "",           "Box Office",   "Box <>",
        "Box <a@b.c", "a@b.c, d@e.f", "<a@b.c>, <d@e.f>",
        "<<a@b.c>>",  "a b@c.d",      "Box tickets@example.org>",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (mailbox_read(str_of(bad[i]), &arena, &box)) fail_msg("\"%s\" is taken", bad[i]);
}

/* ---- header fields ---- */

static void a_text_that_is_plain_stays_as_it_is(void **state)
{
    (void)state;
    mime_text(&out, "Subject", STR("Booked: Concert & more"), &arena);
    expect("Subject: Booked: Concert & more\r\n");
    mime_text(&out, "Subject", STR(""), &arena);
    expect("Subject: \r\n");
}

static void a_text_that_is_not_ascii_is_encoded_in_whole_characters(void **state)
{
    (void)state;
    mime_text(&out, "Subject", STR("Café"), &arena);
    expect("Subject: =?UTF-8?B?Q2Fmw6k=?=\r\n");
    /* 36 octets a word, and a ticket of four is not cut: 34 and 4 and 2. */
    mime_text(&out, "Subject", STR("0123456789012345678901234567890123🎫é"), &arena);
    expect("Subject: =?UTF-8?B?MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMw==?=\r\n"
           " =?UTF-8?B?8J+Oq8Op?=\r\n");
    mime_text(&out, "Subject", STR("=?UTF-8?B?Q2Fmw6k=?="), &arena);
    expect("Subject: =?UTF-8?B?PT9VVEYtOD9CP1EyRm13Nms9Pz0=?=\r\n");
}

static void nothing_begins_another_field(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\r\nBcc: x@y.z", "a\nBcc: x@y.z", "a\rBcc: x@y.z",
                                      "a\r\n\r\nBcc: x@y.z", "a\x0b\x0c\x1b[1m Bcc: x@y.z\x7f"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct mailbox box = {.name = str_of(bad[i]), .address = STR("a@b.c")};
        mime_text(&out, "Subject", str_of(bad[i]), &arena);
        mime_mailbox(&out, "To", &box, &arena);
        buf_add_char(&out, '\0');
        int lines = 0;
        for (const char *at = out.data; *at; at++) {
            assert_true((unsigned char)*at >= ' ' || *at == '\r' || *at == '\n');
            lines += *at == '\n';
        }
        assert_int_equal(lines, 2);
        assert_null(strstr(out.data, "\nBcc"));
        buf_clear(&out);
    }
    mime_text(&out, "Subject", (struct str){"a\0b\xff", 4}, &arena);
    expect("Subject: a b?\r\n");
}

static void a_name_is_quoted_or_encoded(void **state)
{
    (void)state;
    struct mailbox box = {.name = STR("Ana, \"the\" Box\\Office"), .address = STR("a@b.c")};
    mime_mailbox(&out, "To", &box, &arena);
    expect("To: \"Ana, \\\"the\\\" Box\\\\Office\" <a@b.c>\r\n");
    box.name = STR("Ána");
    mime_mailbox(&out, "To", &box, &arena);
    expect("To: =?UTF-8?B?w4FuYQ==?= <a@b.c>\r\n");
    box.name = (struct str){0};
    mime_mailbox(&out, "To", &box, &arena);
    expect("To: a@b.c\r\n");
    box.name = STR("A name of some length, of some more");
    box.address = STR("with.an.address.of.some.length.too@example.org");
    mime_mailbox(&out, "To", &box, &arena);
    expect("To: \"A name of some length, of some more\"\r\n"
           " <with.an.address.of.some.length.too@example.org>\r\n");
}

static void a_date_is_that_of_rfc_5322(void **state)
{
    (void)state;
    mime_date(&out, "Date", INT64_C(1811876400000) + 5999);
    expect("Date: Tue, 01 Jun 2027 19:00:05 +0000\r\n");
    mime_date(&out, "Date", 1);
    expect("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n");
}

/* ---- bodies ---- */

static void quoted_printable_keeps_lines_and_hides_the_rest(void **state)
{
    (void)state;
    mime_quoted_printable(&out, STR("a = b \nCaf\xc3\xa9\t\r\n\n.\nFrom here\n..\nend"));
    expect("a =3D b=20\r\nCaf=C3=A9=09\r\n\r\n=2E\r\n=46rom here\r\n=2E.\r\nend\r\n");
}

static void quoted_printable_has_lines_of_76(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'x', sizeof(text));
    for (size_t len = 70; len < sizeof(text); len++) {
        text[len - 1] = '=';
        mime_quoted_printable(&out, (struct str){text, len});
        text[len - 1] = 'x';
        struct str rest = buf_str(&out);
        while (rest.len)
            assert_true(str_cut(&rest, '\n').len <= 77); /* with its CR */
        buf_clear(&out);
    }
    mime_quoted_printable(&out, (struct str){text, 76});
    assert_int_equal(out.len, 78); /* just fits */
    buf_clear(&out);
    mime_quoted_printable(&out, (struct str){text, 77});
    assert_int_equal(out.len, 77 + 3 + 2);
}

static void base64_has_lines_of_76(void **state)
{
    (void)state;
    char text[58];
    memset(text, 'x', sizeof(text));
    mime_base64(&out, (struct str){text, 58});
    expect("eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4\r\n"
           "eA==\r\n");
    mime_base64(&out, (struct str){0});
    expect("");
}

/* ---- the calendar ---- */

static void a_calendar_is_what_rfc_5545_says(void **state)
{
    (void)state;
    struct calendar calendar = {
        .uid = STR("K7Q2-M9XD-4TZB@example.org"),
        .sequence = 7,
        .written_at = INT64_C(1811876400000),
        .starts_at = INT64_C(1811876400000) + 3600000,
        .ends_at = INT64_C(1811876400000) + 7200000,
        .summary = STR("Tea; coffee, \\ cake"),
        .location =
            STR("A hall of a length that needs a second line é and a third one after it, é"),
        .description = STR("One\nTwo\r\n\x01Three"),
        .url = STR("https://example.org/a"),
        .organizer = {.name = STR("Box \"Office\""), .address = STR("tickets@example.org")},
        .attendee = {.address = STR("\"a b\"@example.org")},
    };
    struct str text = calendar_write(&calendar, &arena);
    assert_string_equal(
        text.data,
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//admit//box office//EN\r\nMETHOD:REQUEST\r\n"
        "BEGIN:VEVENT\r\nUID:K7Q2-M9XD-4TZB@example.org\r\nSEQUENCE:7\r\n"
        "DTSTAMP:20270601T190000Z\r\nDTSTART:20270601T200000Z\r\nDTEND:20270601T210000Z\r\n"
        "STATUS:CONFIRMED\r\nSUMMARY:Tea\\; coffee\\, \\\\ cake\r\n"
        "LOCATION:A hall of a length that needs a second line é and a third one aft\r\n"
        " er it\\, é\r\nDESCRIPTION:One\\nTwo\\nThree\r\nURL:https://example.org/a\r\n"
        "ORGANIZER;CN=\"Box 'Office'\":mailto:tickets@example.org\r\n"
        "ATTENDEE;PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:%22a%20b%22@example.org\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n");
    calendar.cancel = true;
    calendar.ends_at = calendar.starts_at;
    text = calendar_write(&calendar, &arena);
    assert_non_null(strstr(text.data, "METHOD:CANCEL\r\n"));
    assert_non_null(strstr(text.data, "STATUS:CANCELLED\r\n"));
    assert_null(strstr(text.data, "DTEND"));
}

static void a_calendar_folds_between_characters(void **state)
{
    (void)state;
    char name[600];
    for (size_t lead = 0; lead < 8; lead++) {
        memset(name, 'x', lead);
        for (size_t i = lead; i + 4 <= sizeof(name); i += 4)
            memcpy(name + i, "🎫", 4);
        size_t len = lead + (sizeof(name) - lead) / 4 * 4;
        struct calendar calendar = {
            .summary = {name, len},
            .uid = STR("x"),
            .written_at = 1000,
            .starts_at = 1000,
            .organizer = {.address = STR("a@b.c")},
            .attendee = {.address = STR("a@b.c")},
        };
        struct str rest = calendar_write(&calendar, &arena);
        while (rest.len) {
            struct str line = str_cut(&rest, '\n');
            assert_true(line.len <= 76 && str_is_utf8(line)); /* with its CR */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_address_is_written_as_mail_needs_it, clear),
        cmocka_unit_test_teardown(where_no_mail_can_go_is_said, clear),
        cmocka_unit_test_teardown(a_mailbox_is_an_address_with_or_without_a_name, clear),
        cmocka_unit_test_teardown(a_text_that_is_plain_stays_as_it_is, clear),
        cmocka_unit_test_teardown(a_text_that_is_not_ascii_is_encoded_in_whole_characters, clear),
        cmocka_unit_test_teardown(nothing_begins_another_field, clear),
        cmocka_unit_test_teardown(a_name_is_quoted_or_encoded, clear),
        cmocka_unit_test_teardown(a_date_is_that_of_rfc_5322, clear),
        cmocka_unit_test_teardown(quoted_printable_keeps_lines_and_hides_the_rest, clear),
        cmocka_unit_test_teardown(quoted_printable_has_lines_of_76, clear),
        cmocka_unit_test_teardown(base64_has_lines_of_76, clear),
        cmocka_unit_test_teardown(a_calendar_is_what_rfc_5545_says, clear),
        cmocka_unit_test_teardown(a_calendar_folds_between_characters, clear),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
