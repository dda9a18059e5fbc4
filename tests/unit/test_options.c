/* SPDX-License-Identifier: Apache-2.0 */
/* Each test runs in an empty directory and with none of the variables set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "options.h"

enum { ALL = OPTIONS_STORE | OPTIONS_LOG | OPTIONS_SERVE, WORDS_MOST = 16 };

#define SECRET "0123456789abcdef0123456789abcdef"

static const char *const variables[] = {
    "DATABASE_URL", "DB_HOST",         "DB_USER",
    "DB_PASS",      "DB_NAME",         "LOG_LEVEL",
    "LOG_FORMAT",   "LOG_FILE",        "HOST",
    "PORT",         "PUBLIC_URL",      "TLS_CERT",
    "TLS_KEY",      "TRUST_PROXY",     "JWT_SECRET",
    "TOKEN_TTL",    "OPEN_ORGANIZING", "RATE_LIMIT",
    "CORS_ORIGINS", "HTTP_LOOPS",      "LANES",
    "READERS",      "KEEP_CANCELLED",  "HASHERS",
    "QUEUE_DEPTH",  "METRICS_TOKEN",   "SMTP_URL",
    "MAIL_FROM",    "MAIL_TEMPLATES",  "REQUIRE_VERIFIED_EMAIL"};
enum { VARIABLES = sizeof(variables) / sizeof(variables[0]) };

static char directory[] = "/tmp/test-options-XXXXXX";
static struct arena arena;
static struct options options;
static const char *error;
static char *words[WORDS_MOST];
static int rest;

static int group_begin(void **state)
{
    (void)state;
    return !mkdtemp(directory) || chdir(directory) != 0;
}

static int group_end(void **state)
{
    (void)state;
    return chdir("/") != 0 || rmdir(directory) != 0;
}

static int test_begin(void **state)
{
    (void)state;
    for (int i = 0; i < VARIABLES; i++)
        unsetenv(variables[i]);
    return unlink(".env") != 0 && errno != ENOENT;
}

static int test_end(void **state)
{
    arena_free(&arena);
    return test_begin(state);
}

static void write_dotenv(struct str text)
{
    FILE *file = fopen(".env", "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

/* Reads a command line of words with single spaces between. */
static bool read_groups(unsigned groups, const char *line)
{
    int count = 0;
    struct str left = str_of(line);
    while (left.len) {
        assert_true(count < WORDS_MOST);
        words[count++] = (char *)(uintptr_t)arena_cstr(&arena, str_cut(&left, ' '));
    }
    error = NULL;
    rest = -1;
    return options_read(&options, groups, count, words, &rest, &arena, &error);
}

static void read_well(const char *line)
{
    if (!read_groups(ALL, line)) fail_msg("%s: %s", line, error);
}

static void read_badly(const char *line, const char *expected)
{
    if (read_groups(ALL, line)) fail_msg("taken: %s", line);
    assert_string_equal(error, expected);
}

static void without_anything_there_are_defaults(void **state)
{
    (void)state;
    read_well("");
    assert_int_equal(rest, 0);
    assert_string_equal(options.database_url, "sqlite:admit.db");
    assert_string_equal(options.host, "127.0.0.1");
    assert_int_equal(options.port, 8000);
    assert_null(options.jwt_secret);
    assert_int_equal(options.token_ttl_s, 24 * 3600);
    assert_true(options.rate_limit.tokens == 50 && options.rate_limit.period_s == 1 &&
                options.rate_limit.burst == 100);
    assert_true(options.open_organizing);
    assert_string_equal(options.cors_origins, "");
    assert_int_equal(options.log_level, LOG_INFO);
    assert_int_equal(options.log_format, -1);
    assert_null(options.log_file);
    assert_null(options.tls_cert);
    assert_null(options.tls_key);
    assert_true(options.http_loops == 0 && options.lanes == 0 && options.readers == 0 &&
                options.hashers == 0);
    assert_int_equal(options.queue_depth, 4096);
    assert_null(options.public_url);
    assert_int_equal(options.keep_cancelled_ms, INT64_C(365) * 24 * 3600 * 1000);
    assert_string_equal(options.trust_proxy, "");
    assert_null(options.metrics_token);
}

static void each_flag_reaches_its_field(void **state)
{
    (void)state;
    read_well("--database-url sqlite:x.db --host :: --port 0 --jwt-secret " SECRET
              " --token-ttl 15m --rate-limit 1/s --open-organizing off --cors-origins *");
    assert_string_equal(options.database_url, "sqlite:x.db");
    assert_string_equal(options.host, "::");
    assert_int_equal(options.port, 0);
    assert_string_equal(options.jwt_secret, SECRET);
    assert_int_equal(options.token_ttl_s, 900);
    assert_int_equal(options.rate_limit.burst, 1);
    assert_false(options.open_organizing);
    assert_string_equal(options.cors_origins, "*");

    read_well("--log-level=debug --log-format=json --log-file=admit.log --tls-cert=c.pem "
              "--tls-key=k.pem --http-loops=1 --lanes=2 --readers=3 --hashers=4 --queue-depth=5 "
              "--public-url=https://tickets.example.org/ --keep-cancelled=12h "
              "--trust-proxy=loopback --metrics-token=password");
    assert_int_equal(options.log_level, LOG_DEBUG);
    assert_int_equal(options.log_format, LOG_JSON);
    assert_string_equal(options.log_file, "admit.log");
    assert_string_equal(options.tls_cert, "c.pem");
    assert_string_equal(options.tls_key, "k.pem");
    assert_int_equal(options.http_loops, 1);
    assert_int_equal(options.lanes, 2);
    assert_int_equal(options.readers, 3);
    assert_int_equal(options.hashers, 4);
    assert_int_equal(options.queue_depth, 5);
    assert_string_equal(options.public_url, "https://tickets.example.org");
    assert_int_equal(options.keep_cancelled_ms, 12 * 3600 * 1000);
    assert_string_equal(options.trust_proxy, "loopback");
    assert_string_equal(options.metrics_token, "password");
}

static void a_flag_wins_over_the_environment_and_that_over_dotenv(void **state)
{
    (void)state;
    write_dotenv(STR("PORT=1\n"));
    read_well("");
    assert_int_equal(options.port, 1);
    setenv("PORT", "2", 1);
    read_well("");
    assert_int_equal(options.port, 2);
    read_well("--port 3");
    assert_int_equal(options.port, 3);
    read_well("--port 3 --port=4"); /* the last one */
    assert_int_equal(options.port, 4);
    setenv("PORT", "", 1); /* as good as none */
    read_well("");
    assert_int_equal(options.port, 1);
    write_dotenv(STR("PORT=\n"));
    read_well("");
    assert_int_equal(options.port, 8000);
}

static void words_are_left_in_place(void **state)
{
    (void)state;
    read_well("add --port 3 ana@example.org - --host=::1 -- --port -x");
    assert_int_equal(rest, 5);
    const char *expected[] = {"add", "ana@example.org", "-", "--port", "-x"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(words[i], expected[i]);
    assert_int_equal(options.port, 3);
}

static void each_kind_knows_its_values(void **state)
{
    (void)state;
    const struct {
        const char *flag, *good, *bad; /* words with spaces between */
    } cases[] = {
        {"port", "0 1 65535 08000", "65536 -1 +1 1.0 x 80x 0x50 99999999999999999999 8000,"},
        {"queue-depth", "1 1000000", "0 1000001"},
        {"lanes", "0 64", "65"},
        {"token-ttl", "1 1s 3600 15m 24h 7d 366d", "0 0d 367d -1 m 1w 1.5h 1h30m 24H 1d1 x"},
        {"keep-cancelled", "0 0d 365 12h 90d 36500",
         "36501 -1 1y d 99999999999999999999 "
         "9223372036854775807d"},
        {"rate-limit", "1/s 50/s:100 10/m 1/h off", "50 0/s on 50/x 1/s:0"},
        {"open-organizing", "on off ON true false yes no 1 0", "o 2 onn enabled"},
        {"log-level", "debug info warn error INFO", "trace warning 1"},
        {"log-format", "text json auto JSON", "xml color"},
        {"host", "127.0.0.1 0.0.0.0 :: ::1 fe80::1%eth0 localhost a-b.example.org",
         "http://x a/b [::1] a,b"},
        {"public-url",
         "http://localhost https://x.example.org https://x:8443/tickets/ HTTPS://x "
         "http://[::1]:8000",
         "x.example.org ftp://x http:x http:// https:/// //x http://x?q http://x#y http://u@x "
         "http://\"x http://<x> http://:80"},
        {"cors-origins",
         "* https://x.example.org https://x,http://localhost:3000 http://[::1]:80 "
         "capacitor://local",
         "x.example.org https://x/ https://x/y *,https://x https://x,,https://y , https://x, "
         "https:// https://*.example.org null"},
        {"trust-proxy", "loopback 127.0.0.1 ::1 10.0.0.1,10.0.0.2,fd00::1",
         "proxy 10.0.0 10.0.0.0/8 loopback,10.0.0.1 10.0.0.1, , 10.0.0.256 1.2.3.4.5"},
        {"database-url", "sqlite:admit.db sqlite: postgres://x/y mysql://u:p@h/n memory:",
         "admit.db /admit.db ://x"},
        {"jwt-secret", SECRET " " SECRET SECRET, "short 0123456789abcdef0123456789abcde"},
        {"metrics-token", "password", "passwor"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str good = str_of(cases[i].good), bad = str_of(cases[i].bad), word;
        while (good.len) {
            word = str_cut(&good, ' ');
            read_well(arena_printf(&arena, "--%s=%.*s", cases[i].flag, STR_FMT(word)).data);
        }
        while (bad.len) {
            word = str_cut(&bad, ' ');
            const char *line = arena_printf(&arena, "--%s=%.*s", cases[i].flag, STR_FMT(word)).data;
            if (read_groups(ALL, line)) fail_msg("taken: %s", line);
            const char *name = arena_printf(&arena, "--%s ", cases[i].flag).data;
            assert_true(str_starts(str_of(error), str_of(name)));
            assert_non_null(strstr(error, " is needed"));
        }
    }
}

static void mail_needs_where_it_goes_and_whose_it_is(void **state)
{
    (void)state;
    read_well("");
    assert_null(options.smtp_url);
    assert_null(options.mail_templates);
    assert_false(options.verified_only);
    read_badly("--smtp-url smtp://localhost", "MAIL_FROM is not given: it is needed with SMTP_URL");
    read_badly("--require-verified-email on",
               "REQUIRE_VERIFIED_EMAIL is on and SMTP_URL is not given: nobody could confirm an "
               "address");
    setenv("MAIL_FROM", "\"Box, Office\" <tickets@example.org>", 1);
    static const char *const good[] = {"smtp://localhost", "SMTPS://user:pass@mail.example.org:465",
                                       "smtp://[::1]:25"};
    for (size_t i = 0; i < 3; i++) {
        setenv("SMTP_URL", good[i], 1);
        read_well("--require-verified-email on --mail-templates mails");
        assert_string_equal(options.smtp_url, good[i]);
        assert_string_equal(options.mail_templates, "mails");
        assert_true(options.verified_only);
    }
    assert_string_equal(options.mail_from, "\"Box, Office\" <tickets@example.org>");
    static const char *const bad[] = {"me:hush@mail", "http://me:hush@mail", "smtp://",
                                      "smtp:me:hush@mail"};
    for (size_t i = 0; i < 4; i++) {
        setenv("SMTP_URL", bad[i], 1); /* it may hold a password, and is not shown */
        assert_false(read_groups(ALL, ""));
        assert_true(str_starts(str_of(error), STR("SMTP_URL will not do: ")));
        assert_null(strstr(error, "hush"));
    }
    setenv("SMTP_URL", "smtp://a\r\nb", 1);
    read_badly("", "SMTP_URL will not do: text without control characters is needed");
    unsetenv("SMTP_URL");
    setenv("MAIL_FROM", "tickets", 1);
    read_badly("", "MAIL_FROM is \"tickets\": an address such as tickets@example.org or Box Office "
                   "<tickets@example.org> is needed");
    setenv("MAIL_FROM", "a@example.org\nBcc: b@example.org", 1);
    read_badly("", "MAIL_FROM is \"a@example.org?Bcc: b@example.org\": an address such as "
                   "tickets@example.org or Box Office <tickets@example.org> is needed");
}

static void lists_come_without_spaces_and_in_small_letters(void **state)
{
    (void)state;
    setenv("CORS_ORIGINS", " https://Tickets.Example.org , http://localhost:3000", 1);
    setenv("TRUST_PROXY", "10.0.0.1, FD00::1", 1);
    read_well("");
    assert_string_equal(options.cors_origins, "https://tickets.example.org,http://localhost:3000");
    assert_string_equal(options.trust_proxy, "10.0.0.1,fd00::1");
}

static void an_empty_flag_takes_a_default_away(void **state)
{
    (void)state;
    setenv("CORS_ORIGINS", "*", 1);
    setenv("LOG_FILE", "admit.log", 1);
    read_well("--cors-origins= --log-file=");
    assert_string_equal(options.cors_origins, "");
    assert_null(options.log_file);
    read_badly("--port=", "--port is \"\": a whole number from 0 to 65535 is needed");
}

static void a_wrong_value_is_refused_by_name_value_and_what_would_do(void **state)
{
    (void)state;
    read_badly("--port 70000", "--port is \"70000\": a whole number from 0 to 65535 is needed");
    read_badly("--token-ttl 1w", "--token-ttl is \"1w\": a duration from 1s to 366d, such as "
                                 "3600 (seconds), 15m, 24h or 7d, is needed");
    read_badly("--keep-cancelled x", "--keep-cancelled is \"x\": a duration from 0 to 36500d, "
                                     "such as 365 (days), 90d or 12h, is needed");
    read_badly("--open-organizing maybe", "--open-organizing is \"maybe\": on or off is needed");
    read_badly("--log-level loud", "--log-level is \"loud\": debug, info, warn or error is needed");

    setenv("PORT", "70000", 1);
    read_badly("", "PORT is \"70000\": a whole number from 0 to 65535 is needed");
    unsetenv("PORT");
    write_dotenv(STR("\nPORT=70000\n"));
    read_badly("", "PORT in .env is \"70000\": a whole number from 0 to 65535 is needed");
    read_well("--port 80");
}

static void a_strange_value_fits_on_one_line(void **state)
{
    (void)state;
    setenv("PORT", "1\n\x1b[31m\x7f", 1);
    read_badly("", "PORT is \"1??[31m?\": a whole number from 0 to 65535 is needed");
    setenv("PORT", "0123456789012345678901234567890123456789012345678901234567\xc3\xa9\xc3\xa9", 1);
    read_badly("", "PORT is \"0123456789012345678901234567890123456789012345678901234567\xc3\xa9..."
                   "\": a whole number from 0 to 65535 is needed");
    setenv("PORT", "x123456789012345678901234567890123456789012345678901234567\xe2\x82\xac...", 1);
    read_badly("", "PORT is \"x123456789012345678901234567890123456789012345678901234567..."
                   "\": a whole number from 0 to 65535 is needed");
}

static void a_secret_is_never_shown(void **state)
{
    (void)state;
    read_badly("--jwt-secret hush",
               "--jwt-secret will not do: a text of at least 32 bytes is needed");
    setenv("JWT_SECRET", "hush", 1);
    read_badly("", "JWT_SECRET will not do: a text of at least 32 bytes is needed");
    unsetenv("JWT_SECRET");
    write_dotenv(STR("METRICS_TOKEN=hush\n"));
    read_badly("", "METRICS_TOKEN in .env will not do: a text of at least 8 bytes is needed");
    write_dotenv(STR("JWT_SECRET='hush\n"));
    read_badly("", ".env, line 1: KEY=value is needed, a value in quotes must end");
    write_dotenv(STR(""));
    read_badly("--database-url root@hush",
               "--database-url will not do: a URL, such as sqlite:admit.db, is needed");
}

static void an_unknown_flag_is_refused_with_what_was_meant(void **state)
{
    (void)state;
    const struct {
        const char *line, *error;
    } cases[] = {
        {"--prot 8000", "there is no setting --prot; did you mean --port?"},
        {"--prot=8000", "there is no setting --prot; did you mean --port?"},
        {"--PORT=8000", "there is no setting --PORT; did you mean --port?"},
        {"--log_level debug", "there is no setting --log_level; did you mean --log-level?"},
        {"--LOG_LEVEL debug", "there is no setting --LOG_LEVEL; did you mean --log-level?"},
        {"--database x", "there is no setting --database; did you mean --database-url?"},
        {"--open-organising on",
         "there is no setting --open-organising; did you mean --open-organizing?"},
        {"-port 8000", "there is no setting -port; did you mean --port?"},
        {"--xyzzy", "there is no setting --xyzzy"},
        {"--stripe-key x", "there is no setting --stripe-key"},
        {"-p 8000", "there is no setting -p"},
        {"--=8000", "there is no setting --"},
        {"--abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
         "there is no setting --abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        read_badly(cases[i].line, cases[i].error);
}

static void a_flag_without_a_value_is_refused(void **state)
{
    (void)state;
    const char *expected =
        "--port stands without a value: a whole number from 0 to 65535 is needed";
    read_badly("--port", expected);
    read_badly("--port --host ::1", expected);
    read_badly("--port -1", "--port is \"-1\": a whole number from 0 to 65535 is needed");
}

static void a_command_knows_its_groups_only(void **state)
{
    (void)state;
    setenv("PORT", "wrong", 1);
    write_dotenv(STR("TOKEN_TTL=wrong\nLOG_LEVEL=warn\n"));
    assert_true(read_groups(OPTIONS_STORE | OPTIONS_LOG, "--database-url sqlite:x.db"));
    assert_int_equal(options.port, 8000);
    assert_int_equal(options.log_level, LOG_WARN);
    assert_string_equal(options.database_url, "sqlite:x.db");
    assert_false(read_groups(OPTIONS_STORE | OPTIONS_LOG, "--port 8000"));
    assert_string_equal(error, "--port is no setting of this command");
    assert_false(read_groups(OPTIONS_STORE, "--prot 8000"));
    assert_string_equal(error, "there is no setting --prot");
}

/* --- .env --- */

static void dotenv_is_read_as_a_shell_would(void **state)
{
    (void)state;
    const struct {
        const char *text, *value; /* of LOG_FILE */
    } cases[] = {
        {"LOG_FILE=a.log", "a.log"},
        {"LOG_FILE=a.log\n", "a.log"},
        {"LOG_FILE=a.log\r\nPORT=1\r\n", "a.log"},
        {"  LOG_FILE = a.log  \n", "a.log"},
        {"export LOG_FILE=a.log\n", "a.log"},
        {"export\t LOG_FILE=a.log\n", "a.log"},
        {"\xef\xbb\xbfLOG_FILE=a.log\n", "a.log"},
        {"# a comment\n\n   # another\nLOG_FILE=a.log", "a.log"},
        {"LOG_FILE=a.log # a comment\n", "a.log"},
        {"LOG_FILE=a#b\n", "a#b"},
        {"LOG_FILE=a=b\n", "a=b"},
        {"LOG_FILE=a b\n", "a b"},
        {"LOG_FILE=\"a # b\" # a comment\n", "a # b"},
        {"LOG_FILE='a \"b\\n $c'\n", "a \"b\\n $c"},
        {"LOG_FILE=\"a \\\"b\\\" \\\\ \\$c \\x\"\n", "a \"b\" \\ $c \\x"},
        {"LOG_FILE=' a '\n", " a "},
        {"LOG_FILE=a'b\n", "a'b"},
        {"LOG_FILE=a\nLOG_FILE=b\n", "b"},
        {"LOG_FILE=\n", NULL},
        {"LOG_FILE=''\n", NULL},
        {"LOG_FILE= # nothing\n", NULL},
        {"#LOG_FILE=a\n", NULL},
        {"log_file=a\n", NULL},
        {"SOMETHING_ELSE=x\nOTHER.THING-2=y\nSTRIPE_KEY=z\n", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_dotenv(str_of(cases[i].text));
        read_well("");
        if (cases[i].value)
            assert_string_equal(options.log_file, cases[i].value);
        else
            assert_null(options.log_file);
    }
}

static void a_malformed_line_is_refused_by_its_number(void **state)
{
    (void)state;
    const struct str lines[] = {
        STR("LOG_FILE"),         STR("=x"),
        STR("export =x"),        STR("A B=x"),
        STR("LOG_FILE='x"),      STR("LOG_FILE=\"x"),
        STR("LOG_FILE=\"x\\\""), STR("LOG_FILE='x'y"),
        STR("\xc3\xa4=x"),       STR("LOG_FILE=a\0b"),
        STR("OTHER='x"),         STR("- x"),
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct buf text = {0};
        buf_add_str(&text, STR("# one\r\n\nPORT=80\n"));
        buf_add_str(&text, lines[i]);
        buf_add_str(&text, STR("\nHOST=::1\n"));
        write_dotenv(buf_str(&text));
        buf_free(&text);
        read_badly("", ".env, line 4: KEY=value is needed, a value in quotes must end");
    }
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(".env", 0700), 0);
    read_badly("", ".env cannot be read: Is a directory");
    assert_int_equal(rmdir(".env"), 0);

    struct buf text = {0};
    while (text.len < 1 << 20)
        buf_add_str(&text, STR("# a comment that goes on and on\n"));
    write_dotenv(buf_str(&text));
    read_well("");
    buf_add_char(&text, '\n');
    write_dotenv(buf_str(&text));
    read_badly("", ".env is larger than a megabyte");
    buf_free(&text);
}

/* --- settings that go together --- */

static void the_parts_of_a_database_make_a_url(void **state)
{
    (void)state;
    const struct {
        const char *line, *url;
    } cases[] = {
        {"--db-host h --db-user u --db-pass p --db-name n", "mysql://u:p@h/n"},
        {"--db-host h --db-user u --db-name n", "mysql://u@h/n"},
        {"--db-host h:3307 --db-user u --db-pass p --db-name n", "mysql://u:p@h:3307/n"},
        {"--db-host ::1 --db-user u --db-pass p --db-name n", "mysql://u:p@[::1]/n"},
        {"--db-host [::1]:3307 --db-user u --db-pass p --db-name n", "mysql://u:p@[::1]:3307/n"},
        {"--db-host db.example.org --db-user a@b --db-pass p:/?#%@\xc3\xa4 --db-name n/m",
         "mysql://a%40b:p%3A%2F%3F%23%25%40%C3%A4@db.example.org/n%2Fm"},
        {"--db-host h --db-user u --db-pass p --db-name n --database-url sqlite:x", "sqlite:x"},
        {"--db-host h --database-url sqlite:x", "sqlite:x"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        read_well(cases[i].line);
        assert_string_equal(options.database_url, cases[i].url);
    }

    setenv("DB_HOST", "h", 1);
    setenv("DB_USER", "u", 1);
    setenv("DB_NAME", "n", 1);
    setenv("DB_PASS", "", 1);
    read_well("");
    assert_string_equal(options.database_url, "mysql://u@h/n");
    write_dotenv(STR("DATABASE_URL=sqlite:y\n")); /* given anywhere */
    read_well("");
    assert_string_equal(options.database_url, "sqlite:y");
}

static void some_settings_are_needed_together(void **state)
{
    (void)state;
    const char *database = " is not given: DB_HOST, DB_USER, DB_PASS and DB_NAME are needed "
                           "together, or DATABASE_URL alone";
    const struct {
        const char *line, *missing;
    } cases[] = {
        {"--db-user u --db-pass p --db-name n", "DB_HOST"},
        {"--db-host h --db-pass p --db-name n", "DB_USER"},
        {"--db-host h --db-user u --db-pass p", "DB_NAME"},
        {"--db-pass p", "DB_HOST"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        read_badly(cases[i].line, arena_printf(&arena, "%s%s", cases[i].missing, database).data);

    read_badly("--tls-cert c", "TLS_KEY is not given: TLS_CERT and TLS_KEY are needed together");
    read_badly("--tls-key k", "TLS_CERT is not given: TLS_CERT and TLS_KEY are needed together");
    setenv("TLS_KEY", "k", 1);
    read_well("--tls-cert c");
}

/* --- help --- */

static const char *help_of(unsigned groups)
{
    fflush(stdout);
    int real = dup(STDOUT_FILENO);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    options_help(groups);
    fflush(stdout);
    assert_true(dup2(real, STDOUT_FILENO) >= 0);
    close(real);

    char *text = arena_alloc(&arena, 10000);
    rewind(file);
    size_t len = fread(text, 1, 9999, file);
    fclose(file);
    text[len] = '\0';
    return text;
}

static void help_names_every_setting_with_its_default(void **state)
{
    (void)state;
    const char *help = help_of(ALL);
    for (int i = 0; i < VARIABLES; i++) {
        char flag[40] = "--";
        size_t len = 2;
        for (const char *c = variables[i]; *c; c++)
            flag[len++] = *c == '_' ? '-' : (char)(*c | 0x20);
        flag[len++] = ' ';
        flag[len] = '\0';
        if (!strstr(help, variables[i]) || !strstr(help, flag)) fail_msg("%s", variables[i]);
    }
    for (struct str left = str_of(help); left.len;)
        assert_true(str_cut(&left, '\n').len <= 100);
    assert_non_null(strstr(help, "--port NUMBER"));
    assert_non_null(strstr(help, "(8000)"));
    assert_non_null(strstr(help, "--open-organizing on|off"));
}

static void help_is_of_the_groups_asked_for(void **state)
{
    (void)state;
    const char *help = help_of(OPTIONS_STORE | OPTIONS_LOG);
    assert_non_null(strstr(help, "DATABASE_URL"));
    assert_non_null(strstr(help, "LOG_LEVEL"));
    assert_null(strstr(help, "PORT"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_anything_there_are_defaults),
        TEST(each_flag_reaches_its_field),
        TEST(a_flag_wins_over_the_environment_and_that_over_dotenv),
        TEST(words_are_left_in_place),
        TEST(each_kind_knows_its_values),
        TEST(mail_needs_where_it_goes_and_whose_it_is),
        TEST(lists_come_without_spaces_and_in_small_letters),
        TEST(an_empty_flag_takes_a_default_away),
        TEST(a_wrong_value_is_refused_by_name_value_and_what_would_do),
        TEST(a_strange_value_fits_on_one_line),
        TEST(a_secret_is_never_shown),
        TEST(an_unknown_flag_is_refused_with_what_was_meant),
        TEST(a_flag_without_a_value_is_refused),
        TEST(a_command_knows_its_groups_only),
        TEST(dotenv_is_read_as_a_shell_would),
        TEST(a_malformed_line_is_refused_by_its_number),
        TEST(a_file_that_cannot_be_read_is_refused),
        TEST(the_parts_of_a_database_make_a_url),
        TEST(some_settings_are_needed_together),
        TEST(help_names_every_setting_with_its_default),
        TEST(help_is_of_the_groups_asked_for),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
