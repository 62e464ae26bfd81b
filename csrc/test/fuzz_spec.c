/* Fuzz target: any text as the sandbox's specification, and its lines as a command line. Taken or refused with a message;
 * each field of what was taken within its bounds; and what was taken, written down, is taken as the same. */
#include "../protocol/protocol.h"
#include "../sandbox/spec.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 600, MOST_PERCENT = 102400 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds) {
    if (!holds) {
        abort();
    }
}

/* ---- bounds ---- */

static void check_path(const char *path) {
    demand(path[0] == '/' && path[1] && strlen(path) <= SPEC_PATH_BYTES);
    demand(!strstr(path, "//") && !strstr(path, "/../") && !strstr(path, "/./"));
    const char *last = strrchr(path, '/');
    demand(last[1] && strcmp(last, "/.") != 0 && strcmp(last, "/..") != 0);
}

static bool below(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || !path[length]);
}

/* Nothing of the host's where the sandbox puts what is its own; /usr is shown anyway. */
static void check_read_only(const char *path) {
    static const char *const own[] = { "/proc", "/sys", "/dev", "/tmp", "/etc", "/run/submitter", "/usr/src" };
    check_path(path);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        demand(!below(path, own[i]) && (!below(own[i], path) || strcmp(path, "/usr") == 0));
    }
}

static void check_interpreter(const struct spec *spec) {
    if (spec->interpreter) {
        check_path(spec->interpreter);
    }
    if (spec->interpreter_version) {
        size_t length = strlen(spec->interpreter_version);
        demand(spec->interpreter && length > 0 && length <= PROTOCOL_VERSION_BYTES);
        for (size_t i = 0; i < length; i++) {
            demand(spec->interpreter_version[i] >= ' ' && spec->interpreter_version[i] <= '~');
        }
    }
}

static void check_bounds(const struct spec *spec) {
    const struct protocol_limits limits = {
        .memory_bytes = spec->memory_bytes,
        .cpu_ms = spec->cpu_ms,
        .wall_ms = spec->wall_ms,
        .output_bytes = spec->output_bytes,
        .processes = spec->processes,
        .file_bytes = spec->file_bytes,
    };
    demand(protocol_limits_valid(&limits));
    demand(spec->accounting == SPEC_CGROUP || !spec->processors_percent);
    demand(spec->accounting != SPEC_CONTAINER || spec->role == SPEC_RUNNER);
    demand(spec->processors_percent <= MOST_PERCENT);
    demand(spec->argument_count <= SPEC_ARGUMENTS && !spec->arguments[spec->argument_count]);
    demand(spec->read_only_count <= SPEC_READ_ONLY);
    for (size_t i = 0; i < spec->argument_count; i++) {
        demand(strlen(spec->arguments[i]) <= SPEC_BYTES);
    }
    for (size_t i = 0; i < spec->read_only_count; i++) {
        check_read_only(spec->read_only[i]);
    }
    if (spec->cgroup_parent) {
        check_path(spec->cgroup_parent);
    }
    check_interpreter(spec);
}

/* ---- line by line ---- */

enum key {
    PROCESSORS = 6,
    VERSION,
    PROGRAM,
    ACCOUNTING,
    CGROUP_PARENT,
    INTERPRETER,
    INTERPRETER_VERSION,
    ONCE,
    ARGUMENT = ONCE,
    READ_ONLY,
    KEYS
};

static const struct {
    const char *start;
    size_t offset;
} keys[KEYS] = {
    { "memory_bytes=", offsetof(struct spec, memory_bytes) },
    { "cpu_ms=", offsetof(struct spec, cpu_ms) },
    { "wall_ms=", offsetof(struct spec, wall_ms) },
    { "output_bytes=", offsetof(struct spec, output_bytes) },
    { "processes=", offsetof(struct spec, processes) },
    { "file_bytes=", offsetof(struct spec, file_bytes) },
    [PROCESSORS] = { "processors_percent=", offsetof(struct spec, processors_percent) },
    [VERSION] = { .start = "version=" },
    [PROGRAM] = { .start = "program=" },
    [ACCOUNTING] = { .start = "accounting=" },
    [CGROUP_PARENT] = { .start = "cgroup_parent=" },
    [INTERPRETER] = { .start = "interpreter=" },
    [INTERPRETER_VERSION] = { .start = "interpreter_version=" },
    [ARGUMENT] = { .start = "argument=" },
    [READ_ONLY] = { .start = "bind_ro=" },
};

static int key_of(const char *line) {
    int key = 0;
    while (key < KEYS && strncmp(line, keys[key].start, strlen(keys[key].start)) != 0) {
        key++;
    }
    return key;
}

/* Each line of what was taken has a key that is known, no more than one that may come once, and numbers are what they say. */
static void check_lines(const struct spec *spec, const char *text) {
    size_t counts[KEYS] = { 0 };
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        int key = key_of(line);
        demand(key < KEYS && (line != text || key == VERSION));
        counts[key]++;
        if (key <= PROCESSORS) {
            char *end;
            uint64_t value;
            errno = 0;
            memcpy(&value, (const char *)spec + keys[key].offset, sizeof value);
            demand(strtoull(line + strlen(keys[key].start), &end, 10) == value && !errno && *end == '\n');
        }
    }
    for (int key = 0; key < ONCE; key++) {
        demand(counts[key] <= 1);
    }
    demand(counts[VERSION] && counts[PROGRAM]);
    demand(counts[ARGUMENT] == spec->argument_count && counts[READ_ONLY] == spec->read_only_count);
}

/* ---- written down ---- */

struct text {
    char bytes[SPEC_BYTES + 1];
    size_t length;
    bool full;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof text->bytes - text->length;
    int length = vsnprintf(text->bytes + text->length, room, format, arguments);
    va_end(arguments);
    text->full = text->full || length < 0 || (size_t)length >= room;
    text->length += text->full ? 0 : (size_t)length;
}

static void write_down(const struct spec *spec, struct text *text) {
    add(text, "version=1\n");
    for (size_t i = 0; i < spec->read_only_count; i++) {
        add(text, "bind_ro=%s\n", spec->read_only[i]);
    }
    add(text, "file_bytes=%llu\nprocesses=%llu\noutput_bytes=%llu\n", (unsigned long long)spec->file_bytes,
        (unsigned long long)spec->processes, (unsigned long long)spec->output_bytes);
    add(text, "wall_ms=%llu\ncpu_ms=%llu\nmemory_bytes=%llu\n", (unsigned long long)spec->wall_ms,
        (unsigned long long)spec->cpu_ms, (unsigned long long)spec->memory_bytes);
    if (spec->processors_percent) {
        add(text, "processors_percent=%llu\n", (unsigned long long)spec->processors_percent);
    }
    if (spec->cgroup_parent) {
        add(text, "cgroup_parent=%s\n", spec->cgroup_parent);
    }
    for (size_t i = 0; i < spec->argument_count; i++) {
        add(text, "argument=%s\n", spec->arguments[i]);
    }
    if (spec->interpreter_version) {
        add(text, "interpreter_version=%s\n", spec->interpreter_version);
    }
    if (spec->interpreter) {
        add(text, "interpreter=%s\n", spec->interpreter);
    }
    static const char *const kinds[] = {
        [SPEC_CGROUP] = "cgroup", [SPEC_RLIMIT] = "rlimit", [SPEC_CONTAINER] = "container"
    };
    add(text, "accounting=%s\nprogram=%s\n", kinds[spec->accounting], spec->program);
}

static bool same_text(const char *one, const char *other) {
    return one == other || (one && other && strcmp(one, other) == 0);
}

static void check_same(const struct spec *one, const struct spec *other) {
    demand(one->role == other->role && one->accounting == other->accounting);
    demand(one->memory_bytes == other->memory_bytes && one->cpu_ms == other->cpu_ms && one->wall_ms == other->wall_ms);
    demand(one->output_bytes == other->output_bytes && one->processes == other->processes);
    demand(one->processors_percent == other->processors_percent);
    demand(one->file_bytes == other->file_bytes && same_text(one->program, other->program));
    demand(same_text(one->cgroup_parent, other->cgroup_parent));
    demand(same_text(one->interpreter, other->interpreter));
    demand(same_text(one->interpreter_version, other->interpreter_version));
    demand(one->argument_count == other->argument_count && one->read_only_count == other->read_only_count);
    for (size_t i = 0; i < one->argument_count; i++) {
        demand(same_text(one->arguments[i], other->arguments[i]));
    }
    for (size_t i = 0; i < one->read_only_count; i++) {
        demand(same_text(one->read_only[i], other->read_only[i]));
    }
}

static void check_again(const struct spec *spec) {
    static struct text text;
    struct spec again;
    char message[SPEC_MESSAGE_BYTES] = "";
    text.length = 0;
    text.full = false;
    write_down(spec, &text);
    if (text.full) {
        return; /* what was left at its default doesn't fit beside */
    }
    spec_start(&again);
    demand(spec_parse(&again, text.bytes, text.length, message));
    check_same(spec, &again);
}

/* ---- the two forms ---- */

static void check_message(bool taken, const char *message) {
    demand(taken == (message[0] == 0) && strnlen(message, SPEC_MESSAGE_BYTES) < SPEC_MESSAGE_BYTES);
}

static void parse(char *text, size_t size, const char *original) {
    struct spec spec;
    char message[SPEC_MESSAGE_BYTES] = "";
    spec_start(&spec);
    bool taken = spec_parse(&spec, text, size, message);
    check_message(taken, message);
    if (taken) {
        demand(spec.role == SPEC_RUNNER);
        check_path(spec.program);
        check_bounds(&spec);
        check_lines(&spec, original);
        check_again(&spec);
    }
}

static void parse_words(char *text, size_t size) {
    struct spec spec;
    char message[SPEC_MESSAGE_BYTES] = "", name[] = "submitter-sandbox", *words[WORDS + 1] = { name }, *rest = text;
    struct spec_source source = { .descriptor = -2 };
    int count = 1;
    text[size] = 0;
    while (count < WORDS && (words[count] = strsep(&rest, "\n"))) {
        count++;
    }
    words[count] = NULL;
    spec_start(&spec);
    bool taken = spec_options(&spec, count, words, &source, message);
    check_message(taken, message);
    demand(source.descriptor == -1 || (source.descriptor >= 3 && source.descriptor <= 65535));
    demand(!taken || !source.path || (source.path[0] && source.descriptor < 0));
    if (taken && !source.help && source.descriptor < 0 && !source.path) {
        demand(spec.role == SPEC_STUDENT && spec.program && spec.program[0] == '/');
        check_bounds(&spec);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > SPEC_BYTES + 1) {
        return 0; /* no more is ever read: see spec_read */
    }
    /* Of the very size, with the room for one byte that both need. */
    char *text = malloc(size + 1), *original = calloc(1, size + 1);
    demand(text && original);
    memcpy(text, data, size);
    memcpy(original, data, size);
    parse(text, size, original);
    memcpy(text, data, size);
    parse_words(text, size);
    free(original);
    free(text);
    return 0;
}
