#include "lists.h"

#include <stddef.h>

/* What CPython, its standard library and honest programs use, grouped by
   subject. Names that an architecture doesn't have are passed over. Not among
   them are
   - inotify: the system's files are the same in all sandboxes, so watching them
     tells what others' programs open;
   - what changes how and where anything is scheduled, oneself included: whoever
     ends a case in time has the student's user for a moment, and must not be
     made unimportant then. */
/* clang-format off */
const char *const rules_allowed[] = {
    /* memory */
    "brk", "munmap", "mremap", "mprotect", "mincore", "mlock", "mlock2",
    "munlock", "mlockall", "munlockall", "membarrier", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "get_mempolicy",
    /* files */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2",
    "open", "openat", "openat2", "creat", "close", "close_range", "dup", "dup2", "dup3", "lseek", "_llseek",
    "stat", "fstat", "lstat", "stat64", "fstat64", "lstat64", "newfstatat", "fstatat64",
    "statx", "statfs", "fstatfs", "statfs64", "fstatfs64", "access", "faccessat", "faccessat2", "getdents",
    "getdents64", "getcwd", "chdir", "fchdir", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename",
    "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "readlink", "readlinkat", "chmod",
    "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "umask", "truncate", "truncate64",
    "ftruncate", "ftruncate64", "fallocate", "readahead", "flock", "utime", "utimes", "utimensat", "futimesat", "sendfile", "sendfile64",
    "copy_file_range", "splice", "tee", "vmsplice", "getxattr", "lgetxattr", "fgetxattr", "listxattr",
    "llistxattr", "flistxattr", "removexattr", "lremovexattr", "fremovexattr",
    /* waiting */
    "poll", "ppoll", "select", "_newselect", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "pipe", "pipe2", "eventfd", "eventfd2", "signalfd",
    "signalfd4", "timerfd_create", "timerfd_settime", "timerfd_gettime", "futex", "restart_syscall", "pause",
    /* processes and threads */
    "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid", "waitpid", "kill",
    "tkill", "tgkill", "getpid", "getppid", "gettid", "getpgid", "setpgid",
    "getpgrp", "getsid", "setsid", "set_tid_address", "set_robust_list", "get_robust_list", "rseq",
    "arch_prctl", "set_thread_area", "get_thread_area", "sched_yield", "sched_getaffinity", "sched_getparam",
    "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min", "sched_rr_get_interval", "sched_getattr",
    "getpriority", "getcpu",
    /* signals */
    "rt_sigaction", "rt_sigprocmask", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend", "rt_sigreturn",
    "sigreturn", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "sigaltstack", "alarm", "setitimer", "getitimer",
    /* time */
    "gettimeofday", "time", "times", "nanosleep", "timer_settime", "timer_gettime", "timer_getoverrun",
    "timer_delete",
    /* who and where */
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "capget", "uname",
    "sysinfo", "getrusage", "getrlimit", "ugetrlimit", "getrandom",
    /* sockets, once there is one: which there may be is filtered below */
    "connect", "bind", "listen", "accept", "accept4", "shutdown", "getsockname", "getpeername",
    "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg",
    NULL,
};
/* clang-format on */

/* Newer than the list above, or not wanted in a way that has a fallback:
   programs try them and go on without. clone3 is among them because a filter
   can't read its flags, which stand in memory. */
const char *const rules_absent[] = { "clone3", "futex_waitv", "cachestat", "fchmodat2", "map_shadow_stack",
                                     "futex_wake", "futex_wait", "futex_requeue", "statmount", "listmount", "mseal",
                                     "landlock_create_ruleset", "io_uring_setup", "process_mrelease",
                                     "set_mempolicy_home_node", "memfd_secret",
                                     /* The numbers of such descriptors' files tell, since Linux 6.9, how many
                                         processes the machine has made. */
                                     "pidfd_open", "pidfd_send_signal", "pidfd_getfd",
                                     /* Files of memory have a use that /dev/shm hasn't: being executed. There a file
                                         can't be, so that the kernel never looks for somebody who knows its format,
                                         which before Linux 6.14 starts a program of the host's. */
                                     "memfd_create", NULL };

/* Not to be had in this file system. Access lists are among the attributes that these calls set: the kernel keeps 128 KiB of them
   beside a folder, and neither a memory group nor the size of the file system counts them. */
const char *const rules_unsupported[] = { "setxattr", "lsetxattr", "fsetxattr", NULL };

/* Done without doing: a program that flushes the machine's disks holds up all
   others, which it can by any file of the system's that it may only read, and
   what it may write to is memory; and so does one that throws the system's
   files, which all sandboxes read, out of the page cache. */
const char *const rules_pretended[] = { "sync",      "syncfs",          "fsync",
                                        "fdatasync", "sync_file_range", "sync_file_range2",
                                        "msync",     "fadvise64",       "fadvise64_64",
                                        NULL };

/* What the student may call with some arguments only: see rules.c. */
const char *const rules_conditional[] = {
    "mmap",    "mmap2",         "clone",        "socket",          "socketpair",   "setsockopt", "getsockopt",
    "madvise", "ioctl",         "prctl",        "personality",     "mknod",        "mknodat",    "fcntl",
    "fcntl64", "clock_gettime", "clock_getres", "clock_nanosleep", "timer_create", "setrlimit",  "prlimit64",
    NULL
};

/* What sandbox and runner need besides, to raise the walls, to end what a case left and to put fresh places in its place. What of it
   takes a capability they have in a user namespace of their own alone. */
const char *const rules_building[] = {
    /* namespaces and users */
    "clone3",
    "unshare",
    "setuid",
    "setgid",
    "setresuid",
    "setresgid",
    "setgroups",
    "sethostname",
    "setdomainname",
    "capset",
    "seccomp",
    /* mounts */
    "mount",
    "umount2",
    "pivot_root",
    "open_tree",
    "move_mount",
    "mount_setattr",
    "fsopen",
    "fsconfig",
    "fsmount",
    /* processes and what they may */
    "pidfd_open",
    "pidfd_send_signal",
    "memfd_create",
    /* System V objects that a case might have left */
    "shmctl",
    "semctl",
    "msgctl",
    NULL,
};
