/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/router.h"

static const struct {
    enum http_method method;
    const char *pattern;
} routes[] = {
    {HTTP_GET, "/"},
    {HTTP_GET, "/events"},
    {HTTP_POST, "/events"},
    {HTTP_GET, "/events/{id}"},
    {HTTP_PATCH, "/events/{event}"},
    {HTTP_GET, "/events/new"},
    {HTTP_GET, "/events/{id}/bookings/{reference}"},
    {HTTP_GET, "/events/new/form"},
    {HTTP_GET, "/users/me"},
    {HTTP_GET, "/users/{id}/bookings"},
    {HTTP_GET, "/slash/"},
};

/* row -1: the path is known, the method is not; -2: no such path. */
static const struct {
    enum http_method method;
    const char *path;
    int row;
    const char *variables[2];
} cases[] = {
    {HTTP_GET, "/", 0, {0}},
    {HTTP_GET, "/events", 1, {0}},
    {HTTP_POST, "/events", 2, {0}},
    {HTTP_DELETE, "/events", -1, {0}},
    {HTTP_GET, "/events/7", 3, {"7"}},
    {HTTP_PATCH, "/events/7", 4, {"7"}},
    {HTTP_GET, "/events/new", 5, {0}},
    {HTTP_PATCH, "/events/new", -1, {0}},
    {HTTP_GET, "/events/newer", 3, {"newer"}},
    {HTTP_GET, "/events/a%2Fb", 3, {"a%2Fb"}},
    {HTTP_GET, "/events/7/bookings/K7Q2", 6, {"7", "K7Q2"}},
    {HTTP_GET, "/events/new/form", 7, {0}},
    /* The constant branch leads nowhere, the variable one does. */
    {HTTP_GET, "/events/new/bookings/K7Q2", 6, {"new", "K7Q2"}},
    {HTTP_GET, "/users/me", 8, {0}},
    {HTTP_GET, "/users/me/bookings", 9, {"me"}},
    {HTTP_GET, "/users/7", -2, {0}},
    {HTTP_GET, "/slash/", 10, {0}},
    {HTTP_GET, "/slash", -2, {0}},
    {HTTP_GET, "/events/", -2, {0}},
    {HTTP_GET, "/events/7/", -2, {0}},
    {HTTP_GET, "/events//bookings/K7Q2", -2, {0}},
    {HTTP_GET, "//events", -2, {0}},
    {HTTP_GET, "/event", -2, {0}},
    {HTTP_GET, "/eventsx", -2, {0}},
    {HTTP_GET, "events", -2, {0}},
    {HTTP_GET, "", -2, {0}},
    {HTTP_GET, "*", -2, {0}},
    {HTTP_GET, "/events/{id}", 3, {"{id}"}},
};

static void paths_find_their_rows(void **state)
{
    (void)state;
    struct router *router = router_new();

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        router_add(router, routes[i].method, routes[i].pattern, (int)i);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct route_match match;
        const bool found = router_find(router, str_of(cases[i].path), &match);
        if (found != (cases[i].row != -2)) fail_msg("path %s", cases[i].path);
        if (!found) continue;
        if (match.rows[cases[i].method] != cases[i].row) fail_msg("path %s", cases[i].path);
        const size_t count = !cases[i].variables[0] ? 0 : !cases[i].variables[1] ? 1 : 2;
        assert_int_equal(match.variable_count, count);
        for (size_t j = 0; j < count; j++)
            assert_true(str_equal(match.variables[j], str_of(cases[i].variables[j])));
    }
    router_free(router);
}

static void a_match_tells_all_methods_of_a_path(void **state)
{
    (void)state;
    struct router *router = router_new();
    struct route_match match;

    router_add(router, HTTP_GET, "/a", 3);
    router_add(router, HTTP_PUT, "/a", 5);
    assert_true(router_find(router, STR("/a"), &match));
    for (int method = 0; method < HTTP_METHODS; method++)
        assert_int_equal(match.rows[method], method == HTTP_GET ? 3 : method == HTTP_PUT ? 5 : -1);
    router_free(router);
    router_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_their_rows),
        cmocka_unit_test(a_match_tells_all_methods_of_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
