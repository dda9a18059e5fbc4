/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h -- events as they were at the last commit, in memory, for all who only look.
 *
 * The lane publishes after each commit; a reader that had to fetch an event from the store
 * offers what it found. A snapshot never changes; who holds a reference may read it from any
 * thread. It also keeps what was rendered from it, so that a page that a thousand people look at
 * is composed once.
 *
 * An offer could be older than what the lane published meanwhile. An event that is in memory
 * therefore never takes an offer, and when one had to make room, offers that began to read
 * before that are not taken either. */
#ifndef ENGINE_SNAPSHOT_H
#define ENGINE_SNAPSHOT_H

#include <stdatomic.h>
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

struct snapshots *snapshots_new(size_t capacity);
void snapshots_free(struct snapshots *snapshots);

/* A reference to the snapshot of an event, NULL when it is not in memory. */
struct snapshot *snapshots_get(struct snapshots *snapshots, uint64_t event_id);
void snapshot_release(struct snapshot *snapshot);

/* The page in 'slot', or 'fresh' (malloc'ed), which becomes the snapshot's; when another thread
 * was faster, its page is the one and 'fresh' is freed. */
struct page *snapshot_page(struct snapshot *snapshot, unsigned slot, struct page *fresh);

/* From the lane, after a commit. */
void snapshots_publish(struct snapshots *snapshots, const struct event *event);
void snapshots_remove(struct snapshots *snapshots, uint64_t event_id);

/* From a reader: note the mark, read, offer. Returns a reference to what is to be shown. */
uint64_t snapshots_mark(struct snapshots *snapshots);
struct snapshot *snapshots_offer(struct snapshots *snapshots, const struct event *event,
                                 uint64_t mark);

#endif
