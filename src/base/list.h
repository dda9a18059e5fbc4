/* SPDX-License-Identifier: Apache-2.0 */
/* list.h -- a first-in first-out list whose links live inside its elements, so
 * that a request can move from queue to batch to answer without an allocation. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stddef.h>

struct link {
    struct link *next;
};

struct list {
    struct link *head, *tail;
    size_t count;
};

#define LINK_OWNER(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

static inline void list_push(struct list *list, struct link *link)
{
    link->next = NULL;
    if (list->tail)
        list->tail->next = link;
    else
        list->head = link;
    list->tail = link;
    list->count++;
}

/* So that it is what list_pop() gives next. */
static inline void list_push_first(struct list *list, struct link *link)
{
    link->next = list->head;
    list->head = link;
    if (!list->tail) list->tail = link;
    list->count++;
}

static inline struct link *list_pop(struct list *list)
{
    struct link *link = list->head;
    if (!link) return NULL;
    list->head = link->next;
    if (!list->head) list->tail = NULL;
    list->count--;
    return link;
}

#endif
