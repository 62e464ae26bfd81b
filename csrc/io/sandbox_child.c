#include "sandbox_child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/buffer.h"

enum {
    SPECIFICATION_DESCRIPTOR = 3,
    SANDBOX_ENVIRONMENT = 3, /* its exit code when a wall can't be built */
};

struct sandbox_child {
    struct transport transport;
    struct child *child;
    bool output_ended, errors_ended;
};

/* ---- starting ---- */

static bool add_path(struct buffer *text, const char *key, const char *path) {
    if (strchr(path, '\n'))
        return false;
    return buffer_format(text, "%s=%s\n", key, path);
}

static bool write_specification(const struct sandbox_options *options, struct buffer *text) {
    const struct protocol_limits *limits = &options->limits;
    buffer_format(text, "version=1\nprogram=%s/submitter-runner\naccounting=%s\n", options->programs,
                  options->accounting);
    buffer_format(text, "memory_bytes=%llu\ncpu_ms=%llu\nwall_ms=%llu\n", (unsigned long long)limits->memory_bytes,
                  (unsigned long long)limits->cpu_ms, (unsigned long long)limits->wall_ms);
    buffer_format(text, "output_bytes=%llu\nprocesses=%llu\nfile_bytes=%llu\n",
                  (unsigned long long)limits->output_bytes, (unsigned long long)limits->processes,
                  (unsigned long long)limits->file_bytes);
    if (options->processors_percent)
        buffer_format(text, "processors_percent=%u\n", options->processors_percent);
    if (strchr(options->programs, '\n') ||
        (options->cgroup_parent && !add_path(text, "cgroup_parent", options->cgroup_parent)))
        return false;
    for (const char *const *path = options->read_only; path && *path; path++)
        if (!add_path(text, "bind_ro", *path))
            return false;
    return !text->failed;
}

int sandbox_child_launch(const struct sandbox_options *options, struct child_start *start) {
    struct buffer text = { 0 }, program = { 0 };
    int error = EINVAL;
    if (write_specification(options, &text) &&
        buffer_format(&program, "%s/submitter-sandbox%c", options->programs, 0)) {
        char *const arguments[] = { program.data, (char[]){ "--spec-fd" }, (char[]){ "3" }, NULL };
        char *const environment[] = { NULL };
        struct child_descriptor specification = { SPECIFICATION_DESCRIPTOR, text.data, text.length };
        struct child_options child = {
            .program = program.data,
            .arguments = arguments,
            .environment = environment,
            .directory = -1,
            .streams = { CHILD_PIPE, CHILD_PIPE, CHILD_PIPE },
            .descriptors = &specification,
            .descriptor_count = 1,
            .new_session = true,
        };
        error = child_start(&child, start);
    }
    buffer_clear(&text);
    buffer_clear(&program);
    return error;
}

/* ---- the transport ---- */

static void check_drained(struct sandbox_child *sandbox) {
    struct transport *transport = &sandbox->transport;
    transport->drained = transport->ended && sandbox->output_ended && sandbox->errors_ended;
    if (transport->ended)
        transport->user.over(transport->user.context);
}

static void give(struct sandbox_child *sandbox, enum transport_stream stream, const char *data, ssize_t length) {
    const struct transport_user *user = &sandbox->transport.user;
    user->got(user->context, stream, data, (size_t)length);
}

static void on_output(void *context, const char *data, ssize_t length) {
    struct sandbox_child *sandbox = context;
    if (length <= 0) {
        sandbox->output_ended = true;
        check_drained(sandbox);
        return;
    }
    give(sandbox, TRANSPORT_OUTPUT, data, length);
    child_read(sandbox->child, CHILD_STDOUT, on_output, sandbox);
}

static void on_errors(void *context, const char *data, ssize_t length) {
    struct sandbox_child *sandbox = context;
    if (length <= 0) {
        sandbox->errors_ended = true;
        check_drained(sandbox);
        return;
    }
    give(sandbox, TRANSPORT_ERRORS, data, length);
    child_read(sandbox->child, CHILD_STDERR, on_errors, sandbox);
}

static void on_end(void *context) {
    struct sandbox_child *sandbox = context;
    sandbox->transport.ended = true;
    check_drained(sandbox);
}

static void start_transport(struct transport *transport) {
    struct sandbox_child *sandbox = (struct sandbox_child *)transport;
    child_wait(sandbox->child, on_end, sandbox);
    child_read(sandbox->child, CHILD_STDERR, on_errors, sandbox);
    child_read(sandbox->child, CHILD_STDOUT, on_output, sandbox);
}

static int write_transport(struct transport *transport, const char *data, size_t length,
                           void (*written)(void *context, int status), void *context) {
    return child_write(((struct sandbox_child *)transport)->child, data, length, written, context);
}

/* At SIGTERM the supervisor takes down all, itself last. */
static void stop_transport(struct transport *transport, bool hard) {
    child_kill(((struct sandbox_child *)transport)->child, hard ? SIGKILL : SIGTERM);
}

/* Its exit code and its standard error say why. */
static const char *explain_end(const struct transport *transport, const char *errors, char *message, size_t size) {
    struct child_end end = { 0 };
    child_ended(((const struct sandbox_child *)transport)->child, &end);
    bool environment = end.exited && end.code == SANDBOX_ENVIRONMENT;
    if (environment && *errors)
        snprintf(message, size, "%s", errors);
    else
        snprintf(message, size, "the sandbox ended unexpectedly (%s %d)%s%s", end.exited ? "exit code" : "signal",
                 end.code, *errors ? ": " : "", errors);
    return environment ? "environment" : "sandbox";
}

static void close_transport(struct transport *transport) {
    struct sandbox_child *sandbox = (struct sandbox_child *)transport;
    child_close(sandbox->child, SIGTERM);
    free(sandbox);
}

int sandbox_child_adopt(struct child_start *start, struct transport **transport) {
    static const struct transport_class child_class = {
        .start = start_transport,
        .write = write_transport,
        .stop = stop_transport,
        .explain = explain_end,
        .close = close_transport,
    };
    struct sandbox_child *sandbox = calloc(1, sizeof *sandbox);
    struct child *child = NULL;
    int error = child_adopt(start, &child);
    if (error || !sandbox) {
        free(sandbox);
        child_close(child, SIGTERM);
        return error ? error : ENOMEM;
    }
    sandbox->transport.class = &child_class;
    sandbox->child = child;
    *transport = &sandbox->transport;
    return 0;
}
