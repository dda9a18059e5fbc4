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
 * than what it finds. */
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
    struct event event; /* with its types, all in this allocation */
    _Atomic(struct page *) pages[SNAPSHOT_PAGES];
};

struct snapshots;

/* The moment when somebody began to look into the store. */
struct mark {
    uint64_t number;
    int64_t at_us; /* monotonic */
};

/* 'kept_us': how long a snapshot is shown before it is read again; 0: for ever, where nobody else
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

/* It could not be read. */
void snapshots_not_read(struct snapshots *snapshots, uint64_t event_id, struct list *ret_waiters);

struct snapshot *snapshot_hold(struct snapshot *snapshot); /* another reference; NULL is fine */
void snapshot_release(struct snapshot *snapshot);          /* NULL is fine */

/* The page in 'slot', or 'fresh' (malloc'ed), which becomes the snapshot's; when another thread
 * was faster, its page is the one and 'fresh' is freed. */
struct page *snapshot_page(struct snapshot *snapshot, unsigned slot, struct page *fresh);

#endif
