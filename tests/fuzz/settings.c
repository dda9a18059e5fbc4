/* SPDX-License-Identifier: Apache-2.0 */
/* Settings from everywhere: an input's lines up to one that is "---" are flags and words of the
 * command line, then variables of the environment (NAME=value), and behind another "---" comes
 * .env. Nothing is opened by them. */
#include "lib/fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "options.h"

enum { WORDS_MOST = 32 };

static char directory[] = "/tmp/admit-fuzz-XXXXXX";

static void leave(void)
{
    unlink(".env");
    if (chdir("/") == 0) rmdir(directory);
}

/* .env is read from the working directory: one of our own, in which no other is. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return 0;
}

static void enter(void)
{
    static bool entered;
    if (entered) return;
    if (!mkdtemp(directory) || chdir(directory) != 0) abort();
    atexit(leave);
    entered = true;
}

static void write_dotenv(struct str text)
{
    int file = open(".env", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, text.data, text.len) != (ssize_t)text.len) abort();
    close(file);
}

static void check_text(const char *text)
{
    for (; text && *text; text++)
        assert((unsigned char)*text >= ' ');
}

static void check(const struct options *options)
{
    assert(options->database_url && options->host);
    check_text(options->database_url);
    check_text(options->host);
    check_text(options->log_file);
    check_text(options->public_url);
    check_text(options->cors_origins);
    check_text(options->trust_proxy);
    check_text(options->smtp_url);
    check_text(options->mail_from);
    check_text(options->mail_templates);
    assert(options->mail_from || !options->smtp_url);
    assert(options->port >= 0 && options->port <= 65535 && options->token_ttl_s > 0);
    assert(options->keep_cancelled_ms >= 0 && options->queue_depth > 0);
    assert(!options->tls_cert == !options->tls_key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str text = fuzz_text(data, size);
    struct str words = fuzz_cut(&text, STR("---\n")), variables = fuzz_cut(&text, STR("---\n"));
    char *argv[WORDS_MOST];
    const char *names[WORDS_MOST];
    int argc = 0, named = 0, rest = 0;

    enter();
    while (words.len && argc < WORDS_MOST)
        argv[argc++] = (char *)arena_cstr(&arena, str_cut(&words, '\n'));
    while (variables.len && named < WORDS_MOST) {
        struct str value = str_cut(&variables, '\n'), name = str_cut(&value, '=');
        /* Those of the program alone: what others mean to the C library is not for us. */
        names[named] = arena_cstr(&arena, name);
        static const char *const prefixes[] = {"DATABASE_", "DB_",    "LOG_",   "TLS_",  "RATE_",
                                               "TOKEN_",    "CORS_",  "TRUST",  "JWT_",  "PORT",
                                               "HOST",      "PUBLIC", "KEEP_",  "QUEUE", "METRICS",
                                               "SMTP_",     "MAIL_",  "REQUIRE"};
        for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
            if (strncmp(names[named], prefixes[i], strlen(prefixes[i])) == 0) {
                if (setenv(names[named++], arena_cstr(&arena, value), 1) != 0) abort();
                break;
            }
    }
    write_dotenv(text);

    struct options options = {0};
    const char *error = NULL;
    if (options_read(&options, OPTIONS_STORE | OPTIONS_LOG | OPTIONS_SERVE, argc, argv, &rest,
                     &arena, &error))
        check(&options);
    else
        assert(error && *error);
    while (named)
        unsetenv(names[--named]);
    arena_free(&arena);
    return 0;
}
