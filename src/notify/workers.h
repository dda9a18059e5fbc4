/* SPDX-License-Identifier: Apache-2.0 */
/* workers.h -- what the threads of src/notify share. */
#ifndef NOTIFY_WORKERS_H
#define NOTIFY_WORKERS_H

#include "notify/notify.h"

struct teller;
struct sender;

/* Each owns the 'reader'. The teller rings 'sender' when it wrote something. */
struct teller *teller_start(const struct notify_settings *settings, struct store *reader,
                            struct sender *sender, struct notify_counts *counts);
void teller_stop(struct teller *teller);

struct sender *sender_start(const struct notify_settings *settings, struct store *reader,
                            struct courier *courier, struct notify_counts *counts);
void sender_wake(struct sender *sender);
void sender_stop(
    struct sender *sender); /* after it nothing is with the courier, which goes with it */

/* May its owner be told anything by it now? He may have been erased since he made it, or since the
 * message was written, or have another role. Whose event it is, is for the caller to say. */
bool webhook_may_hear(const struct notify_settings *settings, const struct webhook *webhook);

#endif
