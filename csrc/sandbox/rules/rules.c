/*
 * The rules of the system call filters, and the program that has libseccomp compile them when submitter-sandbox is built: for each
 * sandbox anew that would take longer than all its other walls together (3 ms of 7). It prints a source file that defines what
 * ../filter_programs.h declares; with --container, the profile that a container's engine is given (container.h).
 */
#include "container.h"
#include "lists.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void check(int result, const char *what) {
    if (result < 0) {
        fprintf(stderr,
                "the system call filters can't be compiled, libseccomp 2.5 is "
                "needed: %s: %s\n",
                what, strerror(-result));
        exit(1);
    }
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

static void add_list(scmp_filter_ctx filter, uint32_t action, const char *const *names) {
    for (size_t i = 0; names[i]; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number != __NR_SCMP_ERROR) {
            check(seccomp_rule_add(filter, action, number, 0), names[i]);
        }
    }
}

static void allow_when(scmp_filter_ctx filter, int number, struct scmp_arg_cmp condition) {
    check(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &condition), "a rule");
}

/* The kernel looks at the low half only of arguments that are ints; so must the
   filter, or a bit above them gets anything past it. */
static struct scmp_arg_cmp low_half(unsigned argument, uint64_t value) {
    return SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, 0xffffffff, value);
}

static void allow_clone(scmp_filter_ctx filter) {
#if defined(__s390__)
#error "clone's flags are its second argument here: mend the rule below"
#endif
    /* Neither new namespaces, nor children that are the runner's own, nor descriptors of processes, as above. */
    const uint64_t refused = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                             CLONE_NEWPID | CLONE_NEWNET | CLONE_PARENT | CLONE_PTRACE | CLONE_PIDFD;
    allow_when(filter, SCMP_SYS(clone), SCMP_CMP(0, SCMP_CMP_MASKED_EQ, refused, 0));
}

/* Local ones alone. To the Internet there is no way out anyway, but the network namespace counts what was tried, for the next case to
   read, and for a protocol that isn't there the kernel would load a module into the whole machine. The answer is that of a kernel
   without these families, which programs can cope with. */
static void allow_sockets(scmp_filter_ctx filter) {
    static const uint64_t internet[] = { AF_INET, AF_INET6 };
    for (size_t i = 0; i < COUNT(internet); i++) {
        struct scmp_arg_cmp family = low_half(0, internet[i]);
        check(seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, &family), "socket");
    }
    allow_when(filter, SCMP_SYS(socket), low_half(0, AF_UNIX));
    allow_when(filter, SCMP_SYS(socketpair), low_half(0, AF_UNIX));
}

/* What programs set that know nothing of what kind a socket is. Others put programs into the kernel, out of a budget that the whole
   machine shares, have it change its own code or look for a module, or give a socket memory that nothing counts; and of what can be
   read, cookies tell how many sockets the machine has made. */
static void allow_socket_options(scmp_filter_ctx filter) {
    static const uint64_t readable[] = { SO_ERROR, SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN, SO_PEERCRED };
    static const uint64_t options[] = { SO_REUSEADDR, SO_BROADCAST, SO_SNDBUF,  SO_RCVBUF,
                                        SO_KEEPALIVE, SO_OOBINLINE, SO_LINGER,  SO_REUSEPORT,
                                        SO_PASSCRED,  SO_RCVTIMEO,  SO_SNDTIMEO };
    for (size_t i = 0; i < COUNT(options); i++) {
        struct scmp_arg_cmp conditions[] = { low_half(1, SOL_SOCKET), low_half(2, options[i]) };
        check(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), COUNT(conditions), conditions),
              "setsockopt");
        check(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(getsockopt), COUNT(conditions), conditions),
              "getsockopt");
    }
    for (size_t i = 0; i < COUNT(readable); i++) {
        struct scmp_arg_cmp conditions[] = { low_half(1, SOL_SOCKET), low_half(2, readable[i]) };
        check(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(getsockopt), COUNT(conditions), conditions),
              "getsockopt");
    }
}

/* All but huge pages: they come from a reserve that somebody made for his
   database, say, and the memory group that bounds a case doesn't count them. */
static void allow_memory(scmp_filter_ctx filter) {
    allow_when(filter, SCMP_SYS(mmap), SCMP_CMP(3, SCMP_CMP_MASKED_EQ, MAP_HUGETLB, 0));
    allow_when(filter, SCMP_SYS(mmap2), SCMP_CMP(3, SCMP_CMP_MASKED_EQ, MAP_HUGETLB, 0));
}

/* All advice to 23 but that equal pages may be merged with those of others, who could tell by the time that writing takes them, and
   guard pages. Said in masks, because the kernel looks at the low half only. */
static void allow_advice(scmp_filter_ctx filter) {
    static const struct {
        uint64_t mask, value;
    } advice[] = { { 0xfffffff8, 0 },  { 0xfffffffc, 8 },  { 0xffffffff, 13 },
                   { 0xfffffffe, 14 }, { 0xfffffff8, 16 }, { 0xfffffffe, 102 } };
    _Static_assert(MADV_MERGEABLE == 12, "the masks above are made for this number");
    for (size_t i = 0; i < COUNT(advice); i++) {
        allow_when(filter, SCMP_SYS(madvise), SCMP_CMP(2, SCMP_CMP_MASKED_EQ, advice[i].mask, advice[i].value));
    }
}

static void allow_ioctl(scmp_filter_ctx filter) {
    static const uint64_t requests[] = {
        TCGETS, TIOCGWINSZ, TIOCGPGRP, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, FIOASYNC
    };
    for (size_t i = 0; i < COUNT(requests); i++) {
        allow_when(filter, SCMP_SYS(ioctl), low_half(1, requests[i]));
    }
}

static void allow_prctl(scmp_filter_ctx filter) {
    static const uint64_t options[] = {
        PR_SET_NAME,        PR_GET_NAME,         PR_SET_PDEATHSIG,       PR_GET_PDEATHSIG,
        PR_GET_DUMPABLE,    PR_SET_DUMPABLE,     PR_SET_TIMERSLACK,      PR_GET_TIMERSLACK,
        PR_CAPBSET_READ,    PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS,    PR_GET_SECCOMP,
        PR_SET_THP_DISABLE, PR_GET_THP_DISABLE,  PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER,
        PR_GET_KEEPCAPS,    PR_GET_SECUREBITS,   PR_GET_TID_ADDRESS,
#ifdef PR_SET_VMA
        PR_SET_VMA,
#endif
    };
    for (size_t i = 0; i < COUNT(options); i++) {
        allow_when(filter, SCMP_SYS(prctl), low_half(0, options[i]));
    }
}

static void allow_personality(scmp_filter_ctx filter) {
    allow_when(filter, SCMP_SYS(personality), low_half(0, 0xffffffff));
    allow_when(filter, SCMP_SYS(personality), low_half(0, PER_LINUX));
}

/* All but notices of what happens in a folder, which are inotify's older form,
   and leases; both are among the four numbers from F_SETLEASE on. And all but
   hints of how long a file's data will live: before Linux 6.8 anybody may set
   them on a file that he can only read, where they stay for the next case and
   for other sandboxes to see. */
static void allow_fcntl(scmp_filter_ctx filter) {
    static const struct {
        uint64_t mask, value;
    } commands[] = { { 0xfffffc00, 0 }, { 0xfffffffc, 0x404 }, { 0xfffffffc, 0x408 } };
    _Static_assert(F_SETLEASE == 0x400 && F_NOTIFY == 0x402 && F_SET_RW_HINT == 0x40c,
                   "the masks above are made for these numbers");
    for (size_t i = 0; i < COUNT(commands); i++) {
        allow_when(filter, SCMP_SYS(fcntl), SCMP_CMP(1, SCMP_CMP_MASKED_EQ, commands[i].mask, commands[i].value));
        allow_when(filter, SCMP_SYS(fcntl64), SCMP_CMP(1, SCMP_CMP_MASKED_EQ, commands[i].mask, commands[i].value));
    }
}

/* The kernel gives everybody the clock of everybody's CPU time, by a negative
   number made of the process's: that of the runner would tell a case how much
   there was to do for the one before. What is let through are clocks that
   aren't negative, those of threads (bit 2), which the kernel itself keeps to
   one's own process, and one's own process by the number 0. */
static void allow_clocks(scmp_filter_ctx filter) {
    static const int calls[] = { SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep),
                                 SCMP_SYS(timer_create) };
    static const struct {
        uint64_t mask, value;
    } clocks[] = { { 0x80000000, 0 }, { 0x80000004, 0x80000004 }, { 0xfffffffc, 0xfffffff8 } };
    for (size_t i = 0; i < COUNT(calls); i++) {
        for (size_t k = 0; k < COUNT(clocks); k++) {
            allow_when(filter, calls[i], SCMP_CMP(0, SCMP_CMP_MASKED_EQ, clocks[k].mask, clocks[k].value));
        }
    }
}

/* Regular files, FIFOs and sockets; a device is nobody's to make. */
static void allow_mknod(scmp_filter_ctx filter) {
    static const uint64_t kinds[] = { 0, S_IFREG, S_IFIFO, S_IFSOCK };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        allow_when(filter, SCMP_SYS(mknod), SCMP_CMP(1, SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i]));
        allow_when(filter, SCMP_SYS(mknodat), SCMP_CMP(2, SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i]));
    }
}

/* All but the size of core dumps: the limit that stands is the only one that
   the kernel takes for "never", even where core_pattern is a pipe, and zero
   isn't it. A program that sets it to zero is told that it did. "All but one
   number" is said in masks, because the kernel looks at the low half only: of 0
   to 15 all without bit 2, and of those with it all that have another bit as
   well. */
static void allow_limits(scmp_filter_ctx filter) {
    static const struct {
        uint64_t mask, value;
    } others[] = { { 0xfffffff4, 0 }, { 0xfffffff5, 5 }, { 0xfffffff6, 6 }, { 0xfffffffc, 12 } };
    _Static_assert(RLIMIT_CORE == 4 && RLIM_NLIMITS <= 16, "the masks above are made for these numbers");
    for (size_t i = 0; i < COUNT(others); i++) {
        uint64_t mask = others[i].mask, value = others[i].value;
        allow_when(filter, SCMP_SYS(setrlimit), SCMP_CMP(0, SCMP_CMP_MASKED_EQ, mask, value));
        allow_when(filter, SCMP_SYS(prlimit64), SCMP_CMP(1, SCMP_CMP_MASKED_EQ, mask, value));
    }
    struct scmp_arg_cmp set = low_half(0, RLIMIT_CORE);
    check(seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(setrlimit), 1, &set), "setrlimit");
    struct scmp_arg_cmp get[] = { low_half(1, RLIMIT_CORE), SCMP_CMP(2, SCMP_CMP_EQ, 0, 0) };
    check(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, get), "prlimit64");
    struct scmp_arg_cmp change[] = { low_half(1, RLIMIT_CORE), SCMP_CMP(2, SCMP_CMP_NE, 0, 0) };
    check(seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(prlimit64), 2, change), "prlimit64");
}

/* Numbers that this libseccomp doesn't know belong to calls newer than it: "no
   such call" is what programs expect of an older kernel. */
static void refuse_future(scmp_filter_ctx filter) {
    for (int number = 451; number < 512; number++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
        if (!name) {
            check(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0), "a future call");
        } else {
            /* libseccomp gives a copy away. */
            free(name);
        }
    }
}

static scmp_filter_ctx start(uint32_t otherwise) {
    scmp_filter_ctx filter = seccomp_init(otherwise);
    if (!filter) {
        check(-ENOMEM, "seccomp_init");
    }
    /* Other architectures' calls, x32 among them, come with other numbers:
   * nothing honest makes them. */
    check(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "foreign architectures");
    check(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimising");
    return filter;
}

/* ---- the programs ---- */

/* What libseccomp makes of a filter, as the definition of an array. */
static void print_program(scmp_filter_ctx filter, const char *name) {
    static struct sock_filter program[BPF_MAXINSNS];
    int descriptor = memfd_create(name, MFD_CLOEXEC);
    check(descriptor < 0 ? -errno : 0, "memfd_create");
    check(seccomp_export_bpf(filter, descriptor), "exporting");
    ssize_t length = pread(descriptor, program, sizeof program, 0);
    check(length <= 0 || (size_t)length % sizeof *program ? -EINVAL : 0, "reading what was exported");
    size_t count = (size_t)length / sizeof *program;
    printf("\nconst struct sock_filter filter_program_%s[] = {\n", name);
    for (size_t i = 0; i < count; i++) {
        printf("    { 0x%02x, %u, %u, 0x%08x },\n", program[i].code, program[i].jt, program[i].jf, program[i].k);
    }
    printf("};\nconst unsigned short filter_program_%s_length = %zu;\n", name, count);
    close(descriptor);
    seccomp_release(filter);
}

static scmp_filter_ctx student(void) {
    scmp_filter_ctx filter = start(SCMP_ACT_ERRNO(EPERM));
    add_list(filter, SCMP_ACT_ALLOW, rules_allowed);
    add_list(filter, SCMP_ACT_ERRNO(ENOSYS), rules_absent);
    add_list(filter, SCMP_ACT_ERRNO(0), rules_pretended);
    add_list(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), rules_unsupported);
    allow_memory(filter);
    allow_clone(filter);
    allow_sockets(filter);
    allow_socket_options(filter);
    allow_advice(filter);
    allow_ioctl(filter);
    allow_prctl(filter);
    allow_personality(filter);
    allow_mknod(filter);
    allow_fcntl(filter);
    allow_clocks(filter);
    allow_limits(filter);
    refuse_future(filter);
    return filter;
}

static scmp_filter_ctx runner(void) {
    static const char *const refused[] = {
        "init_module",
        "finit_module",
        "delete_module",
        "kexec_load",
        "kexec_file_load",
        "reboot",
        "swapon",
        "swapoff",
        "bpf",
        "perf_event_open",
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "userfaultfd",
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "kcmp",
        "keyctl",
        "add_key",
        "request_key",
        "open_by_handle_at",
        "name_to_handle_at",
        "acct",
        "quotactl",
        "syslog",
        "iopl",
        "ioperm",
        "modify_ldt",
        "settimeofday",
        "clock_settime",
        "clock_adjtime",
        "adjtimex",
        "lookup_dcookie",
        "nfsservctl",
        "vhangup",
        "setns",
        "fanotify_init",
        NULL,
    };
    scmp_filter_ctx filter = start(SCMP_ACT_ALLOW);
    add_list(filter, SCMP_ACT_ERRNO(EPERM), refused);
    /* Local sockets are its launcher's channel; others could reach what a network namespace doesn't hold, virtual machines' own. */
    struct scmp_arg_cmp other = SCMP_CMP(0, SCMP_CMP_NE, AF_UNIX, 0);
    check(seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, &other), "socket");
    return filter;
}

static void print_programs(void) {
    printf("/* Made by csrc/sandbox/rules/rules.c. */\n#include "
           "\"filter_programs.h\"\n");
    print_program(student(), "student");
    print_program(runner(), "runner");
}

int main(int count, char **words) {
    bool container = count == 2 && strcmp(words[1], "--container") == 0;
    if (count > 1 && !container) {
        fprintf(stderr, "usage: rules [--container]\n");
        return 2;
    }
    if (container) {
        container_print(stdout);
    } else {
        print_programs();
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        check(-errno, "writing");
    }
    return 0;
}
