/* SPDX-License-Identifier: Apache-2.0 */
/* signature.h -- what proves to the receiver of a webhook that it comes from us, after the Standard
 * Webhooks specification 1.0.0 (standardwebhooks.com): HMAC-SHA256 of "id.timestamp.body". */
#ifndef NOTIFY_SIGNATURE_H
#define NOTIFY_SIGNATURE_H

#include "base/arena.h"
#include "core/model.h"

enum { WEBHOOK_HEADERS = 4 };

/* "name: value" each, in 'arena': the type of the body, and webhook-id, -timestamp and -signature.
 * While the secret before is good there is a signature by each of the two. 'at' is now. */
void webhook_headers(const struct webhook *webhook, struct str message_id, int64_t at,
                     struct str body, struct arena *arena, struct str ret_headers[WEBHOOK_HEADERS]);

/* As the owner is shown it once: "whsec_" and base64. */
struct str webhook_secret_text(struct str secret, struct arena *arena);

#endif
