/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator: many runs, on all processors; a failure is replayed, cut down and told. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

static const char usage[] =
    "sim: the box office against a model of it, with faults, from a seed\n"
    "\n"
    "  --seeds N      runs, from --first on (default 300)\n"
    "  --seconds S    as many runs as there is time for\n"
    "  --first N      the first seed (default 1)\n"
    "  --steps M      of each run (default 200)\n"
    "  --jobs N       processes that share the runs (default: one for each processor)\n"
    "\n"
    "  --seed N       this run alone, told step by step\n"
    "  --only A,B,..  of it only these steps\n"
    "  --deep         compare everything after each commit, not only what it touched\n"
    "  --no-shrink    tell a failure as it is\n"
    "  --brief        only its seed and what is wrong\n";

struct options {
    uint64_t seeds, first, seed;
    size_t steps;
    unsigned jobs, seconds;
    bool one, deep, shrink, brief;
    const char *only;
};

/* What the workers and their parent share. */
struct shared {
    _Atomic uint64_t next;
    _Atomic bool stop;
    struct worker {
        struct run_figures figures;
        uint64_t seed; /* under way */
        bool failed;
    } workers[64];
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- one run in a process of its own, as it may crash ---- */

static bool run_apart(const struct run *wanted, char *failure, size_t size, size_t *ret_at)
{
    struct place {
        size_t at;
        bool good;
        char failure[640];
    } *place =
        mmap(NULL, sizeof(*place), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) abort();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (!wanted->verbose) fclose(stderr); /* of an assertion that fails */
        struct run one_run = *wanted;
        struct run_figures figures = {0};
        one_run.at = &place->at;
        place->good = run(&one_run, &figures, place->failure, sizeof(place->failure));
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        ;
    bool good = place->good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (WIFSIGNALED(status))
        snprintf(failure, size, "it crashed: %s", strsignal(WTERMSIG(status)));
    else if (!good)
        snprintf(failure, size, "%s", *place->failure ? place->failure : "it ended by itself");
    if (ret_at) *ret_at = place->at;
    munmap(place, sizeof(*place));
    return good;
}

/* ---- shrinking: delta debugging over the steps ---- */

static size_t remaining(const struct run *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->steps; i++)
        count += !run->left_out[i];
    return count;
}

/* Leaves out the steps that are still in from the first'th on, 'count' of them. */
static void leave_out(struct run *run, bool *left_out, size_t first, size_t count)
{
    for (size_t i = 0; i < run->steps && count > 0; i++) {
        if (left_out[i] || first-- > 0) continue;
        first = 0;
        left_out[i] = true;
        count--;
    }
}

/* Only what fails in the same words, as far as they do not hold numbers, is the same failure. */
static bool same_failure(const char *one, const char *two)
{
    while (*one && *two) {
        if (*one >= '0' && *one <= '9')
            one++;
        else if (*two >= '0' && *two <= '9')
            two++;
        else if (*one++ != *two++)
            return false;
        if (one[-1] == ':') break;
    }
    return true;
}

static void shrink(struct run *run, bool *left_out, const char *failure)
{
    char text[640];
    size_t at;
    bool *tried = malloc(run->steps);
    if (!tried) abort();
    for (size_t part = remaining(run) / 2; part > 0;) {
        bool smaller = false;
        for (size_t first = 0; first < remaining(run);) {
            memcpy(tried, left_out, run->steps);
            leave_out(run, tried, first, part);
            run->left_out = tried;
            if (!run_apart(run, text, sizeof(text), &at) && same_failure(text, failure)) {
                for (size_t i = at + 1; i < run->steps; i++)
                    tried[i] = true;
                memcpy(left_out, tried, run->steps);
                smaller = true;
            } else {
                first += part;
            }
            run->left_out = left_out;
        }
        if (!smaller || part > 1) part = part > 1 ? part / 2 : smaller;
    }
    free(tried);
}

static void tell(const struct options *options, uint64_t seed)
{
    char failure[640], text[640];
    size_t at;
    bool *left_out = calloc(options->steps + 1, 1);
    if (!left_out) abort();
    struct run one_run = {
        .seed = seed, .steps = options->steps, .left_out = left_out, .deep = options->deep};
    if (run_apart(&one_run, failure, sizeof(failure), &at)) {
        printf("seed %" PRIu64 " does not fail when it is run alone\n", seed);
        free(left_out);
        return;
    }
    printf("seed %" PRIu64 ", step %zu: %s\n", seed, at, failure);
    if (options->brief) {
        free(left_out);
        return;
    }
    for (size_t i = at + 1; i < one_run.steps; i++)
        left_out[i] = true;
    if (options->shrink) shrink(&one_run, left_out, failure);
    printf("%zu of %zu steps are enough:\n", remaining(&one_run), options->steps);
    one_run.verbose = true;
    run_apart(&one_run, text, sizeof(text), &at);
    printf("FAILED: %s\nreplay: --seed %" PRIu64 " --steps %zu%s", text, seed, options->steps,
           options->deep ? " --deep" : "");
    const char *before = " --only ";
    for (size_t i = 0; i < one_run.steps; i++, before = ",") {
        while (i < one_run.steps && left_out[i])
            i++;
        if (i < one_run.steps) printf("%s%zu", before, i);
    }
    putchar('\n');
    free(left_out);
}

/* ---- many runs ---- */

static void work(const struct options *options, struct shared *shared, struct worker *worker,
                 double end)
{
    char failure[640];
    while (!atomic_load(&shared->stop)) {
        uint64_t seed = atomic_fetch_add(&shared->next, 1);
        if (options->seconds ? seconds_now() >= end : seed >= options->first + options->seeds)
            break;
        worker->seed = seed;
        struct run one_run = {.seed = seed, .steps = options->steps, .deep = options->deep};
        if (run(&one_run, &worker->figures, failure, sizeof(failure))) continue;
        worker->failed = true;
        atomic_store(&shared->stop, true);
    }
}

/* The lowest seed that failed, or UINT64_MAX. */
static uint64_t run_many(const struct options *options, struct run_figures *ret_figures)
{
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) abort();
    atomic_store(&shared->next, options->first);
    double end = seconds_now() + options->seconds;
    pid_t children[64];
    for (unsigned i = 0; i < options->jobs; i++)
        if ((children[i] = fork()) == 0) {
            work(options, shared, &shared->workers[i], end);
            _exit(0);
        }
    uint64_t failed = UINT64_MAX;
    for (unsigned i = 0; i < options->jobs; i++) {
        int status = 0;
        waitpid(children[i], &status, 0);
        struct worker *worker = &shared->workers[i];
        if (WIFSIGNALED(status)) {
            worker->failed = true;
            atomic_store(&shared->stop, true);
        }
        if (worker->failed && worker->seed < failed) failed = worker->seed;
        const uint64_t *from = (const uint64_t *)&worker->figures;
        for (size_t j = 0; j < sizeof(*ret_figures) / sizeof(uint64_t); j++)
            ((uint64_t *)ret_figures)[j] += from[j];
    }
    munmap(shared, sizeof(*shared));
    return failed;
}

static int many(const struct options *options)
{
    struct run_figures figures = {0};
    double before = seconds_now();
    uint64_t failed = run_many(options, &figures);
    double took = seconds_now() - before;
    if (failed != UINT64_MAX) {
        tell(options, failed);
        return 1;
    }
    printf("%" PRIu64 " runs of %zu steps in %.1f s: %" PRIu64 " batches, %" PRIu64
           " answers, %" PRIu64 " bookings, %" PRIu64 " faults, %" PRIu64 " deaths; all was well\n",
           figures.runs, options->steps, took, figures.batches, figures.answered, figures.bookings,
           figures.faults, figures.deaths);
    return figures.runs ? 0 : 1;
}

static int one(const struct options *options)
{
    char failure[640] = "";
    size_t at;
    bool *left_out = calloc(options->steps + 1, 1);
    if (!left_out) abort();
    if (options->only) memset(left_out, true, options->steps);
    for (const char *text = options->only; text && *text;) {
        char *end;
        size_t step = strtoul(text, &end, 10);
        if (end == text) break;
        if (step < options->steps) left_out[step] = false;
        text = *end ? end + 1 : end;
    }
    struct run one_run = {.seed = options->seed,
                          .steps = options->steps,
                          .left_out = left_out,
                          .verbose = true,
                          .deep = options->deep};
    bool good = run_apart(&one_run, failure, sizeof(failure), &at);
    printf("%s%s\n", good ? "all was well" : "FAILED: ", failure);
    free(left_out);
    return !good;
}

int main(int argc, char **argv)
{
    enum { SEEDS = 256, SECONDS, FIRST, STEPS, JOBS, SEED, ONLY, DEEP, NO_SHRINK, BRIEF, HELP };
    static const struct option names[] = {
        {"seeds", 1, 0, SEEDS}, {"seconds", 1, 0, SECONDS}, {"first", 1, 0, FIRST},
        {"steps", 1, 0, STEPS}, {"jobs", 1, 0, JOBS},       {"seed", 1, 0, SEED},
        {"only", 1, 0, ONLY},   {"deep", 0, 0, DEEP},       {"no-shrink", 0, 0, NO_SHRINK},
        {"brief", 0, 0, BRIEF}, {"help", 0, 0, HELP},       {0},
    };
    struct options options = {.seeds = 300, .first = 1, .steps = 200, .shrink = true};
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) >= 0;) {
        switch (option) {
        case SEEDS: options.seeds = strtoull(optarg, NULL, 10); break;
        case SECONDS: options.seconds = (unsigned)strtoul(optarg, NULL, 10); break;
        case FIRST: options.first = strtoull(optarg, NULL, 10); break;
        case STEPS: options.steps = strtoull(optarg, NULL, 10); break;
        case JOBS: options.jobs = (unsigned)strtoul(optarg, NULL, 10); break;
        case SEED: options.one = true, options.seed = strtoull(optarg, NULL, 10); break;
        case ONLY: options.only = optarg; break;
        case DEEP: options.deep = true; break;
        case NO_SHRINK: options.shrink = false; break;
        case BRIEF: options.brief = true; break;
        default: fputs(usage, option == HELP ? stdout : stderr); return option == HELP ? 0 : 2;
        }
    }
    if (!options.jobs) options.jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    if (options.jobs > 64) options.jobs = 64;
    return options.one ? one(&options) : many(&options);
}
