/* SPDX-License-Identifier: Apache-2.0 */
/* run.h -- one run: a seed, some steps, and whether the office and the model agreed.
 *
 * A step is a kind and a seed of its own, from which follows whatever is drawn during it. So steps
 * can be left out, and the others remain what they were. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run {
    uint64_t seed;
    size_t steps;
    const bool *left_out; /* by step; NULL: none is */
    bool verbose;         /* tell what is done, on stdout */
    bool deep;            /* compare everything after each commit */
    volatile size_t *at;  /* where the number of the step under way is put, or NULL */
};

struct run_figures {
    uint64_t runs, steps, answered, batches, faults, deaths, bookings;
};

/* True when all was well. Otherwise a sentence in 'failure'. Adds to the figures. */
bool run(const struct run *run, struct run_figures *figures, char *failure, size_t size);

#endif
