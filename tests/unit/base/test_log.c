/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Each test has a directory of its own and stderr goes to the file "stderr" in it. */
static char directory[64], stderr_name[80], log_name[80];
static int real_stderr;

static int redirect(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/admit-log-XXXXXX");
    if (!mkdtemp(directory)) return -1;
    snprintf(stderr_name, sizeof(stderr_name), "%s/stderr", directory);
    snprintf(log_name, sizeof(log_name), "%s/log", directory);
    int fd = open(stderr_name, O_CREAT | O_WRONLY | O_APPEND, 0600);
    real_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
    return 0;
}

static int restore(void **state)
{
    (void)state;
    log_stop();
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    char old_name[90];
    snprintf(old_name, sizeof(old_name), "%s.1", log_name);
    unlink(stderr_name);
    unlink(log_name);
    unlink(old_name);
    return rmdir(directory);
}

/* The whole of a file; good until the next call. */
static const char *contents(const char *name)
{
    static char text[1 << 20];
    int fd = open(name, O_RDONLY);
    if (fd < 0) return "";
    ssize_t len = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[len < 0 ? 0 : len] = '\0';
    return text;
}

/* A line of text without its time, which is checked for its looks. */
static const char *behind_time(const char *line)
{
    int64_t at;
    assert_true(strlen(line) > 25);
    assert_true(time_parse((struct str){line, 24}, &at));
    assert_in_range(clock_now_ms() - at + 10, 0, 60000);
    assert_int_equal(line[19], '.');
    assert_int_equal(line[24], ' ');
    return line + 25;
}

static const char *json_behind_time(const char *line)
{
    assert_memory_equal(line, "{\"time\":\"20", 11);
    assert_int_equal(line[32], 'Z');
    assert_memory_equal(line + 33, "\",", 2);
    return line + 35;
}

static void wait_for_text_in(const char *name, const char *text)
{
    for (int i = 0; i < 2000; i++) {
        if (strstr(contents(name), text)) return;
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    fail_msg("%s never came", text);
}

static size_t count_of(const char *haystack, const char *needle)
{
    size_t count = 0;
    while ((haystack = strstr(haystack, needle))) {
        haystack += strlen(needle);
        count++;
    }
    return count;
}

static void a_line_before_the_start_goes_straight_to_stderr(void **state)
{
    (void)state;
    log_info("too early", LOG_NUM("port", 8080));
    assert_string_equal(behind_time(contents(stderr_name)), "info  too early port=8080\n");
}

static void a_line_of_text_has_time_level_message_and_fields(void **state)
{
    (void)state;
    assert_true(log_start(LOG_DEBUG, LOG_TEXT, NULL));
    log_warn("slow batch", LOG_STR("store", STR("sqlite")), LOG_NUM("ms", -12));
    log_stop();
    assert_string_equal(behind_time(contents(stderr_name)),
                        "warn  slow batch store=sqlite ms=-12\n");
}

static void a_line_of_json_has_time_level_message_and_fields(void **state)
{
    (void)state;
    assert_true(log_start(LOG_DEBUG, LOG_JSON, NULL));
    log_error("slow batch", LOG_STR("store", STR("sqlite")), LOG_NUM("ms", -12));
    log_debug("no fields");
    log_stop();
    const char *first = json_behind_time(contents(stderr_name));
    assert_non_null(strchr(first, '\n'));
    json_behind_time(strchr(first, '\n') + 1);
    assert_true(str_starts(str_of(first), STR("\"level\":\"error\",\"message\":\"slow batch\","
                                              "\"store\":\"sqlite\",\"ms\":-12}\n")));
    assert_non_null(strstr(first, "\"level\":\"debug\",\"message\":\"no fields\"}\n"));
}

static void values_in_text_are_quoted_and_escaped_where_they_must(void **state)
{
    (void)state;
    assert_true(log_start(LOG_INFO, LOG_TEXT, NULL));
    log_info("x", LOG_STR("a", STR("two words")), LOG_STR("b", STR("")), LOG_STR("c", STR("k=v")),
             LOG_STR("d", STR("\"q\"\\")), LOG_STR("e", STR("l1\nl2\t\x1b[0m\x7f")),
             LOG_STR("f", STR("caf\xc3\xa9 \xff\xc3(\0\xc2\x9b")), LOG_STR("g", str_of(NULL)));
    log_stop();
    assert_string_equal(behind_time(contents(stderr_name)),
                        "info  x a=\"two words\" b=\"\" c=\"k=v\" d=\"\\\"q\\\"\\\\\" "
                        "e=\"l1\\nl2\\t\\u001b[0m\\u007f\" "
                        "f=\"caf\xc3\xa9 \\xff\\xc3(\\u0000\\u009b\" g=\"\"\n");
}

static void values_in_json_are_escaped_and_always_utf8(void **state)
{
    (void)state;
    assert_true(log_start(LOG_INFO, LOG_JSON, NULL));
    log_info("x", LOG_STR("a", STR("\"q\"\\\n\x1b\x7f")),
             LOG_STR("b", STR("caf\xc3\xa9 \xff\xc3(\0\xc2\x9b")), LOG_STR("c", str_of(NULL)));
    log_stop();
    assert_string_equal(json_behind_time(contents(stderr_name)),
                        "\"level\":\"info\",\"message\":\"x\","
                        "\"a\":\"\\\"q\\\"\\\\\\n\\u001b\\u007f\","
                        "\"b\":\"caf\xc3\xa9 \\ufffd\\ufffd(\\u0000\\u009b\",\"c\":\"\"}\n");
}

static int evaluated;

static int64_t evaluate(void)
{
    return ++evaluated;
}

static void below_the_threshold_nothing_is_written_nor_evaluated(void **state)
{
    (void)state;
    assert_true(log_start(LOG_WARN, LOG_TEXT, NULL));
    log_debug("no", LOG_NUM("n", evaluate()));
    log_info("no", LOG_NUM("n", evaluate()));
    assert_int_equal(evaluated, 0);
    log_warn("yes", LOG_NUM("n", evaluate()));
    log_stop();
    assert_string_equal(behind_time(contents(stderr_name)), "warn  yes n=1\n");
}

static void a_file_gets_what_stderr_gets(void **state)
{
    (void)state;
    umask(0);
    assert_true(log_start(LOG_INFO, LOG_TEXT, log_name));
    log_info("both");
    log_stop();
    assert_string_equal(behind_time(contents(log_name)), "info  both\n");
    assert_string_equal(behind_time(contents(stderr_name)), "info  both\n");
    struct stat status;
    assert_int_equal(stat(log_name, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
}

static void a_file_that_is_there_is_continued(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(log_start(LOG_INFO, LOG_TEXT, log_name));
        log_info("again");
        log_stop();
    }
    assert_int_equal(count_of(contents(log_name), "again\n"), 2);
}

static void a_file_that_cannot_be_opened_is_reported(void **state)
{
    (void)state;
    errno = 0;
    assert_false(log_start(LOG_INFO, LOG_TEXT, "/nonexistent/log"));
    assert_int_equal(errno, ENOENT);
    log_info("still here");
    assert_string_equal(behind_time(contents(stderr_name)), "info  still here\n");
}

static void lines_are_written_soon_without_being_asked(void **state)
{
    (void)state;
    assert_true(log_start(LOG_INFO, LOG_TEXT, NULL));
    log_info("quietly");
    wait_for_text_in(stderr_name, "quietly");
    log_error("loudly");
    wait_for_text_in(stderr_name, "loudly");
}

static void after_rotation_lines_go_to_a_new_file(void **state)
{
    (void)state;
    char old_name[90];
    snprintf(old_name, sizeof(old_name), "%s.1", log_name);
    assert_true(log_start(LOG_INFO, LOG_TEXT, log_name));
    log_error("before");
    wait_for_text_in(log_name, "before");
    rename(log_name, old_name);
    log_reopen();
    log_error("after");
    wait_for_text_in(log_name, "after");
    log_stop();
    assert_int_equal(count_of(contents(old_name), "before\n"), 1);
    assert_int_equal(count_of(contents(old_name), "after\n"), 0);
    assert_int_equal(count_of(contents(log_name), "before\n"), 0);
}

static void a_full_disk_is_told_to_stderr_once(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0) skip();
    assert_true(log_start(LOG_INFO, LOG_TEXT, "/dev/full"));
    for (int i = 0; i < 3; i++) {
        log_error("line", LOG_NUM("n", i));
        char text[32];
        snprintf(text, sizeof(text), "line n=%d", i);
        wait_for_text_in(stderr_name, text);
    }
    wait_for_text_in(stderr_name, "cannot write");
    log_stop();
    assert_int_equal(count_of(contents(stderr_name), "cannot write to the log file"), 1);
    assert_int_equal(count_of(contents(stderr_name), "reason=\"No space left on device\""), 1);
}

/* stderr is a pipe that nobody reads at first; returns its end to read from. */
static int clog_stderr(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    return ends[0];
}

struct reader {
    pthread_t thread;
    int fd;
    struct buf text;
};

static void *read_all(void *context)
{
    struct reader *reader = context;
    char piece[4096];
    ssize_t len;
    while ((len = read(reader->fd, piece, sizeof(piece))) > 0)
        buf_add(&reader->text, piece, (size_t)len);
    close(reader->fd);
    buf_add_char(&reader->text, '\0');
    return NULL;
}

static void lines_that_nobody_takes_are_dropped_and_counted(void **state)
{
    (void)state;
    enum { LINES = 5000 };
    char padding[1000];
    memset(padding, 'p', sizeof(padding));
    struct reader reader = {.fd = clog_stderr()};
    assert_true(log_start(LOG_INFO, LOG_TEXT, NULL));
    for (int i = 0; i < LINES; i++)
        log_info("flood", LOG_STR("padding", ((struct str){padding, sizeof(padding)})));

    pthread_create(&reader.thread, NULL, read_all, &reader);
    log_stop();
    log_info("late");
    dup2(real_stderr, STDERR_FILENO); /* the last writing end is closed */
    pthread_join(reader.thread, NULL);

    const char *text = reader.text.data;
    size_t written = count_of(text, " flood ");
    const char *dropped = strstr(text, "dropped=");
    assert_in_range(written, 1000, LINES - 1000);
    assert_non_null(dropped);
    assert_int_equal(written + (size_t)atoi(dropped + 8), LINES);
    assert_int_equal(count_of(text, "dropped="), 1);
    assert_non_null(strstr(text, "info  late\n"));
    buf_free(&reader.text);
}

enum { WRITERS = 4, EACH = 2000 };

static void *write_many(void *context)
{
    for (int i = 0; i < EACH; i++)
        log_info("many", LOG_NUM("from", *(int *)context), LOG_NUM("n", i));
    return NULL;
}

static void lines_of_many_threads_come_whole_and_in_each_ones_order(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    int numbers[WRITERS], next[WRITERS] = {0};
    assert_true(log_start(LOG_INFO, LOG_TEXT, NULL));
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, write_many, &numbers[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    log_stop();

    struct str rest = str_of(contents(stderr_name));
    size_t lines = 0;
    while (rest.len) {
        struct str line = str_cut(&rest, '\n');
        int from, n;
        assert_int_equal(sscanf(line.data + 24, " info  many from=%d n=%d", &from, &n), 2);
        assert_int_equal(n, next[from]++);
        lines++;
    }
    assert_int_equal(lines, WRITERS * EACH);
}

static void stopping_twice_or_without_a_start_does_no_harm(void **state)
{
    (void)state;
    log_stop();
    assert_true(log_start(LOG_INFO, LOG_TEXT, NULL));
    log_stop();
    log_stop();
    log_reopen();
    assert_true(log_start(LOG_INFO, LOG_TEXT, NULL));
    log_info("alive");
    log_stop();
    assert_string_equal(behind_time(contents(stderr_name)), "info  alive\n");
}

static void trouble_is_told_when_it_begins_and_when_it_ends(void **state)
{
    (void)state;
    struct trouble trouble = {.what = "mail cannot be sent"};
    trouble_over(&trouble);
    assert_string_equal(contents(stderr_name), "");
    trouble_is(&trouble, STR("no answer"));
    trouble_is(&trouble, STR("no answer again"));
    assert_string_equal(behind_time(contents(stderr_name)),
                        "warn  mail cannot be sent reason=\"no answer\"\n");
    trouble_over(&trouble);
    trouble_over(&trouble);
    assert_non_null(
        strstr(contents(stderr_name), "info  that is over what=\"mail cannot be sent\"\n"));
    assert_int_equal(count_of(contents(stderr_name), "\n"), 2);
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, redirect, restore)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_line_before_the_start_goes_straight_to_stderr),
        LOG_TEST(a_line_of_text_has_time_level_message_and_fields),
        LOG_TEST(a_line_of_json_has_time_level_message_and_fields),
        LOG_TEST(values_in_text_are_quoted_and_escaped_where_they_must),
        LOG_TEST(values_in_json_are_escaped_and_always_utf8),
        LOG_TEST(below_the_threshold_nothing_is_written_nor_evaluated),
        LOG_TEST(a_file_gets_what_stderr_gets),
        LOG_TEST(a_file_that_is_there_is_continued),
        LOG_TEST(a_file_that_cannot_be_opened_is_reported),
        LOG_TEST(lines_are_written_soon_without_being_asked),
        LOG_TEST(after_rotation_lines_go_to_a_new_file),
        LOG_TEST(a_full_disk_is_told_to_stderr_once),
        LOG_TEST(lines_that_nobody_takes_are_dropped_and_counted),
        LOG_TEST(lines_of_many_threads_come_whole_and_in_each_ones_order),
        LOG_TEST(trouble_is_told_when_it_begins_and_when_it_ends),
        LOG_TEST(stopping_twice_or_without_a_start_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
