/* SPDX-License-Identifier: Apache-2.0 */
/* mime.h -- what a mail is written with: addresses and header fields (RFC 5322), words that are not
 * ASCII in them (RFC 2047), and bodies that survive every relay (RFC 2045, section 6).
 *
 * Texts may hold anything: no value can end a line or begin a field. Lines end with CRLF and have
 * at most 78 characters, but for an address that is longer. */
#ifndef NOTIFY_MIME_H
#define NOTIFY_MIME_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"

struct mailbox {
    struct str name;    /* may be empty */
    struct str address; /* as it stands between '<' and '>': for a header, and for SMTP */
};

/* An address as people type it in the form that mail needs: the local part quoted where it must
 * be, the domain in ASCII (RFC 5890). False for one to which no mail can go. */
bool mailbox_address(struct str text, struct arena *arena, struct str *ret_address);

/* "tickets@example.org", "Box office <tickets@example.org>" or "\"Box, office\" <...>". */
bool mailbox_read(struct str text, struct arena *arena, struct mailbox *ret_mailbox);

/* What is behind the last '@'. */
struct str mailbox_domain(const struct mailbox *mailbox);

/* The text on one line: every run of controls and white space is one space, octets that are no
 * UTF-8 are question marks. */
struct str text_line(struct str text, struct arena *arena);

/* Header fields; 'name' is ours, and short. */
void mime_field(struct buf *out, const char *name, struct str value); /* ASCII, as it is */
void mime_text(struct buf *out, const char *name, struct str text, struct arena *arena);
void mime_mailbox(struct buf *out, const char *name, const struct mailbox *mailbox,
                  struct arena *arena);
void mime_date(struct buf *out, const char *name, int64_t at); /* RFC 5322, section 3.3 */

/* Bodies. 'text' is UTF-8 with LF or CRLF between its lines. */
void mime_quoted_printable(struct buf *out, struct str text);
void mime_base64(struct buf *out, struct str octets);

#endif
