/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h -- the threads behind the HTTP loops, put together: lanes, readers, hashers, and what
 * they keep in memory. A store that other processes write to as well may have several lanes, and a
 * follower, and what is in memory is looked at anew within a second. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "engine/batch.h"
#include "engine/directory.h"
#include "engine/errand.h"
#include "engine/pool.h"
#include "engine/snapshot.h"

struct engine_settings {
    const char *database_url;
    size_t lanes, readers; /* 0: by the store and the processors */
    size_t hashers, queue_depth;
    int64_t keep_cancelled_ms;
    bool tells; /* there is somebody to be told: mail is set up, or webhooks are allowed */
};

struct engine_lane {
    struct lane *lane;
    struct batch_counts counts;
};

struct engine {
    struct engine_lane *lanes;
    size_t lane_count;
    struct homes *homes;
    struct follower *follower; /* NULL where nobody else writes */
    struct pool *readers, *hashers;
    struct directory *directory;
    struct snapshots *snapshots;
    struct retention *retention;
    struct bell news; /* rung by the lanes when they wrote something, for src/notify */
};

/* The machine's processors, by which threads are counted where no setting does; 1 at least. */
size_t engine_processors(void);

/* Opens the store (bringing its schema up to date) and starts the threads. 'settings_made' is
 * called with the writer before that, to get or make what is kept in the store's settings; it
 * returns NULL or what is wrong. On failure NULL and a sentence in *ret_error. */
struct engine *engine_start(const struct engine_settings *settings,
                            const char *(*settings_made)(struct store *writer, void *data),
                            void *data, struct arena *arena, const char **ret_error);

/* Each returns false when the queue is full: answer 503 at once. */
bool engine_decide(struct engine *engine, struct task *task);
bool engine_read(struct engine *engine, struct job *job);
bool engine_hash(struct engine *engine, struct job *job);

/* Would engine_decide() say false, whatever the task is about? */
bool engine_is_full(const struct engine *engine);

/* Decides, and waits for it (engine/errand.h). */
enum outcome engine_errand(struct engine *engine, const struct command *command,
                           struct errand_take take);

/* Do many commands stand before the lanes? What can wait does then. */
bool engine_is_busy(const struct engine *engine);

/* Does everything that is queued and ends. With 'forget', what is only to be read or hashed is
 * left undone: nobody waits for it any more, and it could take long. What the lane has accepted
 * is always done. */
void engine_stop(struct engine *engine, bool forget);

#endif
