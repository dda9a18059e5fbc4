/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that go on. The handler has one board, on which a text is written, and whoever asks for
 * /board is shown it as a stream. */
#include "fixture.h"

#include "http/stream.h"

#define REQUEST(line) line " HTTP/1.1\r\nHost: test\r\n"
#define PERIOD_MS     5

static struct {
    struct http_channel channel;
    pthread_mutex_t mutex;
    struct http_frame *frame;
    atomic_int references, rounds, opened, begun, closed;
    atomic_bool is_over;
} board = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct reader {
    struct http_stream stream;
    bool has_begun;
};

static void board_round(struct http_channel *channel)
{
    (void)channel;
    atomic_fetch_add(&board.rounds, 1);
}

static void board_hold(struct http_channel *channel)
{
    (void)channel;
    atomic_fetch_add(&board.references, 1);
}

static void board_release(struct http_channel *channel)
{
    (void)channel;
    atomic_fetch_sub(&board.references, 1);
}

static void reader_moved(struct http_stream *stream)
{
    struct reader *reader = (struct reader *)stream;

    if (!reader->has_begun) atomic_fetch_add(&board.begun, 1);
    reader->has_begun = true;
    pthread_mutex_lock(&board.mutex);
    struct http_frame *frame = http_frame_hold(board.frame);
    pthread_mutex_unlock(&board.mutex);
    http_stream_send(stream, frame);
    http_frame_release(frame);
}

static bool reader_is_alive(struct http_stream *stream)
{
    (void)stream;
    return !atomic_load(&board.is_over);
}

static void reader_closed(struct http_stream *stream)
{
    atomic_fetch_add(&board.closed, 1);
    free(stream);
}

static const struct http_channel_kind board_kind = {board_round, board_hold, board_release};
static const struct http_stream_kind reader_kind = {reader_moved, reader_is_alive, reader_closed};

static void handler(struct http_request *request, void *data)
{
    const bool later = is_path(request, "/board/later");

    if (!later && !is_path(request, "/board")) {
        fixture_handler(request, data);
        return;
    }
    request->reply.status = 503;
    if (http_stream_has_room(request)) {
        struct reader *reader = calloc(1, sizeof(*reader));
        assert_non_null(reader);
        atomic_fetch_add(&board.opened, 1);
        reader->stream.kind = &reader_kind;
        reader->stream.channel = &board.channel;
        request->reply.status = 200;
        request->reply.content_type = "text/event-stream";
        request->reply.stream = &reader->stream;
    }
    if (later)
        assert_true(queue_put(&((struct fixture *)data)->later, &request->link));
    else
        http_reply(request);
}

static struct http_frame *board_frame(struct str text)
{
    pthread_mutex_lock(&board.mutex);
    struct http_frame *was = board.frame;
    struct http_frame *frame = board.frame = http_frame_new(text);
    pthread_mutex_unlock(&board.mutex);
    http_frame_release(was);
    return frame;
}

static void board_write(const char *text)
{
    board_frame(str_of(text));
    http_channel_touch(&board.channel);
}

static struct fixture *begin_with(struct http_settings settings, const char *text)
{
    settings.handler = handler;
    board.channel = (struct http_channel){.kind = &board_kind, .period_us = PERIOD_MS * 1000};
    board.rounds = board.opened = board.begun = board.closed = 0;
    board.is_over = false;
    board_frame(str_of(text));
    return fixture_start(settings);
}

static void end(struct fixture *fixture)
{
    assert_int_equal(fixture_stop(fixture), 0);
    http_frame_release(board.frame);
    board.frame = NULL;
    assert_int_equal(board.references, 0);
    assert_int_equal(board.channel.listeners, 0);
    assert_int_equal(board.opened, board.closed);
}

static void until_count(atomic_int *counter, int count)
{
    for (int i = 0; i < 1000 && atomic_load(counter) < count; i++)
        pause_ms(10);
    assert_int_equal(atomic_load(counter), count);
}

static void until_connections(struct fixture *fixture, uint64_t count)
{
    for (int i = 0; i < 1000 && http_server_counts(fixture->server).connections != count; i++)
        pause_ms(10);
    assert_int_equal(http_server_counts(fixture->server).connections, count);
}

/* ---- the client's side ---- */

static struct answer listen_to(int fd, const char *request)
{
    send_text(fd, request);
    struct answer answer = receive_head(fd);
    assert_int_equal(answer.status, 200);
    return answer;
}

static char *receive_line(int fd)
{
    char *line = calloc(1, 1000);
    size_t len = 0;

    assert_non_null(line);
    for (int byte; len < 999 && (byte = receive_byte(fd)) >= 0 && byte != '\n';)
        line[len++] = (char)byte;
    return line;
}

static void expect_line(int fd, const char *expected)
{
    char *line = receive_line(fd);
    assert_string_equal(line, expected);
    free(line);
}

static size_t receive_size(int fd)
{
    char *line = receive_line(fd);
    const size_t size = strtoul(line, NULL, 16);
    free(line);
    return size;
}

/* One chunk, or what of it stands between its framing; NULL for the last one. */
static char *receive_chunk(int fd)
{
    const size_t size = receive_size(fd);
    char *data = calloc(1, size + 1);

    assert_non_null(data);
    for (size_t got = 0; got < size;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 10000), 1);
        const ssize_t n = recv(fd, data + got, size - got, 0);
        assert_true(n > 0);
        got += (size_t)n;
    }
    assert_int_equal(receive_byte(fd), '\r');
    assert_int_equal(receive_byte(fd), '\n');
    if (size > 0) return data;
    free(data);
    return NULL;
}

static void expect_retry(int fd)
{
    unsigned ms;
    char *data = receive_chunk(fd);

    assert_non_null(data);
    assert_int_equal(sscanf(data, "retry: %u\n\n", &ms), 1);
    assert_in_range(ms, 1000, 5000);
    free(data);
}

/* Up to the text, whatever states there were before; their number. */
static size_t expect_text(int fd, const char *text)
{
    struct http_frame *frame = http_frame_new(str_of(text));
    char id[40];

    snprintf(id, sizeof(id), "id: %016llx\ndata: ", (unsigned long long)frame->id);
    http_frame_release(frame);
    for (size_t before = 0;; before++) {
        char *data = receive_chunk(fd);
        assert_non_null(data);
        const bool found = strncmp(data, id, strlen(id)) == 0;
        if (found) assert_memory_equal(data + strlen(id), text, strlen(text));
        if (found) assert_string_equal(data + strlen(id) + strlen(text), "\n\n");
        free(data);
        if (found) return before;
    }
}

static void expect_last_chunk(int fd)
{
    assert_null(receive_chunk(fd));
    assert_true(receive_end(fd));
}

static int reader(struct fixture *fixture, const char *text)
{
    const int fd = client(fixture);
    listen_to(fd, REQUEST("GET /board") "\r\n");
    expect_retry(fd);
    expect_text(fd, text);
    return fd;
}

/* ---- the tests ---- */

static void a_stream_tells_the_state_and_each_new_one(void **state)
{
    (void)state;
    struct fixture *fixture = begin_with(usual_settings(), "one");
    const int fd = client(fixture);
    struct answer answer = listen_to(fd, REQUEST("GET /board") "\r\n");

    assert_non_null(strstr(answer.head, "\r\nContent-Type: text/event-stream\r\n"));
    assert_non_null(strstr(answer.head, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(answer.head, "\r\nConnection: close\r\n"));
    assert_null(strstr(answer.head, "Content-Length"));
    expect_retry(fd);
    assert_int_equal(expect_text(fd, "one"), 0);
    board_write("two");
    assert_int_equal(expect_text(fd, "two"), 0);
    board_write("three");
    assert_int_equal(expect_text(fd, "three"), 0);
    assert_int_equal(http_server_counts(fixture->server).streams, 1);
    assert_int_equal(http_server_counts(fixture->server).connections, 1);
    close(fd);
    until_connections(fixture, 0);
    assert_int_equal(http_server_counts(fixture->server).streams, 0);
    end(fixture);
}

static void one_that_is_answered_on_another_thread_is_no_different(void **state)
{
    (void)state;
    struct fixture *fixture = begin_with(usual_settings(), "one");
    const int fd = client(fixture);

    send_text(fd, REQUEST("GET /now") "\r\n"); /* the connection has served before */
    expect(fd, 200, "GET /now? ");
    listen_to(fd, REQUEST("GET /board/later") "\r\n");
    expect_retry(fd);
    expect_text(fd, "one");
    close(fd);
    end(fixture);
}

static void an_old_client_gets_it_without_chunks(void **state)
{
    (void)state;
    struct fixture *fixture = begin_with(usual_settings(), "one");
    const int fd = client(fixture);
    struct answer answer = listen_to(fd, "GET /board HTTP/1.0\r\n\r\n");

    assert_null(strstr(answer.head, "Transfer-Encoding"));
    assert_non_null(strstr(answer.head, "\r\nConnection: close\r\n"));
    char *retry = receive_line(fd);
    assert_int_equal(strncmp(retry, "retry: ", 7), 0);
    free(retry);
    expect_line(fd, "");
    free(receive_line(fd));
    expect_line(fd, "data: one");
    expect_line(fd, "");
    board_write("two");
    free(receive_line(fd));
    expect_line(fd, "data: two");
    expect_line(fd, "");
    atomic_store(&board.is_over, true);
    assert_true(receive_end(fd));
    close(fd);
    end(fixture);
}

static void a_head_request_gets_the_head_and_no_stream(void **state)
{
    (void)state;
    struct fixture *fixture = begin_with(usual_settings(), "one");
    const int fd = client(fixture);
    struct answer answer = listen_to(fd, REQUEST("HEAD /board") "\r\n");

    assert_non_null(strstr(answer.head, "\r\nContent-Type: text/event-stream\r\n"));
    assert_null(strstr(answer.head, "Content-Length"));
    send_text(fd, REQUEST("GET /now") "\r\n");
    expect(fd, 200, "GET /now? ");
    until_count(&board.closed, 1);
    assert_int_equal(board.begun, 0);
    close(fd);
    end(fixture);
}

static void who_comes_back_hears_only_what_is_new(void **state)
{
    (void)state;
    struct fixture *fixture = begin_with(usual_settings(), "one");
    char request[200];
    int fd = client(fixture);

    snprintf(request, sizeof(request), REQUEST("GET /board") "Last-Event-ID: %016llx\r\n\r\n",
             (unsigned long long)board.frame->id);
    listen_to(fd, request);
    expect_retry(fd);
    until_count(&board.begun, 1);
    board_write("two");
    assert_int_equal(expect_text(fd, "two"), 0);
    close(fd);

    static const char *const unknown[] = {"0",   "0000000000000000", "ffffffffffffffffff",
                                          "one", "FFFFFFFFFFFFFFFF", "-000000000000001",
                                          ""};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        fd = client(fixture);
        snprintf(request, sizeof(request), REQUEST("GET /board") "Last-Event-ID: %s\r\n\r\n",
                 unknown[i]);
        listen_to(fd, request);
        expect_retry(fd);
        assert_int_equal(expect_text(fd, "two"), 0);
        close(fd);
    }
    end(fixture);
}

static void the_same_state_is_told_once(void **state)
{
    (void)state;
    struct fixture *fixture = begin_with(usual_settings(), "one");
    const int fd = reader(fixture, "one");

    for (int i = 0; i < 3; i++) {
        const int rounds = atomic_load(&board.rounds);
        board_write("one");
        while (atomic_load(&board.rounds) == rounds)
            pause_ms(1);
    }
    board_write("two");
    assert_int_equal(expect_text(fd, "two"), 0);
    close(fd);
    end(fixture);
}

static void touches_meet_in_rounds(void **state)
{
    (void)state;
    struct fixture *fixture = begin_with(usual_settings(), "0");
    const int fd = reader(fixture, "0");
    const int64_t start = clock_monotonic_us();
    const int before = atomic_load(&board.rounds);
    char text[20];

    for (int i = 1; i <= 3000; i++) {
        snprintf(text, sizeof(text), "%d", i);
        board_write(text);
        if (i % 30 == 0) pause_ms(1);
    }
    expect_text(fd, "3000");
    const int64_t periods = (clock_monotonic_us() - start) / (PERIOD_MS * 1000);
    assert_in_range(atomic_load(&board.rounds) - before, 1, periods + 2);
    close(fd);
    end(fixture);
}

static void who_does_not_read_is_skipped_to_the_newest(void **state)
{
    (void)state;
    enum { STATES = 200, SIZE = 100000 };
    struct fixture *fixture = begin_with(usual_settings(), "begin");
    const int slow = reader(fixture, "begin"), quick = reader(fixture, "begin");
    char *text = malloc(SIZE + 1);

    setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &(int){16384}, sizeof(int));
    assert_non_null(text);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    for (int i = 0; i < STATES; i++) { /* 20 MB, of which the sockets hold a few */
        const int len = snprintf(text, 10, "%09d", i);
        text[len] = 'x';
        board_write(text);
        expect_text(quick, text);
    }
    const size_t before = expect_text(slow, text);
    assert_true(before < STATES / 2);
    board_write("end");
    assert_int_equal(expect_text(slow, "end"), 0);
    free(text);
    close(slow);
    close(quick);
    end(fixture);
}

static void who_never_reads_is_ended(void **state)
{
    (void)state;
    struct http_settings settings = usual_settings();
    settings.idle_timeout_s = 1;
    struct fixture *fixture = begin_with(settings, "begin");
    const int fd = reader(fixture, "begin");
    char *text = malloc(1000001);

    assert_non_null(text);
    memset(text, 'x', 1000000);
    text[1000000] = '\0';
    for (int i = 0; i < 1000 && atomic_load(&board.closed) == 0; i++) {
        text[i % 1000] = (char)('a' + i / 1000);
        board_write(text);
        pause_ms(PERIOD_MS);
    }
    until_count(&board.closed, 1);
    until_connections(fixture, 0);
    free(text);
    close(fd);
    end(fixture);
}

static void a_silent_stream_is_not_idle_and_says_so(void **state)
{
    (void)state;
    struct http_settings settings = usual_settings();
    settings.idle_timeout_s = 1;
    settings.heartbeat_s = 1;
    struct fixture *fixture = begin_with(settings, "one");
    const int fd = reader(fixture, "one");

    for (int i = 0; i < 3; i++) { /* longer than the timeout */
        char *data = receive_chunk(fd);
        assert_non_null(data);
        assert_string_equal(data, ":\n\n");
        free(data);
    }
    board_write("two");
    expect_text(fd, "two");
    close(fd);
    end(fixture);
}

static void who_may_not_listen_any_more_is_ended_well(void **state)
{
    (void)state;
    struct fixture *fixture = begin_with(usual_settings(), "one");
    const int fd = reader(fixture, "one");

    atomic_store(&board.is_over, true);
    expect_last_chunk(fd);
    until_count(&board.closed, 1);
    close(fd);
    end(fixture);
}

static void who_leaves_is_noticed(void **state)
{
    (void)state;
    struct fixture *fixture = begin_with(usual_settings(), "one");

    for (int i = 0; i < 30; i++) {
        const int fd = i % 2 ? reader(fixture, "one") : client(fixture);
        if (i % 2 == 0) send_text(fd, REQUEST("GET /board") "\r\n");
        if (i % 3 == 1) { /* with a reset */
            const struct linger linger = {.l_onoff = 1};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        } else if (i % 3 == 2) { /* half of a goodbye is one */
            shutdown(fd, SHUT_WR);
            until_count(&board.closed, i + 1);
        }
        close(fd);
        board_write(i % 2 ? "one" : "other");
        board_write("one");
        until_count(&board.closed, i + 1);
    }
    until_connections(fixture, 0);
    end(fixture);
}

static void one_with_a_body_that_was_asked_for_is_no_different(void **state)
{
    (void)state;
    struct fixture *fixture = begin_with(usual_settings(), "one");
    const int fd = client(fixture);

    send_text(fd, REQUEST("GET /board/later") "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_int_equal(receive_head(fd).status, 100);
    listen_to(fd, "ab");
    expect_retry(fd);
    expect_text(fd, "one");
    close(fd);
    end(fixture);
}

static void what_is_sent_behind_the_request_is_not_read(void **state)
{
    (void)state;
    struct fixture *fixture = begin_with(usual_settings(), "one");
    const int fd = client(fixture);
    char junk[4096];
    size_t sent = 0;

    memset(junk, 'x', sizeof(junk));
    listen_to(fd, REQUEST("GET /board") "\r\n" REQUEST("GET /now") "\r\n");
    expect_retry(fd);
    expect_text(fd, "one");
    for (ssize_t n;
         sent < (64 << 20) && (n = send(fd, junk, sizeof(junk), MSG_NOSIGNAL | MSG_DONTWAIT)) > 0;)
        sent += (size_t)n;
    assert_true(sent < (64 << 20)); /* its own system stops it */
    board_write("two");
    expect_text(fd, "two");
    assert_int_equal(atomic_load(&fixture->handled), 0);
    close(fd);
    until_count(&board.closed, 1);
    end(fixture);
}

static void stopping_ends_streams_well_and_at_once(void **state)
{
    (void)state;
    struct http_settings settings = usual_settings();
    settings.loops = 2;
    struct fixture *fixture = begin_with(settings, "one");
    int fds[20];

    for (int i = 0; i < 20; i++)
        fds[i] = reader(fixture, "one");
    const int64_t start = clock_monotonic_us();
    assert_int_equal(http_server_stop(fixture->server, 30000), 0);
    fixture->server = NULL;
    assert_true(clock_monotonic_us() - start < 25000000); /* it did not wait for them */
    for (int i = 0; i < 20; i++) {
        expect_last_chunk(fds[i]);
        close(fds[i]);
    }
    assert_int_equal(board.closed, 20);
    end(fixture);
}

static void there_is_room_for_others_beside_streams(void **state)
{
    (void)state;
    struct http_settings settings = usual_settings();
    settings.connections_max = 8;
    struct fixture *fixture = begin_with(settings, "one");
    int fds[6];

    for (int i = 0; i < 6; i++)
        fds[i] = reader(fixture, "one");
    const int other = client(fixture);
    send_text(other, REQUEST("GET /board") "\r\n");
    assert_int_equal(receive_head(other).status, 503);
    send_text(other, REQUEST("GET /now") "\r\n");
    expect(other, 200, "GET /now? ");
    close(fds[0]);
    until_count(&board.closed, 1);
    fds[0] = reader(fixture, "one");
    for (int i = 0; i < 6; i++)
        close(fds[i]);
    close(other);
    end(fixture);
}

static void *come_and_go(void *fixture)
{
    for (int i = 0; i < 30; i++) {
        const int fd = client(fixture);
        listen_to(fd, i % 2 ? REQUEST("GET /board") "\r\n" : REQUEST("GET /board/later") "\r\n");
        expect_retry(fd);
        for (int j = 0; j < 3; j++)
            free(receive_chunk(fd));
        close(fd);
    }
    return NULL;
}

static void *write_on(void *is_done)
{
    char text[20];

    for (int i = 0; !atomic_load((atomic_bool *)is_done); i++) {
        snprintf(text, sizeof(text), "%d", i);
        board_write(text);
        if (i % 50 == 0) pause_ms(1);
    }
    return NULL;
}

static void many_come_and_go_while_much_is_written(void **state)
{
    (void)state;
    struct http_settings settings = usual_settings();
    settings.loops = 3;
    struct fixture *fixture = begin_with(settings, "begin");
    pthread_t readers[6], writers[2];
    atomic_bool is_done = false;

    for (int i = 0; i < 2; i++)
        pthread_create(&writers[i], NULL, write_on, &is_done);
    for (int i = 0; i < 6; i++)
        pthread_create(&readers[i], NULL, come_and_go, fixture);
    for (int i = 0; i < 6; i++)
        pthread_join(readers[i], NULL);
    atomic_store(&is_done, true);
    for (int i = 0; i < 2; i++)
        pthread_join(writers[i], NULL);
    until_count(&board.closed, 6 * 30);
    board_write("at last");
    close(reader(fixture, "at last"));
    end(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_tells_the_state_and_each_new_one),
        cmocka_unit_test(one_that_is_answered_on_another_thread_is_no_different),
        cmocka_unit_test(an_old_client_gets_it_without_chunks),
        cmocka_unit_test(a_head_request_gets_the_head_and_no_stream),
        cmocka_unit_test(who_comes_back_hears_only_what_is_new),
        cmocka_unit_test(the_same_state_is_told_once),
        cmocka_unit_test(touches_meet_in_rounds),
        cmocka_unit_test(who_does_not_read_is_skipped_to_the_newest),
        cmocka_unit_test(who_never_reads_is_ended),
        cmocka_unit_test(a_silent_stream_is_not_idle_and_says_so),
        cmocka_unit_test(who_may_not_listen_any_more_is_ended_well),
        cmocka_unit_test(who_leaves_is_noticed),
        cmocka_unit_test(one_with_a_body_that_was_asked_for_is_no_different),
        cmocka_unit_test(what_is_sent_behind_the_request_is_not_read),
        cmocka_unit_test(stopping_ends_streams_well_and_at_once),
        cmocka_unit_test(there_is_room_for_others_beside_streams),
        cmocka_unit_test(many_come_and_go_while_much_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
