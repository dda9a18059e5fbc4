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
};

/* Sorted by user id, found by bisection. Changes copy at most some thousand rows, and are rare. */
struct directory {
    pthread_rwlock_t lock;
    struct person *people;
    size_t count, size;
    _Atomic uint64_t version, last_user_id;
};

static size_t directory_place(const struct directory *directory, uint64_t user_id)
{
    size_t low = 0, high = directory->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (directory->people[middle].user_id < user_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct person *directory_find(const struct directory *directory, uint64_t user_id)
{
    size_t at = directory_place(directory, user_id);
    return at < directory->count && directory->people[at].user_id == user_id
               ? &directory->people[at]
               : NULL;
}

/* Found or made. */
static struct person *directory_person(struct directory *directory, uint64_t user_id)
{
    struct person *person = directory_find(directory, user_id);
    if (person) return person;
    if (directory->count == directory->size) {
        directory->size = directory->size ? directory->size * 2 : 64;
        directory->people =
            realloc(directory->people, directory->size * sizeof(*directory->people));
        if (!directory->people) abort();
    }
    size_t at = directory_place(directory, user_id);
    memmove(&directory->people[at + 1], &directory->people[at],
            (directory->count - at) * sizeof(*directory->people));
    directory->count++;
    directory->people[at] = (struct person){.user_id = user_id};
    return &directory->people[at];
}

struct directory *directory_new(const struct directory_rows *rows)
{
    struct directory *directory = calloc(1, sizeof(*directory));
    if (!directory) abort();
    pthread_rwlock_init(&directory->lock, NULL);
    directory->version = 1;
    directory->last_user_id = rows->last_user_id;
    for (size_t i = 0; i < rows->privileged.count; i++)
        directory_person(directory, rows->privileged.items[i]->id)->role =
            rows->privileged.items[i]->role;
    for (size_t i = 0; i < rows->revocation_count; i++)
        directory_person(directory, rows->revocations[i].user_id)->not_before =
            rows->revocations[i].not_before;
    return directory;
}

void directory_free(struct directory *directory)
{
    if (!directory) return;
    pthread_rwlock_destroy(&directory->lock);
    free(directory->people);
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
    const struct person *person = directory_find(directory, user_id);
    bool good = !person || issued_at > person->not_before;
    *ret_role = person ? person->role : ROLE_USER;
    pthread_rwlock_unlock(&directory->lock);
    return good;
}

int64_t directory_issue_time(struct directory *directory, uint64_t user_id, int64_t now)
{
    pthread_rwlock_rdlock(&directory->lock);
    const struct person *person = directory_find(directory, user_id);
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

void directory_role_set(struct directory *directory, uint64_t user_id, enum role role)
{
    pthread_rwlock_wrlock(&directory->lock);
    const struct person *known = directory_find(directory, user_id);
    if ((known ? known->role : ROLE_USER) != role) {
        directory_person(directory, user_id)->role = role;
        atomic_fetch_add(&directory->version, 1);
    }
    pthread_rwlock_unlock(&directory->lock);
}

void directory_revoked(struct directory *directory, uint64_t user_id, int64_t at)
{
    pthread_rwlock_wrlock(&directory->lock);
    struct person *person = directory_person(directory, user_id);
    if (person->not_before < at) person->not_before = at;
    atomic_fetch_add(&directory->version, 1);
    pthread_rwlock_unlock(&directory->lock);
}

void directory_prune(struct directory *directory, int64_t before)
{
    pthread_rwlock_wrlock(&directory->lock);
    size_t kept = 0;
    for (size_t i = 0; i < directory->count; i++) {
        struct person person = directory->people[i];
        if (person.not_before < before) person.not_before = 0;
        if (person.not_before || person.role != ROLE_USER) directory->people[kept++] = person;
    }
    directory->count = kept;
    pthread_rwlock_unlock(&directory->lock);
}
