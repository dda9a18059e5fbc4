/* SPDX-License-Identifier: Apache-2.0 */
#include "api/address.h"

#include <arpa/inet.h>

enum { ADDRESS_MOST = INET6_ADDRSTRLEN + 8 }; /* with brackets and a port, which some proxies add */

/* IPv4 as ::ffff:a.b.c.d. */
static bool parse(struct str text, struct in6_addr *ret_address)
{
    char terminated[ADDRESS_MOST];
    struct in_addr four;
    if (text.len == 0 || text.len >= sizeof(terminated)) return false;
    memcpy(terminated, text.data, text.len);
    terminated[text.len] = '\0';
    if (inet_pton(AF_INET6, terminated, ret_address) == 1) return true;
    if (inet_pton(AF_INET, terminated, &four) != 1) return false;
    *ret_address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(ret_address->s6_addr + 12, &four, sizeof(four));
    return true;
}

bool address_is_loopback(struct str address)
{
    struct in6_addr parsed;
    if (!parse(address, &parsed)) return false;
    if (IN6_IS_ADDR_V4MAPPED(&parsed)) return parsed.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&parsed);
}

bool list_has(const char *list, struct str item)
{
    struct str rest = str_of(list);
    while (rest.len)
        if (str_equal(str_trim(str_cut(&rest, ',')), item)) return true;
    return false;
}

static bool is_trusted(const char *trusted, struct str address)
{
    return list_has(trusted, address) ||
           (list_has(trusted, STR("loopback")) && address_is_loopback(address));
}

bool address_is_hidden(const struct http_request *request)
{
    static const char *const names[] = {"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (http_header(request, names[i]).data) return true;
    return false;
}

/* "192.0.2.1:4711" and "[2001:db8::1]:4711": another port would be another client. */
static struct str without_port(struct str hop)
{
    struct in6_addr parsed;
    if (hop.len == 0 || parse(hop, &parsed)) return hop;
    struct str rest = hop;
    char end = ':';
    if (hop.data[0] == '[') rest.data++, rest.len--, end = ']';
    struct str address = str_cut(&rest, end);
    return parse(address, &parsed) ? address : hop;
}

struct str address_of_client(struct http_request *request, const char *trusted)
{
    struct str address = request->peer;
    if (!trusted || !is_trusted(trusted, address)) return address;
    struct str list = http_header_joined(request, "X-Forwarded-For");
    while (list.len) {
        size_t at = list.len;
        while (at > 0 && list.data[at - 1] != ',')
            at--;
        struct str hop = without_port(str_trim((struct str){list.data + at, list.len - at}));
        list.len = at > 0 ? at - 1 : 0;
        if (!hop.len || hop.len > INET6_ADDRSTRLEN) break;
        address = hop;
        if (!is_trusted(trusted, hop)) break;
    }
    return address;
}

struct str address_block(struct arena *arena, struct str address)
{
    struct in6_addr parsed;
    if (!parse(address, &parsed)) return address;
    char *text = arena_alloc(arena, INET6_ADDRSTRLEN);
    if (IN6_IS_ADDR_V4MAPPED(&parsed)) {
        inet_ntop(AF_INET, parsed.s6_addr + 12, text, INET6_ADDRSTRLEN);
    } else {
        memset(parsed.s6_addr + 8, 0, 8);
        inet_ntop(AF_INET6, &parsed, text, INET6_ADDRSTRLEN);
    }
    return str_of(text);
}
