#include "limits.h"

#include "identity.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char fault[] = "this is a fault of submitter-sandbox";

/* SETUID, SETGID and KILL to run the student as another user and end what is left; SYS_ADMIN, in its own user
   namespace only, to give each case fresh writable places. */
static const unsigned runner_capabilities = 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_KILL | 1U << CAP_SYS_ADMIN;

void limits_leave_session(void) {
    if (setsid() < 0 && errno != EPERM) {
        report_wall("session", fault, "it can't be left: %s", strerror(errno));
    }
    /* Kernels without keys have nothing that could be inherited. */
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS) {
        report_wall("keyring", "raise kernel.keys.maxkeys", "no session keyring of its own: %s", strerror(errno));
    }
}

/* Both limits, but never above what this process itself may have. */
static void bound(__rlimit_resource_t resource, rlim_t soft, rlim_t hard) {
    struct rlimit now, wanted;
    if (getrlimit(resource, &now) < 0) {
        report_wall("limits", fault, "limit %d can't be read: %s", (int)resource, strerror(errno));
    }
    wanted.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
    wanted.rlim_cur = soft < wanted.rlim_max ? soft : wanted.rlim_max;
    if (setrlimit(resource, &wanted) < 0) {
        report_wall("limits", fault, "limit %d can't be set: %s", (int)resource, strerror(errno));
    }
}

void limits_bound_runner(void) {
    /* One byte, not none: where core_pattern is a pipe the kernel ignores a limit of 0, but takes 1 for
       "never". */
    bound(RLIMIT_CORE, 1, 1);
    bound(RLIMIT_NOFILE, 256, 256);
    bound(RLIMIT_MSGQUEUE, 0, 0);
    bound(RLIMIT_MEMLOCK, 65536, 65536);
    bound(RLIMIT_SIGPENDING, 4096, 4096);
    /* A service may have been given these for itself; a student before whom nobody else's turn comes is not ended
       in time. */
    bound(RLIMIT_RTPRIO, 0, 0);
    bound(RLIMIT_NICE, 0, 0);
}

void limits_drop_capabilities(void) {
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++) {
        bool keep = capability < 32 && (runner_capabilities >> capability & 1);
        if (!keep && prctl(PR_CAPBSET_DROP, capability) < 0) {
            report_wall("capabilities", fault, "%d can't be dropped: %s", capability, strerror(errno));
        }
    }
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { .effective = runner_capabilities, .permitted = runner_capabilities },
                                              { 0 } };
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || syscall(SYS_capset, &header, data) < 0) {
        report_wall("capabilities", fault, "they can't be set: %s", strerror(errno));
    }
}

void limits_forbid_privileges(void) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        report_wall("no new privileges", fault, "the kernel refuses it: %s", strerror(errno));
    }
}

void limits_reset_signals(void) {
    sigset_t none;
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGKILL && number != SIGSTOP) {
            signal(number, SIG_DFL);
        }
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void limits_volunteer(int processes) {
    /* Its change of user made this process one that only the host's root may look into, itself not being one.
       It is so again when it becomes the student, and nobody is there yet to look. */
    prctl(PR_SET_DUMPABLE, 1);
    int descriptor = openat(processes, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (descriptor < 0 || write(descriptor, "1000", 4) != 4) {
        report_wall("memory", fault, "oom_score_adj can't be set: %s", strerror(errno));
    }
    close(descriptor);
}

void limits_become_student(const struct spec *spec) {
    const rlim_t mega = UINT64_C(1) << 20;
    rlim_t cpu_s = (rlim_t)(spec->cpu_ms + 999) / 1000 + 1;
    bound(RLIMIT_CPU, cpu_s, cpu_s + 1);
    bound(RLIMIT_FSIZE, spec->file_bytes, spec->file_bytes);
    bound(RLIMIT_NPROC, spec->processes, spec->processes);
    bound(RLIMIT_STACK, 8 * mega, 64 * mega);
    if (spec->accounting == SPEC_RLIMIT) {
        bound(RLIMIT_DATA, spec->memory_bytes, spec->memory_bytes);
        bound(RLIMIT_AS, spec->memory_bytes + 64 * mega, spec->memory_bytes + 64 * mega);
    }
    if (setgroups(0, NULL) < 0 || setresgid(IDENTITY_STUDENT_ID, IDENTITY_STUDENT_ID, IDENTITY_STUDENT_ID) < 0 ||
        setresuid(IDENTITY_STUDENT_ID, IDENTITY_STUDENT_ID, IDENTITY_STUDENT_ID) < 0) {
        report_wall("student's user", fault, "it can't be taken on: %s", strerror(errno));
    }
    if (setresuid(0, 0, 0) == 0) {
        report_wall("student's user", fault, "it could be left again");
    }
}
