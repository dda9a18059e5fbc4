/* SPDX-License-Identifier: Apache-2.0 */
/* retention.h -- once a minute, what was kept long enough is dropped: cancelled bookings, answers
 * to idempotency keys, revocations that outlived every token. It goes through the lane like
 * everything that writes, a bounded number of rows at a time. */
#ifndef ENGINE_RETENTION_H
#define ENGINE_RETENTION_H

#include "engine/lane.h"

struct retention;

struct retention *retention_start(struct lane *lane);
void retention_stop(struct retention *retention); /* before the lane; NULL is fine */

#endif
