/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/confine.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "commands/commands.h"

enum { PATHS_MOST = 64 };

struct paths {
    struct arena arena;
    struct sandbox_path items[PATHS_MOST];
    size_t count;
};

/* What the C library, OpenSSL and GLib look into: names, certificates, time zones, processors. */
static const char *const system_paths[] = {
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ssl",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/passwd",
    "/etc/group",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/protocols",
    "/run/systemd/resolve",
    "/sys/devices/system/cpu",
    "/dev/urandom",
    "/dev/random",
};

static void add(struct paths *paths, const char *path, enum sandbox_access access)
{
    assert(paths->count < PATHS_MOST);
    paths->items[paths->count++] = (struct sandbox_path){path, access};
}

static const char *folder_of(struct paths *paths, const char *file)
{
    const char *slash = strrchr(file, '/');
    if (!slash) return ".";
    size_t len = slash == file ? 1 : (size_t)(slash - file);
    return arena_cstr(&paths->arena, (struct str){file, len});
}

/* The folder that a file is in, and the one it is really in when it is a link. */
static void add_folders(struct paths *paths, const char *file, enum sandbox_access access)
{
    char real[PATH_MAX];
    add(paths, folder_of(paths, file), access);
    if (realpath(file, real)) add(paths, folder_of(paths, real), access);
}

static void add_database(struct paths *paths, const char *file)
{
    const char *temporary = getenv("SQLITE_TMPDIR");
    add_folders(paths, file, SANDBOX_CHANGE);
    if (!temporary || !*temporary) {
        temporary = folder_of(paths, file);
        if (setenv("SQLITE_TMPDIR", temporary, 1) != 0) out_of_memory();
    }
    add(paths, temporary, SANDBOX_CHANGE);
}

/* Rotated, it is made anew in its folder; a device or a pipe is only itself. */
static void add_log(struct paths *paths, const char *file)
{
    struct stat status;
    if (stat(file, &status) == 0 && !S_ISREG(status.st_mode))
        add(paths, file, SANDBOX_APPEND);
    else
        add_folders(paths, file, SANDBOX_APPEND);
}

/* The store is in this process or its files; others are reached over the network. */
static bool is_embedded(const char *url)
{
    return str_starts(str_of(url), STR("sqlite:")) || str_starts(str_of(url), STR("memory:"));
}

void confine_files(struct sandbox *sandbox, const struct options *options)
{
    static const char scheme[] = "sqlite:";
    *sandbox = (struct sandbox){0};
    if (options->sandbox == SANDBOX_OFF) return;
    struct paths paths = {0};
    bool embedded = is_embedded(options->database_url);
    for (size_t i = 0; i < sizeof(system_paths) / sizeof(system_paths[0]); i++)
        add(&paths, system_paths[i], SANDBOX_READ);
    add(&paths, "/dev/null", SANDBOX_CHANGE);
    if (strncmp(options->database_url, scheme, sizeof(scheme) - 1) == 0)
        add_database(&paths, options->database_url + sizeof(scheme) - 1);
    /* Libraries of other stores read certificates, passwords and settings from wherever their
     * URLs, their variables and the user's home say. */
    if (!embedded) add(&paths, "/", SANDBOX_READ);
    if (options->log_file) add_log(&paths, options->log_file);
    if (options->tls_cert) add_folders(&paths, options->tls_cert, SANDBOX_READ);
    if (options->tls_key) add_folders(&paths, options->tls_key, SANDBOX_READ);
    if (options->ca_file) add_folders(&paths, options->ca_file, SANDBOX_READ);
    sandbox_files(sandbox, paths.items, paths.count,
                  !embedded || options->webhooks || options->smtp_url, (uint16_t)options->port);
    arena_free(&paths.arena);
}

static struct str yes_or_no(bool yes)
{
    return yes ? STR("yes") : STR("no");
}

bool confine_calls(struct sandbox *sandbox, const struct options *options)
{
    if (options->sandbox == SANDBOX_OFF) {
        log_info("sandbox", LOG_STR("off", STR("SANDBOX is off")));
        return true;
    }
    if (sandbox->unsupported) {
        log_info("sandbox", LOG_STR("off", STR("this is a sanitizer's build")));
    } else {
        sandbox_calls(sandbox);
        log_info("sandbox", LOG_STR("no_new_privileges", yes_or_no(sandbox->no_new_privileges)),
                 LOG_STR("seccomp", yes_or_no(sandbox->seccomp)),
                 LOG_NUM("landlock", sandbox->landlock));
    }
    if (options->sandbox == SANDBOX_AUTO || (sandbox->seccomp && sandbox->landlock)) return true;
    command_fail("SANDBOX is on, but %s: use a kernel that has it, or SANDBOX=auto",
                 sandbox->unsupported ? "this is a sanitizer's build"
                 : !sandbox->seccomp  ? "seccomp does not hold here"
                                      : "Landlock does not hold here");
    return false;
}
