/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/snapshot.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* What an event and its page usually take; 'capacity' of them is all that is kept. */
enum { USUAL_SIZE = 1024 };

/* A chained hash table with one lock: what is done under it is a few pointer moves. */
struct node {
    struct node *next;
    uint64_t event_id;
    bool is_known;             /* false while it is being read for the first time */
    struct snapshot *snapshot; /* NULL where it is known: the event was deleted */
    int64_t at_us;             /* when it was looked up, or committed */
    uint64_t order;            /* the mark of the last publication, and ... */
    uint64_t published;        /* ... the moment when it came, or what is shown was looked up */
    bool is_read;              /* somebody is reading it, and ... */
    struct list waiters;       /* ... these wait for him */
    struct watch *watch;       /* NULL: nobody watches it */
};

struct snapshots {
    pthread_mutex_t mutex;
    struct node **buckets;
    size_t mask, count, capacity;
    size_t size;            /* of all that is shown, in bytes */
    size_t hand;            /* where making room goes on */
    uint64_t moment;        /* counts marks and publications */
    uint64_t evicted_order; /* the latest publication that had to make room, and ... */
    uint64_t evicted_at;    /* ... the latest moment of one, or of a look */
    int64_t kept_us;
    struct watch *watches, *last_watch; /* the one that was refreshed last is the last */
};

static void copy_str(struct str *s, char **at)
{
    if (s->len) memcpy(*at, s->data, s->len);
    s->data = *at;
    *at += s->len;
}

struct snapshot *snapshot_new(const struct event *event)
{
    size_t size = sizeof(struct snapshot) + event->type_count * sizeof(struct ticket_type) +
                  event->name.len + event->description.len + event->venue.len + event->timezone.len;
    for (size_t i = 0; i < event->type_count; i++)
        size += event->types[i].name.len;

    struct snapshot *snapshot = malloc(size);
    if (!snapshot) abort();
    memset(snapshot, 0, sizeof(*snapshot));
    snapshot->references = 1;
    snapshot->size = 2 * size; /* with its page, which says the same */
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

struct snapshot *snapshot_hold(struct snapshot *snapshot)
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

struct snapshots *snapshots_new(size_t capacity, int64_t kept_us)
{
    struct snapshots *snapshots = calloc(1, sizeof(*snapshots));
    size_t buckets = 1024;
    while (buckets < capacity)
        buckets *= 2;
    if (!snapshots || !(snapshots->buckets = calloc(buckets, sizeof(*snapshots->buckets)))) abort();
    pthread_mutex_init(&snapshots->mutex, NULL);
    snapshots->mask = buckets - 1;
    snapshots->capacity = capacity;
    snapshots->kept_us = kept_us;
    return snapshots;
}

static void node_free(struct node *node)
{
    assert(!node->waiters.head);
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

/* One that nobody reads just now, or watches, from the next place round the table on; NULL: there
 * is none. */
static struct node **find_idle(struct snapshots *snapshots)
{
    for (size_t i = 0; i <= snapshots->mask; i++) {
        struct node **link = &snapshots->buckets[snapshots->hand++ & snapshots->mask];
        while (*link && ((*link)->is_read || (*link)->watch))
            link = &(*link)->next;
        if (*link) return link;
    }
    return NULL;
}

static size_t size_of(const struct snapshot *snapshot)
{
    return snapshot ? snapshot->size : 0;
}

static void forget(struct snapshots *snapshots, struct node **link)
{
    struct node *node = *link;
    *link = node->next;
    snapshots->count--;
    snapshots->size -= size_of(node->snapshot);
    node_free(node);
}

/* Forgets one event: which does not matter much, as an event that is asked for comes back with its
 * next reader. Those that are being read or watched stay, and are no more than there are
 * connections. False: there is none. */
static bool make_room(struct snapshots *snapshots)
{
    struct node **link = find_idle(snapshots);
    if (!link) return false;
    if ((*link)->order > snapshots->evicted_order) snapshots->evicted_order = (*link)->order;
    if ((*link)->published > snapshots->evicted_at) snapshots->evicted_at = (*link)->published;
    forget(snapshots, link);
    return true;
}

/* What was shown may have grown. No node that the caller holds is safe from this. */
static void trim(struct snapshots *snapshots)
{
    while (snapshots->size > snapshots->capacity * USUAL_SIZE && make_room(snapshots))
        ;
}

static struct node *node_make(struct snapshots *snapshots, uint64_t event_id)
{
    if (snapshots->count >= snapshots->capacity) make_room(snapshots);
    struct node *node = calloc(1, sizeof(*node));
    if (!node) abort();
    node->event_id = event_id;
    *find(snapshots, event_id) = node;
    snapshots->count++;
    return node;
}

/* 'snapshot' may be NULL. */
static void node_show(struct snapshots *snapshots, struct node *node, struct snapshot *snapshot,
                      int64_t at_us)
{
    snapshots->size += size_of(snapshot) - size_of(node->snapshot);
    snapshot_release(node->snapshot);
    node->snapshot = snapshot;
    node->at_us = at_us;
    node->is_known = true;
}

static void node_moved(struct node *node)
{
    if (!node->watch) return;
    atomic_fetch_add(&node->watch->moves, 1);
    node->watch->moved(node->watch);
}

/* As far as a look at the event's own rows can tell. */
static bool is_changed(const struct snapshot *was, const struct snapshot *now)
{
    if (!was || !now) return was != now;
    const struct event *a = &was->event, *b = &now->event;
    if (a->version != b->version || a->status != b->status || a->next_number != b->next_number ||
        a->type_count != b->type_count)
        return true;
    for (size_t i = 0; i < a->type_count; i++) {
        const struct ticket_type *x = &a->types[i], *y = &b->types[i];
        if (x->capacity != y->capacity || x->booked != y->booked || x->held != y->held ||
            x->waiting != y->waiting || x->wanted != y->wanted)
            return true;
    }
    return false;
}

/* A reader's. What was looked up earlier than what is shown is not. */
static void node_found(struct snapshots *snapshots, struct node *node, struct snapshot *found,
                       struct mark mark)
{
    if ((!found && !node->is_known) || node->published > mark.number) {
        snapshot_release(found);
        return;
    }
    bool moved = is_changed(node->snapshot, found);
    node_show(snapshots, node, found, mark.at_us);
    node->published = mark.number;
    if (moved) node_moved(node);
}

struct mark snapshots_mark(struct snapshots *snapshots)
{
    pthread_mutex_lock(&snapshots->mutex);
    struct mark mark = {++snapshots->moment, clock_monotonic_us()};
    pthread_mutex_unlock(&snapshots->mutex);
    return mark;
}

/* Puts 'snapshot' (which may be NULL) in the place of what was there, unless that was committed
 * later. */
static void publish(struct snapshots *snapshots, uint64_t event_id, struct snapshot *snapshot,
                    struct mark mark)
{
    pthread_mutex_lock(&snapshots->mutex);
    struct node *node = *find(snapshots, event_id);
    if (node ? node->order > mark.number : snapshots->evicted_order > mark.number) {
        snapshot_release(snapshot);
    } else {
        if (!node) node = node_make(snapshots, event_id);
        node_show(snapshots, node, snapshot, mark.at_us);
        node->order = mark.number;
        node->published = ++snapshots->moment;
        node_moved(node);
        trim(snapshots);
    }
    pthread_mutex_unlock(&snapshots->mutex);
}

void snapshots_publish(struct snapshots *snapshots, const struct event *event, struct mark mark)
{
    publish(snapshots, event->id, snapshot_new(event), mark);
}

void snapshots_remove(struct snapshots *snapshots, uint64_t event_id, struct mark mark)
{
    publish(snapshots, event_id, NULL, mark);
}

/* What was deleted stays so: ids are never used twice. */
static bool is_fresh(const struct snapshots *snapshots, const struct node *node)
{
    if (!node->is_known) return false;
    return !snapshots->kept_us || !node->snapshot ||
           clock_monotonic_us() - node->at_us < snapshots->kept_us;
}

enum look snapshots_look(struct snapshots *snapshots, uint64_t event_id, struct link *waiter,
                         struct snapshot **ret_snapshot)
{
    enum look look = LOOK_READ;
    pthread_mutex_lock(&snapshots->mutex);
    struct node *node = *find(snapshots, event_id);
    if (!node) node = node_make(snapshots, event_id);
    if (is_fresh(snapshots, node)) {
        *ret_snapshot = snapshot_hold(node->snapshot);
        look = LOOK_SHOWN;
    } else if (node->is_read) {
        list_push(&node->waiters, waiter);
        look = LOOK_WAIT;
    } else {
        node->is_read = true;
    }
    pthread_mutex_unlock(&snapshots->mutex);
    return look;
}

/* The end of a reading. A node of which nothing is known is not kept, or who asks for events that
 * there are not would drive out those that there are. */
static struct snapshot *end_reading(struct snapshots *snapshots, struct node **link,
                                    struct list *ret_waiters)
{
    struct node *node = *link;
    assert(node && node->is_read);
    *ret_waiters = node->waiters;
    node->waiters = (struct list){0};
    node->is_read = false;
    if (node->is_known) return snapshot_hold(node->snapshot);
    if (!node->watch) forget(snapshots, link);
    return NULL;
}

struct snapshot *snapshots_found(struct snapshots *snapshots, uint64_t event_id,
                                 const struct event *event, struct mark mark,
                                 struct list *ret_waiters)
{
    struct snapshot *found = event ? snapshot_new(event) : NULL;
    pthread_mutex_lock(&snapshots->mutex);
    struct node **link = find(snapshots, event_id);
    node_found(snapshots, *link, found, mark);
    struct snapshot *shown = end_reading(snapshots, link, ret_waiters);
    trim(snapshots);
    pthread_mutex_unlock(&snapshots->mutex);
    return shown;
}

void snapshots_keep(struct snapshots *snapshots, struct snapshot *snapshot, struct mark mark)
{
    assert(!snapshots->kept_us);
    uint64_t id = snapshot->event.id;
    pthread_mutex_lock(&snapshots->mutex);
    struct node *node = *find(snapshots, id);
    /* What had to make room since the mark was drawn may have been newer. */
    if (!node && snapshots->evicted_at <= mark.number) node = node_make(snapshots, id);
    if (node) {
        node_found(snapshots, node, snapshot_hold(snapshot), mark);
        trim(snapshots);
    }
    pthread_mutex_unlock(&snapshots->mutex);
}

void snapshots_not_read(struct snapshots *snapshots, uint64_t event_id, struct list *ret_waiters)
{
    pthread_mutex_lock(&snapshots->mutex);
    snapshot_release(end_reading(snapshots, find(snapshots, event_id), ret_waiters));
    pthread_mutex_unlock(&snapshots->mutex);
}

/* ---- watching ---- */

static void watches_add(struct snapshots *snapshots, struct watch *watch)
{
    watch->next = NULL;
    watch->previous = snapshots->last_watch;
    if (watch->previous)
        watch->previous->next = watch;
    else
        snapshots->watches = watch;
    snapshots->last_watch = watch;
}

static void watches_remove(struct snapshots *snapshots, struct watch *watch)
{
    if (watch->previous)
        watch->previous->next = watch->next;
    else
        snapshots->watches = watch->next;
    if (watch->next)
        watch->next->previous = watch->previous;
    else
        snapshots->last_watch = watch->previous;
}

struct watch *snapshots_watch(struct snapshots *snapshots, struct watch *fresh)
{
    pthread_mutex_lock(&snapshots->mutex);
    struct node *node = *find(snapshots, fresh->event_id);
    if (!node) node = node_make(snapshots, fresh->event_id);
    if (!node->watch) {
        node->watch = fresh;
        watches_add(snapshots, fresh);
    }
    struct watch *watch = node->watch;
    watch->watchers++;
    pthread_mutex_unlock(&snapshots->mutex);
    return watch;
}

bool snapshots_unwatch(struct snapshots *snapshots, struct watch *watch)
{
    pthread_mutex_lock(&snapshots->mutex);
    assert(watch->watchers > 0);
    bool last = --watch->watchers == 0;
    if (last) {
        struct node **link = find(snapshots, watch->event_id);
        assert(*link && (*link)->watch == watch);
        (*link)->watch = NULL;
        watches_remove(snapshots, watch);
        if (!(*link)->is_known && !(*link)->is_read) forget(snapshots, link);
    }
    pthread_mutex_unlock(&snapshots->mutex);
    return last;
}

struct snapshot *snapshots_newest(struct snapshots *snapshots, uint64_t event_id)
{
    pthread_mutex_lock(&snapshots->mutex);
    struct node *node = *find(snapshots, event_id);
    struct snapshot *snapshot = node ? snapshot_hold(node->snapshot) : NULL;
    pthread_mutex_unlock(&snapshots->mutex);
    return snapshot;
}

uint64_t snapshots_stale(struct snapshots *snapshots, int64_t age_us)
{
    int64_t before = clock_monotonic_us() - age_us;
    uint64_t id = 0;
    pthread_mutex_lock(&snapshots->mutex);
    for (struct watch *watch = snapshots->watches; watch && !id; watch = watch->next) {
        const struct node *node = *find(snapshots, watch->event_id);
        bool is_gone = node->is_known && !node->snapshot;
        if (!is_gone && node->at_us < before) id = watch->event_id;
    }
    pthread_mutex_unlock(&snapshots->mutex);
    return id;
}

void snapshots_refresh(struct snapshots *snapshots, uint64_t event_id, const struct event *event,
                       struct mark mark)
{
    struct snapshot *found = event ? snapshot_new(event) : NULL;
    pthread_mutex_lock(&snapshots->mutex);
    struct node *node = *find(snapshots, event_id);
    if (node && node->watch) {
        node_found(snapshots, node, found, mark);
        if (node->at_us < mark.at_us) node->at_us = mark.at_us; /* not again at once */
        watches_remove(snapshots, node->watch);
        watches_add(snapshots, node->watch);
        trim(snapshots);
    } else {
        snapshot_release(found); /* nobody cares any more */
    }
    pthread_mutex_unlock(&snapshots->mutex);
}
