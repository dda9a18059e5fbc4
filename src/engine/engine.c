/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <stdlib.h>
#include <unistd.h>

#include "engine/errand.h"
#include "engine/follower.h"
#include "engine/lane.h"
#include "engine/retention.h"
#include "store/move.h"

enum {
    SNAPSHOTS_MOST = 65536,
    /* Of a shared store; with the time that it takes to read, no second goes by. */
    SNAPSHOT_KEPT_US = 750000,
    FOLLOW_EVERY_MS = 500,
    BUSY = 4, /* commands before the lanes */
    FEW_PROCESSORS = 3,
    LANES_SHARED = 2,
    READERS_LEAST = 2,
    READERS_SHARED_LEAST = 4, /* they wait for the network more than for a processor */
};

/* What engine_start() opens before there is an engine; all of it is closed when one fails. */
struct stores {
    struct store **writers, **readers, *follower;
    size_t writer_count, reader_count;
};

static void stores_close(struct stores *stores)
{
    for (size_t i = 0; i < stores->reader_count; i++)
        store_close(stores->readers[i]);
    store_close(stores->follower);
    for (size_t i = stores->writer_count; i > 0; i--)
        store_close(stores->writers[i - 1]);
}

size_t engine_processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (size_t)count : 1;
}

/* How many lanes and readers; false with an error. */
static bool count_threads(const struct engine_settings *settings, bool is_shared, size_t *ret_lanes,
                          size_t *ret_readers, struct arena *arena, const char **ret_error)
{
    size_t readers = engine_processors(), least = is_shared ? READERS_SHARED_LEAST : READERS_LEAST;
    if (readers < least) readers = least;
    *ret_lanes = settings->lanes ? settings->lanes : is_shared ? LANES_SHARED : 1;
    *ret_readers = settings->readers ? settings->readers : readers;
    /* More must not seem to do something. */
    if (!is_shared && *ret_lanes > 1)
        *ret_error =
            arena_printf(arena, "LANES is %zu: this store has one lane; 0 or 1 will do", *ret_lanes)
                .data;
    return is_shared || *ret_lanes == 1;
}

/* False with an error; what is open by then stands in *stores. */
static bool stores_open(const struct engine_settings *settings, struct stores *stores,
                        struct arena *arena, const char **ret_error)
{
    const char *url = settings->database_url;
    struct store *first = store_open(url, STORE_WRITE, true, arena, ret_error);
    if (!first) return false;
    size_t lanes, readers;
    bool is_shared = store_is_shared(first);
    bool good = count_threads(settings, is_shared, &lanes, &readers, arena, ret_error);
    stores->writers = ARENA_ARRAY(arena, struct store *, lanes);
    stores->readers = ARENA_ARRAY(arena, struct store *, readers);
    stores->writers[stores->writer_count++] = first;
    while (good && stores->writer_count < lanes) {
        struct store *writer = store_open(url, STORE_WRITE, false, arena, ret_error);
        if (!writer) return false;
        stores->writers[stores->writer_count++] = writer;
    }
    while (good && stores->reader_count < readers) {
        struct store *reader = store_open(url, STORE_READ, false, arena, ret_error);
        if (!reader) return false;
        stores->readers[stores->reader_count++] = reader;
    }
    if (good && is_shared)
        good = (stores->follower = store_open(url, STORE_READ, false, arena, ret_error)) != NULL;
    return good;
}

static const char *prepare(struct engine *engine, struct store *writer,
                           const char *(*settings_made)(struct store *, void *), void *data,
                           struct arena *arena)
{
    const char *error = move_unfinished(writer, arena);
    if (!error) error = settings_made(writer, data);
    if (error) return error;
    struct directory_rows rows = {0};
    if (store_load_directory(writer, arena, &rows) != STORE_OK) return store_error(writer);
    /* Users that register with another process are known by their tokens only. */
    if (store_is_shared(writer)) rows.last_user_id = UINT64_MAX;
    engine->directory = directory_new(&rows);
    return NULL;
}

static void start_lanes(struct engine *engine, const struct engine_settings *settings,
                        const struct stores *stores)
{
    engine->homes = homes_new(stores->writer_count);
    engine->lanes = calloc(stores->writer_count, sizeof(*engine->lanes));
    if (!engine->lanes) abort();
    engine->lane_count = stores->writer_count;
    for (size_t i = 0; i < engine->lane_count; i++) {
        struct batcher batcher = {
            .store = stores->writers[i],
            .directory = engine->directory,
            .snapshots = engine->snapshots,
            .homes = engine->homes,
            .news = &engine->news,
            .keep_cancelled_ms = settings->keep_cancelled_ms,
            .tells = settings->tells,
            .now = system_now,
            .pause = system_pause,
            .counts = &engine->lanes[i].counts,
        };
        engine->lanes[i].lane = lane_start(&batcher, settings->queue_depth);
    }
}

static bool lanes_are_busy(const void *engine)
{
    return engine_is_busy(engine);
}

struct engine *engine_start(const struct engine_settings *settings,
                            const char *(*settings_made)(struct store *, void *), void *data,
                            struct arena *arena, const char **ret_error)
{
    struct stores stores = {0};
    struct engine *engine = calloc(1, sizeof(*engine));
    if (!engine) abort();
    const char *error = NULL;
    if (!stores_open(settings, &stores, arena, &error) ||
        (error = prepare(engine, stores.writers[0], settings_made, data, arena))) {
        *ret_error = arena_cstr(arena, str_of(error)); /* it may be the store's */
        stores_close(&stores);
        free(engine);
        return NULL;
    }
    engine->snapshots = snapshots_new(SNAPSHOTS_MOST, stores.follower ? SNAPSHOT_KEPT_US : 0);
    bell_init(&engine->news);
    start_lanes(engine, settings, &stores);
    engine->readers =
        pool_start("reader", stores.reader_count, stores.readers, settings->queue_depth);
    engine->hashers = pool_start("hasher", settings->hashers, NULL, settings->queue_depth);
    /* A password is 50 ms of a processor. Of two or three of them that is what bookings lack. */
    if (engine_processors() <= FEW_PROCESSORS)
        pool_give_way(engine->hashers, lanes_are_busy, engine);
    engine->retention = retention_start(engine->lanes[0].lane);
    if (stores.follower)
        engine->follower =
            follower_start(stores.follower, engine->directory, engine->snapshots, FOLLOW_EVERY_MS);
    return engine;
}

bool engine_decide(struct engine *engine, struct task *task)
{
    return lane_put(engine->lanes[homes_find(engine->homes, &task->command)].lane, task);
}

enum outcome engine_errand(struct engine *engine, const struct command *command,
                           struct errand_take take)
{
    return errand_run(engine->lanes[homes_find(engine->homes, command)].lane, command, take);
}

bool engine_is_full(const struct engine *engine)
{
    for (size_t i = 0; i < engine->lane_count; i++)
        if (!lane_is_full(engine->lanes[i].lane)) return false;
    return true;
}

bool engine_is_busy(const struct engine *engine)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->lane_count; i++)
        count += lane_waiting(engine->lanes[i].lane);
    return count >= BUSY;
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
    follower_stop(engine->follower);
    retention_stop(engine->retention);
    pool_stop(engine->readers, forget); /* before the lanes, to which jobs may hand on */
    pool_stop(engine->hashers, forget);
    for (size_t i = 0; i < engine->lane_count; i++)
        lane_stop(engine->lanes[i].lane);
    free(engine->lanes);
    bell_destroy(&engine->news);
    homes_free(engine->homes);
    snapshots_free(engine->snapshots);
    directory_free(engine->directory);
    free(engine);
}
