/* SPDX-License-Identifier: Apache-2.0 */
/* reach.h -- where we may be sent to: which addresses are the public's, and which URLs will do.
 *
 * Who names a webhook has us open connections from where admit stands, behind firewalls, beside
 * databases and the cloud's metadata. So a POST reaches public addresses only, unless it is allowed
 * otherwise. A name says nothing (it may lead elsewhere the next moment), the address of the
 * socket does: see courier.h. What is looked at in an URL is there to tell early. */
#ifndef NOTIFY_REACH_H
#define NOTIFY_REACH_H

#include <sys/socket.h>
#include "notify/courier.h"

/* Can everybody reach it? False for what the IANA registries of special-purpose addresses
 * (RFC 6890 and its successors) set apart: private, loopback, link-local, shared, multicast,
 * documentation, and all that carries an IPv4 address inside, but for NAT64 (RFC 6052), whose
 * inside is looked at. */
bool address_is_public(const struct sockaddr *address);

/* The mail server of an SMTP_URL, in the arena; the texts NULL where there is none. */
struct mail_server {
    const char *url; /* smtp://host:port/ or smtps://host:port/: neither user nor query */
    const char *user, *password, *options;
    bool starttls; /* required */
};

/* NULL when it is good; otherwise as courier_mail_url_error(). */
const char *mail_server_parse(const char *url, struct arena *arena, struct mail_server *ret_server);

#endif
