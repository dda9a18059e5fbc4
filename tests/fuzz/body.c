/* SPDX-License-Identifier: Apache-2.0 */
/* Requests with bodies to every route. An input is one request or several, with "\n---\n" between:
 *
 *     POST /v1/events/1/bookings ana
 *     Idempotency-Key: one
 *
 *     {"quantity": 1}
 *
 * "{id}" in a path is 1, "{reference}" the first booking's, "{waiting}" the second's, "{delivery}"
 * a message of a webhook's, "{token}" what a mail to ana would have as its link. A first line that
 * begins with no method of ours is one of the routes all the same, chosen by its bytes, for its
 * organizer: so no input is wasted on a 404. */
#include "lib/office.h"

#include "api/routes.h"

static struct arena arena;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    office_api();
    return 0;
}

static unsigned user_named(struct str name)
{
    static const char *const names[OFFICE_USERS + 1] = {"nobody", "admin", "organizer", "ana",
                                                        "bo"};
    for (unsigned i = 0; i <= OFFICE_USERS; i++)
        if (str_equal(name, str_of(names[i]))) return i;
    return 0;
}

/* 'path' with what stands in braces filled in. */
static struct str fill_in(struct str path)
{
    struct buf out = {0};
    enum link_purpose purpose =
        str_starts(path, STR("/v1/password")) ? LINK_RESET_PASSWORD : LINK_CONFIRM_EMAIL;
    while (path.len) {
        buf_add_str(&out, fuzz_cut(&path, STR("{")));
        if (!path.len) break;
        struct str name = fuzz_cut(&path, STR("}"));
        buf_add_str(&out, str_equal(name, STR("reference"))  ? str_of(office_reference(1))
                          : str_equal(name, STR("waiting"))  ? str_of(office_reference(2))
                          : str_equal(name, STR("delivery")) ? str_of(office_delivery())
                          : str_equal(name, STR("token"))    ? str_of(office_link(purpose))
                          : str_equal(name, STR("file"))     ? STR("docs.css")
                                                             : STR("1"));
    }
    struct str filled = arena_str(&arena, buf_str(&out));
    buf_free(&out);
    return filled;
}

static void request(struct str text)
{
    struct str headers = {0}, first = fuzz_cut(&text, STR("\n"));
    if (text.len && text.data[0] != '\n')
        headers = fuzz_cut(&text, STR("\n\n"));
    else if (text.len)
        text = (struct str){text.data + 1, text.len - 1};

    struct str target = first, name = str_cut(&target, ' '), rest = target;
    target = str_cut(&rest, ' ');
    int method = 0;
    while (method < HTTP_METHODS && !str_equal(name, str_of(http_method_name(method))))
        method++;
    unsigned user = user_named(rest);
    if (method == HTTP_METHODS) {
        unsigned sum = 0;
        for (size_t i = 0; i < first.len; i++)
            sum = sum * 31 + (unsigned char)first.data[i];
        const struct route *route = &routes[sum % route_count];
        method = (int)route->method;
        target = str_of(route->path);
        user = 2;
    }
    office_request((enum http_method)method, fill_in(target), user, headers, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_text(data, size);
    office_begin();
    for (int i = 0; i < 8 && text.len; i++)
        request(fuzz_cut(&text, STR("\n---\n")));
    office_end();
    arena_reset(&arena);
    return 0;
}
