#include "submission.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file system that holds the submission's directory and nothing else. */
static const char mount_point[] = "/usr/src";

bool submission_open(struct submission *submission, struct fault *fault) {
    *submission = (struct submission){ .file = -1 };
    submission->place = open(SUBMISSION_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (submission->place < 0) {
        return fault_fatal(fault, "submission", "%s can't be opened: %s", SUBMISSION_DIRECTORY, strerror(errno));
    }
    return true;
}

static bool close_file(struct submission *submission, struct fault *fault) {
    int file = submission->file;
    submission->file = -1;
    if (file >= 0 && close(file) < 0) {
        return fault_fatal(fault, "submission", "%s can't be written: %s", submission->name, strerror(errno));
    }
    return true;
}

static bool start_file(struct submission *submission, const struct protocol_file *file, struct fault *fault) {
    if (!close_file(submission, fault)) {
        return false;
    }
    if (++submission->files > PROTOCOL_FILES) {
        return fault_fatal(fault, "protocol", "more than %d files", PROTOCOL_FILES);
    }
    memcpy(submission->name, file->name.data, file->name.length);
    submission->name[file->name.length] = 0;
    submission->file_bytes = 0;
    submission->file =
        openat(submission->place, submission->name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
    if (submission->file < 0) {
        return fault_fatal(fault, "submission", "%s can't be made: %s", submission->name, strerror(errno));
    }
    return true;
}

static bool continues(const struct submission *submission, const struct protocol_file *file) {
    return submission->file >= 0 && strlen(submission->name) == file->name.length &&
           memcmp(submission->name, file->name.data, file->name.length) == 0;
}

bool submission_file(struct submission *submission, const struct protocol_file *file, struct fault *fault) {
    if (submission->complete) {
        return fault_fatal(fault, "protocol", "a file after the submission was complete");
    }
    if (file->flags & PROTOCOL_FILE_CONTINUES) {
        if (!continues(submission, file)) {
            return fault_fatal(fault, "protocol", "a file goes on that was not begun");
        }
    } else if (!start_file(submission, file, fault)) {
        return false;
    }
    submission->file_bytes += file->bytes.length;
    submission->bytes += file->bytes.length;
    if (submission->file_bytes > PROTOCOL_FILE_BYTES || submission->bytes > PROTOCOL_FILES_BYTES) {
        return fault_fatal(fault, "protocol", "the files are larger than they may be");
    }
    for (size_t written = 0; written < file->bytes.length;) {
        ssize_t count = write(submission->file, file->bytes.data + written, file->bytes.length - written);
        if (count < 0 && errno != EINTR) {
            return fault_fatal(fault, "submission", "%s can't be written: %s", submission->name, strerror(errno));
        }
        written += count > 0 ? (size_t)count : 0;
    }
    return true;
}

static void copy_text(char *text, struct protocol_bytes bytes) {
    if (bytes.length > 0) {
        memcpy(text, bytes.data, bytes.length);
    }
    text[bytes.length] = 0;
}

static bool keep_environment(struct submission *submission, struct protocol_list environment, struct fault *fault) {
    submission->environment = environment;
    if (environment.length == 0) {
        return true;
    }
    submission->environment_bytes = malloc(environment.length);
    if (!submission->environment_bytes) {
        return fault_fatal(fault, "memory", "the environment can't be kept: %s", strerror(errno));
    }
    memcpy(submission->environment_bytes, environment.data, environment.length);
    submission->environment.data = submission->environment_bytes;
    return true;
}

static bool freeze(struct fault *fault) {
    struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
    if (mount_setattr(AT_FDCWD, mount_point, 0, &read_only, sizeof read_only) < 0) {
        return fault_fatal(fault, "submission", "%s can't be made read-only: %s", mount_point, strerror(errno));
    }
    return true;
}

bool submission_complete(struct submission *submission, const struct protocol_submission *message,
                         const char *own_interpreter, struct fault *fault) {
    struct stat status;
    if (submission->complete) {
        return fault_fatal(fault, "protocol", "a second submission");
    }
    if (!close_file(submission, fault)) {
        return false;
    }
    copy_text(submission->program, message->program);
    copy_text(submission->interpreter, message->interpreter);
    if (submission->interpreter[0] == 0) {
        snprintf(submission->interpreter, sizeof submission->interpreter, "%s", own_interpreter);
    }
    copy_text(submission->directory, message->directory);
    if (submission->directory[0] == 0) {
        strcpy(submission->directory, SUBMISSION_DIRECTORY);
    }
    if (fstatat(submission->place, submission->program, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return fault_fatal(fault, "protocol", "the program %s is not among the files", submission->program);
    }
    submission->limits = message->limits;
    if (!keep_environment(submission, message->environment, fault) || !freeze(fault)) {
        return false;
    }
    close(submission->place);
    submission->place = -1;
    submission->complete = true;
    return true;
}
