/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "engine/lane.h"
#include "engine/retention.h"

enum { SNAPSHOTS_MOST = 65536 };

static int64_t wall_clock(void *data)
{
    (void)data;
    return clock_now_ms();
}

static void sleep_a_little(unsigned ms, void *data)
{
    (void)data;
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* NULL and the error when one of them cannot be opened. */
static struct store **open_readers(const struct engine_settings *settings, struct arena *arena,
                                   const char **ret_error)
{
    struct store **readers = ARENA_ARRAY(arena, struct store *, settings->readers);
    for (size_t i = 0; i < settings->readers; i++) {
        readers[i] = store_open(settings->database_url, STORE_READ, false, arena, ret_error);
        if (readers[i]) continue;
        while (i > 0)
            store_close(readers[--i]);
        return NULL;
    }
    return readers;
}

static const char *prepare(struct engine *engine, struct store *writer,
                           const char *(*settings_made)(struct store *, void *), void *data,
                           struct arena *arena)
{
    const char *error = settings_made(writer, data);
    if (error) return error;
    struct directory_rows rows = {0};
    if (store_load_directory(writer, arena, &rows) != STORE_OK) return store_error(writer);
    engine->directory = directory_new(&rows);
    return NULL;
}

struct engine *engine_start(const struct engine_settings *settings,
                            const char *(*settings_made)(struct store *, void *), void *data,
                            struct arena *arena, const char **ret_error)
{
    struct store *writer = store_open(settings->database_url, STORE_WRITE, true, arena, ret_error);
    if (!writer) return NULL;
    struct engine *engine = calloc(1, sizeof(*engine));
    if (!engine) abort();
    struct store **readers = NULL;
    const char *error = prepare(engine, writer, settings_made, data, arena);
    if (error || !(readers = open_readers(settings, arena, &error))) {
        *ret_error = error;
        directory_free(engine->directory);
        store_close(writer);
        free(engine);
        return NULL;
    }
    engine->snapshots = snapshots_new(SNAPSHOTS_MOST);
    struct batcher batcher = {
        .store = writer,
        .directory = engine->directory,
        .snapshots = engine->snapshots,
        .keep_cancelled_ms = settings->keep_cancelled_ms,
        .now = wall_clock,
        .pause = sleep_a_little,
        .counts = &engine->counts,
    };
    engine->lane = lane_start(&batcher, settings->queue_depth);
    engine->readers = pool_start("reader", settings->readers, readers, settings->queue_depth);
    engine->hashers = pool_start("hasher", settings->hashers, NULL, settings->queue_depth);
    engine->retention = retention_start(engine->lane);
    return engine;
}

bool engine_decide(struct engine *engine, struct task *task)
{
    return lane_put(engine->lane, task);
}

bool engine_read(struct engine *engine, struct job *job)
{
    return pool_put(engine->readers, job);
}

bool engine_hash(struct engine *engine, struct job *job)
{
    return pool_put(engine->hashers, job);
}

void engine_stop(struct engine *engine, bool forget)
{
    if (!engine) return;
    retention_stop(engine->retention);
    pool_stop(engine->readers, forget); /* before the lane, to which jobs may hand on */
    pool_stop(engine->hashers, forget);
    lane_stop(engine->lane);
    snapshots_free(engine->snapshots);
    directory_free(engine->directory);
    free(engine);
}
