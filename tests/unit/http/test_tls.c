/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#define REQUEST(line) line " HTTP/1.1\r\nHost: test\r\n"

static char directory[] = "/tmp/admit-tls-XXXXXX";

static const char *file_path(const char *name)
{
    static char paths[16][100];
    static unsigned next;
    char *path = paths[next++ % 16];

    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static int make_certificates(void **state)
{
    (void)state;
    char command[500];

    if (!mkdtemp(directory)) return -1;
    snprintf(command, sizeof(command),
             "cd %s && for name in good other; do openssl req -x509 -newkey ec "
             "-pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
             "-keyout $name.key -out $name.crt 2>openssl.log || exit 1; done && "
             "openssl ec -in good.key -aes128 -passout pass:secret -out locked.key 2>openssl.log "
             "&& echo nonsense >nonsense.pem",
             directory);
    return system(command);
}

static int remove_certificates(void **state)
{
    (void)state;
    char command[100];

    snprintf(command, sizeof(command), "rm -r %s", directory);
    return system(command);
}

static struct http_settings tls_settings(void)
{
    struct http_settings settings = usual_settings();

    settings.tls_cert = file_path("good.crt");
    settings.tls_key = file_path("good.key");
    return settings;
}

struct tls_client {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
    int handshake; /* what SSL_connect() returned */
};

static struct tls_client tls_client(struct fixture *fixture, int most_version)
{
    struct tls_client c = {.context = SSL_CTX_new(TLS_client_method()), .fd = client(fixture)};

    /* Whatever this side can speak: the server is to say no. */
    SSL_CTX_set_security_level(c.context, 0);
    SSL_CTX_set_min_proto_version(c.context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(c.context, most_version);
    c.ssl = SSL_new(c.context);
    SSL_set_fd(c.ssl, c.fd);
    c.handshake = SSL_connect(c.ssl);
    return c;
}

static void tls_close_client(struct tls_client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->context);
    close(c->fd);
    ERR_clear_error();
}

static void tls_send(struct tls_client *c, const char *text)
{
    assert_int_equal(SSL_write(c->ssl, text, (int)strlen(text)), (int)strlen(text));
}

static void tls_expect(struct tls_client *c, int status, const char *body)
{
    char text[4096] = "";
    size_t len = 0;

    while (!strstr(text, "\r\n\r\n") || !strstr(text, body)) {
        const int n = SSL_read(c->ssl, text + len, (int)(sizeof(text) - 1 - len));
        assert_true(n > 0);
        len += (size_t)n;
        text[len] = '\0';
    }
    assert_int_equal(atoi(text + 9), status);
}

/* A goodbye in TLS, so that nobody can have cut the connection short. */
static void tls_expect_end(struct tls_client *c)
{
    char byte;

    assert_int_equal(SSL_read(c->ssl, &byte, 1), 0);
    assert_int_equal(SSL_get_error(c->ssl, 0), SSL_ERROR_ZERO_RETURN);
}

static void requests_are_served_over_tls(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct fixture *fixture = fixture_start(tls_settings());

    for (int i = 0; i < 2; i++) {
        struct tls_client c = tls_client(fixture, versions[i]);
        assert_int_equal(c.handshake, 1);
        for (int j = 0; j < 3; j++) {
            tls_send(&c, REQUEST("POST /later?tls") "Content-Length: 3\r\n\r\nabc");
            tls_expect(&c, 200, "POST /later?tls abc");
        }
        tls_send(&c, REQUEST("GET /closing") "\r\n");
        tls_expect(&c, 200, "GET /closing? ");
        tls_expect_end(&c);
        tls_close_client(&c);
    }
    assert_int_equal(fixture_stop(fixture), 0);
}

static void a_large_answer_comes_whole_over_tls(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(tls_settings());
    struct tls_client c = tls_client(fixture, TLS1_3_VERSION);
    size_t len = 0;

    tls_send(&c, REQUEST("GET /large") "Connection: close\r\n\r\n");
    for (;;) {
        char bytes[16384];
        const int n = SSL_read(c.ssl, bytes, sizeof(bytes));
        if (n <= 0) break;
        len += (size_t)n;
    }
    assert_true(len > LARGE && len < LARGE + 400);
    tls_close_client(&c);
    fixture_stop(fixture);
}

static void old_versions_are_refused(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(tls_settings());
    struct tls_client c = tls_client(fixture, TLS1_1_VERSION);

    assert_int_not_equal(c.handshake, 1);
    tls_close_client(&c);
    fixture_stop(fixture);
}

static void plain_http_gets_no_answer_where_tls_is_spoken(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(tls_settings());
    const int fd = client(fixture);

    send_text(fd, REQUEST("GET /now") "\r\n");
    receive_end(fd);
    assert_int_equal(atomic_load(&fixture->handled), 0);
    close(fd);
    fixture_stop(fixture);
}

static void errors_are_in_our_words_over_tls_too(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(tls_settings());
    struct tls_client c = tls_client(fixture, TLS1_3_VERSION);

    tls_send(&c, "junk\r\n\r\n");
    tls_expect(&c, 400, "{\"status\":400}");
    tls_expect_end(&c);
    tls_close_client(&c);
    c = tls_client(fixture, TLS1_2_VERSION);
    tls_send(&c, REQUEST("POST /now") "Content-Length: 1000000\r\n\r\nabc");
    tls_expect(&c, 413, "{\"status\":413}");
    tls_expect_end(&c);
    tls_close_client(&c);
    fixture_stop(fixture);
}

static void who_does_not_finish_is_ended_over_tls_too(void **state)
{
    (void)state;
    struct http_settings settings = tls_settings();
    settings.request_timeout_s = 1;
    struct fixture *fixture = fixture_start(settings);
    const int silent = client(fixture); /* not even a handshake */
    struct tls_client c = tls_client(fixture, TLS1_3_VERSION);

    tls_send(&c, "GET /no");
    tls_expect(&c, 408, "{\"status\":408}");
    tls_expect_end(&c);
    tls_close_client(&c);
    assert_true(receive_end(silent));
    close(silent);
    fixture_stop(fixture);
}

static void old_ciphers_are_refused(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(tls_settings());
    static const char *const ciphers[] = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA",
                                          "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256"};

    for (size_t i = 0; i < 4; i++) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_security_level(context, 0);
        SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
        assert_int_equal(SSL_CTX_set_cipher_list(context, ciphers[i]), 1);
        struct tls_client c = {.context = context, .ssl = SSL_new(context), .fd = client(fixture)};
        SSL_set_fd(c.ssl, c.fd);
        assert_int_equal(SSL_connect(c.ssl) == 1, i == 0);
        tls_close_client(&c);
    }
    fixture_stop(fixture);
}

static void nobody_renegotiates(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(tls_settings());
    struct tls_client c = tls_client(fixture, TLS1_2_VERSION);

    assert_int_equal(c.handshake, 1);
    assert_int_equal(SSL_renegotiate(c.ssl), 1);
    assert_int_not_equal(SSL_do_handshake(c.ssl), 1);
    tls_close_client(&c);
    fixture_stop(fixture);
}

static bool has_certificate(const struct tls_client *c, const char *name)
{
    FILE *file = fopen(file_path(name), "r");
    X509 *expected = PEM_read_X509(file, NULL, NULL, NULL);
    X509 *got = SSL_get1_peer_certificate(c->ssl);
    bool same = expected && got && X509_cmp(expected, got) == 0;

    X509_free(expected);
    X509_free(got);
    fclose(file);
    return same;
}

static void who_connects_after_a_reload_gets_the_new_certificate(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(tls_settings());
    struct tls_client before = tls_client(fixture, TLS1_3_VERSION);
    struct arena arena = {0};
    const char *error = NULL;

    assert_true(has_certificate(&before, "good.crt"));
    assert_true(http_server_reload_tls(fixture->server, file_path("other.crt"),
                                       file_path("other.key"), &arena, &error));
    struct tls_client after = tls_client(fixture, TLS1_3_VERSION);
    assert_true(has_certificate(&after, "other.crt"));
    /* Neither connection notices anything. */
    struct tls_client *both[] = {&before, &after};
    for (size_t i = 0; i < 2; i++) {
        tls_send(both[i], REQUEST("POST /now?x") "Content-Length: 3\r\n\r\nabc");
        tls_expect(both[i], 200, "POST /now?x abc");
        tls_close_client(both[i]);
    }
    assert_int_equal(fixture_stop(fixture), 0);
    arena_free(&arena);
}

static void broken_files_leave_the_old_certificate_in_use(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(tls_settings());
    struct arena arena = {0};
    const char *error = NULL;

    assert_false(http_server_reload_tls(fixture->server, file_path("nonsense.pem"),
                                        file_path("good.key"), &arena, &error));
    assert_non_null(strstr(error, "TLS_CERT"));
    assert_false(http_server_reload_tls(fixture->server, file_path("other.crt"),
                                        file_path("good.key"), &arena, &error));
    assert_non_null(strstr(error, "TLS_KEY"));
    struct tls_client c = tls_client(fixture, TLS1_3_VERSION);
    assert_true(has_certificate(&c, "good.crt"));
    tls_close_client(&c);
    fixture_stop(fixture);
    arena_free(&arena);
}

static void *reload_again_and_again(void *data)
{
    struct fixture *fixture = data;
    struct arena arena = {0};
    const char *error = NULL;

    for (int i = 0; i < 100; i++) {
        const char *name = i % 2 ? "good" : "other";
        char cert[100], key[100];
        snprintf(cert, sizeof(cert), "%s/%s.crt", directory, name);
        snprintf(key, sizeof(key), "%s/%s.key", directory, name);
        if (!http_server_reload_tls(fixture->server, cert, key, &arena, &error)) break;
    }
    arena_free(&arena);
    return (void *)error;
}

static void nobody_is_lost_while_certificates_are_reloaded(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_start(tls_settings());
    pthread_t thread;
    void *error;

    assert_int_equal(pthread_create(&thread, NULL, reload_again_and_again, fixture), 0);
    for (int i = 0; i < 50; i++) {
        struct tls_client c = tls_client(fixture, TLS1_3_VERSION);
        assert_int_equal(c.handshake, 1);
        tls_send(&c, REQUEST("GET /now") "\r\n");
        tls_expect(&c, 200, "GET /now");
        tls_close_client(&c);
    }
    pthread_join(thread, &error);
    assert_null(error);
    fixture_stop(fixture);
}

static void expect_start_error(const char *cert, const char *key, const char *words)
{
    struct http_settings settings = usual_settings();
    struct arena arena = {0};
    const char *error = NULL;

    settings.tls_cert = cert;
    settings.tls_key = key;
    assert_null(http_server_start(&settings, &arena, &error));
    if (!strstr(error, words)) fail_msg("\"%s\" does not say \"%s\"", error, words);
    arena_free(&arena);
}

static void wrong_files_are_explained(void **state)
{
    (void)state;
    const char *cert = file_path("good.crt"), *key = file_path("good.key");

    expect_start_error(cert, NULL, "TLS_CERT and TLS_KEY go together");
    expect_start_error(file_path("none"), key, "TLS_CERT: cannot read");
    expect_start_error(file_path("nonsense.pem"), key, "is not a certificate chain in PEM");
    expect_start_error(cert, file_path("none"), "TLS_KEY: cannot read");
    expect_start_error(cert, file_path("nonsense.pem"), "is not a private key in PEM");
    expect_start_error(cert, file_path("locked.key"), "without a passphrase");
    expect_start_error(cert, file_path("other.key"), "is not the key to the certificate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_served_over_tls),
        cmocka_unit_test(a_large_answer_comes_whole_over_tls),
        cmocka_unit_test(old_versions_are_refused),
        cmocka_unit_test(plain_http_gets_no_answer_where_tls_is_spoken),
        cmocka_unit_test(errors_are_in_our_words_over_tls_too),
        cmocka_unit_test(who_does_not_finish_is_ended_over_tls_too),
        cmocka_unit_test(wrong_files_are_explained),
        cmocka_unit_test(old_ciphers_are_refused),
        cmocka_unit_test(nobody_renegotiates),
        cmocka_unit_test(who_connects_after_a_reload_gets_the_new_certificate),
        cmocka_unit_test(broken_files_leave_the_old_certificate_in_use),
        cmocka_unit_test(nobody_is_lost_while_certificates_are_reloaded),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
