/* SPDX-License-Identifier: Apache-2.0 */
/* recycle.h -- malloc() for libraries that ask for the same sizes again and again.
 *
 * What is freed is kept by the thread that freed it, by size, and given out again by a pointer
 * move. glibc's own lists for that hold seven blocks a size: a turn of the loop that answers a
 * hundred requests runs past them, into its slow path. Blocks may be freed by any thread.
 *
 * Under the sanitizers all of it is plain malloc(), so that they see what they must see. */
#ifndef BASE_RECYCLE_H
#define BASE_RECYCLE_H

#include <stddef.h>

/* As malloc(), realloc() and free(). */
void *recycle_malloc(size_t size);
void *recycle_realloc(void *data, size_t size);
void recycle_free(void *data);

/* Gives back what the calling thread keeps; for the end of a thread. */
void recycle_release(void);

#endif
