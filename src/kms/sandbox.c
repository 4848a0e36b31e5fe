/* The seccomp filter. Lists by purpose; what is on none of them fails with EPERM, so that a library
 * that asks for something new is told so instead of taking the service down. */
#include "kms/sandbox.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* Sanitizers map, trace and read about themselves in ways of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
bool kms_sandbox_enter(struct error *err)
{
    return error_set(err, "sandbox/unavailable", NULL, "no sandbox in a sanitizer build");
}
#else

/* Names, because not every architecture has every call; an unknown one is passed over. */
static const char *const allowed[] = {
    /* files: collateral, audit log, certificates, time zone, resolver */
    "read",
    "readv",
    "pread64",
    "write",
    "writev",
    "pwrite64",
    "lseek",
    "close",
    "open",
    "openat",
    "stat",
    "fstat",
    "lstat",
    "newfstatat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "mkdir",
    "mkdirat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "flock",
    "statfs",
    "fstatfs",
    "umask",
    "fchmod",
    "fchmodat",
    "getcwd",
    "fcntl",
    "dup",
    /* memory */
    "munmap",
    "mremap",
    "madvise",
    "brk",
    "mlock",
    "mlock2",
    "munlock",
    "mincore",
    /* threads and time */
    "futex",
    "futex_waitv",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_setscheduler",
    "nanosleep",
    "clock_nanosleep",
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "membarrier",
    "restart_syscall",
    "exit",
    "exit_group",
    "gettid",
    "getpid",
    "tgkill",
    /* signals */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sigaltstack",
    "signalfd4",
    /* waiting */
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "pipe2",
    "ioctl",
    /* sockets; opening one is below */
    "connect",
    "accept",
    "accept4",
    "bind",
    "listen",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "sendmmsg",
    "recvmmsg",
    "shutdown",
    "socketpair",
    "sendfile",
    /* about itself */
    "getrandom",
    "uname",
    "sysinfo",
    "getrusage",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getppid",
    "prlimit64",
};

/* Nothing here has any business in this process. */
static const char *const fatal[] = {
    "execve",      "execveat",        "ptrace",          "process_vm_readv", "process_vm_writev",
    "kexec_load",  "kexec_file_load", "init_module",     "finit_module",     "delete_module",
    "bpf",         "userfaultfd",     "perf_event_open", "pivot_root",       "mount",
    "umount2",     "setns",           "unshare",         "add_key",          "keyctl",
    "request_key", "personality",
};

static bool add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number != __NR_SCMP_ERROR && seccomp_rule_add(filter, action, number, 0) != 0)
            return false;
    }
    return true;
}

/* Threads of this process, not processes; memory is written or run, never both. */
static bool add_conditions(scmp_filter_ctx filter)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    bool ok = true;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i])) == 0;
    /* clone3 hides its flags in memory, so the C library is sent to clone. */
    return ok && seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                            SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
}

bool kms_sandbox_enter(struct error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL)
        return error_set(err, "sandbox/unavailable", NULL, "no memory for a seccomp filter");
    /* TSYNC: threads that run already are in it, too. */
    bool ok = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
              add_names(filter, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(allowed[0])) &&
              add_names(filter, SCMP_ACT_KILL_PROCESS, fatal, sizeof(fatal) / sizeof(fatal[0])) &&
              add_conditions(filter);
    int failed = ok ? seccomp_load(filter) : 0;
    seccomp_release(filter);
    if (!ok)
        return error_set(err, "sandbox/unavailable", NULL, "the seccomp filter cannot be built");
    return failed == 0 || error_set(err, "sandbox/unavailable", NULL,
                                    "this kernel takes no seccomp filter: %s", strerror(-failed));
}
#endif
