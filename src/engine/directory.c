/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/directory.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct person {
    uint64_t user_id;
    enum role role;
    int64_t not_before; /* 0: nothing revoked */
    uint64_t changed;   /* the version that the last change by a lane of ours made */
};

/* Sorted by user id, found by bisection. Changes copy at most some thousand rows, and are rare. */
struct people {
    struct person *items;
    size_t count, size;
};

struct directory {
    pthread_rwlock_t lock;
    struct people people;
    _Atomic uint64_t version, last_user_id;
};

static size_t people_place(const struct people *people, uint64_t user_id)
{
    size_t low = 0, high = people->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (people->items[middle].user_id < user_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct person *people_find(const struct people *people, uint64_t user_id)
{
    size_t at = people_place(people, user_id);
    return at < people->count && people->items[at].user_id == user_id ? &people->items[at] : NULL;
}

/* Found or made. */
static struct person *people_person(struct people *people, uint64_t user_id)
{
    struct person *person = people_find(people, user_id);
    if (person) return person;
    if (people->count == people->size) {
        people->size = people->size ? people->size * 2 : 64;
        people->items = realloc(people->items, people->size * sizeof(*people->items));
        if (!people->items) abort();
    }
    size_t at = people_place(people, user_id);
    memmove(&people->items[at + 1], &people->items[at],
            (people->count - at) * sizeof(*people->items));
    people->count++;
    people->items[at] = (struct person){.user_id = user_id};
    return &people->items[at];
}

static void people_add(struct people *people, const struct directory_rows *rows)
{
    for (size_t i = 0; i < rows->privileged.count; i++)
        people_person(people, rows->privileged.items[i]->id)->role =
            rows->privileged.items[i]->role;
    for (size_t i = 0; i < rows->revocation_count; i++)
        people_person(people, rows->revocations[i].user_id)->not_before =
            rows->revocations[i].not_before;
}

struct directory *directory_new(const struct directory_rows *rows)
{
    struct directory *directory = calloc(1, sizeof(*directory));
    if (!directory) abort();
    pthread_rwlock_init(&directory->lock, NULL);
    directory->version = 1;
    directory->last_user_id = rows->last_user_id;
    people_add(&directory->people, rows);
    return directory;
}

void directory_free(struct directory *directory)
{
    if (!directory) return;
    pthread_rwlock_destroy(&directory->lock);
    free(directory->people.items);
    free(directory);
}

uint64_t directory_version(const struct directory *directory)
{
    return atomic_load_explicit(&directory->version, memory_order_acquire);
}

bool directory_check(struct directory *directory, uint64_t user_id, int64_t issued_at,
                     enum role *ret_role)
{
    if (user_id == 0 || user_id > atomic_load(&directory->last_user_id)) return false;
    pthread_rwlock_rdlock(&directory->lock);
    const struct person *person = people_find(&directory->people, user_id);
    bool good = !person || issued_at > person->not_before;
    *ret_role = person ? person->role : ROLE_USER;
    pthread_rwlock_unlock(&directory->lock);
    return good;
}

int64_t directory_issue_time(struct directory *directory, uint64_t user_id, int64_t now)
{
    pthread_rwlock_rdlock(&directory->lock);
    const struct person *person = people_find(&directory->people, user_id);
    if (person && now <= person->not_before) now = person->not_before + 1;
    pthread_rwlock_unlock(&directory->lock);
    return now;
}

void directory_user_added(struct directory *directory, uint64_t user_id)
{
    uint64_t last = atomic_load(&directory->last_user_id);
    while (last < user_id &&
           !atomic_compare_exchange_weak(&directory->last_user_id, &last, user_id))
        continue;
}

/* With the lock held for writing. */
static void note_change(struct directory *directory, struct person *person)
{
    person->changed = atomic_fetch_add(&directory->version, 1) + 1;
}

void directory_role_set(struct directory *directory, uint64_t user_id, enum role role)
{
    pthread_rwlock_wrlock(&directory->lock);
    const struct person *known = people_find(&directory->people, user_id);
    if ((known ? known->role : ROLE_USER) != role) {
        struct person *person = people_person(&directory->people, user_id);
        person->role = role;
        note_change(directory, person);
    }
    pthread_rwlock_unlock(&directory->lock);
}

void directory_revoked(struct directory *directory, uint64_t user_id, int64_t at)
{
    pthread_rwlock_wrlock(&directory->lock);
    struct person *person = people_person(&directory->people, user_id);
    if (person->not_before < at) person->not_before = at;
    note_change(directory, person);
    pthread_rwlock_unlock(&directory->lock);
}

void directory_prune(struct directory *directory, int64_t before)
{
    struct people *people = &directory->people;
    pthread_rwlock_wrlock(&directory->lock);
    size_t kept = 0;
    for (size_t i = 0; i < people->count; i++) {
        struct person person = people->items[i];
        if (person.not_before < before) person.not_before = 0;
        if (person.not_before || person.role != ROLE_USER) people->items[kept++] = person;
    }
    people->count = kept;
    pthread_rwlock_unlock(&directory->lock);
}

bool directory_replace(struct directory *directory, const struct directory_rows *rows,
                       uint64_t since)
{
    struct people people = {0};
    people_add(&people, rows); /* not under the lock: requests wait for that */
    bool is_whole = true;
    pthread_rwlock_wrlock(&directory->lock);
    for (size_t i = 0; i < directory->people.count; i++) {
        const struct person *old = &directory->people.items[i];
        if (old->changed <= since) continue;
        *people_person(&people, old->user_id) = *old;
        is_whole = false;
    }
    free(directory->people.items);
    directory->people = people;
    atomic_fetch_add(&directory->version, 1);
    pthread_rwlock_unlock(&directory->lock);
    directory_user_added(directory, rows->last_user_id);
    return is_whole;
}
