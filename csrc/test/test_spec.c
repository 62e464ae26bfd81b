/* The sandbox's specification and command line: what is understood, and that nothing else is. */
#include "../sandbox/spec.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char message[SPEC_MESSAGE_BYTES];

static bool parse(struct spec *spec, const char *text) {
    static char copy[SPEC_BYTES + 1];
    size_t length = strlen(text);
    memcpy(copy, text, length + 1);
    message[0] = 0;
    spec_start(spec);
    return spec_parse(spec, copy, length, message);
}

static void refused(const char *text, const char *says) {
    struct spec spec;
    bool taken = parse(&spec, text);
    if (!tap_ok(!taken && strstr(message, says), "refused: %s", says)) {
        tap_note("said: %s", message);
    }
}

#define HEAD "version=1\nprogram=/opt/runner\n"

static void test_specification(void) {
    struct spec spec;
    tap_ok(parse(&spec, HEAD), "the least");
    tap_ok(spec.role == SPEC_RUNNER && strcmp(spec.program, "/opt/runner") == 0 && spec.accounting == SPEC_CGROUP &&
               spec.memory_bytes == 256 << 20 && spec.cpu_ms == 2000 && spec.wall_ms == 6000 && spec.processes == 16 &&
               spec.output_bytes == 1 << 20 && spec.file_bytes == 16 << 20 && !spec.cgroup_parent &&
               spec.processors_percent == 0 && !spec.interpreter && !spec.interpreter_version,
           "and the defaults");
    tap_ok(parse(&spec, HEAD "processors_percent=50\n") && spec.processors_percent == 50, "half a processor");
    tap_ok(parse(&spec,
                 HEAD "argument=a=b\nargument=\nbind_ro=/opt/python\nbind_ro=/usr\naccounting=rlimit\n"
                      "cgroup_parent=/submitter\nmemory_bytes=1048576\ncpu_ms=1\nwall_ms=86400000\noutput_bytes=0\n"
                      "processes=65536\nfile_bytes=0\n"),
           "everything");
    tap_ok(spec.argument_count == 2 && strcmp(spec.arguments[0], "a=b") == 0 && spec.arguments[1][0] == 0 &&
               spec.read_only_count == 2 && strcmp(spec.read_only[0], "/opt/python") == 0 &&
               spec.accounting == SPEC_RLIMIT && strcmp(spec.cgroup_parent, "/submitter") == 0 &&
               spec.memory_bytes == 1048576 && spec.cpu_ms == 1 && spec.wall_ms == 86400000 && spec.output_bytes == 0 &&
               spec.processes == 65536 && spec.file_bytes == 0,
           "is understood");
    tap_ok(parse(&spec, HEAD
                 "accounting=container\ninterpreter=/usr/local/bin/python3.9\ninterpreter_version=3.9.21 (PyPy)\n") &&
               spec.accounting == SPEC_CONTAINER && strcmp(spec.interpreter, "/usr/local/bin/python3.9") == 0 &&
               strcmp(spec.interpreter_version, "3.9.21 (PyPy)") == 0,
           "a container's");
    tap_ok(parse(&spec, HEAD "interpreter=/bin/python3\n") && !spec.interpreter_version,
           "an interpreter whose version nobody told");
}

static void test_refusals(void) {
    refused("", "cut off");
    refused("version=1\nprogram=/x", "cut off");
    refused("program=/x\nversion=1\n", "must begin with version=1");
    refused("version=2\nprogram=/x\n", "version: only 1");
    refused("version=1\n", "missing key: program");
    refused(HEAD "program=/y\n", "given twice: program");
    refused(HEAD "cpu_ms=1\ncpu_ms=1\n", "given twice: cpu_ms");
    refused(HEAD "memory=1\n", "unknown key: memory");
    refused(HEAD "input=/x\n", "unknown key: input");
    refused(HEAD "\n", "without \"=\"");
    refused(HEAD "nothing\n", "without \"=\"");
    refused("version=1\nprogram=x\n", "program: a plain absolute path");
    refused("version=1\nprogram=/a/../b\n", "program: a plain absolute path");
    refused("version=1\nprogram=/a//b\n", "program: a plain absolute path");
    refused("version=1\nprogram=/a/\n", "program: a plain absolute path");
    refused(HEAD "memory_bytes=1048575\n", "memory_bytes: a value from");
    refused(HEAD "memory_bytes=1099511627777\n", "memory_bytes: a value from");
    refused(HEAD "memory_bytes=18446744073709551616\n", "memory_bytes: a value from");
    refused(HEAD "memory_bytes=-1\n", "memory_bytes: a value from");
    refused(HEAD "memory_bytes=256M\n", "memory_bytes: a value from");
    refused(HEAD "cpu_ms= 5\n", "cpu_ms: a value from");
    refused(HEAD "cpu_ms=0\n", "cpu_ms: a value from");
    refused(HEAD "processes=\n", "processes: a value from");
    refused(HEAD "processors_percent=0\n", "processors_percent: a value from 10 to 102400");
    refused(HEAD "processors_percent=0.5\n", "processors_percent: a value from 10 to 102400");
    refused(HEAD "processors_percent=50\naccounting=rlimit\n", "takes a cgroup");
    refused(HEAD "accounting=none\n", "accounting: \"cgroup\", \"rlimit\" or \"container\"");
    refused(HEAD "processors_percent=50\naccounting=container\n", "have the container's engine give it a share");
    refused(HEAD "interpreter=python3\n", "interpreter: a plain absolute path");
    refused(HEAD "interpreter=/bin/a\ninterpreter=/bin/b\n", "given twice: interpreter");
    refused(HEAD "interpreter_version=3.9\n", "interpreter_version: of which interpreter");
    refused(HEAD "interpreter=/bin/a\ninterpreter_version=\n", "interpreter_version: 1 to 64 plain characters");
    refused(HEAD "interpreter=/bin/a\ninterpreter_version=3\t9\n", "interpreter_version: 1 to 64 plain characters");
    refused(
        HEAD
        "interpreter=/bin/a\ninterpreter_version=3.9-0123456789012345678901234567890123456789012345678901234567890\n",
        "interpreter_version: 1 to 64 plain characters");
    refused(HEAD "cgroup_parent=submitter\n", "cgroup_parent: a plain absolute path");
    refused(HEAD "bind_ro=/\n", "bind_ro: an absolute path");
    refused(HEAD "bind_ro=/opt/./x\n", "bind_ro: an absolute path");
    const char *const ours[] = { "/proc",  "/proc/1", "/sys",        "/dev",     "/dev/shm",          "/tmp",
                                 "/tmp/x", "/etc",    "/etc/shadow", "/usr/src", "/usr/src/submitter" };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        char text[128];
        snprintf(text, sizeof text, HEAD "bind_ro=%s\n", ours[i]);
        refused(text, ours[i]);
    }
    struct spec spec;
    tap_ok(parse(&spec, HEAD "bind_ro=/usrx\nbind_ro=/process\nbind_ro=/devel/x\n"),
           "names that only begin alike are fine");
}

static void test_amounts(void) {
    static char text[SPEC_BYTES + 64];
    struct spec spec;
    strcpy(text, HEAD);
    for (int i = 0; i < SPEC_ARGUMENTS; i++) {
        strcat(text, "argument=x\n");
    }
    tap_ok(parse(&spec, text) && spec.argument_count == SPEC_ARGUMENTS, "as many arguments as there may be");
    strcat(text, "argument=x\n");
    tap_ok(!parse(&spec, text) && strstr(message, "argument: too many"), "and one more is refused");
    strcpy(text, HEAD);
    for (int i = 0; i <= SPEC_READ_ONLY; i++) {
        strcat(text, "bind_ro=/opt\n");
    }
    tap_ok(!parse(&spec, text) && strstr(message, "bind_ro: too many"), "too many paths are refused");
    spec_start(&spec);
    tap_ok(!spec_parse(&spec, text, SPEC_BYTES + 1, message) && strstr(message, "longer than 64 KiB"),
           "a specification that is too long is refused");
    char nul[] = "version=1\nprogram=/x\0y\n";
    spec_start(&spec);
    tap_ok(!spec_parse(&spec, nul, sizeof nul - 1, message) && strstr(message, "NUL"), "and one with a NUL");
}

static void test_descriptor(void) {
    static char text[SPEC_BYTES + 1];
    struct spec spec;
    int descriptor = memfd_create("specification", MFD_CLOEXEC);
    const char head[] = HEAD;
    bool written =
        write(descriptor, head, sizeof head - 1) == (ssize_t)sizeof head - 1 && lseek(descriptor, 0, SEEK_SET) == 0;
    spec_start(&spec);
    tap_ok(written && spec_read(&spec, descriptor, text, message) && strcmp(spec.program, "/opt/runner") == 0,
           "it is read from a descriptor");
    spec_start(&spec);
    tap_ok(ftruncate(descriptor, SPEC_BYTES + 10) == 0 && lseek(descriptor, 0, SEEK_SET) == 0 &&
               !spec_read(&spec, descriptor, text, message),
           "but not without end");
    close(descriptor);
    tap_ok(!spec_read(&spec, descriptor, text, message) && strstr(message, "can't be read"), "nor from a closed one");
}

static struct spec_source source;

static bool options(struct spec *spec, char **words) {
    int count = 0;
    while (words[count]) {
        count++;
    }
    spec_start(spec);
    message[0] = 0;
    return spec_options(spec, count, words, &source, message);
}

#define WORDS(...) ((char *[]){ "submitter-sandbox", __VA_ARGS__, NULL })

static void test_options(void) {
    struct spec spec;
    tap_ok(options(&spec, WORDS("--", "/bin/true")) && spec.role == SPEC_STUDENT && source.descriptor == -1 &&
               !source.path && spec.argument_count == 0,
           "options: a program alone");
    tap_ok(options(&spec, WORDS("--memory", "64M", "--cpu", "250ms", "--wall", "2s", "--processes", "4", "--files",
                                "1M", "--output", "4K", "--bind-ro", "/opt", "--accounting", "rlimit", "--",
                                "/bin/echo", "--memory", "x")) &&
               spec.memory_bytes == 64 << 20 && spec.cpu_ms == 250 && spec.wall_ms == 2000 && spec.processes == 4 &&
               spec.file_bytes == 1 << 20 && spec.output_bytes == 4096 && spec.accounting == SPEC_RLIMIT &&
               spec.argument_count == 2 && strcmp(spec.arguments[0], "--memory") == 0,
           "options: all of them");
    tap_ok(options(&spec, WORDS("--", "/bin/true")) && !spec.input &&
               options(&spec, WORDS("--input", "./data", "--", "/bin/true")) && strcmp(spec.input, "./data") == 0,
           "options: standard input, of which there is none else");
    tap_ok(!options(&spec, WORDS("--input", "", "--", "/bin/true")) && strstr(message, "--input: a path"),
           "options: standard input has a path");
    tap_ok(options(&spec, WORDS("--spec-fd", "3")) && source.descriptor == 3, "options: a descriptor");
    tap_ok(!options(&spec, WORDS("--spec-fd", "3", "--memory", "64M")), "options: a descriptor stands alone");
    tap_ok(!options(&spec, WORDS("--spec-fd", "2")), "options: no standard descriptor");
    tap_ok(options(&spec, WORDS("--spec", "/etc/submitter.spec")) && strcmp(source.path, "/etc/submitter.spec") == 0 &&
               source.descriptor == -1,
           "options: a file");
    tap_ok(!options(&spec, WORDS("--spec", "x", "--spec-fd", "3")) && !options(&spec, WORDS("--spec", "")),
           "options: a file stands alone, and has a name");
    tap_ok(!options(&spec, WORDS("--accounting", "container", "--", "/x")) &&
               strstr(message, "\"cgroup\" or \"rlimit\""),
           "options: by hand nothing is accounted by a container");
    tap_ok(!options(&spec, WORDS("--memory", "64M")), "options: a program is needed");
    tap_ok(!options(&spec, WORDS("--memory")) && strstr(message, "needs a value"), "options: and values");
    tap_ok(!options(&spec, WORDS("--cpu", "2", "--", "/x")), "options: a time needs its unit");
    tap_ok(!options(&spec, WORDS("--speed", "2", "--", "/x")) && strstr(message, "--speed"),
           "options: an unknown one is named");
    tap_ok(!options(&spec, WORDS("/bin/true")), "options: the program comes after --");
    tap_ok(!options(&spec, WORDS("--", "true")), "options: the program has its whole path");
}

static void test_units(void) {
    uint64_t value;
    tap_ok(spec_size("0", &value) && value == 0 && spec_size("3K", &value) && value == 3072 &&
               spec_size("2G", &value) && value == UINT64_C(2) << 30,
           "units: sizes");
    tap_ok(!spec_size("", &value) && !spec_size("M", &value) && !spec_size("1 M", &value) && !spec_size("1m", &value) &&
               !spec_size("1.5M", &value) && !spec_size("99999999999999999999", &value) &&
               !spec_size("18446744073709551615K", &value),
           "units: what isn't one");
    tap_ok(spec_duration("5ms", &value) && value == 5 && spec_duration("2s", &value) && value == 2000 &&
               spec_duration("3m", &value) && value == 180000 && !spec_duration("3", &value) &&
               !spec_duration("3h", &value),
           "units: times");
}

static void test_hundredths(void) {
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = { { "2", 200 }, { "0.5", 50 }, { "1.25", 125 }, { "0.05", 5 }, { "3.00", 300 } };
    static const char *const bad[] = {
        "", ".", ".5", "1.", "1.255", "-1", "1,5", "1.5x", " 1", "1e2", "184467440737095517", "184467440737095516.99"
    };
    uint64_t value;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        value = 0;
        tap_ok(spec_hundredths(good[i].text, &value) && value == good[i].value, "hundredths: %s", good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tap_ok(!spec_hundredths(bad[i], &value), "hundredths: not \"%s\"", bad[i]);
    }
}

int main(void) {
    test_specification();
    test_refusals();
    test_amounts();
    test_descriptor();
    test_options();
    test_units();
    test_hundredths();
    return tap_done();
}
