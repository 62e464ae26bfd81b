#include "filter.h"

#include "filter_programs.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void check(bool done, const char *what) {
    if (!done) {
        report_wall("system calls", "a kernel with seccomp filters is needed", "%s: %s", what, strerror(errno));
    }
}

int filter_export_student(void) {
    const size_t size = filter_program_student_length * sizeof *filter_program_student;
    int descriptor = memfd_create("student-filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    check(descriptor >= 0, "memfd_create");
    check(write(descriptor, filter_program_student, size) == (ssize_t)size, "exporting");
    check(fcntl(descriptor, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0, "sealing");
    return descriptor;
}

static void put_on(const struct sock_filter *program, size_t length) {
    struct sock_fprog whole = { .len = (unsigned short)length, .filter = (struct sock_filter *)program };
    check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &whole) == 0, "putting the filter on");
}

void filter_put_on(int descriptor) {
    static struct sock_filter program[BPF_MAXINSNS];
    ssize_t length = pread(descriptor, program, sizeof program, 0);
    check(length > 0 && (size_t)length % sizeof *program == 0, "reading the filter");
    put_on(program, (size_t)length / sizeof *program);
}

void filter_put_on_runner(void) {
    put_on(filter_program_runner, filter_program_runner_length);
}
