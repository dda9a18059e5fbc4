/* SPDX-License-Identifier: Apache-2.0 */
#include <cmocka.h>

#include "base/str.h"
#include "http/framing.h"

#define HOST    "Host: x\r\n"
#define GET     "GET /a?b HTTP/1.1\r\n" HOST "\r\n"
#define POST    "POST /a HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static struct framing feed(struct str bytes, size_t step)
{
    struct framing framing = {0};
    for (size_t at = 0; at < bytes.len; at += step)
        framing_feed(&framing, bytes.data + at, at + step < bytes.len ? step : bytes.len - at);
    return framing;
}

static const struct good {
    struct str bytes;
    unsigned requests;
} goods[] = {
    {STR(""), 0},
    {STR(GET), 1},
    {STR(GET GET GET), 3},
    {STR("GET /a HTTP/1.1\r\n" HOST), 0},
    {STR("GET / HTTP/1.0\r\n\r\n"), 1},
    {STR("GET /caf\xc3\xa9 HTTP/1.1\r\nX:\xff\r\n\r\n"), 1},
    {STR("OPTIONS * HTTP/1.1\r\nX:\r\nY: \t \r\n\r\n"), 1},
    {STR(POST "Content-Length: 0\r\n\r\n" GET), 2},
    {STR(POST "Content-Length: 5\r\n\r\nhello" GET), 2},
    {STR(POST "CONTENT-length:5 \r\n\r\nhell"), 0},
    {STR(POST "Content-Length: 5\r\n\r\n\r\n\0\r\n" GET), 2},
    {STR(POST "X-Content-Length: 5\r\nContent-Lengths: 5\r\n\r\n" GET), 2},
    {STR(POST "X: Content-Length: 5\r\n\r\n" GET), 2},
    {STR(CHUNKED "0\r\n\r\n" GET), 2},
    {STR(CHUNKED "3\r\nabc\r\n0a\r\n0123456789\r\n00\r\n\r\n" GET), 2},
    {STR(CHUNKED "B\r\n0\r\n\r\n\r\n\r\n12\r\n0\r\n\r\n"), 1},
    {STR(CHUNKED "3\r\nabc\r\n0\r\n"), 0},
    {STR(POST "X-Long: 012345678901234567890123456789012345678901234567890123456789\t "
              "\xc3\xa9.\r\n\r\n"),
     1},
};

static void what_is_written_well_counts_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(goods) / sizeof(*goods); i++)
        for (size_t step = 1; step <= goods[i].bytes.len + 1; step++) {
            struct framing framing = feed(goods[i].bytes, step);
            if (framing.bad || framing.complete != goods[i].requests)
                fail_msg("%zu by %zu: %u, %s", i, step, framing.complete,
                         framing.bad ? "bad" : "good");
            for (unsigned taken = 0; taken < goods[i].requests; taken++)
                assert_true(framing_take(&framing));
            assert_false(framing_take(&framing));
        }
}

/* Each comes behind a good request and before another, neither of which may be hurt or found. */
static const struct str bads[] = {
    STR("\r\n"),
    STR("\n"),
    STR(" GET / HTTP/1.1\r\n\r\n"),
    STR("GET  / HTTP/1.1\r\n\r\n"),
    STR("GET /  HTTP/1.1\r\n\r\n"),
    STR("GET / HTTP/1.1 \r\n\r\n"),
    STR("GET / x HTTP/1.1\r\n\r\n"),
    STR("GET\t/\tHTTP/1.1\r\n\r\n"),
    STR("GET HTTP/1.1\r\n\r\n"),
    STR("GET /\r\n\r\n"),
    STR("GET / HTTP/1.10\r\n\r\n"),
    STR("GET / HTTP/01.1\r\n\r\n"),
    STR("GET / HTTP/2.0\r\n\r\n"),
    STR("GET / http/1.1\r\n\r\n"),
    STR("GET / HTTP/1.1\n\n"),
    STR("GET / HTTP/1.1\r\n\n"),
    STR("GET / HTTP/1.1\n\r\n"),
    STR("GET / HTTP/1.1\r\r\n\r\n"),
    STR("GET /\0 HTTP/1.1\r\n\r\n"),
    STR("GET /\x7f HTTP/1.1\r\n\r\n"),
    STR("G(T / HTTP/1.1\r\n\r\n"),
    STR("GET / HTTP/1.1\r\n X: folded\r\n\r\n"),
    STR("GET / HTTP/1.1\r\nX: a\r\n\tfolded\r\n\r\n"),
    STR("GET / HTTP/1.1\r\nX : a\r\n\r\n"),
    STR("GET / HTTP/1.1\r\nX\r\n\r\n"),
    STR("GET / HTTP/1.1\r\n: a\r\n\r\n"),
    STR("GET / HTTP/1.1\r\nX: a\nY: b\r\n\r\n"),
    STR("GET / HTTP/1.1\r\nX: a\rY: b\r\n\r\n"),
    STR("GET / HTTP/1.1\r\nX: a\0b\r\n\r\n"),
    STR("GET / HTTP/1.1\r\nX\0: b\r\n\r\n"),
    STR("GET / HTTP/1.1\r\nX: a\x1b[0m\r\n\r\n"),
    STR(POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
    STR(POST "Content-Length: 2, 2\r\n\r\n{}"),
    STR(POST "Content-Length:\r\n\r\n{}"),
    STR(POST "Content-Length: -2\r\n\r\n{}"),
    STR(POST "Content-Length: +2\r\n\r\n{}"),
    STR(POST "Content-Length: 0x2\r\n\r\n{}"),
    STR(POST "Content-Length: 2 2\r\n\r\n{}"),
    STR(POST "Content-Length: 18446744073709551618\r\n\r\n{}"),
    STR(POST "Content-Length: 00000000000000000000000000000000000000002\r\n\r\n{}"),
    STR(POST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    STR(POST "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n"),
    STR(POST "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    STR(POST "Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n"),
    STR(CHUNKED "\r\n0\r\n\r\n"),
    STR(CHUNKED "0x1\r\na\r\n0\r\n\r\n"),
    STR(CHUNKED "+1\r\na\r\n0\r\n\r\n"),
    STR(CHUNKED "-1\r\na\r\n0\r\n\r\n"),
    STR(CHUNKED " 1\r\na\r\n0\r\n\r\n"),
    STR(CHUNKED "1 \r\na\r\n0\r\n\r\n"),
    STR(CHUNKED "1;a=b\r\na\r\n0\r\n\r\n"),
    STR(CHUNKED "g\r\na\r\n0\r\n\r\n"),
    STR(CHUNKED "000000001\r\na\r\n0\r\n\r\n"),
    STR(CHUNKED "1\na\r\n0\r\n\r\n"),
    STR(CHUNKED "1\r\na\n0\r\n\r\n"),
    STR(CHUNKED "1\r\na0\r\n\r\n"),
    STR(CHUNKED "1\r\nab\r\n0\r\n\r\n"),
    STR(CHUNKED "0\r\n\n"),
    STR(CHUNKED "0\n\r\n"),
    STR(CHUNKED "0\r\nX-Trailer: a\r\n\r\n"),
};

static void what_another_could_read_in_another_way_is_bad_and_stays_so(void **state)
{
    (void)state;
    struct buf all = {0};
    for (size_t i = 0; i < sizeof(bads) / sizeof(*bads); i++) {
        buf_clear(&all);
        buf_add_str(&all, STR(GET));
        buf_add_str(&all, bads[i]);
        buf_add_str(&all, STR(GET));
        for (size_t step = 1; step <= all.len; step++) {
            struct framing framing = feed(buf_str(&all), step);
            if (!framing.bad || framing.complete != 1)
                fail_msg("%zu by %zu: %u, %s", i, step, framing.complete,
                         framing.bad ? "bad" : "good");
        }
    }
    buf_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_well_counts_however_it_is_cut),
        cmocka_unit_test(what_another_could_read_in_another_way_is_bad_and_stays_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
