/* SPDX-License-Identifier: Apache-2.0 */
/* mysql://user:password@host:port,host:port/database?parameters, as in RFC 3986 but for the list of
 * hosts: what is reserved in a part is written as %XX. */
#include "store/mysql_internal.h"

struct reading {
    struct arena *arena;
    struct maria_url *url;
    const char **ret_error;
};

#define FAIL(reading, ...)                                                                         \
    (*(reading)->ret_error = arena_printf((reading)->arena, __VA_ARGS__).data, false)

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* 'part' names what is being read, since a value of it may be a secret. */
static bool decode(const struct reading *reading, struct str text, const char *part,
                   const char **ret_text)
{
    char *out = arena_alloc(reading->arena, text.len + 1), *end = out;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return FAIL(reading,
                            "DATABASE_URL: a %% in the %s is not followed by two hexadecimal "
                            "digits. Write %%25 for a %% itself.",
                            part);
            c = (char)(high * 16 + low);
            i += 2;
        }
        *end++ = c;
    }
    *end = '\0';
    *ret_text = out;
    return true;
}

static bool read_port(const struct reading *reading, struct str text, struct maria_host *host)
{
    uint64_t port;
    if (!str_to_u64(text, &port) || port < 1 || port > 65535)
        return FAIL(reading, "DATABASE_URL: the port must be a number from 1 to 65535.");
    host->port = (unsigned)port;
    return true;
}

/* host, host:port, [::1]:port or nothing. */
static bool read_host(const struct reading *reading, struct str text, struct maria_host *ret_host)
{
    struct str host;
    *ret_host = (struct maria_host){.port = 3306};
    if (str_starts(text, STR("["))) {
        const char *close = memchr(text.data, ']', text.len);
        if (!close) return FAIL(reading, "DATABASE_URL: a [ before the host has no ] behind it.");
        host = (struct str){text.data + 1, (size_t)(close - text.data) - 1};
        text.len -= host.len + 2;
        text.data = close + 1;
        if (text.len && text.data[0] != ':')
            return FAIL(reading, "DATABASE_URL: a : and the port are all that may follow the ].");
        if (text.len) text = (struct str){text.data + 1, text.len - 1};
    } else {
        host = str_cut(&text, ':');
    }
    if (text.len && !read_port(reading, text, ret_host)) return false;
    if (host.len == 0) host = STR("127.0.0.1");
    return decode(reading, host, "host", &ret_host->name);
}

static bool read_hosts(const struct reading *reading, struct str text)
{
    struct maria_url *url = reading->url;
    do {
        if (url->host_count == HOSTS_MAX)
            return FAIL(reading, "DATABASE_URL: more than %d hosts.", HOSTS_MAX);
        if (!read_host(reading, str_cut(&text, ','), &url->hosts[url->host_count++])) return false;
    } while (text.len);
    return true;
}

static bool read_tls(const struct reading *reading, const char *value)
{
    static const char *const names[] = {[TLS_DISABLED] = "disabled",
                                        [TLS_PREFERRED] = "preferred",
                                        [TLS_REQUIRED] = "required",
                                        [TLS_VERIFY_IDENTITY] = "verify-identity"};
    char *plain = arena_alloc(reading->arena, strlen(value) + 1);
    for (size_t i = 0; i <= strlen(value); i++)
        plain[i] = value[i] == '_' ? '-' : value[i];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_equal_nocase(str_of(plain), str_of(names[i]))) {
            reading->url->tls = (enum maria_tls)i;
            return true;
        }
    return FAIL(reading, "DATABASE_URL: ssl-mode must be disabled, preferred, required or "
                         "verify-identity.");
}

static bool read_parameter(const struct reading *reading, struct str text)
{
    struct str rest = text, name = str_cut(&rest, '=');
    const char *value;
    if (!decode(reading, rest, "parameters", &value)) return false;
    if (str_equal(name, STR("ssl-mode"))) return read_tls(reading, value);
    if (str_equal(name, STR("arrays"))) {
        reading->url->arrays = strcmp(value, "off") != 0;
        return reading->url->arrays == (strcmp(value, "on") == 0) ||
               FAIL(reading, "DATABASE_URL: arrays must be on or off.");
    }
    const struct {
        struct str name;
        const char **value;
    } texts[] = {{STR("ssl-ca"), &reading->url->ca},
                 {STR("ssl-cert"), &reading->url->cert},
                 {STR("ssl-key"), &reading->url->key},
                 {STR("socket"), &reading->url->socket}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (str_equal(name, texts[i].name)) {
            *texts[i].value = value;
            /* Whoever names those he trusts wants them to be looked at. */
            bool names_trusted = texts[i].value == &reading->url->ca;
            if (names_trusted && reading->url->tls == TLS_PREFERRED)
                reading->url->tls = TLS_VERIFY_IDENTITY;
            return true;
        }
    return FAIL(reading,
                "DATABASE_URL: there is no parameter \"%.*s\". There are ssl-mode, ssl-ca, "
                "ssl-cert, ssl-key, socket and arrays.",
                STR_FMT(name));
}

/* The last '@' ends the password, so that one in it does no harm. */
static bool read_authority(const struct reading *reading, struct str text)
{
    const char *at = memrchr(text.data, '@', text.len);
    struct str host = text, user = STR(""), password;
    if (at) {
        user = (struct str){text.data, (size_t)(at - text.data)};
        host = (struct str){at + 1, text.len - user.len - 1};
    }
    password = user;
    user = str_cut(&password, ':');
    return read_hosts(reading, host) && decode(reading, user, "user name", &reading->url->user) &&
           decode(reading, password, "password", &reading->url->password);
}

bool maria_url_parse(const char *rest, struct arena *arena, struct maria_url *ret_url,
                     const char **ret_error)
{
    *ret_url = (struct maria_url){.tls = TLS_PREFERRED, .arrays = true};
    struct reading reading = {arena, ret_url, ret_error};
    struct str text = str_of(rest);
    if (!str_starts(text, STR("//")))
        return FAIL(&reading, "DATABASE_URL is no URL of a MariaDB. Write it as in "
                              "mysql://user:password@host:3306/database");
    text = (struct str){text.data + 2, text.len - 2};
    struct str parameters = text;
    text = str_cut(&parameters, '?');
    struct str database = text, authority = str_cut(&database, '/');
    if (!read_authority(&reading, authority)) return false;
    if (!decode(&reading, database, "database's name", &ret_url->database)) return false;
    if (!*ret_url->database || (database.len && memchr(database.data, '/', database.len)))
        return FAIL(&reading, "DATABASE_URL names no database. Write it as in "
                              "mysql://user:password@host:3306/database");
    if (!*ret_url->user)
        return FAIL(&reading, "DATABASE_URL names no user. Write it as in "
                              "mysql://user:password@host:3306/database");
    while (parameters.len)
        if (!read_parameter(&reading, str_cut(&parameters, '&'))) return false;
    return true;
}
