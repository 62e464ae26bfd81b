/*
 * submitter-sandbox: walls around a program that nobody trusts.
 *
 * THEORY OF OPERATION
 *
 * Two processes. The outer one, the supervisor, stays in the host's namespaces: it makes the cgroups, maps the
 * users, waits, and takes everything down. The inner one is born in namespaces of its own, builds what is seen
 * inside from within, gives up what it may, and becomes the program. As process 1 of its PID namespace it takes
 * all others along when it ends, and it ends when the supervisor does (parent-death signal). The program is
 * either submitter-runner, which then runs the student's program case by case, or, when started by hand, the
 * student's program itself, once.
 *
 * Inside there are two users (and a third, 1, that only signals come from). 0 is the runner: no user of the
 * host's privileged ones, and with four capabilities that count in its own user namespace only. 1000 is the
 * student: no capability, no way to get one, and another user than the runner, so that it can neither signal,
 * trace nor read it. Which users they are outside differs between sandboxes.
 *
 * The walls: what each is for, and what falls if it falls
 *
 *   user namespace      root inside is nobody outside.
 *                       Without it, a hole in any other wall is a hole in the machine.
 *   PID namespace       other processes can't be seen or signalled; ending process 1 ends all.
 *                       Without it: survivors.
 *   mount namespace     a root of its own by pivot_root: the system read-only, a few settings, five devices, no
 *                       /sys, a /proc of own processes only.
 *                       Without it: the host's files as far as their modes allow.
 *   network namespace   no interface at all, not even loopback is up; abstract sockets are its own.
 *                       Without it: the network, the credentials of a cloud's metadata service, other services.
 *   IPC, UTS, cgroup    System V objects, message queues, host name and cgroup paths of its own.
 *   cgroup              memory, number of processes and CPU time of a case as a whole.
 *                       Without it (rlimit) each process is bounded alone, and memory multiplies with them.
 *   rlimits             a second net below the cgroup, and the only one for single files and open files.
 *   capabilities,       set-user-id programs and file capabilities give nothing; the bounding set leaves the
 *   no new privileges   runner SETUID, SETGID, KILL and SYS_ADMIN. Without them: more kernel surface.
 *   system calls        the student's filter refuses all that isn't listed, the runner's what reaches the host.
 *                       Without it: the whole surface of the kernel, on which all other walls stand.
 *   descriptors         nothing is inherited but what is named. Without it: whatever the host had open.
 *   session, keyring    no controlling terminal to type into, no keys of whoever started this.
 *
 * In a container
 *
 * The same walls stand within a container, and the same program raises them: it is the image's entry point
 * (--spec FILE), process 1 of the container, and its supervisor for as long as that lives. The container is a second
 * wall around all of the above, none of which it replaces: students still have a root, a /proc, process numbers and
 * users of their own, and the runner is hidden from them as anywhere. What raising them takes is no privilege of the
 * machine's: the container has two capabilities, SETUID and SETGID, to map users who aren't its root, and all others
 * only count in the user namespace that is made here. What is different:
 *
 *   no root             no group is to be removed at the end, so the supervisor needs nothing of root's once the users are
 *                       mapped: it becomes one more user, without capabilities, who owns the user namespace and so may
 *                       end what is in it. From then on nobody in the container is its root.
 *   process 1           the kernel keeps signals from it that it doesn't handle: those that ask for the end are blocked
 *                       and read. Whoever loses his parent in the container becomes its child, and is reaped.
 *   /proc               the kernel makes a new one only where nothing of the one that is there is hidden, so engines
 *                       must be told to hide nothing of it, settings of the machine's among it that its root may
 *                       write. The supervisor alone ever sees that, and isn't root any more before anything of a
 *                       student's is there: it reads nothing that a student wrote, and runs nothing but the inside,
 *                       whose /proc has processes only.
 *   users               process 1 is always 1: which users outside it takes is drawn, of those above 0x74000000, or,
 *                       where the engine maps a few only, of these.
 *   cgroup              it is the engine's, and no group can be made in it. The runner gets the container's counters,
 *                       opened here, to read (accounting=container): see ../runner/leaf_container.c.
 *   system calls        one more filter stands around all: the engine puts on what rules/container.c makes of the same
 *                       lists.
 *
 * Assumed of the kernel: Linux 5.12 or newer (mount_setattr, clone3, close_range), user namespaces allowed,
 * seccomp filters, and cgroups, v1 or v2, unless accounting by rlimits was asked for. Of the C library nothing is
 * needed where it runs: it is linked statically, so that it fits any image. What the kernel itself
 * has wrong, a fault in a system call that the student may make, is not defended against.
 *
 * Each wall that can't be built ends the whole with its name, the reason and a remedy on standard error and exit
 * code 3, before the program runs. "They failed" never takes this path: what a program did is told by its exit
 * code, or, in the runner's case, by the protocol.
 */
#include "cgroup.h"
#include "identity.h"
#include "input.h"
#include "inside.h"
#include "namespaces.h"
#include "report.h"
#include "spec.h"
#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char help_text[] =
    "submitter-sandbox [OPTION VALUE]… -- PROGRAM [ARGUMENT]…    run a program once behind walls\n"
    "submitter-sandbox --spec-fd N | --spec FILE    a program that runs others behind walls, submitter-runner,\n"
    "                         by a specification on a descriptor or in a file: of keys as csrc/sandbox/spec.h\n"
    "                         lists them, interpreter and accounting=container, for containers, among them\n"
    "\n"
    "PROGRAM is an absolute path as it is inside, where /usr and its links stand as outside. Options:\n"
    "  --memory SIZE          memory of the whole (256M)\n"
    "  --cpu TIME             CPU time of the whole (2s). With --accounting rlimit a process is ended\n"
    "                         only after whole seconds of its own, one more than asked\n"
    "  --wall TIME            time by the clock (6s)\n"
    "  --processes N          processes and threads at once (16)\n"
    "  --files SIZE           what /tmp and /dev/shm hold together (16M)\n"
    "  --output SIZE          bytes of standard output, and of standard error (1M)\n"
    "  --input PATH           standard input (nothing): a file or FIFO of up to 64M, read before the\n"
    "                         start; /dev/stdin is this program's own\n"
    "  --bind-ro PATH         show one more file or directory, read-only; may be repeated. Sockets and\n"
    "                         FIFOs in it can be used from inside: show directories that hold none\n"
    "  --processors N         how many processors' time it gets, 0.5 for half of one (all there are)\n"
    "  --cgroup-parent PATH   the cgroup in which to make its own\n"
    "  --accounting KIND      cgroup (default), or rlimit where there is none\n"
    "\n"
    "Exit code: the program's, 128 and the signal's number, 124 when a limit ended it (standard error\n"
    "says which), 2 usage, 3 a wall could not be built (standard error says which, why, and what to do),\n"
    "4 the output can't be written (standard error says why) or a signal asked for the end. A slow reader\n"
    "of the output is waited for until the limit of time by the clock.\n";

/* What a failure takes down; in static memory because failures come from anywhere. */
static struct cgroup cgroup;
static struct spec spec;
static struct handover handover;
static pid_t inner = -1;
static int inner_descriptor = -1;

static void take_down(void) {
    if (inner > 0) {
        supervise_kill(inner, inner_descriptor);
        inner = -1;
    }
    cgroup_remove(&cgroup);
}

static void have_standard_descriptors(void) {
    int descriptor;
    do {
        descriptor = open("/dev/null", O_RDWR);
    } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor < 0) {
        report_wall("descriptors", "make /dev/null", "it can't be opened: %s", strerror(errno));
    }
    close(descriptor);
}

static int open_specification(const char *path) {
    int descriptor = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0) {
        report_usage("--spec: %s can't be opened: %s", path, strerror(errno));
    }
    return descriptor;
}

static void read_wishes(int count, char **words) {
    static char text[SPEC_BYTES + 1];
    char message[SPEC_MESSAGE_BYTES];
    struct spec_source source;
    spec_start(&spec);
    if (!spec_options(&spec, count, words, &source, message)) {
        report_usage("%s", message);
    }
    if (source.help) {
        fputs(help_text, stdout);
        fflush(stdout);
        _exit(REPORT_DONE);
    }
    if (source.path) {
        source.descriptor = open_specification(source.path);
    }
    if (source.descriptor >= 0 && !spec_read(&spec, source.descriptor, text, message)) {
        report_usage("%s", message);
    }
    if (close_range(3, ~0U, 0) < 0) {
        report_wall("descriptors", "Linux 5.9 or newer is needed", "inherited ones can't be closed: %s",
                    strerror(errno));
    }
}

static int open_program(void) {
    if (spec.role == SPEC_STUDENT) {
        return -1;
    }
    int program = open(spec.program, O_PATH | O_CLOEXEC);
    if (program < 0) {
        report_wall("program", "build it, or name the folder that holds it", "%s can't be opened: %s", spec.program,
                    strerror(errno));
    }
    return program;
}

static void say(int channel, char word) {
    ssize_t written = send(channel, &word, 1, MSG_NOSIGNAL);
    /* An inner process that is gone has said why, or is found dead by the next read. */
    (void)written;
}

/* The inner process's next word; 0 when the channel has ended. */
static char hear(int channel) {
    char word = 0;
    ssize_t count;
    do {
        count = read(channel, &word, 1);
    } while (count < 0 && errno == EINTR);
    return count == 1 ? word : 0;
}

static _Noreturn void give_up(char word) {
    take_down();
    if (word != INSIDE_FAILED) {
        report_on_failure(NULL);
        report_wall("inside", "look into the kernel's log", "the inner process died while the walls were built");
    }
    _exit(REPORT_ENVIRONMENT);
}

/* Clones the inner process and answers it until it has become the program. */
static void build(struct inside *inside, const struct identity *identity) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        report_wall("supervisor", "allow more open files", "no channel: %s", strerror(errno));
    }
    bool leaves_root = spec.accounting == SPEC_CONTAINER && geteuid() == 0;
    if (leaves_root) {
        identity_leave_root(identity);
        supervise_follow_parent();
    }
    inner = namespaces_clone(cgroup.clone_target, &inner_descriptor);
    if (inner == 0) {
        close(ends[0]);
        inside->channel = ends[1];
        inside_run(inside);
    }
    close(ends[1]);
    identity_map(identity, inner);
    if (leaves_root) {
        identity_give_up_capabilities();
    }
    say(ends[0], INSIDE_MAPPED);
    cgroup_enter(&cgroup, inner);
    say(ends[0], INSIDE_PLACED);
    char word = hear(ends[0]);
    if (word != INSIDE_HIDDEN) {
        give_up(word);
    }
    cgroup_settle(&cgroup, inner);
    say(ends[0], INSIDE_COMPLETE);
    word = hear(ends[0]);
    if (word != 0) {
        give_up(word);
    }
    close(ends[0]);
}

/* The inside's ends of streams are the inside's alone: their closing must be seen by the other side. */
static void let_go_of_streams(struct inside *inside) {
    for (int i = 0; i < 2; i++) {
        if (inside->output[i] >= 0) {
            close(inside->output[i]);
        }
    }
    if (inside->input >= 0) {
        close(inside->input);
    }
    if (spec.role == SPEC_RUNNER) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0 || dup2(null, STDOUT_FILENO) < 0) {
            report_wall("descriptors", "make /dev/null", "it can't be opened: %s", strerror(errno));
        }
        close(null);
    }
}

static int conclude(const struct supervise_outcome *outcome) {
    static const char *const reasons[] = {
        [SUPERVISE_CPU] = "CPU time",
        [SUPERVISE_WALL] = "time by the clock",
        [SUPERVISE_OUTPUT] = "output",
        [SUPERVISE_MEMORY] = "memory",
    };
    if (outcome->end == SUPERVISE_ABANDONED) {
        return REPORT_INTERNAL;
    }
    if (outcome->end == SUPERVISE_UNWRITABLE) {
        report_line("the output can't be written: %s", strerror(outcome->error));
        return REPORT_INTERNAL;
    }
    if (outcome->end != SUPERVISE_ENDED) {
        report_line("ended at its limit of %s", reasons[outcome->end]);
        return REPORT_LIMIT;
    }
    if (spec.role == SPEC_RUNNER && outcome->exit_code != 0) {
        report_line("the runner ended with exit code %d", outcome->exit_code);
        return REPORT_INTERNAL;
    }
    return outcome->exit_code;
}

int main(int count, char **words) {
    struct identity identity;
    struct inside inside = {
        .spec = &spec, .cgroup = &cgroup, .handover = &handover, .input = -1, .output = { -1, -1 }
    };
    have_standard_descriptors();
    read_wishes(count, words);
    if (spec.input) {
        /* First, while signals still end this process: a FIFO may take its time. */
        inside.input = input_read(spec.input);
    }
    supervise_prepare();
    inside.program = open_program();
    identity_choose(&identity);
    report_on_failure(take_down);
    cgroup_make(&cgroup, &spec);
    cgroup_delegate(&cgroup, identity.users[0], identity.groups[0]);
    if (spec.role == SPEC_RUNNER) {
        cgroup_hand_over(&cgroup, &handover);
    } else {
        supervise_pipes(inside.output);
    }
    build(&inside, &identity);
    let_go_of_streams(&inside);
    struct supervise_outcome outcome = supervise_wait(&spec, &cgroup, inner, inner_descriptor);
    take_down();
    return conclude(&outcome);
}
