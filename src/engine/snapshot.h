/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h -- events as they were at the last commit, in memory, for all who only look.
 *
 * The lanes publish after each commit; who looks for an event that is not here has it read from
 * the store. A snapshot never changes; who holds a reference may read it from any thread. It also
 * keeps what was rendered from it, so that a page that a thousand people look at is composed once.
 *
 * Where other processes write to the store too, a snapshot is shown for a while only, and then read
 * again when somebody looks; an event that nobody looks at costs nothing. One of those who look
 * reads, the others wait for what he finds.
 *
 * Marks keep the order. A lane draws its mark while it holds the locks of its events, so that marks
 * are ordered as the commits are, and what was committed later is never overwritten by a lane that
 * publishes late. A reader draws its mark before it reads: what was published after that is newer
 * than what it finds.
 *
 * Who wants to know when an event changes, instead of looking again and again, watches it. An event
 * that is watched stays here; where others write to the store too, the follower reads it anew
 * (engine/follower.h). An event that nobody watches costs a look at a pointer. */
#ifndef ENGINE_SNAPSHOT_H
#define ENGINE_SNAPSHOT_H

#include <stdatomic.h>
#include "base/list.h"
#include "core/model.h"

enum { SNAPSHOT_PAGES = 2 };

/* Something rendered, and a word that tells whether it changed; the renderer's own. */
struct page {
    size_t size;
    char tag[48];
    char data[];
};

struct snapshot {
    _Atomic unsigned references;
    size_t size;        /* with what is rendered from it, as far as that is known beforehand */
    struct event event; /* with its types, all in this allocation */
    _Atomic(struct page *) pages[SNAPSHOT_PAGES];
};

struct snapshots;

/* The moment when somebody began to look into the store. */
struct mark {
    uint64_t number;
    int64_t at_us; /* monotonic */
};

/* 'capacity': so many events of a usual size; of larger ones it is fewer.
 * 'kept_us': how long a snapshot is shown before it is read again; 0: for ever, where nobody else
 * writes to the store. */
struct snapshots *snapshots_new(size_t capacity, int64_t kept_us);
void snapshots_free(struct snapshots *snapshots);

struct mark snapshots_mark(struct snapshots *snapshots);

/* From a lane, after a commit; the mark was drawn between its load and its commit. */
void snapshots_publish(struct snapshots *snapshots, const struct event *event, struct mark mark);
void snapshots_remove(struct snapshots *snapshots, uint64_t event_id, struct mark mark);

enum look {
    LOOK_SHOWN, /* here it is; NULL: it was deleted */
    LOOK_READ,  /* the caller is to read it, and ends that with one of the two functions below */
    LOOK_WAIT,  /* somebody is reading it already, and gets 'waiter' when he has ended */
};

/* *ret_snapshot (a reference) is set with LOOK_SHOWN only. 'waiter' may be gone before this
 * returns LOOK_WAIT. */
enum look snapshots_look(struct snapshots *snapshots, uint64_t event_id, struct link *waiter,
                         struct snapshot **ret_snapshot);

/* The reader found 'event', or NULL for none. Returns a reference to what is to be shown, to him
 * and to each of *ret_waiters; NULL for nothing. */
struct snapshot *snapshots_found(struct snapshots *snapshots, uint64_t event_id,
                                 const struct event *event, struct mark mark,
                                 struct list *ret_waiters);

/* One that was read with others, and that nobody waits for: it is shown to those who look unless
 * something newer is known. Only where nobody else writes to the store. */
void snapshots_keep(struct snapshots *snapshots, struct snapshot *snapshot, struct mark mark);

/* It could not be read. */
void snapshots_not_read(struct snapshots *snapshots, uint64_t event_id, struct list *ret_waiters);

/* ---- watching ---- */

/* One for each event, however many watch it; inside something of theirs. */
struct watch {
    uint64_t event_id;
    /* Called for each commit that had to do with the event, and for what else is found to have
     * changed: from any thread and under a lock, so it must be short and not come back here. */
    void (*moved)(struct watch *watch);
    _Atomic uint64_t moves; /* counts the calls */

    /* The snapshots' own. */
    unsigned watchers;
    struct watch *next, *previous;
};

/* The watch of the event, with one watcher more: 'fresh', filled in, where there was none. What is
 * published after this is heard of. */
struct watch *snapshots_watch(struct snapshots *snapshots, struct watch *fresh);

/* True: that was the last watcher, and the watch is not called any more. */
bool snapshots_unwatch(struct snapshots *snapshots, struct watch *watch);

/* A reference to the newest there is, however old; NULL: nothing is known of it, or it was deleted.
 */
struct snapshot *snapshots_newest(struct snapshots *snapshots, uint64_t event_id);

/* The watched event that has not been refreshed for the longest time, if it was not looked up for
 * 'age_us'; 0 for none. */
uint64_t snapshots_stale(struct snapshots *snapshots, int64_t age_us);

/* What was found of it (NULL: nothing), read after the mark was drawn. */
void snapshots_refresh(struct snapshots *snapshots, uint64_t event_id, const struct event *event,
                       struct mark mark);

struct snapshot *snapshot_new(const struct event *event);  /* with its types, copied */
struct snapshot *snapshot_hold(struct snapshot *snapshot); /* another reference; NULL is fine */
void snapshot_release(struct snapshot *snapshot);          /* NULL is fine */

/* The page in 'slot', or 'fresh' (malloc'ed), which becomes the snapshot's; when another thread
 * was faster, its page is the one and 'fresh' is freed. */
struct page *snapshot_page(struct snapshot *snapshot, unsigned slot, struct page *fresh);

#endif
