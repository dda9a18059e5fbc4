/* SPDX-License-Identifier: Apache-2.0 */
/* options.h -- all settings in one table: flag, environment variable, default, bounds, help.
 *
 * A flag wins over the environment, the environment over '.env' in the working directory, that
 * over the default. An empty variable counts as not given. A wrong value is refused with its name,
 * the value (never that of a secret) and what would do. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "auth/limits.h"
#include "base/arena.h"
#include "base/log.h"

enum sandbox_wish {
    SANDBOX_AUTO, /* what the kernel has, as base/sandbox.h tells */
    SANDBOX_ON,   /* all of it, or no start */
    SANDBOX_OFF,
};

/* Texts live in the arena given to options_read(), or are constants. */
struct options {
    const char *database_url; /* "sqlite:admit.db"; DB_HOST, DB_USER, DB_PASS, DB_NAME make a
                                 mysql:// one */
    const char *host;         /* 127.0.0.1 */
    int64_t port;             /* 8000 */
    const char *jwt_secret;   /* NULL: made at first start and kept in the store; at least 32
                                 bytes */
    int64_t token_ttl_s; /* TOKEN_TTL, default 24 h; durations are "3600", "15m", "24h", "7d" */
    struct limit rate_limit;
    bool open_organizing;
    const char *cors_origins; /* "" none, "*", or a list: commas without spaces, small letters */
    enum log_level log_level;
    int log_format;                  /* enum log_format, -1: text on a terminal, JSON otherwise */
    const char *log_file;            /* NULL: stderr only */
    const char *tls_cert, *tls_key;  /* both or neither */
    int64_t http_loops;              /* 0: by the number of processors */
    int64_t lanes, readers, hashers; /* 0: by the store and the processors */
    int64_t queue_depth;             /* 4096 */
    const char *public_url;          /* NULL: from HOST and PORT; no slash at the end */
    int64_t keep_cancelled_ms;       /* KEEP_CANCELLED, in days or with a unit ("365", "12h", "0");
                                        default 365 days */
    const char *trust_proxy;         /* "" nobody; "loopback" or a list of addresses (commas without
                                        spaces) whose X-Forwarded-For is believed */
    enum sandbox_wish sandbox;
    const char *move_from, *move_to; /* URLs as database_url; NULL: not given */
    const char *smtp_url;            /* smtp:// or smtps://; NULL: no mail is sent */
    const char *mail_from; /* an address, or a name and one in '<' '>'; not NULL with smtp_url */
    const char *mail_templates; /* a directory; NULL: the built-in ones alone */
    bool verified_only; /* REQUIRE_VERIFIED_EMAIL: only who has confirmed his address books */
    bool webhooks, webhook_allow_private;
    const char *ca_file; /* PEM; NULL: the system's authorities */
    int64_t retry_first_s, retry_for_s;
    const char *metrics_token; /* NULL: /metrics to loopback addresses only */
};

enum option_group { OPTIONS_STORE = 1, OPTIONS_LOG = 2, OPTIONS_SERVE = 4, OPTIONS_MOVE = 8 };

/* Reads the settings of a command: its flags (argv without program and command names; the last of
 * several counts), then environment and '.env'. 'groups' names the groups of settings the command
 * knows; the others keep their defaults. Words that are not flags are left in argv[0..*ret_rest),
 * all of them behind "--"; there is no --help here. On failure a sentence, without a full stop, in
 * *ret_error. */
bool options_read(struct options *options, unsigned groups, int argc, char **argv, int *ret_rest,
                  struct arena *arena, const char **ret_error);

/* Prints the rows of the groups with flags, variables, defaults and help. */
void options_help(unsigned groups);

#endif
