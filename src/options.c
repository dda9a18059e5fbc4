/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "notify/courier.h"
#include "notify/mime.h"

enum {
    DOTENV_MOST = 1 << 20,
    SHOWN_MOST = 60, /* so much of a wrong value is shown */
    NAME_MOST = 32,  /* no flag is as long */
    FLAG_COLUMN = 25,
    VARIABLE_COLUMN = 16, /* of the help: the widest they get */
    DAY_S = 24 * 3600,
};

/* What the rows are read into: the options, and what they are made from. */
struct settings {
    struct options options;
    const char *db_host, *db_user, *db_pass, *db_name;
};

struct row {
    const char *flag, *env;
    enum option_group group;
    const struct kind *kind;
    size_t offset;        /* in struct settings */
    const char *fallback; /* written as anybody would; NULL: the field stays NULL */
    int64_t least, most;
    bool secret;
    const char *help;
};

struct kind {
    const char *placeholder;
    bool (*parse)(const struct row *row, struct str text, void *field, struct arena *arena);
    /* What would do, with "is needed" behind it: a constant or, where bounds are in it, made. */
    const char *needed;
    struct str (*make_needed)(const struct row *row, struct arena *arena);
};

/* --- kinds of values ------------------------------------------------------------------------- */

static bool is_one_of(char c, const char *others)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    return c != '\0' && strchr(others, c) != NULL;
}

/* Not empty, and nothing in it but ASCII letters, digits and 'others'. */
static bool consists_of(struct str text, const char *others)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_one_of(text.data[i], others)) return false;
    return text.len > 0;
}

static bool has_controls(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f) return true;
    return false;
}

static void put_text(void *field, struct str text, struct arena *arena)
{
    const char *copy = arena_cstr(arena, text);
    memcpy(field, &copy, sizeof(copy));
}

static bool parse_text(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)row;
    if (has_controls(text)) return false;
    if (text.len) put_text(field, text, arena);
    return true;
}
static const struct kind kind_text = {"TEXT", parse_text, "text without control characters", NULL};
static const struct kind kind_directory = {"DIRECTORY", parse_text, "the name of a directory",
                                           NULL};
static const struct kind kind_file = {"FILE", parse_text, "the name of a file", NULL};

static bool parse_secret(const struct row *row, struct str text, void *field, struct arena *arena)
{
    if (text.len < (size_t)row->least) return false;
    put_text(field, text, arena);
    return true;
}
static struct str need_secret(const struct row *row, struct arena *arena)
{
    return arena_printf(arena, "a text of at least %lld bytes", (long long)row->least);
}
static const struct kind kind_secret = {"TEXT", parse_secret, NULL, need_secret};

static bool parse_number(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)arena;
    uint64_t value;
    if (!str_to_u64(text, &value)) return false;
    if (value < (uint64_t)row->least || value > (uint64_t)row->most) return false;
    *(int64_t *)field = (int64_t)value;
    return true;
}
static struct str need_number(const struct row *row, struct arena *arena)
{
    return arena_printf(arena, "a whole number from %lld to %lld", (long long)row->least,
                        (long long)row->most);
}
static const struct kind kind_number = {"NUMBER", parse_number, NULL, need_number};

static const struct unit {
    char letter;
    int64_t seconds;
} units[] = {{'d', DAY_S}, {'h', 3600}, {'m', 60}, {'s', 1}};

static bool read_duration(const struct row *row, struct str text, int64_t without_unit,
                          int64_t *ret_seconds)
{
    uint64_t value;
    int64_t scale = without_unit, seconds;
    if (!text.len) return false;
    for (const struct unit *unit = units; unit < units + sizeof(units) / sizeof(*units); unit++) {
        if (text.data[text.len - 1] != unit->letter) continue;
        scale = unit->seconds;
        text.len--;
        break;
    }
    if (!str_to_u64(text, &value) || __builtin_mul_overflow(value, scale, &seconds)) return false;
    if (seconds < row->least || seconds > row->most) return false;
    *ret_seconds = seconds;
    return true;
}

static bool parse_seconds(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)arena;
    return read_duration(row, text, 1, field);
}

static bool parse_days(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)arena;
    int64_t seconds;
    if (!read_duration(row, text, DAY_S, &seconds)) return false;
    *(int64_t *)field = seconds * 1000;
    return true;
}

static struct str duration_text(int64_t seconds, struct arena *arena)
{
    const struct unit *unit = units;
    if (seconds == 0) return STR("0");
    while (seconds % unit->seconds != 0)
        unit++;
    return arena_printf(arena, "%lld%c", (long long)(seconds / unit->seconds), unit->letter);
}

static struct str need_duration(const struct row *row, struct arena *arena)
{
    return arena_printf(arena, "a duration from %s to %s, such as %s,",
                        duration_text(row->least, arena).data, duration_text(row->most, arena).data,
                        row->kind->parse == parse_days ? "365 (days), 90d or 12h"
                                                       : "3600 (seconds), 15m, 24h or 7d");
}
static const struct kind kind_seconds = {"DURATION", parse_seconds, NULL, need_duration};
static const struct kind kind_days = {"DURATION", parse_days, NULL, need_duration};

static bool parse_rate(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)row, (void)arena;
    return limit_parse(text, field);
}
static const struct kind kind_rate = {
    "RATE", parse_rate, "so many by s, m or h, such as 50/s, 50/s:100 (at once) or 600/m, or off,",
    NULL};

/* The place of 'text' in a list of words that ends with NULL; -1 when it is not there. */
static int word_index(const char *const *words, struct str text)
{
    for (int i = 0; words[i]; i++)
        if (str_equal_nocase(text, str_of(words[i]))) return i;
    return -1;
}

static bool parse_switch(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)row, (void)arena;
    static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1", NULL};
    int index = word_index(words, text);
    if (index < 0) return false;
    *(bool *)field = index % 2;
    return true;
}
static const struct kind kind_switch = {"on|off", parse_switch, "on or off", NULL};

static bool parse_level(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)row, (void)arena;
    static const char *const words[] = {[LOG_DEBUG] = "debug",
                                        [LOG_INFO] = "info",
                                        [LOG_WARN] = "warn",
                                        [LOG_ERROR] = "error",
                                        NULL};
    int index = word_index(words, text);
    if (index < 0) return false;
    *(enum log_level *)field = (enum log_level)index;
    return true;
}
static const struct kind kind_level = {"LEVEL", parse_level, "debug, info, warn or error", NULL};

static bool parse_format(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)row, (void)arena;
    static const char *const words[] = {"auto", "text", "json", NULL};
    int index = word_index(words, text);
    if (index < 0) return false;
    *(int *)field = index == 0 ? -1 : index == 1 ? LOG_TEXT : LOG_JSON;
    return true;
}
static const struct kind kind_format = {"FORMAT", parse_format, "text, json or auto", NULL};

static bool parse_sandbox(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)row, (void)arena;
    static const char *const words[] = {
        [SANDBOX_AUTO] = "auto", [SANDBOX_ON] = "on", [SANDBOX_OFF] = "off", NULL};
    int index = word_index(words, text);
    if (index < 0) return false;
    *(enum sandbox_wish *)field = (enum sandbox_wish)index;
    return true;
}
static const struct kind kind_sandbox = {"auto|on|off", parse_sandbox, "auto, on or off", NULL};

static bool parse_host(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)row;
    if (!consists_of(text, ".:-_%")) return false;
    put_text(field, text, arena);
    return true;
}
static const struct kind kind_host = {
    "HOST", parse_host, "a host name or an address, such as 127.0.0.1, 0.0.0.0 or ::,", NULL};

/* Which schemes there are is the store's to know. */
static bool parse_database(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)row;
    struct str rest = text, scheme = str_cut(&rest, ':');
    if (!consists_of(scheme, "+") || scheme.len == text.len || has_controls(text)) return false;
    put_text(field, text, arena);
    return true;
}
static const struct kind kind_database = {"URL", parse_database, "a URL, such as sqlite:admit.db,",
                                          NULL};

/* 'text' behind "http://" or "https://", empty when it begins otherwise. */
static struct str behind_http(struct str text)
{
    struct str rest = text, scheme = str_cut(&rest, ':');
    if (!str_equal_nocase(scheme, STR("http")) && !str_equal_nocase(scheme, STR("https")))
        return (struct str){0};
    if (!str_starts(rest, STR("//"))) return (struct str){0};
    return (struct str){rest.data + 2, rest.len - 2};
}

static bool parse_url(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)row;
    while (text.len && text.data[text.len - 1] == '/')
        text.len--; /* paths of ours begin with one */
    struct str rest = behind_http(text);
    if (!rest.len || !consists_of(rest, "-._~:[]/%!$&'()*+,;=") || !is_one_of(rest.data[0], "["))
        return false;
    put_text(field, text, arena);
    return true;
}
static const struct kind kind_url = {
    "URL", parse_url,
    "a URL beginning with http:// or https://, such as https://tickets.example.org,", NULL};

/* What is wrong with it the courier knows: see check_together(). */
static const struct kind kind_smtp = {"URL", parse_text, "text without control characters", NULL};

static bool parse_mailbox(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)row;
    struct mailbox mailbox;
    if (has_controls(text) || !str_is_utf8(text) || !mailbox_read(text, arena, &mailbox))
        return false;
    put_text(field, text, arena);
    return true;
}
static const struct kind kind_mailbox = {
    "ADDRESS", parse_mailbox,
    "an address such as tickets@example.org or Box Office <tickets@example.org>", NULL};

/* Scheme, host and perhaps a port, as a browser sends it: without a path. */
static bool is_origin(struct str origin)
{
    struct str rest = origin, scheme = str_cut(&rest, ':');
    if (!consists_of(scheme, "+-.") || !str_starts(rest, STR("//"))) return false;
    return consists_of((struct str){rest.data + 2, rest.len - 2}, "-._:[]");
}

static bool is_address(struct str address)
{
    char text[INET6_ADDRSTRLEN], binary[sizeof(struct in6_addr)];
    if (address.len >= sizeof(text) || memchr(address.data, '\0', address.len)) return false;
    memcpy(text, address.data, address.len);
    text[address.len] = '\0';
    return inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1;
}

/* A list of one or more, written without spaces and in small letters, as a browser sends
 * origins; so that nobody behind needs to do it again. */
static bool parse_list(struct str text, bool (*is_good)(struct str), void *field,
                       struct arena *arena)
{
    char *list = arena_alloc(arena, text.len + 1), *end = list;
    bool last = false;
    while (!last) {
        struct str before = text, item = str_cut(&text, ',');
        last = item.len == before.len;
        item = str_trim(item);
        if (item.len == 0 || !is_good(item)) return false;
        if (end > list) *end++ = ',';
        for (size_t i = 0; i < item.len; i++, end++)
            *end = item.data[i] >= 'A' && item.data[i] <= 'Z' ? (char)(item.data[i] | 0x20)
                                                              : item.data[i];
    }
    *end = '\0';
    memcpy(field, &list, sizeof(list));
    return true;
}

static bool parse_origins(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)row;
    if (text.len && !str_equal(text, STR("*"))) return parse_list(text, is_origin, field, arena);
    put_text(field, text, arena);
    return true;
}
static const struct kind kind_origins = {
    "ORIGINS", parse_origins,
    "* or a list such as https://example.org,http://localhost:3000 without paths", NULL};

static bool parse_proxies(const struct row *row, struct str text, void *field, struct arena *arena)
{
    (void)row;
    if (text.len && !str_equal(text, STR("loopback")))
        return parse_list(text, is_address, field, arena);
    put_text(field, text, arena);
    return true;
}
static const struct kind kind_proxies = {
    "ADDRESSES", parse_proxies, "loopback or a list of addresses such as 10.0.0.1,10.0.0.2", NULL};

/* --- the table ------------------------------------------------------------------------------- */

#define FIELD(name) offsetof(struct settings, options.name)
#define PART(name)  offsetof(struct settings, name)

/* In groups, as in the help, and there in this order. */
static const struct row rows[] = {
    {"database-url", "DATABASE_URL", OPTIONS_STORE, &kind_database, FIELD(database_url),
     .fallback = "sqlite:admit.db", .secret = true, .help = "sqlite:FILE, postgres:, mysql:"},
    {"db-host", "DB_HOST", OPTIONS_STORE, &kind_text, PART(db_host),
     .help = "these four in place of a mysql:// DATABASE_URL"},
    {"db-user", "DB_USER", OPTIONS_STORE, &kind_text, PART(db_user), .help = "its user"},
    {"db-pass", "DB_PASS", OPTIONS_STORE, &kind_text, PART(db_pass), .secret = true,
     .help = "its password"},
    {"db-name", "DB_NAME", OPTIONS_STORE, &kind_text, PART(db_name), .help = "its database"},

    {"from", "MOVE_FROM", OPTIONS_MOVE, &kind_database, FIELD(move_from), .secret = true,
     .help = "the store to copy, as in DATABASE_URL"},
    {"to", "MOVE_TO", OPTIONS_MOVE, &kind_database, FIELD(move_to), .secret = true,
     .help = "the store to copy into: new, or empty"},
    {"log-level", "LOG_LEVEL", OPTIONS_LOG, &kind_level, FIELD(log_level), .fallback = "info",
     .help = "debug, info, warn or error"},
    {"log-format", "LOG_FORMAT", OPTIONS_LOG, &kind_format, FIELD(log_format), .fallback = "auto",
     .help = "text, json, or auto: text on a terminal"},
    {"log-file", "LOG_FILE", OPTIONS_LOG, &kind_file, FIELD(log_file),
     .help = "as well as stderr; reopened on SIGHUP"},

    {"host", "HOST", OPTIONS_SERVE, &kind_host, FIELD(host), .fallback = "127.0.0.1",
     .help = "the address to listen on"},
    {"port", "PORT", OPTIONS_SERVE, &kind_number, FIELD(port), .least = 0, .most = 65535,
     .fallback = "8000", .help = "0 takes any that is free"},
    {"public-url", "PUBLIC_URL", OPTIONS_SERVE, &kind_url, FIELD(public_url),
     .help = "how others reach this; else from HOST and PORT"},
    {"tls-cert", "TLS_CERT", OPTIONS_SERVE, &kind_file, FIELD(tls_cert),
     .help = "certificates (PEM), with TLS_KEY; SIGHUP: again"},
    {"tls-key", "TLS_KEY", OPTIONS_SERVE, &kind_file, FIELD(tls_key), .help = "its key (PEM)"},
    {"trust-proxy", "TRUST_PROXY", OPTIONS_SERVE, &kind_proxies, FIELD(trust_proxy), .fallback = "",
     .help = "whose X-Forwarded-For counts: loopback, or a list"},
    {"jwt-secret", "JWT_SECRET", OPTIONS_SERVE, &kind_secret, FIELD(jwt_secret), .least = 32,
     .secret = true, .help = "signs tokens; else made once and kept"},
    {"token-ttl", "TOKEN_TTL", OPTIONS_SERVE, &kind_seconds, FIELD(token_ttl_s), .fallback = "24h",
     .least = 1, .most = 366 * DAY_S, .help = "how long a sign-in lasts"},
    {"rate-limit", "RATE_LIMIT", OPTIONS_SERVE, &kind_rate, FIELD(rate_limit),
     .fallback = "50/s:100", .help = "for each user or address; off: none"},
    {"open-organizing", "OPEN_ORGANIZING", OPTIONS_SERVE, &kind_switch, FIELD(open_organizing),
     .fallback = "on", .help = "every user may create events"},
    {"cors-origins", "CORS_ORIGINS", OPTIONS_SERVE, &kind_origins, FIELD(cors_origins),
     .fallback = "", .help = "web pages that may call: *, or a list"},
    {"keep-cancelled", "KEEP_CANCELLED", OPTIONS_SERVE, &kind_days, FIELD(keep_cancelled_ms),
     .fallback = "365", .least = 0, .most = INT64_C(36500) * DAY_S,
     .help = "how long cancelled bookings stay, in days"},
    {"smtp-url", "SMTP_URL", OPTIONS_SERVE, &kind_smtp, FIELD(smtp_url), .secret = true,
     .help = "where mail goes; else none is sent"},
    {"mail-from", "MAIL_FROM", OPTIONS_SERVE, &kind_mailbox, FIELD(mail_from),
     .help = "whose mail it is, with SMTP_URL"},
    {"mail-templates", "MAIL_TEMPLATES", OPTIONS_SERVE, &kind_directory, FIELD(mail_templates),
     .help = "texts of mails instead of the built-in ones"},
    {"require-verified-email", "REQUIRE_VERIFIED_EMAIL", OPTIONS_SERVE, &kind_switch,
     FIELD(verified_only), .fallback = "off", .help = "who books has confirmed his address"},
    {"webhooks", "WEBHOOKS", OPTIONS_SERVE, &kind_switch, FIELD(webhooks), .fallback = "on",
     .help = "organizers may have events told to their servers"},
    {"webhook-allow-private", "WEBHOOK_ALLOW_PRIVATE", OPTIONS_SERVE, &kind_switch,
     FIELD(webhook_allow_private), .fallback = "off",
     .help = "to private addresses and http:, too"},
    {"ca-file", "CA_FILE", OPTIONS_SERVE, &kind_file, FIELD(ca_file),
     .help = "authorities (PEM) for mail and webhooks"},
    {"retry-first", "RETRY_FIRST", OPTIONS_SERVE, &kind_seconds, FIELD(retry_first_s),
     .fallback = "30s", .least = 1, .most = DAY_S,
     .help = "pause after a failure; then 3 times as long"},
    {"retry-for", "RETRY_FOR", OPTIONS_SERVE, &kind_seconds, FIELD(retry_for_s), .fallback = "3d",
     .least = 1, .most = 30 * DAY_S, .help = "so long mail and webhooks are tried"},
    {"metrics-token", "METRICS_TOKEN", OPTIONS_SERVE, &kind_secret, FIELD(metrics_token),
     .least = 8, .secret = true, .help = "opens /metrics to others than this machine"},
    {"sandbox", "SANDBOX", OPTIONS_SERVE, &kind_sandbox, FIELD(sandbox), .fallback = "auto",
     .help = "give up what is not needed; on: or do not start"},
    {"http-loops", "HTTP_LOOPS", OPTIONS_SERVE, &kind_number, FIELD(http_loops), .least = 0,
     .most = 64, .fallback = "0", .help = "threads for connections; 0: by the processors"},
    {"lanes", "LANES", OPTIONS_SERVE, &kind_number, FIELD(lanes), .least = 0, .most = 64,
     .fallback = "0", .help = "threads that write; 0: one, 2 where shared"},
    {"readers", "READERS", OPTIONS_SERVE, &kind_number, FIELD(readers), .least = 0, .most = 64,
     .fallback = "0", .help = "threads that read; 0: by the store"},
    {"hashers", "HASHERS", OPTIONS_SERVE, &kind_number, FIELD(hashers), .least = 0, .most = 64,
     .fallback = "0", .help = "threads for passwords; 0: by the processors"},
    {"queue-depth", "QUEUE_DEPTH", OPTIONS_SERVE, &kind_number, FIELD(queue_depth), .least = 1,
     .most = 1000000, .fallback = "4096", .help = "requests a thread keeps waiting; beyond: 503"},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* --- reading --------------------------------------------------------------------------------- */

enum source { FROM_NOWHERE, FROM_FLAG, FROM_ENVIRONMENT, FROM_DOTENV, FROM_FALLBACK };

struct reading {
    struct arena *arena;
    unsigned groups;
    struct given {
        enum source source;
        struct str text;
    } given[ROWS];
    struct settings settings;
    const char *error;
};

#define FAIL(reading, ...)                                                                         \
    ((reading)->error = arena_printf((reading)->arena, __VA_ARGS__).data, false)

/* Fit to be shown on one line of a terminal. */
static const char *shown(struct arena *arena, struct str text)
{
    bool cut = text.len > SHOWN_MOST;
    if (cut) text.len = SHOWN_MOST;
    if (cut) text.len = str_utf8_prefix(text); /* not in the middle of a character */
    char *copy = arena_alloc(arena, text.len + sizeof("..."));
    for (size_t i = 0; i < text.len; i++)
        copy[i] = (unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f ? '?' : text.data[i];
    memcpy(copy + text.len, cut ? "..." : "", cut ? sizeof("...") : 1);
    return copy;
}

static const char *needed(const struct row *row, struct arena *arena)
{
    return row->kind->make_needed ? row->kind->make_needed(row, arena).data : row->kind->needed;
}

static bool refuse_value(struct reading *reading, const struct row *row, const struct given *given)
{
    bool flag = given->source == FROM_FLAG;
    const char *where = given->source == FROM_DOTENV ? " in .env" : "";
    const char *name = flag ? row->flag : row->env, *dashes = flag ? "--" : "";
    const char *need = needed(row, reading->arena);
    if (row->secret)
        return FAIL(reading, "%s%s%s will not do: %s is needed", dashes, name, where, need);
    return FAIL(reading, "%s%s%s is \"%s\": %s is needed", dashes, name, where,
                shown(reading->arena, given->text), need);
}

/* What is found first wins; an empty variable is as good as none. */
static void give(struct reading *reading, const struct row *row, enum source source,
                 struct str text)
{
    struct given *given = &reading->given[row - rows];
    if (given->source != FROM_NOWHERE || text.len == 0) return;
    *given = (struct given){source, text};
}

static const struct row *row_of_flag(struct str name)
{
    for (const struct row *row = rows; row < rows + ROWS; row++)
        if (str_equal(name, str_of(row->flag))) return row;
    return NULL;
}

/* --- flags --- */

/* How many characters must be changed, put in or left out to make one of the other. */
static int edit_distance(struct str a, struct str b)
{
    int line[NAME_MOST + 1];
    for (size_t j = 0; j <= b.len; j++)
        line[j] = (int)j;
    for (size_t i = 1; i <= a.len; i++) {
        int diagonal = line[0];
        line[0] = (int)i;
        for (size_t j = 1; j <= b.len; j++) {
            int change = diagonal + (a.data[i - 1] != b.data[j - 1]);
            int shorter = 1 + (line[j] < line[j - 1] ? line[j] : line[j - 1]);
            diagonal = line[j];
            line[j] = change < shorter ? change : shorter;
        }
    }
    return line[b.len];
}

/* The flag that was probably meant, or NULL. */
static const struct row *row_nearest(unsigned groups, struct str name)
{
    char folded[NAME_MOST]; /* --LOG_LEVEL means --log-level */
    if (name.len < 2 || name.len > NAME_MOST) return NULL;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i] == '_' ? '-' : name.data[i];
        folded[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    struct str wanted = {folded, name.len};
    const struct row *nearest = NULL;
    int least = name.len < 6 ? 3 : 4; /* must come nearer than this */
    for (const struct row *row = rows; row < rows + ROWS; row++) {
        struct str flag = str_of(row->flag);
        assert(flag.len <= NAME_MOST);
        if (!(row->group & groups)) continue;
        int distance = str_starts(flag, wanted) ? 1 : edit_distance(wanted, flag);
        if (distance < least) {
            least = distance;
            nearest = row;
        }
    }
    return nearest;
}

static bool refuse_flag(struct reading *reading, const char *word, struct str name)
{
    const char *typed =
        shown(reading->arena, (struct str){word, (size_t)(name.data - word) + name.len});
    if (word[1] == '-' && row_of_flag(name))
        return FAIL(reading, "%s is no setting of this command", typed);
    const struct row *nearest = row_nearest(reading->groups, name);
    if (!nearest) return FAIL(reading, "there is no setting %s", typed);
    return FAIL(reading, "there is no setting %s; did you mean --%s?", typed, nearest->flag);
}

/* One flag at argv[*at]; moves *at on to its value where that is a word of its own. */
static bool read_flag(struct reading *reading, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    bool is_long = word[1] == '-';
    struct str value = str_of(word + (is_long ? 2 : 1));
    struct str name = str_cut(&value, '=');
    const struct row *row = is_long ? row_of_flag(name) : NULL;
    if (!row || !(row->group & reading->groups)) return refuse_flag(reading, word, name);

    if (name.data[name.len] != '=') {
        if (*at + 1 == argc || strncmp(argv[*at + 1], "--", 2) == 0)
            return FAIL(reading, "--%s stands without a value: %s is needed", row->flag,
                        needed(row, reading->arena));
        value = str_of(argv[++*at]);
    }
    reading->given[row - rows] = (struct given){FROM_FLAG, value}; /* the last one counts */
    return true;
}

static bool read_flags(struct reading *reading, int argc, char **argv, int *ret_rest)
{
    int rest = 0;
    bool only_words = false;
    for (int at = 0; at < argc; at++) {
        if (only_words || argv[at][0] != '-' || argv[at][1] == '\0')
            argv[rest++] = argv[at];
        else if (strcmp(argv[at], "--") == 0)
            only_words = true;
        else if (!read_flag(reading, argc, argv, &at))
            return false;
    }
    *ret_rest = rest;
    return true;
}

/* --- the environment, and .env --- */

static void read_environment(struct reading *reading)
{
    for (const struct row *row = rows; row < rows + ROWS; row++)
        if (row->group & reading->groups)
            give(reading, row, FROM_ENVIRONMENT, str_of(getenv(row->env)));
}

/* The inside of a value that begins with a quote. In '...' everything stands for itself; in
 * "..." a backslash takes away the meaning of a quote, a backslash or a dollar, and \n is a line
 * feed. Only a comment may follow. */
static bool unquote(struct str text, struct arena *arena, struct str *ret_value)
{
    char quote = text.data[0], *value = arena_alloc(arena, text.len);
    size_t at = 1, len = 0;
    for (; at < text.len && text.data[at] != quote; at++) {
        char c = text.data[at];
        if (quote == '"' && c == '\\' && at + 1 < text.len) {
            char next = text.data[at + 1];
            if (next == 'n') c = '\n';
            if (next == '"' || next == '\\' || next == '$') c = next;
            if (c != '\\' || next == '\\') at++;
        }
        value[len++] = c;
    }
    if (at == text.len) return false; /* never closed */
    struct str behind = str_trim((struct str){text.data + at + 1, text.len - at - 1});
    if (behind.len && behind.data[0] != '#') return false;
    *ret_value = (struct str){value, len};
    return true;
}

/* Up to a '#' with a space before it. */
static struct str uncomment(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '#' && (i == 0 || text.data[i - 1] == ' ' || text.data[i - 1] == '\t'))
            return str_trim((struct str){text.data, i});
    return text;
}

/* KEY=value, perhaps with "export" before it; an empty name for a line without any. */
static bool parse_line(struct str line, struct arena *arena, struct str *ret_name,
                       struct str *ret_value)
{
    line = str_trim(line);
    *ret_name = (struct str){0};
    if (line.len == 0 || line.data[0] == '#') return true;
    if (memchr(line.data, '\0', line.len)) return false;

    struct str value = line, name = str_cut(&value, '=');
    if (name.len == line.len) return false;
    if (str_starts(name, STR("export ")) || str_starts(name, STR("export\t")))
        name = (struct str){name.data + 7, name.len - 7};
    name = str_trim(name);
    if (!consists_of(name, "_.-")) return false;
    value = str_trim(value);
    if (value.len && (value.data[0] == '"' || value.data[0] == '\'')) {
        if (!unquote(value, arena, &value)) return false;
    } else {
        value = uncomment(value);
    }
    *ret_name = name;
    *ret_value = value;
    return true;
}

static bool parse_dotenv(struct reading *reading, struct str text)
{
    struct str values[ROWS] = {0};
    if (str_starts(text, STR("\xef\xbb\xbf"))) text = (struct str){text.data + 3, text.len - 3};
    for (int number = 1; text.len; number++) {
        struct str name, value;
        /* The line is not shown: it may hold a secret. */
        if (!parse_line(str_cut(&text, '\n'), reading->arena, &name, &value))
            return FAIL(reading, ".env, line %d: KEY=value is needed, a value in quotes must end",
                        number);
        for (const struct row *row = rows; name.len && row < rows + ROWS; row++)
            if (row->group & reading->groups && str_equal(name, str_of(row->env)))
                values[row - rows] = value; /* the last one counts, as in a shell */
    }
    for (const struct row *row = rows; row < rows + ROWS; row++)
        give(reading, row, FROM_DOTENV, values[row - rows]);
    return true;
}

static bool read_dotenv(struct reading *reading)
{
    FILE *file = fopen(".env", "re");
    if (!file && errno == ENOENT) return true;
    if (!file) return FAIL(reading, ".env cannot be read: %s", strerror(errno));
    /* Values point into this, so it lives as long as they do. */
    char *text = arena_alloc(reading->arena, DOTENV_MOST + 1);
    size_t len = fread(text, 1, DOTENV_MOST + 1, file);
    int status = ferror(file) ? errno : 0;
    fclose(file);
    if (status) return FAIL(reading, ".env cannot be read: %s", strerror(status));
    if (len > DOTENV_MOST) return FAIL(reading, ".env is larger than a megabyte");
    return parse_dotenv(reading, (struct str){text, len});
}

/* --- putting together --- */

static bool parse_all(struct reading *reading)
{
    for (const struct row *row = rows; row < rows + ROWS; row++) {
        struct given *given = &reading->given[row - rows];
        if (given->source == FROM_NOWHERE && row->fallback)
            *given = (struct given){FROM_FALLBACK, str_of(row->fallback)};
        if (given->source == FROM_NOWHERE) continue;
        void *field = (char *)&reading->settings + row->offset;
        if (!row->kind->parse(row, given->text, field, reading->arena))
            return refuse_value(reading, row, given);
    }
    return true;
}

static void add_encoded(struct buf *out, struct str text, const char *as_is)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_one_of(text.data[i], as_is))
            buf_add_char(out, text.data[i]);
        else
            buf_printf(out, "%%%02X", (unsigned char)text.data[i]);
    }
}

/* Host, user and name make a URL; a password is not always needed. */
static bool join_database(struct reading *reading)
{
    struct settings *settings = &reading->settings;
    const char *host = settings->db_host, *user = settings->db_user, *name = settings->db_name;
    const struct row *row = row_of_flag(STR("database-url"));
    if (reading->given[row - rows].source != FROM_FALLBACK) return true;
    if (!host && !user && !name && !settings->db_pass) return true;
    if (!host || !user || !name)
        return FAIL(reading,
                    "%s is not given: DB_HOST, DB_USER, DB_PASS and DB_NAME are needed together, "
                    "or DATABASE_URL alone",
                    !host   ? "DB_HOST"
                    : !user ? "DB_USER"
                            : "DB_NAME");

    struct buf url = {0};
    const char *colon = strchr(host, ':');
    bool bare_ipv6 = colon && strchr(colon + 1, ':') && host[0] != '[';
    buf_add_str(&url, STR("mysql://"));
    add_encoded(&url, str_of(user), "-._~");
    if (settings->db_pass) buf_add_char(&url, ':');
    add_encoded(&url, str_of(settings->db_pass), "-._~");
    buf_add_str(&url, bare_ipv6 ? STR("@[") : STR("@"));
    add_encoded(&url, str_of(host), "-._~:[]"); /* it may come with a port */
    buf_add_str(&url, bare_ipv6 ? STR("]/") : STR("/"));
    add_encoded(&url, str_of(name), "-._~");
    settings->options.database_url = arena_cstr(reading->arena, buf_str(&url));
    buf_free(&url);
    return true;
}

static bool check_together(struct reading *reading)
{
    const struct options *options = &reading->settings.options;
    if (!options->tls_cert != !options->tls_key)
        return FAIL(reading, "%s is not given: TLS_CERT and TLS_KEY are needed together",
                    options->tls_cert ? "TLS_KEY" : "TLS_CERT");
    const char *error =
        options->smtp_url ? courier_mail_url_error(options->smtp_url, reading->arena) : NULL;
    if (error) return FAIL(reading, "SMTP_URL will not do: %s", error);
    if (options->smtp_url && !options->mail_from)
        return FAIL(reading, "MAIL_FROM is not given: it is needed with SMTP_URL");
    if (options->verified_only && !options->smtp_url)
        return FAIL(reading, "REQUIRE_VERIFIED_EMAIL is on and SMTP_URL is not given: nobody could "
                             "confirm an address");
    return join_database(reading);
}

bool options_read(struct options *options, unsigned groups, int argc, char **argv, int *ret_rest,
                  struct arena *arena, const char **ret_error)
{
    struct reading *reading = ARENA_NEW(arena, struct reading);
    reading->arena = arena;
    reading->groups = groups;
    int rest;
    bool good = read_flags(reading, argc, argv, &rest);
    if (good) read_environment(reading);
    good = good && read_dotenv(reading) && parse_all(reading) && check_together(reading);
    if (!good) {
        *ret_error = reading->error;
        return false;
    }
    *options = reading->settings.options;
    *ret_rest = rest;
    return true;
}

/* --- help ------------------------------------------------------------------------------------ */

static int flag_width(const struct row *row)
{
    return (int)(strlen(row->flag) + strlen(row->kind->placeholder) + sizeof("-- ") - 1);
}

static void print_group(unsigned group, int flags, int variables)
{
    for (const struct row *row = rows; row < rows + ROWS; row++) {
        if (row->group != group) continue;
        int flag = flag_width(row);
        printf("  --%s %s%*s  %-*s  %s", row->flag, row->kind->placeholder,
               flag < flags ? flags - flag : 0, "", variables, row->env, row->help);
        if (row->fallback && row->fallback[0]) printf(" (%s)", row->fallback);
        putchar('\n');
    }
}

void options_help(unsigned groups)
{
    static const struct {
        unsigned group;
        const char *title;
    } titles[] = {{OPTIONS_STORE, "Store"},
                  {OPTIONS_MOVE, "Stores"},
                  {OPTIONS_LOG, "Log"},
                  {OPTIONS_SERVE, "Server"}};
    int flags = 0, variables = 0;
    for (const struct row *row = rows; row < rows + ROWS; row++) {
        int flag = flag_width(row), variable = (int)strlen(row->env);
        if (!(row->group & groups)) continue;
        /* A long one stands out of its column, instead of making all lines long. */
        if (flag > flags && flag <= FLAG_COLUMN) flags = flag;
        if (variable > variables && variable <= VARIABLE_COLUMN) variables = variable;
    }
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (!(titles[i].group & groups)) continue;
        printf("%s:\n", titles[i].title);
        print_group(titles[i].group, flags, variables);
        putchar('\n');
    }
    puts(
        "A flag wins over the variable, that over the same in .env in the working directory, that\n"
        "over the default in parentheses. Other users can see flags: give secrets as variables.");
}
