/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/snapshot.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A chained hash table with one lock: what is done under it is a few pointer moves. */
struct node {
    struct node *next;
    uint64_t event_id;
    uint64_t mark;             /* of the moment when it was published */
    struct snapshot *snapshot; /* NULL: the event was deleted */
};

struct snapshots {
    pthread_mutex_t mutex;
    struct node **buckets;
    size_t mask, count, capacity;
    size_t hand;           /* where making room goes on */
    uint64_t mark;         /* counts publications */
    uint64_t evicted_mark; /* the latest publication that had to make room */
};

static void copy_str(struct str *s, char **at)
{
    if (s->len) memcpy(*at, s->data, s->len);
    s->data = *at;
    *at += s->len;
}

static struct snapshot *snapshot_new(const struct event *event)
{
    size_t size = sizeof(struct snapshot) + event->type_count * sizeof(struct ticket_type) +
                  event->name.len + event->description.len + event->venue.len + event->timezone.len;
    for (size_t i = 0; i < event->type_count; i++)
        size += event->types[i].name.len;

    struct snapshot *snapshot = malloc(size);
    if (!snapshot) abort();
    memset(snapshot, 0, sizeof(*snapshot));
    snapshot->references = 1;
    snapshot->event = *event;
    struct ticket_type *types = (struct ticket_type *)(snapshot + 1);
    char *at = (char *)(types + event->type_count);
    copy_str(&snapshot->event.name, &at);
    copy_str(&snapshot->event.description, &at);
    copy_str(&snapshot->event.venue, &at);
    copy_str(&snapshot->event.timezone, &at);
    for (size_t i = 0; i < event->type_count; i++) {
        types[i] = event->types[i];
        copy_str(&types[i].name, &at);
    }
    snapshot->event.types = types;
    return snapshot;
}

static struct snapshot *snapshot_hold(struct snapshot *snapshot)
{
    if (snapshot) atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void snapshot_release(struct snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < SNAPSHOT_PAGES; i++)
        free(atomic_load_explicit(&snapshot->pages[i], memory_order_relaxed));
    free(snapshot);
}

struct page *snapshot_page(struct snapshot *snapshot, unsigned slot, struct page *fresh)
{
    assert(slot < SNAPSHOT_PAGES);
    struct page *page = NULL;
    if (!fresh) return atomic_load_explicit(&snapshot->pages[slot], memory_order_acquire);
    if (atomic_compare_exchange_strong_explicit(&snapshot->pages[slot], &page, fresh,
                                                memory_order_acq_rel, memory_order_acquire))
        return fresh;
    free(fresh);
    return page;
}

struct snapshots *snapshots_new(size_t capacity)
{
    struct snapshots *snapshots = calloc(1, sizeof(*snapshots));
    size_t buckets = 1024;
    while (buckets < capacity)
        buckets *= 2;
    if (!snapshots || !(snapshots->buckets = calloc(buckets, sizeof(*snapshots->buckets)))) abort();
    pthread_mutex_init(&snapshots->mutex, NULL);
    snapshots->mask = buckets - 1;
    snapshots->capacity = capacity;
    return snapshots;
}

static void node_free(struct node *node)
{
    snapshot_release(node->snapshot);
    free(node);
}

void snapshots_free(struct snapshots *snapshots)
{
    if (!snapshots) return;
    for (size_t i = 0; i <= snapshots->mask; i++)
        for (struct node *node = snapshots->buckets[i], *next; node; node = next) {
            next = node->next;
            node_free(node);
        }
    pthread_mutex_destroy(&snapshots->mutex);
    free(snapshots->buckets);
    free(snapshots);
}

static struct node **find(struct snapshots *snapshots, uint64_t event_id)
{
    struct node **link =
        &snapshots->buckets[(event_id * 0x9e3779b97f4a7c15u >> 20) & snapshots->mask];
    while (*link && (*link)->event_id != event_id)
        link = &(*link)->next;
    return link;
}

struct snapshot *snapshots_get(struct snapshots *snapshots, uint64_t event_id)
{
    pthread_mutex_lock(&snapshots->mutex);
    const struct node *node = *find(snapshots, event_id);
    struct snapshot *snapshot = node ? snapshot_hold(node->snapshot) : NULL;
    pthread_mutex_unlock(&snapshots->mutex);
    return snapshot;
}

/* Forgets one event, the next one round the table: which does not matter much, as an event that is
 * asked for comes back with its next reader. */
static void make_room(struct snapshots *snapshots)
{
    struct node **link;
    while (!*(link = &snapshots->buckets[snapshots->hand & snapshots->mask]))
        snapshots->hand++;
    struct node *node = *link;
    *link = node->next;
    if (node->mark > snapshots->evicted_mark) snapshots->evicted_mark = node->mark;
    snapshots->count--;
    snapshots->hand++;
    node_free(node);
}

/* Puts 'snapshot' (which may be NULL) in the place of what was there; mutex held. */
static void put(struct snapshots *snapshots, uint64_t event_id, struct snapshot *snapshot,
                uint64_t mark)
{
    struct node **link = find(snapshots, event_id);
    if (!*link) {
        if (snapshots->count == snapshots->capacity) {
            make_room(snapshots);
            link = find(snapshots, event_id);
        }
        struct node *node = calloc(1, sizeof(*node));
        if (!node) abort();
        node->event_id = event_id;
        *link = node;
        snapshots->count++;
    }
    snapshot_release((*link)->snapshot);
    (*link)->snapshot = snapshot;
    (*link)->mark = mark;
}

void snapshots_publish(struct snapshots *snapshots, const struct event *event)
{
    struct snapshot *snapshot = snapshot_new(event);
    pthread_mutex_lock(&snapshots->mutex);
    put(snapshots, event->id, snapshot, ++snapshots->mark);
    pthread_mutex_unlock(&snapshots->mutex);
}

void snapshots_remove(struct snapshots *snapshots, uint64_t event_id)
{
    pthread_mutex_lock(&snapshots->mutex);
    put(snapshots, event_id, NULL, ++snapshots->mark);
    pthread_mutex_unlock(&snapshots->mutex);
}

uint64_t snapshots_mark(struct snapshots *snapshots)
{
    pthread_mutex_lock(&snapshots->mutex);
    uint64_t mark = snapshots->mark;
    pthread_mutex_unlock(&snapshots->mutex);
    return mark;
}

struct snapshot *snapshots_offer(struct snapshots *snapshots, const struct event *event,
                                 uint64_t mark)
{
    struct snapshot *offered = snapshot_new(event);
    pthread_mutex_lock(&snapshots->mutex);
    const struct node *node = *find(snapshots, event->id);
    struct snapshot *shown = offered;
    if (node) {
        shown = snapshot_hold(node->snapshot);
        snapshot_release(offered);
    } else if (mark >= snapshots->evicted_mark) {
        put(snapshots, event->id, snapshot_hold(offered), mark);
    }
    pthread_mutex_unlock(&snapshots->mutex);
    return shown;
}
