/* SPDX-License-Identifier: Apache-2.0 */
#include "api/metrics.h"

#include <stdio.h>

#include "auth/password.h"
#include "engine/lane.h"
#include "notify/notify.h"

static uint64_t read_count(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "counter", help);
    buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "gauge", help);
    buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

/* 'unit' is what 1 in the histogram means; 'labels' is empty or 'a="b",'. Bounds that hold nothing
 * new are left out, but for the last: the sums up to a bound stay right. */
static void histogram(struct buf *out, const char *name, const char *labels,
                      const struct histogram *histogram, double unit)
{
    uint64_t total = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        uint64_t count = read_count(&histogram->counts[i]);
        total += count;
        if (count)
            buf_printf(out, "%s_bucket{%sle=\"%.9g\"} %llu\n", name, labels,
                       unit * (double)(UINT64_C(1) << i), (unsigned long long)total);
    }
    total += read_count(&histogram->counts[HISTOGRAM_BUCKETS - 1]);
    buf_printf(out, "%s_bucket{%sle=\"+Inf\"} %llu\n", name, labels, (unsigned long long)total);
    size_t length = strlen(labels);
    struct str bare = {labels, length ? length - 1 : 0};
    const char *open = length ? "{" : "", *close = length ? "}" : "";
    buf_printf(out, "%s_sum%s%.*s%s %.9g\n", name, open, STR_FMT(bare), close,
               unit * (double)read_count(&histogram->sum));
    buf_printf(out, "%s_count%s%.*s%s %llu\n", name, open, STR_FMT(bare), close,
               (unsigned long long)total);
}

static void route_labels(struct buf *out, size_t row)
{
    if (row < route_count)
        buf_printf(out, "method=\"%s\",route=\"%s\",", http_method_name(routes[row].method),
                   routes[row].path);
    else
        buf_printf(out, "method=\"\",route=\"\",");
    buf_add_char(out, '\0');
}

static void write_requests(struct buf *out, const struct api *api)
{
    struct buf labels = {0};
    head(out, "admit_http_requests_total", "counter",
         "Requests answered, by route and class of status.");
    for (size_t row = 0; row <= route_count; row++) {
        buf_clear(&labels);
        route_labels(&labels, row);
        for (int class = 1; class < 6; class ++) {
            uint64_t count = read_count(&api->counts[row].statuses[class]);
            if (count)
                buf_printf(out, "admit_http_requests_total{%sstatus=\"%dxx\"} %llu\n", labels.data,
                           class, (unsigned long long)count);
        }
    }
    head(out, "admit_http_request_seconds", "histogram",
         "Time from a complete request to its answer.");
    for (size_t row = 0; row <= route_count; row++) {
        buf_clear(&labels);
        route_labels(&labels, row);
        bool used = false;
        for (int class = 1; class < 6; class ++)
            used |= read_count(&api->counts[row].statuses[class]) > 0;
        if (used)
            histogram(out, "admit_http_request_seconds", labels.data, &api->counts[row].time_us,
                      16e-6);
    }
    buf_free(&labels);
}

/* One of the counters of all lanes together. */
static uint64_t sum_counts(const struct engine *engine, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < engine->lane_count; i++)
        sum +=
            read_count((const _Atomic uint64_t *)((const char *)&engine->lanes[i].counts + offset));
    return sum;
}
#define SUM(engine, member) sum_counts(engine, offsetof(struct batch_counts, member))

static void write_bookings(struct buf *out, const struct engine *engine)
{
    head(out, "admit_bookings_total", "counter", "Booking and cancelling, by what became of it.");
    static const char *const names[] = {"confirmed", "waiting", "promoted", "cancelled"};
    const uint64_t values[] = {SUM(engine, booked), SUM(engine, waited), SUM(engine, promoted),
                               SUM(engine, cancelled)};
    for (size_t i = 0; i < 4; i++)
        buf_printf(out, "admit_bookings_total{outcome=\"%s\"} %llu\n", names[i],
                   (unsigned long long)values[i]);
    for (int outcome = OUTCOME_GONE + 1; outcome < OUTCOME_COUNT; outcome++) {
        uint64_t count = sum_counts(engine, offsetof(struct batch_counts, outcomes) +
                                                (size_t)outcome * sizeof(_Atomic uint64_t));
        if (count)
            buf_printf(out, "admit_bookings_total{outcome=\"%s\"} %llu\n",
                       outcome_texts[outcome].word, (unsigned long long)count);
    }
}

static void lane_histogram(struct buf *out, const char *name, const char *help,
                           const struct engine *engine, size_t offset, double unit)
{
    head(out, name, "histogram", help);
    for (size_t i = 0; i < engine->lane_count; i++) {
        char labels[32];
        snprintf(labels, sizeof(labels), "lane=\"%zu\",", i);
        histogram(out, name, labels,
                  (const struct histogram *)((const char *)&engine->lanes[i].counts + offset),
                  unit);
    }
}

static void write_batches(struct buf *out, const struct engine *engine)
{
    lane_histogram(out, "admit_batch_commands", "Commands in one transaction.", engine,
                   offsetof(struct batch_counts, size), 1);
    lane_histogram(out, "admit_commit_seconds", "Writing and committing one batch.", engine,
                   offsetof(struct batch_counts, commit_us), 16e-6);
    static const struct {
        const char *name, *help;
        size_t offset;
    } rows[] = {
        {"admit_batch_retries_total", "Batches tried again after a conflict or a lost connection.",
         offsetof(struct batch_counts, retries)},
        {"admit_batch_singles_total", "Commands tried one by one after their batch was refused.",
         offsetof(struct batch_counts, singles)},
        {"admit_batch_faults_total", "Batches that the store could not do.",
         offsetof(struct batch_counts, faults)},
        {"admit_replays_total", "Answers repeated for an Idempotency-Key.",
         offsetof(struct batch_counts, replays)},
    };
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
        counter(out, rows[row].name, rows[row].help, sum_counts(engine, rows[row].offset));
}

static void write_messages(struct buf *out, const struct notify_counts *counts)
{
    static const char *const ways[] = {"mail", "webhook"};
    const struct {
        const char *result;
        const _Atomic uint64_t *values; /* by way */
    } rows[] = {{"sent", counts->sent}, {"failed", counts->failed}, {"parked", counts->parked}};
    counter(out, "admit_messages_total", "Messages written to the outbox.", counts->told);
    head(out, "admit_message_tries_total", "counter",
         "Messages that were tried, by what came of it.");
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
        for (size_t way = 0; way < 2; way++)
            buf_printf(out, "admit_message_tries_total{way=\"%s\",result=\"%s\"} %llu\n", ways[way],
                       rows[row].result, (unsigned long long)rows[row].values[way]);
}

void metrics_write(struct buf *out, struct api *api)
{
    struct engine *engine = api->engine;
    write_requests(out, api);
    write_bookings(out, engine);
    write_batches(out, engine);
    head(out, "admit_queue_depth", "gauge", "Requests that wait for a thread.");
    for (size_t i = 0; i < engine->lane_count; i++)
        buf_printf(out, "admit_queue_depth{queue=\"lane\",lane=\"%zu\"} %zu\n", i,
                   lane_waiting(engine->lanes[i].lane));
    buf_printf(out, "admit_queue_depth{queue=\"readers\"} %zu\n", pool_waiting(engine->readers));
    buf_printf(out, "admit_queue_depth{queue=\"hashers\"} %zu\n", pool_waiting(engine->hashers));
    counter(out, "admit_password_hashes_total", "Passwords hashed or verified with Argon2id.",
            password_runs());
    if (api->notify) write_messages(out, api->notify);
    struct http_server *server = api->server;
    if (!server) return;
    struct http_counts counts = http_server_counts(server);
    gauge(out, "admit_http_connections", "Open connections.", counts.connections);
    gauge(out, "admit_http_streams", "Those of them that are streams: who listens.",
          counts.streams);
    counter(out, "admit_http_accepted_total", "Connections accepted.", counts.accepted);
    counter(out, "admit_http_refused_total", "Connections closed because there were too many.",
            counts.refused);
    counter(out, "admit_http_timed_out_total",
            "Connections closed because a request took too long to arrive.", counts.timed_out);
}
