#include "scrub.h"

#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- processes ---- */

/*
 * Kills all that run as the student, and nothing else, by the kernel's own "all that I may signal": it goes
 * through the list of processes under the lock that a fork needs, so nobody forks past it.
 *
 * Whom a process may signal follows from its real and effective user, who may signal it from its real and
 * saved one. The child that sends has the effective user of the student, so it reaches the student's
 * processes; its real user is nobody else's, so it doesn't reach the launcher; and with the runner's as saved
 * user no student can stop it first.
 */
static bool kill_students(void) {
    struct clone_args arguments = { 0 };
    int status = 1;
    long process = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (process == 0) {
        if (syscall(SYS_setresuid, LAUNCH_KEEPER_ID, LAUNCH_STUDENT_ID, 0) < 0) {
            _exit(1);
        }
        kill(-1, SIGKILL);
        _exit(0);
    }
    while (process > 0 && waitpid((pid_t)process, &status, __WALL) < 0 && errno == EINTR) {
    }
    return process > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Reaps until no child is left but the launcher, which a plain wait doesn't see: whoever loses its parent
   becomes process 1's child, so no child means no process. True when none is left, false when some are still
   on their way. */
static bool reap(struct usage *usage, int options) {
    struct rusage used;
    int status;
    for (;;) {
        pid_t process = wait4(-1, &status, WNOHANG | options, &used);
        if (process == 0) {
            return false;
        }
        if (process < 0 && errno != EINTR) {
            return true;
        }
        if (process > 0) {
            usage_add(usage, &used);
        }
    }
}

/* Large memories take time to be torn down, and thousands of processes that want to run keep whoever ends them waiting for his turn.
   Twenty seconds are neither, and less than the host waits for us. */
static bool end_all(struct usage *usage, bool (*kill_them)(void), int options, struct fault *fault) {
    sigset_t child;
    struct timespec pause = { .tv_nsec = 2000000 };
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (int attempt = 0; attempt < 10000; attempt++) {
        if (attempt % 50 == 0 && !kill_them()) {
            return fault_fatal(fault, "scrub", "the last case's processes can't be signalled: %s", strerror(errno));
        }
        if (reap(usage, options)) {
            return true;
        }
        sigtimedwait(&child, NULL, &pause);
    }
    return fault_fatal(fault, "scrub", "processes of the last case can't be ended");
}

bool scrub_processes(const struct leaf *leaf, struct usage *usage, struct fault *fault) {
    if (reap(usage, 0)) {
        return true;
    }
    leaf_kill(leaf);
    return end_all(usage, kill_students, 0, fault);
}

/* Process 1 reaches all others, and is not reached itself. */
static bool kill_everything(void) {
    return kill(-1, SIGKILL) == 0 || errno == ESRCH;
}

bool scrub_everything(struct usage *usage, struct fault *fault) {
    return end_all(usage, kill_everything, __WALL, fault);
}

/* ---- System V ---- */

/* semctl's fourth argument, which its callers have to declare. */
union semaphore_argument {
    int value;
    void *pointer;
};

bool scrub_ipc(struct fault *fault) {
    struct shm_info shared = { 0 };
    struct seminfo semaphores = { 0 };
    struct msginfo queues = { 0 };
    union semaphore_argument argument = { .pointer = &semaphores };
    int last_shared = shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&shared);
    int last_semaphore = semctl(0, 0, SEM_INFO, argument);
    int last_queue = msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&queues);
    if (last_shared < 0 || last_semaphore < 0 || last_queue < 0) {
        /* A kernel built without them has none to remove. */
        return errno == ENOSYS ? true
                               : fault_fatal(fault, "scrub", "System V objects can't be listed: %s", strerror(errno));
    }
    for (int index = 0; shared.used_ids > 0 && index <= last_shared; index++) {
        struct shmid_ds about;
        int id = shmctl(index, SHM_STAT_ANY, &about);
        if (id >= 0 && shmctl(id, IPC_RMID, NULL) < 0) {
            return fault_fatal(fault, "scrub", "a shared memory can't be removed: %s", strerror(errno));
        }
    }
    for (int index = 0; semaphores.semusz > 0 && index <= last_semaphore; index++) {
        struct semid_ds about;
        argument.pointer = &about;
        int id = semctl(index, 0, SEM_STAT_ANY, argument);
        if (id >= 0 && semctl(id, 0, IPC_RMID) < 0) {
            return fault_fatal(fault, "scrub", "a semaphore can't be removed: %s", strerror(errno));
        }
    }
    for (int index = 0; queues.msgpool > 0 && index <= last_queue; index++) {
        struct msqid_ds about;
        int id = msgctl(index, MSG_STAT_ANY, &about);
        if (id >= 0 && msgctl(id, IPC_RMID, NULL) < 0) {
            return fault_fatal(fault, "scrub", "a message queue can't be removed: %s", strerror(errno));
        }
    }
    return true;
}

/* ---- sockets ---- */

bool scrub_count_sockets(unsigned *count, struct fault *fault) {
    char text[4096];
    ssize_t length = -1;
    unsigned lines = 0;
    int listing = open("/proc/self/net/unix", O_RDONLY | O_CLOEXEC);
    while (listing >= 0 && (length = read(listing, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < length; i++) {
            lines += text[i] == '\n';
        }
    }
    int reason = errno;
    if (listing >= 0) {
        close(listing);
    }
    *count = lines;
    return length == 0 || fault_fatal(fault, "scrub", "sockets can't be listed: %s", strerror(reason));
}

/* The end of any socket is what makes the kernel look for such that only sockets hold. */
static bool collect_sockets(struct fault *fault) {
    int one = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (one < 0) {
        return fault_fatal(fault, "scrub", "no socket can be made: %s", strerror(errno));
    }
    close(one);
    return true;
}

bool scrub_sockets(unsigned own, struct fault *fault) {
    for (int attempt = 0; attempt < 2000; attempt++) {
        unsigned count;
        if (!scrub_count_sockets(&count, fault)) {
            return false;
        }
        if (count <= own) {
            return true;
        }
        if (!collect_sockets(fault)) {
            return false;
        }
        struct timespec pause = { .tv_nsec = 1000000 };
        nanosleep(&pause, NULL);
    }
    return fault_fatal(fault, "scrub", "sockets of the last case are left");
}

/* ---- files ---- */

static const char scratch_place[] = "/scratch";

/* The number that the next file gets, which each look uses up. Files without a name (O_TMPFILE) move no folder's
   time and leave nothing, but a later case could read from its files' numbers how many there were. */
static bool next_file(uint64_t *number) {
    struct stat status;
    int descriptor = open(scratch_place, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return false;
    }
    bool done = fstat(descriptor, &status) == 0;
    close(descriptor);
    *number = (uint64_t)status.st_ino;
    return done;
}

static bool look(struct scrub_scratch *now) {
    struct statfs whole;
    if (!next_file(&now->next_file)) {
        return false;
    }
    if (statfs(scratch_place, &whole) < 0 || stat("/tmp", &now->tmp) < 0 || stat("/dev/shm", &now->shm) < 0) {
        return false;
    }
    now->free_files = (uint64_t)whole.f_ffree;
    now->free_blocks = (uint64_t)whole.f_bfree;
    return true;
}

static bool same_time(const struct timespec *one, const struct timespec *other) {
    return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

/* The directories are the runner's: whatever is made, removed, renamed or set in them moves these times,
   which nobody but the kernel's clock sets. */
static bool same_directory(const struct stat *one, const struct stat *other) {
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino && one->st_mode == other->st_mode &&
           same_time(&one->st_mtim, &other->st_mtim) && same_time(&one->st_ctim, &other->st_ctim);
}

static bool untouched(struct scrub_scratch *before) {
    struct scrub_scratch now;
    if (!look(&now) || now.next_file != before->next_file + 1) {
        return false;
    }
    before->next_file = now.next_file;
    return now.free_files == before->free_files && now.free_blocks == before->free_blocks &&
           same_directory(&now.tmp, &before->tmp) && same_directory(&now.shm, &before->shm);
}

/* A fresh file system instead of removing what is in the old one: nothing of it stays, however deep, locked
   or strange, no number of a file tells how many there were, and it takes no time that the student could
   stretch. */
static bool renew(uint64_t file_bytes) {
    char options[96];
    uint64_t files = file_bytes / 1024;
    files = files < 64 ? 64 : files > 65536 ? 65536 : files;
    /* Zero would mean "as much as you like". */
    uint64_t bytes = file_bytes < 4096 ? 4096 : file_bytes;
    snprintf(options, sizeof options, "size=%" PRIu64 ",nr_inodes=%" PRIu64 ",mode=0700", bytes, files);
    return umount2("/dev/shm", MNT_DETACH) == 0 && umount2("/tmp", MNT_DETACH) == 0 &&
           umount2(scratch_place, MNT_DETACH) == 0 &&
           mount("submitter", scratch_place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, options) == 0 &&
           mkdir("/scratch/tmp", 0755) == 0 && mkdir("/scratch/shm", 0755) == 0 && chmod("/scratch/tmp", 01777) == 0 &&
           chmod("/scratch/shm", 01777) == 0 && mount("/scratch/tmp", "/tmp", NULL, MS_BIND, NULL) == 0 &&
           mount("/scratch/shm", "/dev/shm", NULL, MS_BIND, NULL) == 0;
}

bool scrub_scratch(struct scrub_scratch *scratch, uint64_t file_bytes, struct fault *fault) {
    if (scratch->file_bytes == file_bytes && untouched(scratch)) {
        return true;
    }
    if (!renew(file_bytes) || !look(scratch)) {
        return fault_fatal(fault, "scrub", "fresh writable places can't be made: %s", strerror(errno));
    }
    scratch->file_bytes = file_bytes;
    return true;
}

/* ---- numbers ---- */

bool scrub_numbers(const struct walls *walls, pid_t launcher, struct fault *fault) {
    char text[16];
    if (walls->last_process < 0) {
        return true;
    }
    int length = snprintf(text, sizeof text, "%d", (int)launcher);
    if (pwrite(walls->last_process, text, (size_t)length, 0) != length) {
        return fault_fatal(fault, "scrub", "the next process's number can't be set: %s", strerror(errno));
    }
    return true;
}
