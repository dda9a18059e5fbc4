/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "notify/reach.h"

static bool is_public(const char *text)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
        return address_is_public((const struct sockaddr *)&ipv4);
    assert_int_equal(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1);
    return address_is_public((const struct sockaddr *)&ipv6);
}

/* The first and the last of each range, and their neighbours outside. */
static const char *const closed[] = {
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.255",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.1.2.3",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fdff:ffff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
};
static const char *const open[] = {
    "1.0.0.0",         "8.8.8.8",          "9.255.255.255",   "11.0.0.0",        "100.63.255.255",
    "100.128.0.0",     "126.255.255.255",  "128.0.0.0",       "168.63.129.15",   "168.63.129.17",
    "169.253.255.255", "169.255.0.0",      "172.15.255.255",  "172.32.0.0",      "192.0.1.0",
    "192.0.3.0",       "192.167.255.255",  "192.169.0.0",     "198.17.255.255",  "198.20.0.0",
    "203.0.112.255",   "203.0.114.0",      "223.255.255.255", "2000::1",         "2001:200::1",
    "2001:db7::1",     "2001:db9::1",      "2003::1",         "2606:4700::1111", "3ffe::1",
    "3fff:1000::1",    "64:ff9b::8.8.8.8",
};

static void test_closed_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(closed) / sizeof(*closed); i++)
        if (is_public(closed[i])) fail_msg("%s is let through", closed[i]);
    for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++)
        if (!is_public(open[i])) fail_msg("%s is refused", open[i]);
}

static void test_other_families(void **state)
{
    (void)state;
    assert_false(address_is_public(&(struct sockaddr){.sa_family = AF_UNIX}));
    assert_false(address_is_public(&(struct sockaddr){.sa_family = AF_UNSPEC}));
}

static const char *post_error(const char *url, bool allow_private)
{
    static struct arena arena;
    arena_reset(&arena);
    return courier_post_url_error(str_of(url), allow_private, &arena);
}

static void test_post_urls(void **state)
{
    (void)state;
    static const char *const good[] = {
        "https://example.org/hook",
        "https://example.org",
        "https://example.org:443/a?b=c&d=%C3%A9",
        "https://example.org:8443/",
        "https://EXAMPLE.org./",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:8443/",
        "https://localhost.example.org/",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        if (post_error(good[i], false)) fail_msg("%s %s", good[i], post_error(good[i], false));

    static const struct {
        const char *url, *says;
    } bad[] = {
        {"", "a URL"},
        {"example.org/hook", "a URL"},
        {"//example.org/", "a URL"},
        {"https://", "a URL"},
        {"https://exa mple.org/", "ASCII"},
        {"https://example.org/\r\nx: y", "ASCII"},
        {"https://b\xc3\xbc"
         "cher.example/",
         "ASCII"},
        {"https://example.org:99999/", "a URL"},
        {"http://example.org/", "https://"},
        {"ftp://example.org/", "https://"},
        {"file:///etc/passwd", "https://"},
        {"gopher://example.org/", "https://"},
        {"smtp://example.org/", "https://"},
        {"https://user@example.org/", "user"},
        {"https://user:password@example.org/", "user"},
        {"https://:password@example.org/", "user"},
        {"https://example.org/#x", "fragment"},
        {"https://example.org:25/", "port"},
        {"https://example.org:22/", "port"},
        {"https://example.org:0/", "port"},
        {"https://localhost/", "private"},
        {"https://LOCALHOST./", "private"},
        {"https://a.localhost/", "private"},
        {"https://printer.local/", "private"},
        {"https://metadata.google.internal/", "private"},
        {"https://router.home.arpa/", "private"},
        {"https://mylocal/x.y", "private"},
        {"https://127.0.0.1/", "private"},
        {"https://127.1/", "private"},
        {"https://2130706433/", "private"},
        {"https://0x7f000001/", "private"},
        {"https://0177.0.0.1/", "private"},
        {"https://%31%32%37.0.0.1/", "private"},
        {"https://10.1.2.3/", "private"},
        {"https://169.254.169.254/latest/meta-data/", "private"},
        {"https://[::1]/", "private"},
        {"https://[::ffff:127.0.0.1]/", "private"},
        {"https://[::ffff:7f00:1]/", "private"},
        {"https://[fe80::1%25eth0]/", "private"},
        {"https://[fd00::1]:8443/", "private"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *error = post_error(bad[i].url, false);
        if (!error) error = "is let through";
        if (!strstr(error, bad[i].says)) fail_msg("%s: %s", bad[i].url, error);
    }
}

static void test_post_urls_where_private_is_allowed(void **state)
{
    (void)state;
    assert_null(post_error("http://127.0.0.1:8080/hook", true));
    assert_null(post_error("https://localhost:25/", true));
    assert_null(post_error("http://[fd00::1]/", true));
    assert_non_null(post_error("ftp://127.0.0.1/", true));
    assert_non_null(post_error("http://user@127.0.0.1/", true));
}

static void test_longest_post_url(void **state)
{
    (void)state;
    static char url[2002] = "https://example.org/";
    memset(url + strlen(url), 'a', sizeof(url) - 1 - strlen(url));
    assert_string_equal(post_error(url, false), "must have at most 2000 bytes");
    url[2000] = '\0';
    assert_null(post_error(url, false));
}

static void assert_server(const char *url, const char *at, const char *user, const char *password,
                          bool starttls)
{
    struct arena arena = {0};
    struct mail_server server;
    const char *error = mail_server_parse(url, &arena, &server);
    if (error) fail_msg("%s: %s", url, error);
    assert_string_equal(server.url, at);
    if (user) assert_string_equal(server.user, user);
    if (password) assert_string_equal(server.password, password);
    assert_int_equal(!server.user, !user);
    assert_int_equal(!server.password, !password);
    assert_int_equal(server.starttls, starttls);
    arena_free(&arena);
}

static void test_mail_servers(void **state)
{
    (void)state;
    assert_server("smtps://mail.example.org", "smtps://mail.example.org:465/", NULL, NULL, false);
    assert_server("smtp://mail.example.org", "smtp://mail.example.org:587/", NULL, NULL, true);
    assert_server("smtp://mail.example.org:25/", "smtp://mail.example.org:25/", NULL, NULL, true);
    assert_server("smtp://mail.example.org?starttls=off", "smtp://mail.example.org:587/", NULL,
                  NULL, false);
    assert_server("smtp://me%40example.org:p%3Aw%2F%23@mail.example.org:2525?starttls=required",
                  "smtp://mail.example.org:2525/", "me@example.org", "p:w/#", true);
    assert_server("smtp://localhost", "smtp://localhost:25/", NULL, NULL, false);
    assert_server("smtp://me:secret@127.0.0.1", "smtp://127.0.0.1:25/", "me", "secret", false);
    assert_server("smtp://[::1]:2525?starttls=required", "smtp://[::1]:2525/", NULL, NULL, true);
}

static void test_mail_servers_that_will_not_do(void **state)
{
    (void)state;
    static const struct {
        const char *url, *says;
    } bad[] = {
        {"", "a URL"},
        {"mail.example.org", "a URL"},
        {"smtp://", "a URL"},
        {"smtp://mail.example.org:banana", "a URL"},
        {"http://mail.example.org", "smtp://"},
        {"pop3://mail.example.org", "smtp://"},
        {"smtp://mail.example.org/inbox", "path"},
        {"smtp://me:pass/word@mail.example.org", "%2F"},
        {"smtp://mail.example.org#x", "%23"},
        {"smtp://mail.example.org?tls=off", "starttls=off"},
        {"smtp://mail.example.org?starttls=maybe", "starttls=off"},
        {"smtps://mail.example.org?starttls=off", "leave out"},
        {"smtp://me:secret@mail.example.org?starttls=off", "unencrypted"},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *error = courier_mail_url_error(bad[i].url, &arena);
        if (!error) error = "is let through";
        if (!strstr(error, bad[i].says)) fail_msg("%s: %s", bad[i].url, error);
        assert_null(strstr(error, "secret"));
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_addresses),
        cmocka_unit_test(test_other_families),
        cmocka_unit_test(test_post_urls),
        cmocka_unit_test(test_post_urls_where_private_is_allowed),
        cmocka_unit_test(test_longest_post_url),
        cmocka_unit_test(test_mail_servers),
        cmocka_unit_test(test_mail_servers_that_will_not_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
