/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp, by libseccomp: which system calls a running server makes, on every store. Found by
 * running the tests with a list that was too short, and by reading what the C library does. */
#include "base/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALL(name) SCMP_SYS(name)

/* Whatever their arguments are. Landlock sees to which files. */
static const int allowed[] = {
    /* files: the database, its log, ours */
    CALL(read),
    CALL(readv),
    CALL(pread64),
    CALL(preadv),
    CALL(preadv2),
    CALL(write),
    CALL(writev),
    CALL(pwrite64),
    CALL(pwritev),
    CALL(pwritev2),
    CALL(open),
    CALL(openat),
    CALL(openat2),
    CALL(close),
    CALL(close_range),
    CALL(dup),
    CALL(dup2),
    CALL(dup3),
    CALL(fcntl),
    CALL(fcntl64),
    CALL(lseek),
    CALL(_llseek),
    CALL(ftruncate),
    CALL(ftruncate64),
    CALL(fallocate),
    CALL(fsync),
    CALL(fdatasync),
    CALL(sync_file_range),
    CALL(flock),
    CALL(stat),
    CALL(stat64),
    CALL(lstat),
    CALL(lstat64),
    CALL(fstat),
    CALL(fstat64),
    CALL(newfstatat),
    CALL(fstatat64),
    CALL(statx),
    CALL(statfs),
    CALL(statfs64),
    CALL(fstatfs),
    CALL(fstatfs64),
    CALL(access),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(readlink),
    CALL(readlinkat),
    CALL(unlink),
    CALL(unlinkat),
    CALL(rename),
    CALL(renameat),
    CALL(renameat2),
    CALL(fchmod),
    CALL(fchown),
    CALL(fchown32),
    CALL(getcwd),
    CALL(getdents64),
    /* memory and threads */
    CALL(brk),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(mlock),
    CALL(mlock2),
    CALL(munlock),
    CALL(membarrier),
    CALL(futex),
    CALL(futex_time64),
    CALL(futex_waitv),
    CALL(set_robust_list),
    CALL(get_robust_list),
    CALL(set_tid_address),
    CALL(rseq),
    CALL(exit),
    CALL(exit_group),
    CALL(sched_yield),
    CALL(sched_getaffinity),
    CALL(restart_syscall),
    /* connections and waiting */
    CALL(accept),
    CALL(accept4),
    CALL(connect),
    CALL(shutdown),
    CALL(getsockname),
    CALL(getpeername),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(sendto),
    CALL(sendmsg),
    CALL(sendmmsg),
    CALL(recvfrom),
    CALL(recvmsg),
    CALL(recvmmsg),
    CALL(recvmmsg_time64),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL(epoll_pwait2),
    CALL(poll),
    CALL(ppoll),
    CALL(ppoll_time64),
    CALL(select),
    CALL(pselect6),
    CALL(pselect6_time64),
    CALL(eventfd2),
    CALL(timerfd_create),
    CALL(timerfd_settime),
    CALL(pipe2),
    /* time, who we are, and the rest */
    CALL(clock_gettime),
    CALL(clock_gettime64),
    CALL(clock_getres),
    CALL(clock_getres_time64),
    CALL(clock_nanosleep),
    CALL(clock_nanosleep_time64),
    CALL(nanosleep),
    CALL(gettimeofday),
    CALL(time),
    CALL(times),
    CALL(getrusage),
    CALL(getrlimit),
    CALL(ugetrlimit),
    CALL(sysinfo),
    CALL(uname),
    CALL(getrandom),
    CALL(getpid),
    CALL(gettid),
    CALL(getppid),
    CALL(getuid),
    CALL(getuid32),
    CALL(geteuid),
    CALL(geteuid32),
    CALL(getgid),
    CALL(getgid32),
    CALL(getegid),
    CALL(getegid32),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(rt_sigtimedwait),
    CALL(rt_sigtimedwait_time64),
    CALL(rt_sigpending),
    CALL(sigaltstack),
};

/* No library of ours tries these, ever. */
static const int deadly[] = {
    CALL(execve),
    CALL(execveat),
    CALL(fork),
    CALL(vfork),
    CALL(ptrace),
    CALL(process_vm_readv),
    CALL(process_vm_writev),
    CALL(pidfd_getfd),
    CALL(kcmp),
    CALL(mount),
    CALL(umount2),
    CALL(pivot_root),
    CALL(chroot),
    CALL(setns),
    CALL(unshare),
    CALL(init_module),
    CALL(finit_module),
    CALL(delete_module),
    CALL(kexec_load),
    CALL(kexec_file_load),
    CALL(reboot),
    CALL(bpf),
    CALL(perf_event_open),
    CALL(userfaultfd),
    CALL(add_key),
    CALL(keyctl),
    CALL(request_key),
    CALL(setuid),
    CALL(setgid),
    CALL(setreuid),
    CALL(setregid),
    CALL(setresuid),
    CALL(setresgid),
    CALL(capset),
    CALL(open_by_handle_at),
    CALL(io_uring_setup),
    CALL(quotactl),
    CALL(swapon),
    CALL(swapoff),
    CALL(acct),
    CALL(settimeofday),
    CALL(clock_settime),
    CALL(sethostname),
    CALL(mknod),
    CALL(mknodat),
};

/* Newer calls for which the C library has an older way, which it takes when it hears this. */
static const int unknown[] = {CALL(clone3)};

static bool add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) /* those of other machines are left out by themselves */
        if (seccomp_rule_add(filter, action, calls[i], 0) != 0) return false;
    return true;
}
#define ADD_ALL(filter, action, calls)                                                             \
    add_all((filter), (action), (calls), sizeof(calls) / sizeof((calls)[0]))

static bool allow_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition)
{
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition) == 0;
}

static bool allow_values(scmp_filter_ctx filter, int call, unsigned argument,
                         const unsigned long *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!allow_if(filter, call, SCMP_CMP(argument, SCMP_CMP_EQ, values[i], 0))) return false;
    return true;
}
#define ALLOW_VALUES(filter, call, argument, ...)                                                  \
    allow_values((filter), (call), (argument), (const unsigned long[]){__VA_ARGS__},               \
                 sizeof((const unsigned long[]){__VA_ARGS__}) / sizeof(unsigned long))

/* Memory is written or run, never both; what was written is never run later. */
static bool allow_memory(scmp_filter_ctx filter)
{
    return allow_if(filter, CALL(mmap), SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) &&
           allow_if(filter, CALL(mmap), SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_WRITE, 0)) &&
           allow_if(filter, CALL(mmap2), SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) &&
           allow_if(filter, CALL(mmap2), SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_WRITE, 0)) &&
           allow_if(filter, CALL(mprotect), SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static bool allow_arguments(scmp_filter_ctx filter)
{
    /* A thread, not a process. */
    return allow_if(filter, CALL(clone),
                    SCMP_CMP(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)) &&
           /* abort() signals itself; nobody else is to be signalled. */
           ALLOW_VALUES(filter, CALL(tgkill), 0, (unsigned long)getpid()) &&
           /* To a database, to name servers and (AF_NETLINK) for which kinds of addresses we
            * have. Neither bind() nor listen(): what listens does so already. */
           ALLOW_VALUES(filter, CALL(socket), 0, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK) &&
           ALLOW_VALUES(filter, CALL(socketpair), 0, AF_UNIX) &&
           ALLOW_VALUES(filter, CALL(ioctl), 1, FIONREAD, FIONBIO, TCGETS, TIOCGWINSZ) &&
           ALLOW_VALUES(filter, CALL(prctl), 0, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA) &&
           /* Limits may be looked at. */
           ALLOW_VALUES(filter, CALL(prlimit64), 2, 0) && allow_memory(filter);
}

static bool fill(scmp_filter_ctx filter)
{
    /* For all threads; told to the audit log; looked up by halves. The latter two are good to
     * have. */
    if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) != 0) return false;
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return ADD_ALL(filter, SCMP_ACT_ALLOW, allowed) &&
           ADD_ALL(filter, SCMP_ACT_KILL_PROCESS, deadly) &&
           ADD_ALL(filter, SCMP_ACT_ERRNO(ENOSYS), unknown) && allow_arguments(filter);
}

bool sandbox_calls(struct sandbox *sandbox)
{
    if (sandbox->unsupported) return false;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter) return false;
    sandbox->seccomp = fill(filter) && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return sandbox->seccomp;
}
