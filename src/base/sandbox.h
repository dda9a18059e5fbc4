/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.h -- the process gives up what it does not need, so that who takes it over gains little.
 *
 * Two steps, because a running server needs less than a starting one:
 *
 *     sandbox_files()    before the first thread: no new privileges, and Landlock: of the file
 *                        system only what is named, of the network only what is said
 *     sandbox_calls()    when everything is open and listens: seccomp, for all threads
 *
 * Neither can be taken back. What the kernel does not have does not hold, and is told in struct
 * sandbox. A sanitizer's build needs more system calls than a list could keep: there neither does
 * anything.
 *
 * A system call that is not on the list fails with EPERM, and the process lives: a library that
 * tries one has a second way, and a clerk's service must not end for a curious look. Those that
 * only an intruder would try (to run a program, to look into another process, to change the kernel)
 * end the process at once, and it is started again with what he had gone. Both are written to the
 * kernel's audit log. */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sandbox_access {
    SANDBOX_READ,   /* files and folders, and all below */
    SANDBOX_APPEND, /* files may be made and written, not read or removed */
    SANDBOX_CHANGE, /* files may be read, made, written, renamed and removed */
};

/* One that does not exist is left out. */
struct sandbox_path {
    const char *path;
    enum sandbox_access access;
};

struct sandbox {
    bool unsupported; /* a sanitizer's build */
    bool no_new_privileges;
    int landlock; /* the version of its interface; 0: it does not hold */
    bool seccomp;
};

/* False when something does not hold; 'sandbox' says what. 'may_connect': TCP connections to others
 * may be made; whether they may not is known to Landlock from its version 4 on. 'listen_port' is
 * the only one that may be bound, 0 for any. */
bool sandbox_files(struct sandbox *sandbox, const struct sandbox_path *paths, size_t count,
                   bool may_connect, uint16_t listen_port);
bool sandbox_calls(struct sandbox *sandbox);

#endif
