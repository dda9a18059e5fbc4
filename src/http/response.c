/* SPDX-License-Identifier: Apache-2.0 */
#include "http/response.h"

#include <stdio.h>
#include <time.h>

static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

/* A client goes by the number; RFC 9112 lets the phrase be empty. */
static struct str phrase_of(int status)
{
    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
        if (phrases[i].status == status) return str_of(phrases[i].phrase);
    return STR("");
}

bool response_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

void response_date(int64_t second, char text[40])
{
    /* Not strftime(): the names must stay English in every locale. */
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const time_t when = (time_t)second;
    struct tm tm;

    gmtime_r(&when, &tm);
    snprintf(text, 40, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday, tm.tm_mday,
             months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void add_header(struct buf *out, struct str name, struct str value)
{
    buf_add_str(out, name);
    buf_add_str(out, STR(": "));
    buf_add_str(out, value);
    buf_add_str(out, STR("\r\n"));
}

void response_head(struct buf *out, const struct http_reply *reply, const char *date,
                   enum response_connection connection)
{
    buf_add_str(out, STR("HTTP/1.1 "));
    buf_add_u64(out, (uint64_t)reply->status);
    buf_add_char(out, ' ');
    buf_add_str(out, phrase_of(reply->status));
    buf_add_str(out, STR("\r\n"));
    add_header(out, STR("Date"), str_of(date));
    if (reply->content_type) add_header(out, STR("Content-Type"), str_of(reply->content_type));
    for (size_t i = 0; i < reply->header_count; i++)
        add_header(out, reply->headers[i].name, reply->headers[i].value);
    if (connection == RESPONSE_CLOSE)
        add_header(out, STR("Connection"), STR("close"));
    else if (connection == RESPONSE_KEEP_HTTP10)
        add_header(out, STR("Connection"), STR("keep-alive"));
    if (response_has_body(reply->status) && !reply->stream) {
        buf_add_str(out, STR("Content-Length: "));
        buf_add_u64(out, reply->body.len);
        buf_add_str(out, STR("\r\n"));
    }
    buf_add_str(out, STR("\r\n"));
}
