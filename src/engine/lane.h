/* SPDX-License-Identifier: Apache-2.0 */
/* lane.h -- a thread that writes: a bounded queue before it, a store connection of its own, one
 * batch after the other.
 *
 * While a batch is being written the next one gathers by itself; there is no timer. When traffic is
 * thin a batch is one command, and its latency that of one commit. */
#ifndef ENGINE_LANE_H
#define ENGINE_LANE_H

#include "engine/batch.h"

struct lane;

/* 'batcher' is copied; the lane takes ownership of its store. */
struct lane *lane_start(const struct batcher *batcher, size_t depth);

/* False when the queue is full, or so long that its end would wait too long: answer 503
 * at once. */
bool lane_put(struct lane *lane, struct task *task);

/* Would lane_put() say false, as things are? */
bool lane_is_full(struct lane *lane);

size_t lane_waiting(struct lane *lane);

/* A lane without a thread: whoever has it takes its turns. A turn is one batch of what is queued,
 * waited for as queue_take() does; false when the lane is closed and everything is done. */
struct lane *lane_new(const struct batcher *batcher, size_t depth);
bool lane_turn(struct lane *lane, int timeout_ms);
void lane_free(struct lane *lane); /* what is queued is forgotten */

/* Does what is queued, then ends the thread and closes the store. NULL is fine. */
void lane_stop(struct lane *lane);

#endif
