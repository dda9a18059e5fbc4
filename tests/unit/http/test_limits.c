/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <sys/resource.h>

#define REQUEST(line) line " HTTP/1.1\r\nHost: test\r\n"

static void what_is_not_http_is_refused_in_our_words(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *request;
    } cases[] = {
        {400, "junk\r\n\r\n"},
        {400, "GET /now HTTP/9.9\r\nHost: test\r\n\r\n"},
        {400, REQUEST("GET /now") "no colon\r\n\r\n"},
        {400, REQUEST("GET /now") "Content-Length : 5\r\n\r\nhello"},
        {400, REQUEST("POST /now") "Content-Length: +5\r\n\r\nhello"},
        {400, REQUEST("POST /now") "Content-Length: five\r\n\r\nhello"},
        {400, REQUEST("POST /now") "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
        {400, REQUEST("POST /now") "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   "0\r\n\r\n"},
        {400, "GET /now HTTP/1.1\r\n\r\n"},
        {400, REQUEST("GET /now") "Host: other\r\n\r\n"},
        {413, REQUEST("POST /now") "Content-Length: 100001\r\n\r\n"},
        {413, REQUEST("POST /now") "Transfer-Encoding: chunked\r\n\r\n186A1\r\n"},
        {413, REQUEST("POST /now") "Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n"},
        {417, REQUEST("POST /now") "Expect: miracles\r\nContent-Length: 1\r\n\r\n"},
        {501, REQUEST("BREW /now") "\r\n"},
        {501, REQUEST("POST /now") "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
    };
    struct fixture *fixture = fixture_start(usual_settings());

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int fd = client(fixture);
        send_text(fd, cases[i].request);
        expect_error(fd, cases[i].status);
        close(fd);
    }
    /* evhttp would take the body for the next request. */
    const int fd = client(fixture);
    send_text(fd, REQUEST("HEAD /now") "Content-Length: 5\r\n\r\nhello");
    assert_int_equal(receive_head(fd).status, 400);
    assert_true(receive_end(fd));
    close(fd);
    assert_int_equal(atomic_load(&fixture->handled), 0);
    fixture_stop(fixture);
}

static void headers_that_are_too_large_are_refused(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    char *many = malloc(20001);

    assert_non_null(many);
    memset(many, 'x', 20000);
    many[20000] = '\0';
    int fd = client(fixture); /* a line that never ends */
    send_text(fd, "GET /");
    send_text(fd, many);
    expect_error(fd, 431);
    close(fd);

    fd = client(fixture); /* one header */
    send_text(fd, REQUEST("GET /now") "X-Long: ");
    send_text(fd, many);
    send_text(fd, "\r\n\r\n");
    expect_error(fd, 431);
    close(fd);

    fd = client(fixture); /* many headers, one at a time */
    send_text(fd, REQUEST("GET /now"));
    for (int i = 0; i < 100; i++) {
        char line[120];
        snprintf(line, sizeof(line), "X-%d: %.90s\r\n", i, many);
        send_text(fd, line);
    }
    expect_error(fd, 431);
    close(fd);
    free(many);
    assert_int_equal(atomic_load(&fixture->handled), 0);
    fixture_stop(fixture);
}

/* All of it is in the socket before the server says no, and a close would reset the connection. */
static void a_refusal_is_read_even_by_who_sends_on(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    char *body = calloc(1, 1000000);

    assert_non_null(body);
    for (int i = 0; i < 20; i++) {
        const int fd = client(fixture);
        send_text(fd, REQUEST("POST /now") "Content-Length: 1000000\r\n\r\n");
        send_bytes(fd, body, 1000000);
        expect_error(fd, 413);
        close(fd);
    }
    free(body);
    fixture_stop(fixture);
}

static void half_a_request_is_no_request(void **state)
{
    (void)state;
    static const char *const halves[] = {
        "", "GET /n", REQUEST("GET /now"), REQUEST("POST /now") "Content-Length: 5\r\n\r\nhel",
        REQUEST("POST /now") "Transfer-Encoding: chunked\r\n\r\n5\r\nhe"};
    struct fixture *fixture = fixture_start(usual_settings());

    for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
        const int fd = client(fixture);
        send_text(fd, halves[i]);
        shutdown(fd, SHUT_WR);
        expect_no_answer(fd);
        close(fd);
    }
    for (int i = 0; i < 300 && http_server_counts(fixture->server).connections > 0; i++)
        pause_ms(10);
    assert_int_equal(http_server_counts(fixture->server).connections, 0);
    assert_int_equal(atomic_load(&fixture->handled), 0);
    fixture_stop(fixture);
}

static void a_request_that_trickles_is_ended(void **state)
{
    (void)state;
    struct http_settings settings = usual_settings();
    settings.request_timeout_s = 1;
    struct fixture *fixture = fixture_start(settings);
    const int fd = client(fixture), body = client(fixture), patient = client(fixture);
    const int64_t start = clock_monotonic_us();
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    send_text(body, REQUEST("POST /now") "Content-Length: 5\r\n\r\n");
    send_text(fd, "GET /now?");
    while (poll(&ready, 1, 100) == 0)
        send_text(fd, "x");
    const int64_t took = clock_monotonic_us() - start;
    assert_true(took > 900000 && took < 3500000);
    expect_error(fd, 408);
    expect_error(body, 408);
    assert_int_equal(http_server_counts(fixture->server).timed_out, 2);
    /* One that has sent nothing is merely idle. */
    send_text(patient, REQUEST("GET /now") "\r\n");
    expect(patient, 200, "GET /now? ");
    close(fd);
    close(body);
    close(patient);
    fixture_stop(fixture);
}

static void an_idle_connection_is_closed_and_a_busy_one_is_not(void **state)
{
    (void)state;
    struct http_settings settings = usual_settings();
    settings.idle_timeout_s = 1;
    settings.request_timeout_s = 1;
    struct fixture *fixture = fixture_start(settings);
    const int fresh = client(fixture), used = client(fixture), busy = client(fixture);

    send_text(busy, REQUEST("GET /held") "\r\n");
    send_text(used, REQUEST("GET /now") "\r\n");
    expect(used, 200, "GET /now? ");
    assert_true(receive_end(fresh));
    assert_true(receive_end(used));
    pause_ms(1500);
    release_held(fixture);
    expect(busy, 200, "GET /held? ");
    close(fresh);
    close(used);
    close(busy);
    fixture_stop(fixture);
}

static void a_client_that_does_not_read_is_ended(void **state)
{
    (void)state;
    struct http_settings settings = usual_settings();
    settings.idle_timeout_s = 1;
    struct fixture *fixture = fixture_start(settings);
    const int fd = client(fixture);

    send_text(fd, REQUEST("GET /large") "\r\n");
    for (int i = 0; i < 500 && atomic_load(&fixture->released) == 0; i++)
        pause_ms(10);
    assert_int_equal(atomic_load(&fixture->released), 1);
    assert_int_equal(http_server_counts(fixture->server).timed_out, 1);
    close(fd);
    fixture_stop(fixture);
}

static void connections_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    struct http_settings settings = usual_settings();
    settings.connections_max = 3;
    settings.loops = 2;
    struct fixture *fixture = fixture_start(settings);
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = client(fixture);
        send_text(fds[i], REQUEST("GET /now") "\r\n");
        expect(fds[i], 200, "GET /now? ");
    }
    const int refused = client(fixture);
    receive_end(refused);
    close(refused);
    assert_int_equal(http_server_counts(fixture->server).refused, 1);
    assert_int_equal(http_server_counts(fixture->server).connections, 3);

    close(fds[0]); /* makes room */
    for (int i = 0; i < 300 && http_server_counts(fixture->server).connections > 2; i++)
        pause_ms(10);
    fds[0] = client(fixture);
    send_text(fds[0], REQUEST("GET /now") "\r\n");
    expect(fds[0], 200, "GET /now? ");
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    fixture_stop(fixture);
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The client's half takes the last descriptor, so that there is none for accept(). */
static void without_descriptors_the_loop_does_not_spin(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    const int served = client(fixture);
    struct rlimit before;

    send_text(served, REQUEST("GET /now") "\r\n");
    expect(served, 200, "GET /now? ");
    getrlimit(RLIMIT_NOFILE, &before);
    const int next = dup(served);
    close(next);
    const struct rlimit tight = {.rlim_cur = (rlim_t)next + 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    const int waiting = client(fixture);
    const double start = cpu_seconds();
    pause_ms(1000);
    const double used = cpu_seconds() - start;
    send_text(served, REQUEST("GET /now") "\r\n");
    expect(served, 200, "GET /now? ");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(used < 0.3);

    send_text(waiting, REQUEST("GET /now") "\r\n");
    expect(waiting, 200, "GET /now? ");
    close(waiting);
    close(served);
    fixture_stop(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_http_is_refused_in_our_words),
        cmocka_unit_test(headers_that_are_too_large_are_refused),
        cmocka_unit_test(a_refusal_is_read_even_by_who_sends_on),
        cmocka_unit_test(half_a_request_is_no_request),
        cmocka_unit_test(a_request_that_trickles_is_ended),
        cmocka_unit_test(an_idle_connection_is_closed_and_a_busy_one_is_not),
        cmocka_unit_test(a_client_that_does_not_read_is_ended),
        cmocka_unit_test(connections_beyond_the_limit_are_refused),
        cmocka_unit_test(without_descriptors_the_loop_does_not_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
