/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/reach.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "core/model.h"

/* ---- addresses ---- */

struct network {
    unsigned char prefix[16];
    unsigned bits;
};

/* IANA IPv4 Special-Purpose Address Registry, without what is globally reachable, and multicast. */
static const struct network closed_ipv4[] = {
    {{0}, 8},                 /* "this network" */
    {{10}, 8},                /* private */
    {{100, 64}, 10},          /* shared, behind the NAT of a provider */
    {{127}, 8},               /* loopback */
    {{168, 63, 129, 16}, 32}, /* Azure's own, on every machine there */
    {{169, 254}, 16},         /* link-local; metadata of clouds */
    {{172, 16}, 12},          /* private */
    {{192, 0, 0}, 24},        /* of the IETF */
    {{192, 0, 2}, 24},        /* documentation */
    {{192, 88, 99}, 24},      /* 6to4 relays, given up */
    {{192, 168}, 16},         /* private */
    {{198, 18}, 15},          /* benchmarks */
    {{198, 51, 100}, 24},     /* documentation */
    {{203, 0, 113}, 24},      /* documentation */
    {{224}, 3},               /* multicast, reserved, broadcast */
};

/* Global unicast is 2000::/3; these are within. */
static const struct network closed_ipv6[] = {
    {{0x20, 0x01}, 23},             /* of the IETF: Teredo, benchmarks, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4: an IPv4 address inside */
    {{0x3f, 0xff}, 20},             /* documentation */
};
static const struct network open_ipv6 = {{0x20}, 3};
static const struct network nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};

static bool is_within(const unsigned char *address, const struct network *network)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(address, network->prefix, whole) != 0) return false;
    return rest == 0 || ((address[whole] ^ network->prefix[whole]) >> (8 - rest)) == 0;
}

static bool is_within_any(const unsigned char *address, const struct network *networks,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_within(address, &networks[i])) return true;
    return false;
}
#define WITHIN_ANY(address, networks)                                                              \
    is_within_any((address), (networks), sizeof(networks) / sizeof((networks)[0]))

static bool ipv6_is_public(const unsigned char *address)
{
    if (is_within(address, &nat64)) return !WITHIN_ANY(address + 12, closed_ipv4);
    return is_within(address, &open_ipv6) && !WITHIN_ANY(address, closed_ipv6);
}

bool address_is_public(const struct sockaddr *address)
{
    unsigned char bytes[16];
    if (address->sa_family == AF_INET) {
        memcpy(bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return !WITHIN_ANY(bytes, closed_ipv4);
    }
    if (address->sa_family != AF_INET6) return false;
    memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    return ipv6_is_public(bytes);
}

/* ---- hosts, as curl's parser gives them ---- */

enum host_kind { HOST_NAME, HOST_PUBLIC, HOST_PRIVATE, HOST_LOOPBACK };

static bool ends_with(struct str text, struct str end)
{
    return text.len >= end.len &&
           str_equal_nocase((struct str){text.data + text.len - end.len, end.len}, end);
}

/* Names that lead nowhere but home: RFC 6761, 6762 and 8375, ICANN's "internal", custom. */
static bool is_local_name(struct str host)
{
    static const char *const domains[] = {"localhost", "local",     "internal", "intranet",   "lan",
                                          "home",      "home.arpa", "corp",     "localdomain"};
    if (!memchr(host.data, '.', host.len)) return true;
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        struct str domain = str_of(domains[i]);
        if (ends_with(host, domain) && host.data[host.len - domain.len - 1] == '.') return true;
    }
    return false;
}

static enum host_kind host_kind(struct str host)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    static const struct network loopback = {{127}, 8};
    bool in_brackets = host.len > 2 && host.data[0] == '[';
    if (in_brackets) host = (struct str){host.data + 1, host.len - 2};
    char text[INET6_ADDRSTRLEN] = "";
    if (host.len < sizeof(text)) memcpy(text, host.data, host.len);

    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1) {
        if (is_within((const unsigned char *)&ipv4.sin_addr, &loopback)) return HOST_LOOPBACK;
        return address_is_public((const struct sockaddr *)&ipv4) ? HOST_PUBLIC : HOST_PRIVATE;
    }
    if (inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1) {
        if (IN6_IS_ADDR_LOOPBACK(&ipv6.sin6_addr)) return HOST_LOOPBACK;
        return address_is_public((const struct sockaddr *)&ipv6) ? HOST_PUBLIC : HOST_PRIVATE;
    }
    if (in_brackets) return HOST_PRIVATE; /* one with a zone: link-local */
    if (host.len && host.data[host.len - 1] == '.') host.len--;
    if (str_equal_nocase(host, STR("localhost"))) return HOST_LOOPBACK;
    return is_local_name(host) ? HOST_PRIVATE : HOST_NAME;
}

/* ---- URLs, cut by curl: what it connects to is what is looked at ---- */

/* A part in the arena; empty where there is none. */
static struct str part(CURLU *url, CURLUPart which, unsigned flags, struct arena *arena)
{
    char *text = NULL;
    if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return STR("");
    struct str copy = arena_str(arena, str_of(text));
    curl_free(text);
    return copy;
}

static bool is_printable(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= ' ' || (unsigned char)text.data[i] >= 0x7f) return false;
    return true;
}

/* Those that other services listen on: nobody is to be made to speak to them by us. */
static bool is_web_port(struct str port)
{
    uint64_t number;
    return !port.len ||
           (str_to_u64(port, &number) && (number == 80 || number == 443 || number >= 1024));
}

static const char *post_error(CURLU *url, bool allow_private, struct arena *arena)
{
    struct str scheme = part(url, CURLUPART_SCHEME, 0, arena);
    bool is_http = str_equal(scheme, STR("http"));
    if (!is_http && !str_equal(scheme, STR("https"))) return "must begin with https://";
    if (is_http && !allow_private)
        return "must begin with https://: what goes over http:// can be read and changed on its "
               "way";
    if (part(url, CURLUPART_USER, 0, arena).len || part(url, CURLUPART_PASSWORD, 0, arena).len)
        return "must not hold a user or a password: what comes from here is signed instead";
    if (part(url, CURLUPART_FRAGMENT, 0, arena).len) return "must not hold a fragment (#...)";
    if (allow_private) return NULL;
    if (!is_web_port(part(url, CURLUPART_PORT, 0, arena)))
        return "must have the port 443, or one from 1024 on";
    switch (host_kind(part(url, CURLUPART_HOST, 0, arena))) {
    case HOST_LOOPBACK:
    case HOST_PRIVATE:
        return "names a private host: one is needed that can be reached from the internet, such as "
               "https://example.org/hook";
    default: return NULL;
    }
}

const char *courier_post_url_error(struct str url, bool allow_private, struct arena *arena)
{
    if (url.len > WEBHOOK_URL_MAX_BYTES) return "must have at most 2000 bytes";
    if (!is_printable(url))
        return "must consist of ASCII characters without spaces: others are written as %C3%A9 in a "
               "path, and as xn--... in a name";
    CURLU *parts = curl_url();
    if (!parts) out_of_memory();
    const char *error = curl_url_set(parts, CURLUPART_URL, arena_cstr(arena, url), 0) == CURLUE_OK
                            ? post_error(parts, allow_private, arena)
                            : "must be a URL such as https://example.org/hook";
    curl_url_cleanup(parts);
    return error;
}

/* NULL where there is none. */
static const char *part_or_null(CURLU *url, CURLUPart which, struct arena *arena)
{
    struct str text = part(url, which, CURLU_URLDECODE, arena);
    return text.len ? text.data : NULL;
}

static const char *starttls_error(struct str query, bool is_loopback, bool is_smtps,
                                  struct mail_server *server)
{
    server->starttls = !is_smtps && !is_loopback;
    if (!query.len) return NULL;
    if (is_smtps) return "smtps:// is encrypted from its beginning: leave out what is behind \"?\"";
    server->starttls = str_equal(query, STR("starttls=required"));
    if (server->starttls || str_equal(query, STR("starttls=off"))) return NULL;
    return "behind \"?\" only starttls=required or starttls=off is known";
}

static const char *mail_error(CURLU *url, struct arena *arena, struct mail_server *server)
{
    struct str scheme = part(url, CURLUPART_SCHEME, 0, arena);
    struct str host = part(url, CURLUPART_HOST, 0, arena);
    struct str port = part(url, CURLUPART_PORT, 0, arena);
    struct str path = part(url, CURLUPART_PATH, 0, arena);
    bool is_smtps = str_equal(scheme, STR("smtps"));
    bool is_loopback = host_kind(host) == HOST_LOOPBACK;
    if (!is_smtps && !str_equal(scheme, STR("smtp")))
        return "it must begin with smtp:// or smtps://";
    if (part(url, CURLUPART_FRAGMENT, 0, arena).len)
        return "it has a \"#\": in a password it is written %23";
    if (path.len > 1)
        return "it has a path: of a mail server only host and port are needed (in a password \"/\" "
               "is "
               "written %2F)";
    const char *error =
        starttls_error(part(url, CURLUPART_QUERY, 0, arena), is_loopback, is_smtps, server);
    if (error) return error;
    server->user = part_or_null(url, CURLUPART_USER, arena);
    server->password = part_or_null(url, CURLUPART_PASSWORD, arena);
    server->options = part_or_null(url, CURLUPART_OPTIONS, arena);
    if (server->user && !is_smtps && !server->starttls && !is_loopback)
        return "it would send its password unencrypted: leave out starttls=off, or begin it with "
               "smtps://";
    if (!port.len) port = is_smtps ? STR("465") : is_loopback ? STR("25") : STR("587");
    server->url =
        arena_printf(arena, "%s://%.*s:%.*s/", scheme.data, STR_FMT(host), STR_FMT(port)).data;
    return NULL;
}

const char *mail_server_parse(const char *url, struct arena *arena, struct mail_server *ret_server)
{
    CURLU *parts = curl_url();
    if (!parts) out_of_memory();
    *ret_server = (struct mail_server){0};
    const char *error = curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == 0
                            ? mail_error(parts, arena, ret_server)
                            : "a URL is needed such as smtps://user:password@mail.example.org (in "
                              "user and password \"@\" is written %40, \":\" %3A and \"/\" %2F)";
    curl_url_cleanup(parts);
    return error;
}

const char *courier_mail_url_error(const char *url, struct arena *arena)
{
    struct mail_server server;
    return mail_server_parse(url, arena, &server);
}
