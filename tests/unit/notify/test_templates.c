/* SPDX-License-Identifier: Apache-2.0 */
/* Each test has an empty directory to put templates into. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "notify/templates.h"

static struct arena arena;
static char directory[] = "/tmp/test-templates-XXXXXX";
static char path[200];

static int group_begin(void **state)
{
    (void)state;
    return !mkdtemp(directory);
}

static int group_end(void **state)
{
    (void)state;
    return rmdir(directory);
}

static int clear(void **state)
{
    (void)state;
    if (path[0]) unlink(path);
    path[0] = '\0';
    arena_free(&arena);
    return 0;
}

static void write_file(const char *name, struct str text)
{
    if (path[0]) unlink(path);
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

static struct mail_templates *read_or_fail(const char *from)
{
    const char *error = NULL;
    struct mail_templates *templates = mail_templates_read(from, &arena, &error);
    if (!templates) fail_msg("%s", error);
    return templates;
}

/* The error behind the directory's name and the slash. */
static void expect_error(const char *name, struct str text, const char *expected)
{
    const char *error = NULL;
    write_file(name, text);
    assert_null(mail_templates_read(directory, &arena, &error));
    assert_memory_equal(error, directory, strlen(directory));
    assert_string_equal(error + strlen(directory) + 1, expected);
}

static struct mail_values some_values(void)
{
    struct mail_values values = {0};
    values.items[MAIL_NAME] = STR("Ana <b>&\"'");
    values.items[MAIL_OFFICE] = STR("example.org");
    values.items[MAIL_URL] = STR("https://example.org/?a=1&b=2");
    values.items[MAIL_EVENT] = STR("Concert");
    values.items[MAIL_QUANTITY] = STR("2");
    return values;
}

/* A mail of what 'body' makes of the values, without anything around it. */
static struct mail_words words_of(const char *body)
{
    write_file("booking.confirmed.txt", arena_printf(&arena, "Subject: A {{event}}\n\n%s", body));
    struct mail_templates *templates = read_or_fail(directory);
    struct mail_values values = some_values();
    return mail_templates_render(templates, TOPIC_BOOKING_CONFIRMED, &values, &arena);
}

static void expect_text(const char *body, const char *expected)
{
    struct mail_words words = words_of(body);
    size_t len = strlen(expected);
    if (words.text.len < len || memcmp(words.text.data, expected, len) != 0)
        fail_msg("\"%s\" and not \"%s\"", words.text.data, expected);
    assert_int_equal(words.text.data[len], '\n');
}

static void the_built_in_ones_are_good(void **state)
{
    (void)state;
    struct mail_templates *templates = read_or_fail(NULL);
    int count = 0;
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        if (!mail_topic_has_template((enum topic)topic)) continue;
        struct mail_values values = some_values();
        struct mail_words words =
            mail_templates_render(templates, (enum topic)topic, &values, &arena);
        assert_true(words.subject.len > 0 && !memchr(words.subject.data, '\n', words.subject.len));
        assert_null(strstr(words.text.data, "{{"));
        assert_null(strstr(words.html.data, "{{"));
        assert_null(strstr(words.text.data, "\n\n\n"));
        count++;
    }
    assert_int_equal(count, 12);
    assert_int_equal(mail_source_count, 14);
    assert_false(mail_topic_has_template(TOPIC_EVENT_SOLD_OUT));
    assert_false(mail_topic_has_template(TOPIC_WEBHOOK_TEST));
    assert_false(mail_topic_has_template(TOPIC_NONE));
}

static void values_and_sections(void **state)
{
    (void)state;
    expect_text("{{event}} {{ quantity }}!", "Concert 2!");
    expect_text("a{{#venue}}b{{/venue}}{{^venue}}c{{/venue}}d", "acd");
    expect_text("a{{#event}}b{{/event}}{{^event}}c{{/event}}d", "abd");
    expect_text("{{#event}}a{{#venue}}b{{/venue}}c{{/event}}", "ac");
    expect_text("{{#venue}}a{{#event}}b{{/event}}c{{/venue}}d", "d");
    expect_text("{{! a {{ remark }}x", "x");
    expect_text("a } }} { b", "a } }} { b");
    expect_text("no {{name}}", "no Ana <b>&\"'");
}

static void a_line_with_a_section_mark_alone_is_no_line(void **state)
{
    (void)state;
    expect_text("a\n{{#event}}\nb\n  {{/event}}  \nc", "a\nb\nc");
    expect_text("a\n{{#venue}}\nb\n{{/venue}}\nc", "a\nc");
    expect_text("{{#event}}\n{{#quantity}}\nb\n{{/quantity}}\n{{/event}}\n", "b");
    expect_text("a\n{{! remark }}\nb", "a\nb");
    expect_text("a {{#event}}\nb{{/event}}", "a\nb"); /* not alone */
    expect_text("a\n\n\n\n{{#venue}}\n\n{{/venue}}\nb", "a\n\nb");
}

static void html_is_escaped_and_has_paragraphs(void **state)
{
    (void)state;
    struct mail_words words = words_of("Hello {{name}},\nyou & I\n\n{{url}}\n\n\nend");
    assert_non_null(strstr(
        words.html.data,
        "<p>Hello Ana &lt;b&gt;&amp;&quot;&#39;,<br>\nyou &amp; I</p>\n"
        "<p><a href=\"https://example.org/?a=1&amp;b=2\">https://example.org/?a=1&amp;b=2</a></p>\n"
        "<p>end</p>"));
    assert_non_null(strstr(words.html.data, "<title>A Concert</title>"));
    assert_string_equal(words.subject.data, "A Concert");
}

static void a_layout_is_put_around(void **state)
{
    (void)state;
    write_file("layout.html", STR("<i>{{office}} {{subject}}</i>\n{{content}}"));
    struct mail_templates *templates = read_or_fail(directory);
    struct mail_values values = some_values();
    values.items[MAIL_EVENT] = STR("<Concert>");
    struct mail_words words =
        mail_templates_render(templates, TOPIC_BOOKING_WAITING, &values, &arena);
    const char begin[] =
        "<i>example.org On the waiting list: &lt;Concert&gt;</i>\n<p>Hello Ana &lt;";
    assert_memory_equal(words.html.data, begin, sizeof(begin) - 1);
}

static void what_is_wrong_is_said_with_file_and_line(void **state)
{
    (void)state;
#define NAME "event.changed.txt"
    expect_error(NAME, STR("Hello\n"),
                 NAME ", line 1: it begins with \"Subject: ...\", and this one does not");
    expect_error(NAME, STR("Subject:  \n\nHello"),
                 NAME ", line 1: it begins with \"Subject: ...\", and this one does not");
    expect_error(NAME, STR("Subject: x\nHello"),
                 NAME ", line 2: an empty line is needed behind the subject");
    expect_error(NAME, STR("Subject: x\n\n \n"), NAME ", line 3: there is nothing to be said");
    expect_error(NAME, STR("Subject: x\n\na\nb {{\n"),
                 NAME ", line 4: {{ is not closed by }} on its line");
    expect_error(NAME, STR("Subject: x\n\na\n\n{{#event}}\nb\n"),
                 NAME ", line 5: {{#event}} is not ended by {{/event}}");
    expect_error(NAME, STR("Subject: x\n\na\n{{/event}}\n"),
                 NAME ", line 4: {{/event}} ends what was not begun with {{#event}}");
    expect_error(NAME, STR("Subject: x\n\n{{#event}}\n{{^venue}}\n{{/event}}{{/venue}}\n"),
                 NAME ", line 5: {{/event}} ends what was not begun with {{#event}}");
    expect_error(NAME, STR("Subject: {{evnet}}\n\nx"),
                 NAME ", line 1: there is no value \"evnet\" here; there are name, email, office, "
                      "url, news, event, venue, when, date, time, timezone, reference, type, "
                      "quantity, kept, numbers, total, due, waiting, position, ahead");
    expect_error(NAME, STR("Subject: x\n\na\nb\xff\n"), NAME ", line 4: it is not UTF-8");
#undef NAME
    expect_error("account.password_reset.txt", STR("Subject: x\n\nHello\n{{email}}\n"),
                 "account.password_reset.txt, line 4: {{link}} is missing, and needed here");
    expect_error("layout.txt", STR("{{office}}\n"),
                 "layout.txt, line 1: {{content}} is missing, and needed here");
    expect_error("booking.confirmd.txt", STR("Subject: x\n\nx"),
                 "booking.confirmd.txt: no mail has that name; there are booking.confirmed.txt, "
                 "booking.waiting.txt, booking.promoted.txt, booking.cancelled.txt, "
                 "event.changed.txt, event.cancelled.txt, account.welcome.txt, "
                 "account.confirm_email.txt, account.password_reset.txt, "
                 "account.password_changed.txt, webhook.disabled.txt, account.email_changed.txt, "
                 "layout.txt, layout.html");
}

static void a_directory_that_is_not_there_is_refused(void **state)
{
    (void)state;
    const char *error = NULL;
    assert_null(mail_templates_read("/nowhere", &arena, &error));
    assert_string_equal(error, "MAIL_TEMPLATES is \"/nowhere\": No such file or directory");
    write_file("README.md", STR("Not a template {{nor this"));
    read_or_fail(directory);
    write_file("event.changed.txt~", STR("an editor's"));
    read_or_fail(directory);
}

static void lines_may_end_as_on_other_systems(void **state)
{
    (void)state;
    write_file("event.changed.txt", STR("\xef\xbb\xbfSubject: x\r\n\r\na\r\n{{#event}}\r\nb\r\n"
                                        "{{/event}}\r\nc"));
    struct mail_templates *templates = read_or_fail(directory);
    struct mail_values values = some_values();
    struct mail_words words =
        mail_templates_render(templates, TOPIC_EVENT_CHANGED, &values, &arena);
    assert_memory_equal(words.text.data, "a\nb\nc\n", 6);
}

static void nothing_is_too_much(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_add_str(&text, STR("Subject: x\n\n"));
    for (int i = 0; i < 9; i++)
        buf_add_str(&text, STR("{{#event}}"));
    expect_error("event.changed.txt", buf_str(&text),
                 "event.changed.txt, line 3: sections stand in each other more than eight deep");
    while (text.len <= 64 * 1024)
        buf_add_str(&text, STR("more and "));
    expect_error("event.changed.txt", buf_str(&text),
                 "event.changed.txt, line 1: it is longer than 64 KiB");
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_built_in_ones_are_good, clear),
        cmocka_unit_test_teardown(values_and_sections, clear),
        cmocka_unit_test_teardown(a_line_with_a_section_mark_alone_is_no_line, clear),
        cmocka_unit_test_teardown(html_is_escaped_and_has_paragraphs, clear),
        cmocka_unit_test_teardown(a_layout_is_put_around, clear),
        cmocka_unit_test_teardown(what_is_wrong_is_said_with_file_and_line, clear),
        cmocka_unit_test_teardown(a_directory_that_is_not_there_is_refused, clear),
        cmocka_unit_test_teardown(lines_may_end_as_on_other_systems, clear),
        cmocka_unit_test_teardown(nothing_is_too_much, clear),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
