/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through a pointer, in a program that is built with the flags of admit: such a call reaches
 * functions of the pointer's own type, and none besides. What must not be called ends the process
 * that tries. One test for each (TAP). */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REACHED = 7 };

typedef int operation(int a, int b);

static int add(int a, int b)
{
    return a + b;
}

/* Has an operation's size, as the processor sees it, and another type. */
static int measure(const char *text, long limit)
{
    return text != NULL && limit > 0;
}

/* What a pointer could be turned into by somebody who can write where it stands. */
static uintptr_t of_its_type(void)
{
    return (uintptr_t)add;
}

static uintptr_t of_another_type(void)
{
    return (uintptr_t)measure;
}

static uintptr_t behind_a_beginning(void)
{
    return (uintptr_t)add + 4;
}

static uintptr_t in_a_library(void)
{
    return (uintptr_t)dlsym(RTLD_DEFAULT, "system");
}

static int (*volatile const keeps_measure)(const char *, long) = measure;
static operation *volatile pointer;

/* Calls what `address` names, as an operation, in a process of its own. true: it came back. */
static bool returns(uintptr_t address)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        pointer = (operation *)address;
        pointer(1, 2);
        _exit(REACHED);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) abort();
    if (WIFSIGNALED(status)) printf("# signal %d\n", WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == REACHED;
}

int main(void)
{
    const struct {
        const char *name;
        uintptr_t (*address)(void);
        bool returns;
    } cases[] = {
        {"a function of the pointer's type is called", of_its_type, true},
        {"one of another type is not", of_another_type, false},
        {"nor what stands behind the beginning of one", behind_a_beginning, false},
        {"nor one of a library, as system()", in_a_library, false},
    };
    const size_t count = sizeof(cases) / sizeof(cases[0]);
    bool is_well = keeps_measure("", 1) == 1;
    for (size_t i = 0; i < count; i++) {
        bool is_good = returns(cases[i].address()) == cases[i].returns;
        printf("%s %zu %s\n", is_good ? "ok" : "not ok", i + 1, cases[i].name);
        is_well &= is_good;
    }
    printf("1..%zu\n", count);
    return is_well ? 0 : 1;
}
