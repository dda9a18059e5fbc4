/* SPDX-License-Identifier: Apache-2.0 */
/* What is forbidden really fails: each test forks, confines the child and tries. */
#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sandbox.h"

static char directory[] = "/tmp/admit-sandbox-XXXXXX";
static char inside[100], outside[100], appended[100];

/* ---- what a child tries; 0: as it should be, else the line that was not ---- */

#define FAILS_WITH(call, error) (errno = 0, (call) == -1 && errno == (error))
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) return __LINE__;                                                         \
    } while (0)

static int file_in(const char *folder, const char *name, int flags)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    return fd < 0 ? -1 : 0;
}

static int files(void)
{
    char path[200];
    MUST(file_in(inside, "kept", O_RDWR) == 0);
    MUST(file_in(inside, "new", O_RDWR | O_CREAT | O_EXCL) == 0);
    snprintf(path, sizeof(path), "%s/new", inside);
    MUST(truncate(path, 0) == 0 || errno == EPERM); /* by its path: not on the list of calls */
    MUST(unlink(path) == 0);
    MUST(file_in(appended, "log", O_WRONLY | O_APPEND) == 0);
    MUST(file_in(appended, "log.1", O_WRONLY | O_APPEND | O_CREAT) == 0);
    MUST(FAILS_WITH(file_in(appended, "log", O_RDONLY), EACCES));
    MUST(FAILS_WITH(file_in(outside, "kept", O_RDONLY), EACCES));
    MUST(FAILS_WITH(file_in(outside, "kept", O_WRONLY), EACCES));
    MUST(FAILS_WITH(file_in(outside, "new", O_WRONLY | O_CREAT), EACCES));
    MUST(FAILS_WITH(file_in("/etc", "shadow", O_RDONLY), EACCES));
    MUST(file_in("/usr/bin", "env", O_RDONLY) == 0);
    MUST(FAILS_WITH(file_in("/usr/bin", "env", O_WRONLY), EACCES));
    snprintf(path, sizeof(path), "%s/kept", outside);
    MUST(FAILS_WITH(unlink(path), EACCES));
    return 0;
}

static int network(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons(1);
    MUST(FAILS_WITH(connect(fd, (struct sockaddr *)&address, sizeof(address)), EACCES));
    MUST(FAILS_WITH(bind(fd, (struct sockaddr *)&address, sizeof(address)), EACCES));
    return 0;
}

static int calls(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    struct rlimit limit;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST(fd >= 0);
    MUST(FAILS_WITH(bind(fd, (struct sockaddr *)&address, sizeof(address)), EPERM));
    MUST(FAILS_WITH(listen(fd, 1), EPERM));
    MUST(FAILS_WITH(socket(AF_PACKET, SOCK_RAW, 0), EPERM));
    MUST(FAILS_WITH(kill(getppid(), 0), EPERM));
    MUST(FAILS_WITH(syscall(SYS_tgkill, getppid(), getppid(), 0), EPERM));
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    MUST(FAILS_WITH(setrlimit(RLIMIT_NOFILE, &limit), EPERM));
    MUST(FAILS_WITH(prctl(PR_SET_DUMPABLE, 0), EPERM));
    MUST(FAILS_WITH(syscall(SYS_memfd_create, "x", 0), EPERM));
    MUST(FAILS_WITH(mkdir("x", 0700), EPERM));
    MUST(FAILS_WITH(chmod(inside, 0777), EPERM));
    MUST(FAILS_WITH(symlink("a", "b"), EPERM));
    MUST(FAILS_WITH(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL), EPERM));
    return 0;
}

static int memory(void)
{
    const int both = PROT_WRITE | PROT_EXEC, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    errno = 0;
    MUST(mmap(NULL, 4096, both, flags, -1, 0) == MAP_FAILED && errno == EPERM);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, -1, 0);
    MUST(page != MAP_FAILED);
    MUST(FAILS_WITH(mprotect(page, 4096, PROT_READ | PROT_EXEC), EPERM));
    MUST(mprotect(page, 4096, PROT_READ) == 0);
    return 0;
}

static void *try_outside(void *data)
{
    *(int *)data = file_in(outside, "kept", O_RDONLY) == 0;
    return NULL;
}

static int threads(void)
{
    pthread_t thread;
    int opened = 1;
    MUST(pthread_create(&thread, NULL, try_outside, &opened) == 0);
    MUST(pthread_join(thread, NULL) == 0);
    MUST(!opened);
    return 0;
}

static int no_new_privileges(void)
{
    MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    return 0;
}

static int try_execve(void)
{
    return execl("/bin/true", "true", (char *)NULL);
}

static int try_ptrace(void)
{
    return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int try_mount(void)
{
    return mount("none", inside, "tmpfs", 0, NULL);
}

static int try_unshare(void)
{
    return unshare(CLONE_NEWUSER);
}

static int try_abort(void)
{
    signal(SIGABRT, SIG_DFL);
    abort();
}

/* ---- the parent ---- */

static int in_child(int (*attempt)(void), bool with_calls)
{
    const struct sandbox_path paths[] = {{"/usr", SANDBOX_READ},
                                         {"/lib", SANDBOX_READ},
                                         {inside, SANDBOX_CHANGE},
                                         {appended, SANDBOX_APPEND},
                                         {"/there/is/no/such/thing", SANDBOX_READ}};
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sandbox sandbox;
        sandbox_files(&sandbox, paths, sizeof(paths) / sizeof(paths[0]), false, 9);
        if (with_calls && !sandbox_calls(&sandbox)) _exit(250);
        _exit(attempt() & 0xff);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void expect_end(int (*attempt)(void), bool with_calls)
{
    int status = in_child(attempt, with_calls);
    if (!WIFEXITED(status)) fail_msg("ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0) fail_msg("line %d (modulo 256)", WEXITSTATUS(status));
}

static void expect_death(int (*attempt)(void), int signal)
{
    int status = in_child(attempt, true);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), signal);
}

/* What this kernel has; in a sanitizer's build nothing holds. */
static struct sandbox possible;

static int probe(void **state)
{
    (void)state;
    int results[2];
    if (!mkdtemp(directory) || pipe(results) != 0) return -1;
    snprintf(inside, sizeof(inside), "%s/inside", directory);
    snprintf(outside, sizeof(outside), "%s/outside", directory);
    snprintf(appended, sizeof(appended), "%s/appended", directory);
    if (mkdir(inside, 0700) || mkdir(outside, 0700) || mkdir(appended, 0700)) return -1;
    if (file_in(inside, "kept", O_CREAT | O_WRONLY) || file_in(outside, "kept", O_CREAT | O_WRONLY))
        return -1;
    if (file_in(appended, "log", O_CREAT | O_WRONLY)) return -1;
    pid_t child = fork();
    if (child == 0) {
        struct sandbox sandbox;
        sandbox_files(&sandbox, NULL, 0, false, 0);
        sandbox_calls(&sandbox);
        _exit(write(results[1], &sandbox, sizeof(sandbox)) != sizeof(sandbox));
    }
    bool good = child > 0 && waitpid(child, NULL, 0) == child &&
                read(results[0], &possible, sizeof(possible)) == sizeof(possible);
    close(results[0]);
    close(results[1]);
    return good ? 0 : -1;
}

static int clean_up(void **state)
{
    (void)state;
    char command[200];
    snprintf(command, sizeof(command), "rm -r %s", directory);
    return system(command);
}

static void only_the_named_files_are_left(void **state)
{
    (void)state;
    if (!possible.landlock) skip();
    expect_end(files, false);
    if (possible.seccomp) expect_end(files, true);
}

static void no_connection_goes_out_where_none_is_needed(void **state)
{
    (void)state;
    if (possible.landlock < 4) skip();
    expect_end(network, false);
}

static void calls_that_are_not_needed_fail(void **state)
{
    (void)state;
    if (!possible.seccomp) skip();
    expect_end(no_new_privileges, false);
    expect_end(calls, true);
    expect_end(memory, true);
}

static void threads_are_confined_too(void **state)
{
    (void)state;
    if (!possible.landlock || !possible.seccomp) skip();
    expect_end(threads, true);
}

static void what_only_an_intruder_tries_ends_the_process(void **state)
{
    (void)state;
    if (!possible.seccomp) skip();
    expect_death(try_execve, SIGSYS);
    expect_death(try_ptrace, SIGSYS);
    expect_death(try_mount, SIGSYS);
    expect_death(try_unshare, SIGSYS);
}

static void a_bug_still_ends_the_process_by_abort(void **state)
{
    (void)state;
    if (!possible.seccomp) skip();
    expect_death(try_abort, SIGABRT);
}

static void a_sanitizers_build_is_left_alone(void **state)
{
    (void)state;
    if (!possible.unsupported) skip();
    assert_false(possible.no_new_privileges || possible.landlock || possible.seccomp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_named_files_are_left),
        cmocka_unit_test(no_connection_goes_out_where_none_is_needed),
        cmocka_unit_test(calls_that_are_not_needed_fail),
        cmocka_unit_test(threads_are_confined_too),
        cmocka_unit_test(what_only_an_intruder_tries_ends_the_process),
        cmocka_unit_test(a_bug_still_ends_the_process_by_abort),
        cmocka_unit_test(a_sanitizers_build_is_left_alone),
    };
    return cmocka_run_group_tests(tests, probe, clean_up);
}
