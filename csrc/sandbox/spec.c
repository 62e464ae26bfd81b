#include "spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool refuse(char message[SPEC_MESSAGE_BYTES], const char *what, const char *value) {
    snprintf(message, SPEC_MESSAGE_BYTES, "%s: %.120s", what, value);
    return false;
}

/* Decimal digits, as many as fit; `*end` is what follows. */
static bool number(const char *text, uint64_t *value, const char **end) {
    uint64_t result = 0;
    const char *next = text;
    for (; *next >= '0' && *next <= '9'; next++) {
        uint64_t digit = (uint64_t)(*next - '0');
        if (result > (UINT64_MAX - digit) / 10) {
            return false;
        }
        result = result * 10 + digit;
    }
    if (next == text) {
        return false;
    }
    *value = result;
    *end = next;
    return true;
}

static bool multiply(uint64_t value, uint64_t factor, uint64_t *result) {
    if (value > UINT64_MAX / factor) {
        return false;
    }
    *result = value * factor;
    return true;
}

bool spec_size(const char *text, uint64_t *bytes) {
    static const struct {
        const char *unit;
        uint64_t factor;
    } units[] = { { "", 1 }, { "K", UINT64_C(1) << 10 }, { "M", UINT64_C(1) << 20 }, { "G", UINT64_C(1) << 30 } };
    uint64_t value;
    const char *unit;
    if (!number(text, &value, &unit)) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].unit) == 0) {
            return multiply(value, units[i].factor, bytes);
        }
    }
    return false;
}

bool spec_duration(const char *text, uint64_t *milliseconds) {
    static const struct {
        const char *unit;
        uint64_t factor;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 } };
    uint64_t value;
    const char *unit;
    if (!number(text, &value, &unit)) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].unit) == 0) {
            return multiply(value, units[i].factor, milliseconds);
        }
    }
    return false;
}

bool spec_hundredths(const char *text, uint64_t *hundredths) {
    uint64_t whole, part = 0;
    const char *rest, *end;
    if (!number(text, &whole, &rest)) {
        return false;
    }
    if (*rest == '.') {
        const char *decimals = rest + 1;
        if (!number(decimals, &part, &end) || *end != 0 || end - decimals > 2) {
            return false;
        }
        part *= end - decimals == 1 ? 10 : 1;
    } else if (*rest != 0) {
        return false;
    }
    if (!multiply(whole, 100, hundredths) || *hundredths > UINT64_MAX - part) {
        return false;
    }
    *hundredths += part;
    return true;
}

/* The bounds are those of the protocol, so that whatever one takes the other does. */
struct bound {
    const char *key;    /* in a specification */
    const char *option; /* on the command line */
    size_t offset;
    uint64_t least, most;
    bool (*read)(const char *text, uint64_t *value);
    const char *expected; /* on the command line */
};

static bool plain(const char *text, uint64_t *value) {
    const char *end;
    return number(text, value, &end) && *end == 0;
}

#define FIELD(name) offsetof(struct spec, name)
static const struct bound bounds[] = {
    { "memory_bytes", "--memory", FIELD(memory_bytes), UINT64_C(1) << 20, UINT64_C(1) << 40, spec_size,
      "a size such as 256M, from 1M to 1024G (K, M, G)" },
    { "cpu_ms", "--cpu", FIELD(cpu_ms), 1, 86400000, spec_duration, "a time such as 2s or 500ms, to 1440m (ms, s, m)" },
    { "wall_ms", "--wall", FIELD(wall_ms), 1, 86400000, spec_duration,
      "a time such as 6s or 500ms, to 1440m (ms, s, m)" },
    { "output_bytes", "--output", FIELD(output_bytes), 0, UINT64_C(256) << 20, spec_size,
      "a size such as 1M, to 256M (K, M; 0 for none)" },
    { "processes", "--processes", FIELD(processes), 1, 65536, plain, "a number from 1 to 65536" },
    { "file_bytes", "--files", FIELD(file_bytes), 0, UINT64_C(1) << 40, spec_size,
      "a size such as 16M, to 1024G (K, M, G; 0 for none)" },
    { "processors_percent", "--processors", FIELD(processors_percent), 10, 102400, spec_hundredths,
      "a number such as 1 or 0.5, from 0.1 to 1024" },
};
enum { BOUNDS = sizeof bounds / sizeof *bounds };

void spec_start(struct spec *spec) {
    *spec = (struct spec){
        .role = SPEC_STUDENT,
        .accounting = SPEC_CGROUP,
        .memory_bytes = UINT64_C(256) << 20,
        .cpu_ms = 2000,
        .wall_ms = 6000,
        .output_bytes = UINT64_C(1) << 20,
        .processes = 16,
        .file_bytes = UINT64_C(16) << 20,
    };
}

static bool set_bound(struct spec *spec, const struct bound *bound, const char *text,
                      bool (*read)(const char *, uint64_t *)) {
    uint64_t value;
    if (!read(text, &value) || value < bound->least || value > bound->most) {
        return false;
    }
    memcpy((char *)spec + bound->offset, &value, sizeof value);
    return true;
}

static bool take_bound_key(struct spec *spec, const struct bound *bound, const char *text,
                           char message[SPEC_MESSAGE_BYTES]) {
    if (set_bound(spec, bound, text, plain)) {
        return true;
    }
    snprintf(message, SPEC_MESSAGE_BYTES, "%s: a value from %llu to %llu is expected, not \"%.80s\"", bound->key,
             (unsigned long long)bound->least, (unsigned long long)bound->most, text);
    return false;
}

static bool take_bound_option(struct spec *spec, const struct bound *bound, const char *text,
                              char message[SPEC_MESSAGE_BYTES]) {
    if (set_bound(spec, bound, text, bound->read)) {
        return true;
    }
    snprintf(message, SPEC_MESSAGE_BYTES, "%s: %s is expected, not \"%.80s\"", bound->option, bound->expected, text);
    return false;
}

/* Absolute, without empty, "." and ".." segments: what it says is where it is. */
static bool clean_path(const char *path) {
    if (path[0] != '/' || path[1] == 0 || strlen(path) > SPEC_PATH_BYTES) {
        return false;
    }
    for (const char *segment = path + 1;; segment++) {
        size_t length = strcspn(segment, "/");
        if (length == 0 || (length == 1 && segment[0] == '.') ||
            (length == 2 && segment[0] == '.' && segment[1] == '.')) {
            return false;
        }
        segment += length;
        if (*segment == 0) {
            return true;
        }
    }
}

static bool below(const char *path, const char *directory) {
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && (path[length] == 0 || path[length] == '/');
}

static bool take_read_only(struct spec *spec, const char *path, char message[SPEC_MESSAGE_BYTES]) {
    /* Places that the sandbox fills itself: something of the host's there would be a hole in a wall. */
    static const char *const ours[] = {
        "/proc", "/sys", "/dev", "/tmp", "/etc", "/root", "/run/submitter", "/usr/src"
    };
    if (!clean_path(path)) {
        return refuse(message,
                      "bind_ro: an absolute path without \".\", \"..\" and a slash at its end is expected, not", path);
    }
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        bool hides = below(ours[i], path) && strcmp(path, "/usr") != 0;
        bool within_tmp = strcmp(ours[i], "/tmp") == 0;
        if ((below(path, ours[i]) || hides) && !(within_tmp && strcmp(path, "/tmp") != 0)) {
            return refuse(message, "bind_ro: this place is the sandbox's own", path);
        }
    }
    if (below(path, "/tmp")) {
        return refuse(message, "bind_ro: /tmp is the student's own inside; move elsewhere", path);
    }
    if (spec->read_only_count == SPEC_READ_ONLY) {
        return refuse(message, "bind_ro: too many paths; the first too many is", path);
    }
    spec->read_only[spec->read_only_count++] = path;
    return true;
}

/* What was asked for and can't be had is no wall. */
static bool consistent(const struct spec *spec, char message[SPEC_MESSAGE_BYTES]) {
    if (spec->processors_percent > 0 && spec->accounting == SPEC_RLIMIT) {
        return refuse(message, "processors: a share of them takes a cgroup; leave it out with accounting", "rlimit");
    }
    if (spec->processors_percent > 0 && spec->accounting == SPEC_CONTAINER) {
        return refuse(message, "processors: have the container's engine give it a share; leave it out with accounting",
                      "container");
    }
    if (spec->interpreter_version && !spec->interpreter) {
        return refuse(message, "interpreter_version: of which interpreter", spec->interpreter_version);
    }
    return true;
}

static bool take_accounting(struct spec *spec, const char *value, char message[SPEC_MESSAGE_BYTES]) {
    if (strcmp(value, "cgroup") == 0) {
        spec->accounting = SPEC_CGROUP;
    } else if (strcmp(value, "rlimit") == 0) {
        spec->accounting = SPEC_RLIMIT;
    } else if (strcmp(value, "container") == 0 && spec->role == SPEC_RUNNER) {
        spec->accounting = SPEC_CONTAINER;
    } else if (spec->role == SPEC_RUNNER) {
        return refuse(message, "accounting: \"cgroup\", \"rlimit\" or \"container\" is expected, not", value);
    } else {
        return refuse(message, "accounting: \"cgroup\" or \"rlimit\" is expected, not", value);
    }
    return true;
}

static bool take_cgroup_parent(struct spec *spec, const char *value, char message[SPEC_MESSAGE_BYTES]) {
    if (!clean_path(value)) {
        return refuse(message, "cgroup_parent: a plain absolute path is expected, not", value);
    }
    spec->cgroup_parent = value;
    return true;
}

static bool take_interpreter(struct spec *spec, const char *value, char message[SPEC_MESSAGE_BYTES]) {
    spec->interpreter = value;
    return clean_path(value) ? true : refuse(message, "interpreter: a plain absolute path is expected, not", value);
}

static bool take_interpreter_version(struct spec *spec, const char *value, char message[SPEC_MESSAGE_BYTES]) {
    size_t length = strlen(value);
    bool printable = length > 0 && length <= SPEC_VERSION_BYTES;
    for (size_t i = 0; i < length && printable; i++) {
        printable = value[i] >= ' ' && value[i] <= '~';
    }
    spec->interpreter_version = value;
    return printable ? true : refuse(message, "interpreter_version: 1 to 64 plain characters are expected, not", value);
}

static bool take_argument(struct spec *spec, const char *value, char message[SPEC_MESSAGE_BYTES]) {
    if (spec->argument_count == SPEC_ARGUMENTS) {
        return refuse(message, "argument: too many; the first too many is", value);
    }
    spec->arguments[spec->argument_count++] = value;
    return true;
}

/* ---- the specification ---- */

enum once {
    ONCE_VERSION = BOUNDS,
    ONCE_PROGRAM,
    ONCE_ACCOUNTING,
    ONCE_CGROUP_PARENT,
    ONCE_INTERPRETER,
    ONCE_INTERPRETER_VERSION,
    ONCE_KEYS
};

/* Which key that may come only once this is; -1 for none. */
static int once_key(const char *key) {
    static const char *const words[] = { "version",       "program",     "accounting",
                                         "cgroup_parent", "interpreter", "interpreter_version" };
    for (int i = 0; i < BOUNDS; i++) {
        if (strcmp(key, bounds[i].key) == 0) {
            return i;
        }
    }
    for (int i = 0; i < (int)(sizeof words / sizeof *words); i++) {
        if (strcmp(key, words[i]) == 0) {
            return BOUNDS + i;
        }
    }
    return -1;
}

static bool take_key(struct spec *spec, const char *key, const char *value, bool seen[ONCE_KEYS],
                     char message[SPEC_MESSAGE_BYTES]) {
    if (strcmp(key, "argument") == 0) {
        return take_argument(spec, value, message);
    }
    if (strcmp(key, "bind_ro") == 0) {
        return take_read_only(spec, value, message);
    }
    int which = once_key(key);
    if (which < 0) {
        return refuse(message, "unknown key", key);
    }
    if (seen[which]) {
        return refuse(message, "given twice", key);
    }
    seen[which] = true;
    switch (which) {
    case ONCE_VERSION: return strcmp(value, "1") == 0 ? true : refuse(message, "version: only 1 is known, not", value);
    case ONCE_PROGRAM:
        spec->program = value;
        return clean_path(value) ? true : refuse(message, "program: a plain absolute path is expected, not", value);
    case ONCE_ACCOUNTING: return take_accounting(spec, value, message);
    case ONCE_CGROUP_PARENT: return take_cgroup_parent(spec, value, message);
    case ONCE_INTERPRETER: return take_interpreter(spec, value, message);
    case ONCE_INTERPRETER_VERSION: return take_interpreter_version(spec, value, message);
    default: return take_bound_key(spec, &bounds[which], value, message);
    }
}

bool spec_parse(struct spec *spec, char *text, size_t length, char message[SPEC_MESSAGE_BYTES]) {
    bool seen[ONCE_KEYS] = { false };
    spec->role = SPEC_RUNNER;
    if (length > SPEC_BYTES) {
        return refuse(message, "the specification", "longer than 64 KiB");
    }
    if (length > 0 && memchr(text, 0, length)) {
        return refuse(message, "the specification", "holds a NUL byte");
    }
    if (length == 0 || text[length - 1] != '\n') {
        return refuse(message, "the specification", "its last line is cut off");
    }
    text[length] = 0;
    for (char *line = text; *line;) {
        char *end = strchr(line, '\n');
        *end = 0;
        char *sign = strchr(line, '=');
        if (!sign) {
            return refuse(message, "a line without \"=\"", line);
        }
        *sign = 0;
        if (!take_key(spec, line, sign + 1, seen, message)) {
            return false;
        }
        if (!seen[ONCE_VERSION]) {
            return refuse(message, "the specification must begin with version=1, not with", line);
        }
        line = end + 1;
    }
    return seen[ONCE_PROGRAM] ? consistent(spec, message) : refuse(message, "missing key", "program");
}

bool spec_read(struct spec *spec, int descriptor, char *text, char message[SPEC_MESSAGE_BYTES]) {
    size_t length = 0;
    while (length <= SPEC_BYTES) {
        ssize_t count = read(descriptor, text + length, SPEC_BYTES + 1 - length);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return refuse(message, "the specification can't be read", strerror(errno));
        }
        if (count == 0) {
            break;
        }
        length += (size_t)count;
    }
    return spec_parse(spec, text, length, message);
}

/* ---- the command line ---- */

static bool take_source(struct spec_source *source, const char *option, const char *value,
                        char message[SPEC_MESSAGE_BYTES]) {
    uint64_t descriptor;
    if (strcmp(option, "--spec") == 0) {
        source->path = value;
        return value[0] ? true : refuse(message, "--spec: a path is expected, not", "\"\"");
    }
    if (!plain(value, &descriptor) || descriptor < 3 || descriptor > 65535) {
        return refuse(message, "--spec-fd: a descriptor from 3 on is expected, not", value);
    }
    source->descriptor = (int)descriptor;
    return true;
}

static bool take_option(struct spec *spec, const char *option, const char *value, struct spec_source *source,
                        char message[SPEC_MESSAGE_BYTES]) {
    for (int i = 0; i < BOUNDS; i++) {
        if (strcmp(option, bounds[i].option) == 0) {
            return take_bound_option(spec, &bounds[i], value, message);
        }
    }
    if (strcmp(option, "--bind-ro") == 0) {
        return take_read_only(spec, value, message);
    }
    if (strcmp(option, "--input") == 0) {
        spec->input = value;
        return value[0] ? true : refuse(message, "--input: a path is expected, not", "\"\"");
    }
    if (strcmp(option, "--cgroup-parent") == 0) {
        return take_cgroup_parent(spec, value, message);
    }
    if (strcmp(option, "--accounting") == 0) {
        return take_accounting(spec, value, message);
    }
    if (strcmp(option, "--spec") == 0 || strcmp(option, "--spec-fd") == 0) {
        return take_source(source, option, value, message);
    }
    return refuse(message, "unknown option", option);
}

bool spec_options(struct spec *spec, int count, char **words, struct spec_source *source,
                  char message[SPEC_MESSAGE_BYTES]) {
    int i = 1;
    *source = (struct spec_source){ .descriptor = -1 };
    for (; i < count && strcmp(words[i], "--") != 0; i += 2) {
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0) {
            source->help = true;
            return true;
        }
        if (words[i][0] != '-') {
            return refuse(message, "put \"--\" before the program", words[i]);
        }
        if (i + 1 >= count) {
            return refuse(message, "needs a value", words[i]);
        }
        if (!take_option(spec, words[i], words[i + 1], source, message)) {
            return false;
        }
    }
    if (source->descriptor >= 0 || source->path) {
        if (count == 3) {
            return true;
        }
        return refuse(message, source->path ? "--spec" : "--spec-fd",
                      "stands alone: everything else is in the specification");
    }
    if (i + 1 >= count) {
        return refuse(message, "no program", "give it after \"--\"");
    }
    spec->program = words[i + 1];
    if (spec->program[0] != '/') {
        return refuse(message, "the program is given by its absolute path inside, not as", spec->program);
    }
    for (i += 2; i < count; i++) {
        if (!take_argument(spec, words[i], message)) {
            return false;
        }
    }
    return consistent(spec, message);
}
