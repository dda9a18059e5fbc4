/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#define REQUEST(line) line " HTTP/1.1\r\nHost: test\r\n"

static void a_connection_serves_one_request_after_the_other(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    const int fd = client(fixture);

    for (int i = 0; i < 3; i++) {
        send_text(fd, REQUEST("GET /now?a=%20b") "\r\n");
        expect(fd, 200, "GET /now?a=%20b ");
        send_text(fd, REQUEST("POST /later") "Content-Length: 5\r\n\r\nhello");
        expect(fd, 200, "POST /later? hello");
    }
    assert_int_equal(http_server_counts(fixture->server).connections, 1);
    assert_int_equal(http_server_counts(fixture->server).accepted, 1);
    close(fd);
    assert_int_equal(fixture_stop(fixture), 0);
}

static void every_method_reaches_the_handler(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    struct fixture *fixture = fixture_start(usual_settings());
    const int fd = client(fixture);
    char text[100];

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        snprintf(text, sizeof(text), "%s /now HTTP/1.1\r\nHost: test\r\n\r\n", methods[i]);
        send_text(fd, text);
        snprintf(text, sizeof(text), "%s /now? ", methods[i]);
        expect(fd, 200, text);
    }
    send_text(fd, REQUEST("TRACE /now") "\r\n");
    expect(fd, 200, "OTHER /now? ");
    send_text(fd, REQUEST("CONNECT test:443") "\r\n");
    expect(fd, 200, "OTHER /? ");
    close(fd);
    fixture_stop(fixture);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    const int fd = client(fixture);
    struct buf all = {0};
    char text[60];

    for (int i = 0; i < 100; i++)
        buf_printf(&all, "POST /%s HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n%03d",
                   i % 3 ? "later" : "now", i);
    send_bytes(fd, all.data, all.len);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "POST /%s? %03d", i % 3 ? "later" : "now", i);
        expect(fd, 200, text);
    }
    buf_free(&all);
    close(fd);
    fixture_stop(fixture);
}

static void a_head_request_gets_the_headers_of_the_body(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    const int fd = client(fixture);

    send_text(fd, REQUEST("HEAD /now") "\r\n");
    struct answer answer = receive_head(fd);
    assert_int_equal(answer.status, 200);
    assert_int_equal(content_length(answer.head), strlen("HEAD /now? "));
    send_text(fd, REQUEST("GET /now") "\r\n");
    expect(fd, 200, "GET /now? ");
    send_text(fd, REQUEST("GET /empty") "\r\n");
    answer = receive_head(fd);
    assert_int_equal(answer.status, 204);
    assert_null(strstr(answer.head, "Content-Length"));
    send_text(fd, REQUEST("GET /now") "\r\n");
    expect(fd, 200, "GET /now? ");
    close(fd);
    fixture_stop(fixture);
}

static void headers_come_and_go(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    const int fd = client(fixture);

    send_text(fd, REQUEST("GET /header") "X-Test: one\r\nx-test: two\r\n\r\n");
    struct answer answer = receive(fd);
    assert_string_equal(answer.body, "one");
    assert_non_null(strstr(answer.head, "HTTP/1.1 200 OK\r\nDate: "));
    assert_non_null(strstr(answer.head, " GMT\r\n"));
    assert_non_null(strstr(answer.head, "\r\nX-Peer: 127.0.0.1\r\n"));
    assert_null(strstr(answer.head, "Connection:"));
    free(answer.body);
    close(fd);
    fixture_stop(fixture);
}

static void the_connection_closes_when_either_side_wants_it(void **state)
{
    (void)state;
    static const char *const requests[] = {
        REQUEST("GET /closing") "\r\n",
        REQUEST("GET /now") "Connection: close\r\n\r\n",
        REQUEST("GET /later") "Connection: te, Close\r\n\r\n",
        "GET /now HTTP/1.0\r\n\r\n",
        "GET http://test/now HTTP/1.1\r\nHost: test\r\n\r\n",
    };
    struct fixture *fixture = fixture_start(usual_settings());

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const int fd = client(fixture);
        send_text(fd, requests[i]);
        struct answer answer = receive(fd);
        assert_int_equal(answer.status, 200);
        assert_non_null(strstr(answer.head, "\r\nConnection: close\r\n"));
        free(answer.body);
        assert_true(receive_end(fd));
        close(fd);
    }
    const int fd = client(fixture);
    for (int i = 0; i < 2; i++) {
        send_text(fd, "GET /now HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
        struct answer answer = receive(fd);
        assert_non_null(strstr(answer.head, "\r\nConnection: keep-alive\r\n"));
        free(answer.body);
    }
    close(fd);
    fixture_stop(fixture);
}

static void a_chunked_body_arrives_whole(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    const int fd = client(fixture);

    for (int i = 0; i < 2; i++) {
        send_text(fd, REQUEST("POST /later") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        pause_ms(20);
        send_text(fd, "2\r\nde\r\n0\r\n\r\n");
        expect(fd, 200, "POST /later? abcde");
    }
    close(fd);
    fixture_stop(fixture);
}

static void a_client_that_asks_first_is_told_to_continue(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    const int fd = client(fixture);

    send_text(fd, REQUEST("POST /later") "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_int_equal(receive_head(fd).status, 100);
    send_text(fd, "ab");
    expect(fd, 200, "POST /later? ab");
    close(fd);
    fixture_stop(fixture);
}

static void a_large_answer_is_sent_as_the_client_reads(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    const int fd = client(fixture);

    /* The next request waits behind it. */
    send_text(fd, REQUEST("GET /large") "\r\n" REQUEST("GET /now") "\r\n");
    pause_ms(100);
    assert_int_equal(atomic_load(&fixture->released), 0);
    assert_int_equal(atomic_load(&fixture->handled), 1);
    struct answer answer = receive(fd);
    assert_int_equal(answer.len, LARGE);
    assert_memory_equal(answer.body, fixture->large, LARGE);
    free(answer.body);
    expect(fd, 200, "GET /now? ");
    assert_int_equal(atomic_load(&fixture->released), 1);
    close(fd);

    /* A client that leaves in the middle releases it as well. */
    const int other = client(fixture);
    send_text(other, REQUEST("GET /large") "\r\n");
    assert_int_equal(receive_head(other).status, 200);
    close(other);
    for (int i = 0; i < 300 && atomic_load(&fixture->released) < 2; i++)
        pause_ms(10);
    assert_int_equal(atomic_load(&fixture->released), 2);
    fixture_stop(fixture);
}

static void a_client_may_leave_before_the_answer(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());

    for (int i = 0; i < 20; i++) {
        const int fd = client(fixture);
        send_text(fd, REQUEST("GET /held") "\r\n");
        wait_for_held(fixture, (size_t)i + 1);
        if (i % 2) { /* with a reset */
            const struct linger linger = {.l_onoff = 1};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        }
        close(fd);
    }
    pause_ms(50);
    release_held(fixture);
    for (int i = 0; i < 300 && http_server_counts(fixture->server).connections > 0; i++)
        pause_ms(10);
    assert_int_equal(http_server_counts(fixture->server).connections, 0);
    assert_int_equal(fixture_stop(fixture), 0);
}

static void a_client_that_has_said_all_still_gets_its_answer(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    const int fd = client(fixture);

    send_text(fd, REQUEST("GET /held") "\r\n");
    shutdown(fd, SHUT_WR);
    wait_for_held(fixture, 1);
    pause_ms(50);
    release_held(fixture);
    expect(fd, 200, "GET /held? ");
    assert_true(receive_end(fd));
    close(fd);
    fixture_stop(fixture);
}

static void *many_requests(void *data)
{
    struct fixture *fixture = data;

    for (int i = 0; i < 20; i++) {
        const int fd = client(fixture);
        for (int j = 0; j < 20; j++) {
            send_text(fd, REQUEST("POST /later") "Content-Length: 2\r\n\r\nab");
            expect(fd, 200, "POST /later? ab");
        }
        close(fd);
    }
    return NULL;
}

static void several_loops_share_the_work(void **state)
{
    (void)state;
    struct http_settings settings = usual_settings();
    pthread_t threads[8];

    settings.loops = 3;
    struct fixture *fixture = fixture_start(settings);
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, many_requests, fixture);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&fixture->handled), 8 * 20 * 20);
    assert_int_equal(atomic_load(&fixture->loops_started), 3);
    assert_int_equal(http_server_counts(fixture->server).accepted, 160);
    assert_int_equal(fixture_stop(fixture), 0);
}

static void *release_soon(void *fixture)
{
    pause_ms(300);
    release_held(fixture);
    return NULL;
}

static void stopping_lets_requests_be_answered(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    const int idle = client(fixture), busy = client(fixture);
    const int64_t start = clock_monotonic_us();
    pthread_t thread;

    send_text(idle, REQUEST("GET /now") "\r\n");
    expect(idle, 200, "GET /now? ");
    send_text(busy, REQUEST("GET /held") "\r\n");
    wait_for_held(fixture, 1);
    pthread_create(&thread, NULL, release_soon, fixture);
    assert_int_equal(http_server_stop(fixture->server, 5000), 0);
    fixture->server = NULL;
    assert_true(clock_monotonic_us() - start < 3000000);
    pthread_join(thread, NULL);
    struct answer answer = receive(busy);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.head, "\r\nConnection: close\r\n"));
    free(answer.body);
    assert_true(receive_end(busy));
    assert_true(receive_end(idle));
    close(idle);
    close(busy);
    fixture_stop(fixture);
}

static void *send_the_rest_soon(void *fd)
{
    pause_ms(200);
    send_text(*(int *)fd, "b");
    return NULL;
}

/* Nobody waits for the rest of a request, but for a moment. */
static void stopping_gives_half_a_request_a_moment(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    int quick = client(fixture);
    const int slow = client(fixture);
    const int64_t start = clock_monotonic_us();
    pthread_t thread;

    send_text(quick, REQUEST("POST /now") "Content-Length: 2\r\n\r\na");
    send_text(slow, REQUEST("POST /now") "Content-Length: 2\r\n\r\na");
    pause_ms(100);
    pthread_create(&thread, NULL, send_the_rest_soon, &quick);
    assert_int_equal(http_server_stop(fixture->server, 10000), 0);
    fixture->server = NULL;
    assert_true(clock_monotonic_us() - start < 9000000);
    pthread_join(thread, NULL);
    expect(quick, 200, "POST /now? ab");
    expect_no_answer(slow);
    close(quick);
    close(slow);
    fixture_stop(fixture);
}

static void what_takes_too_long_to_stop_is_cut_off(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    const int first = client(fixture), second = client(fixture);

    send_text(first, REQUEST("GET /held") "\r\n");
    send_text(second, REQUEST("POST /held") "Content-Length: 2\r\n\r\nab");
    wait_for_held(fixture, 2);
    assert_int_equal(http_server_stop(fixture->server, 100), 2);
    fixture->server = NULL;
    expect_no_answer(first);
    expect_no_answer(second);
    /* The handler's side knows nothing of it: its requests are as they were. */
    struct http_request *request = LINK_OWNER(fixture->held.tail, struct http_request, link);
    assert_true(str_equal(request->body, STR("ab")));
    assert_true(str_equal(http_header(request, "Host"), STR("test")));
    close(first);
    close(second);
    fixture_stop(fixture);
}

static const char *start_error(struct http_settings settings, struct arena *arena)
{
    const char *error = NULL;

    assert_null(http_server_start(&settings, arena, &error));
    assert_non_null(error);
    return error;
}

static void what_cannot_be_listened_on_is_explained(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(usual_settings());
    struct http_settings settings = usual_settings();
    struct arena arena = {0};

    settings.port = http_server_port(fixture->server);
    assert_non_null(strstr(start_error(settings, &arena), "in use"));
    settings.port = 0;
    settings.host = "192.0.2.1";
    assert_non_null(strstr(start_error(settings, &arena), "not an address of this machine"));
    settings.host = "nobody.invalid";
    assert_non_null(strstr(start_error(settings, &arena), "HOST nobody.invalid"));
    arena_free(&arena);
    fixture_stop(fixture);
}

static void a_stopped_server_leaves_its_port_to_the_next(void **state)
{
    (void)state;
    struct http_settings settings = usual_settings();
    struct fixture *fixture = fixture_start(settings);
    const int fd = client(fixture);

    settings.port = http_server_port(fixture->server);
    send_text(fd, REQUEST("GET /closing") "\r\n");
    expect(fd, 200, "GET /closing? ");
    fixture_stop(fixture);
    fixture = fixture_start(settings);
    close(fd);
    fixture_stop(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_serves_one_request_after_the_other),
        cmocka_unit_test(every_method_reaches_the_handler),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_head_request_gets_the_headers_of_the_body),
        cmocka_unit_test(headers_come_and_go),
        cmocka_unit_test(the_connection_closes_when_either_side_wants_it),
        cmocka_unit_test(a_chunked_body_arrives_whole),
        cmocka_unit_test(a_client_that_asks_first_is_told_to_continue),
        cmocka_unit_test(a_large_answer_is_sent_as_the_client_reads),
        cmocka_unit_test(a_client_may_leave_before_the_answer),
        cmocka_unit_test(a_client_that_has_said_all_still_gets_its_answer),
        cmocka_unit_test(several_loops_share_the_work),
        cmocka_unit_test(stopping_lets_requests_be_answered),
        cmocka_unit_test(stopping_gives_half_a_request_a_moment),
        cmocka_unit_test(what_takes_too_long_to_stop_is_cut_off),
        cmocka_unit_test(what_cannot_be_listened_on_is_explained),
        cmocka_unit_test(a_stopped_server_leaves_its_port_to_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
