/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock, by its system calls: the C library has no functions for them. */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The headers of Debian 12 are of version 2, the kernel may know more: numbers are never changed.
 */
#define FS_TRUNCATE     (UINT64_C(1) << 14) /* from version 3 on */
#define FS_IOCTL_DEVICE (UINT64_C(1) << 15) /* 5 */
#define NET_BIND        (UINT64_C(1) << 0)  /* 4 */
#define NET_CONNECT     (UINT64_C(1) << 1)  /* 4 */
#define SCOPE_SOCKETS   (UINT64_C(1) << 0)  /* 6: abstract unix sockets of others */
#define RULE_PORT       2

struct ruleset {
    uint64_t files, network, scoped;
};

struct rule_port {
    uint64_t allowed, port;
};

#define FILE_RIGHTS                                                                                \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |   \
     FS_TRUNCATE | FS_IOCTL_DEVICE)
#define READ_RIGHTS   (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define APPEND_RIGHTS (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | FS_TRUNCATE)
#define CHANGE_RIGHTS                                                                              \
    (READ_RIGHTS | APPEND_RIGHTS | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REFER)

#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    HAS_FEATURE(address_sanitizer) || HAS_FEATURE(thread_sanitizer)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

/* Each version of the interface knows more than the one before. */
static struct ruleset rights_known(int version)
{
    struct ruleset known = {.files = (UINT64_C(1) << 13) - 1};
    if (version >= 2) known.files |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3) known.files |= FS_TRUNCATE;
    if (version >= 4) known.network = NET_BIND | NET_CONNECT;
    if (version >= 5) known.files |= FS_IOCTL_DEVICE;
    if (version >= 6) known.scoped = SCOPE_SOCKETS;
    return known;
}

static size_t ruleset_size(int version)
{
    return version >= 6   ? sizeof(struct ruleset)
           : version >= 4 ? offsetof(struct ruleset, scoped)
                          : offsetof(struct ruleset, network);
}

static bool allow_path(int rules, const struct sandbox_path *path, uint64_t known)
{
    static const uint64_t rights[] = {[SANDBOX_READ] = READ_RIGHTS,
                                      [SANDBOX_APPEND] = APPEND_RIGHTS,
                                      [SANDBOX_CHANGE] = CHANGE_RIGHTS};
    struct stat status;
    int fd = open(path->path, O_PATH | O_CLOEXEC);
    if (fd < 0) return true;
    bool is_folder = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
    struct landlock_path_beneath_attr rule = {
        .allowed_access = rights[path->access] & known & (is_folder ? ~UINT64_C(0) : FILE_RIGHTS),
        .parent_fd = fd,
    };
    bool good = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0 ||
                errno == EBADFD; /* a pipe, say: those it never keeps anybody from */
    close(fd);
    return good;
}

static bool allow_port(int rules, uint16_t port)
{
    struct rule_port rule = {.allowed = NET_BIND, .port = port};
    return syscall(SYS_landlock_add_rule, rules, RULE_PORT, &rule, 0) == 0;
}

/* The version that holds now, or 0. */
static int restrict_files(const struct sandbox_path *paths, size_t count, bool may_connect,
                          uint16_t listen_port)
{
    int version =
        (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) return 0;
    struct ruleset set = rights_known(version);
    if (may_connect) { /* a database may be reached by such a socket, too */
        set.network &= ~NET_CONNECT;
        set.scoped = 0;
    }
    int rules = (int)syscall(SYS_landlock_create_ruleset, &set, ruleset_size(version), 0);
    if (rules < 0) return 0;
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = allow_path(rules, &paths[i], set.files);
    if (good && set.network) good = allow_port(rules, listen_port);
    good = good && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    close(rules);
    return good ? version : 0;
}

bool sandbox_files(struct sandbox *sandbox, const struct sandbox_path *paths, size_t count,
                   bool may_connect, uint16_t listen_port)
{
    *sandbox = (struct sandbox){.unsupported = IS_SANITIZED};
    if (sandbox->unsupported) return false;
    sandbox->no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (!sandbox->no_new_privileges) return false; /* Landlock and seccomp both want it */
    sandbox->landlock = restrict_files(paths, count, may_connect, listen_port);
    return sandbox->landlock > 0;
}
