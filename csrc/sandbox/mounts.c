#include "mounts.h"

#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char wall[] = "root";

enum {
    COPY_BYTES = 32 * 1024, /* files of /etc up to this size are copied, larger ones bound */
    SOURCE_BYTES = 72 * 1024 * 1024,
};

/* ---- small steps, each of which ends everything when it fails ---- */

/* The kernel itself lets the root of a user namespace of its own do all that is done here. */
static const char *remedy_of(int reason) {
    switch (reason) {
    case EACCES:
        return "AppArmor or SELinux forbids what these walls are made of: in a container --security-opt "
               "apparmor=unconfined, "
               "or label=disable (in Kubernetes appArmorProfile, type Unconfined)";
    case EPERM:
        return "in a container have its engine allow the system calls of sandboxes: --security-opt seccomp=FILE with "
               "the "
               "seccomp.json that belongs to this program";
    default: return "Linux 5.12 or newer is needed";
    }
}

static _Noreturn void fail_for(const char *remedy, const char *what, const char *path) {
    report_wall(wall, remedy, "%s %s: %s", what, path, strerror(errno));
}

static _Noreturn void fail(const char *what, const char *path) {
    fail_for(remedy_of(errno), what, path);
}

static void make_directory(int root, const char *path, mode_t mode) {
    if (mkdirat(root, path, mode) < 0 && errno != EEXIST) {
        fail("can't make", path);
    }
}

static void make_parents(int root, const char *path) {
    char part[SPEC_PATH_BYTES + 1];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        make_directory(root, part, 0755);
    }
}

static void make_file(int root, const char *path) {
    int descriptor = openat(root, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
    if (descriptor < 0) {
        fail("can't make", path);
    }
    close(descriptor);
}

static void write_file(int root, const char *path, const char *text, size_t length) {
    int descriptor = openat(root, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
    if (descriptor < 0 || write(descriptor, text, length) != (ssize_t)length) {
        fail("can't write", path);
    }
    close(descriptor);
}

static void make_link(int root, const char *target, const char *path) {
    if (symlinkat(target, root, path) < 0) {
        fail("can't link", path);
    }
}

/* The same link as at the source. */
static void copy_link(int root, const char *source, const char *path) {
    char target[512];
    ssize_t length = readlink(source, target, sizeof target - 1);
    if (length <= 0) {
        fail("can't read link", source);
    }
    target[length] = 0;
    make_link(root, target, path);
}

/* A copy of a mount and all beneath it, read-only, without device files and set-user-id, hung up at a place.
   */
static void bind_read_only(int root, const char *source, const char *path, bool devices) {
    struct mount_attr attributes = {
        .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | (devices ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV),
        .propagation = MS_PRIVATE,
    };
    int tree = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) < 0 ||
        move_mount(tree, "", root, path, MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        fail("can't show read-only", source);
    }
    close(tree);
}

static void mount_memory(const char *path, unsigned long flags, const char *options) {
    if (mount("submitter", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOATIME | flags, options) < 0) {
        fail("can't mount memory at", path);
    }
}

/* ---- the verbs ---- */

/* What is mounted here must not appear in the host's namespace, nor the other way round. */
static void detach_from_host(void) {
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        fail("can't detach", "the mounts");
    }
}

/* The new root stands on /tmp until it becomes the root; from then on the host's /tmp isn't reachable, and
   the specification refuses paths in it. */
static int start_root(void) {
    if (mount("submitter", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOATIME, "size=1m,nr_inodes=512,mode=0755") < 0) {
        fail("can't mount the new root at", "/tmp");
    }
    int root = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || fchdir(root) < 0) {
        fail("can't enter", "the new root");
    }
    return root;
}

/* One of the system's top directories as this machine has it: a link into /usr, or a directory. */
static void show_top(int root, const char *name) {
    char source[32];
    struct stat status;
    snprintf(source, sizeof source, "/%s", name);
    if (lstat(source, &status) < 0) {
        return;
    }
    if (S_ISLNK(status.st_mode)) {
        copy_link(root, source, name);
    } else if (S_ISDIR(status.st_mode)) {
        make_directory(root, name, 0755);
        bind_read_only(root, source, name, false);
    }
}

/* /usr whole; or, where it has no /usr/src on which to mount, piece by piece with one. */
static void show_usr(int root) {
    struct stat status;
    make_directory(root, "usr", 0755);
    if (stat("/usr/src", &status) == 0 && S_ISDIR(status.st_mode)) {
        bind_read_only(root, "/usr", "usr", false);
        return;
    }
    DIR *listing = opendir("/usr");
    struct dirent *entry;
    if (!listing) {
        fail("can't list", "/usr");
    }
    while ((entry = readdir(listing))) {
        char source[300], path[300];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        snprintf(source, sizeof source, "/usr/%s", entry->d_name);
        snprintf(path, sizeof path, "usr/%s", entry->d_name);
        if (lstat(source, &status) < 0) {
            continue;
        }
        if (S_ISLNK(status.st_mode)) {
            copy_link(root, source, path);
        } else if (S_ISDIR(status.st_mode)) {
            make_directory(root, path, 0755);
            bind_read_only(root, source, path, false);
        }
    }
    closedir(listing);
    make_directory(root, "usr/src", 0755);
}

static void show_system(int root) {
    static const char *const tops[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32" };
    show_usr(root);
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        show_top(root, tops[i]);
    }
}

/* Is a path within what show_system shows? */
static bool of_system(const char *path) {
    static const char *const tops[] = { "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32" };
    size_t length = strcspn(path, "/");
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        if (strlen(tops[i]) == length && strncmp(path, tops[i], length) == 0) {
            return true;
        }
    }
    return false;
}

static void show_more(int root, const struct spec *spec) {
    for (size_t i = 0; i < spec->read_only_count; i++) {
        const char *source = spec->read_only[i], *path = source + 1;
        struct stat status;
        if (of_system(path)) {
            continue;
        }
        if (stat(source, &status) < 0) {
            report_wall(wall,
                        "let everybody read it, and enter the folders above it, or leave it out of the paths to show",
                        "%s can't be shown: %s", source, strerror(errno));
        }
        make_parents(root, path);
        if (S_ISDIR(status.st_mode)) {
            make_directory(root, path, 0755);
        } else {
            make_file(root, path);
        }
        bind_read_only(root, source, path, false);
    }
}

static void copy_or_bind(int root, const char *source, const char *path, off_t size) {
    static char text[COPY_BYTES];
    int descriptor = size <= COPY_BYTES ? open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    ssize_t length = descriptor >= 0 ? read(descriptor, text, sizeof text) : -1;
    if (length >= 0 && length == size) {
        write_file(root, path, text, (size_t)length);
    } else {
        make_file(root, path);
        bind_read_only(root, source, path, false);
    }
    if (descriptor >= 0) {
        close(descriptor);
    }
}

/* One entry of the host's /etc; what isn't there is left out. */
static void show_setting(int root, const char *name) {
    char source[300], path[300];
    struct stat status;
    snprintf(source, sizeof source, "/etc/%s", name);
    snprintf(path, sizeof path, "etc/%s", name);
    if (lstat(source, &status) < 0) {
        return;
    }
    if (S_ISLNK(status.st_mode)) {
        copy_link(root, source, path);
    } else if (S_ISDIR(status.st_mode)) {
        make_directory(root, path, 0755);
        bind_read_only(root, source, path, false);
    } else if (S_ISREG(status.st_mode) && (status.st_mode & S_IROTH)) {
        copy_or_bind(root, source, path, status.st_size);
    }
}

/* Python's own settings: python3, python3.11, … */
static void show_python_settings(int root) {
    DIR *listing = opendir("/etc");
    struct dirent *entry;
    if (!listing) {
        fail("can't list", "/etc");
    }
    while ((entry = readdir(listing))) {
        if (strncmp(entry->d_name, "python3", 7) == 0) {
            show_setting(root, entry->d_name);
        }
    }
    closedir(listing);
}

/* Users are ours: the host's names are nobody's business. */
static void show_settings(int root) {
    static const char *const shown[] = { "ld.so.cache", "ld.so.conf",   "ld.so.conf.d", "localtime",
                                         "timezone",    "alternatives", "mime.types" };
    static const struct {
        const char *path, *text;
    } made[] = {
        { "etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\nstudent:x:1000:1000:student:/tmp:/bin/sh\n"
                        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
        { "etc/group", "root:x:0:\nstudent:x:1000:\nnogroup:x:65534:\n" },
        { "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n" },
        { "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n" },
    };
    make_directory(root, "etc", 0755);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        write_file(root, made[i].path, made[i].text, strlen(made[i].text));
    }
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        show_setting(root, shown[i]);
    }
    show_python_settings(root);
}

static void show_devices(int root) {
    static const char *const devices[] = { "null", "zero", "full", "random", "urandom" };
    static const char *const links[][2] = { { "/proc/self/fd", "dev/fd" },
                                            { "/proc/self/fd/0", "dev/stdin" },
                                            { "/proc/self/fd/1", "dev/stdout" },
                                            { "/proc/self/fd/2", "dev/stderr" } };
    make_directory(root, "dev", 0755);
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        char source[32], path[32];
        struct stat status;
        snprintf(source, sizeof source, "/dev/%s", devices[i]);
        snprintf(path, sizeof path, "dev/%s", devices[i]);
        if (stat(source, &status) < 0 || !S_ISCHR(status.st_mode)) {
            fail("no device", source);
        }
        make_file(root, path);
        bind_read_only(root, source, path, true);
    }
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        make_link(root, links[i][0], links[i][1]);
    }
}

/* A /proc of this PID namespace, not hung up anywhere yet. Restricted, it has processes only, and of those
   one's own; the group that may see all is the runner's. */
static int make_processes(bool restricted, unsigned attributes) {
    int tree = -1, context = fsopen("proc", FSOPEN_CLOEXEC);
    bool set = context >= 0;
    if (restricted) {
        set = set && fsconfig(context, FSCONFIG_SET_STRING, "hidepid", "invisible", 0) == 0 &&
              fsconfig(context, FSCONFIG_SET_STRING, "subset", "pid", 0) == 0 &&
              fsconfig(context, FSCONFIG_SET_STRING, "gid", "0", 0) == 0;
    }
    if (set && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) {
        attributes |= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        tree = fsmount(context, FSMOUNT_CLOEXEC, attributes);
    }
    if (tree < 0) {
        /* To whom parts of it are hidden the kernel gives no other in which they aren't. */
        fail_for(errno == EPERM
                     ? "nothing may be mounted over parts of the /proc that is here, or be read-only in it: in a "
                       "container --security-opt systempaths=unconfined (Docker), unmask=ALL (Podman), procMount: "
                       "Unmasked (Kubernetes)"
                     : remedy_of(errno),
                 "can't make a file system of processes for", "/proc");
    }
    close(context);
    return tree;
}

/* Read-only, so that nobody makes himself less likely a victim when memory runs out. */
static void show_processes(int root) {
    make_directory(root, "proc", 0555);
    int tree = make_processes(true, MOUNT_ATTR_RDONLY);
    if (move_mount(tree, "", root, "proc", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        fail("can't mount", "/proc");
    }
    close(tree);
}

/* Where the runner puts the submission. Its size is no limit of the student's, who can't write there. */
static void make_source_place(void) {
    char options[64];
    snprintf(options, sizeof options, "size=%d,nr_inodes=256,mode=0755", SOURCE_BYTES);
    mount_memory("usr/src", 0, options);
    if (mkdir("usr/src/submitter", 0755) < 0) {
        fail("can't make", "/usr/src/submitter");
    }
}

/* What the student may write to: /tmp and /dev/shm, two views of one memory file system, so that both
   together hold what they may hold. Nothing in them is executed: what isn't a program that the kernel knows would, before Linux
   6.14, start one of the host's that looks for somebody who does. The runner puts a fresh one in its place between cases. */
static void make_scratch(const struct spec *spec) {
    char options[96];
    uint64_t files = spec->file_bytes / 1024;
    files = files < 64 ? 64 : files > 65536 ? 65536 : files;
    /* Zero would mean "as much as you like". */
    uint64_t bytes = spec->file_bytes < 4096 ? 4096 : spec->file_bytes;
    snprintf(options, sizeof options, "size=%" PRIu64 ",nr_inodes=%" PRIu64 ",mode=0700", bytes, files);
    if (mkdir("scratch", 0700) < 0 || mkdir("tmp", 0755) < 0 || mkdir("dev/shm", 0755) < 0) {
        fail("can't make", "the writable places");
    }
    mount_memory("scratch", MS_NOEXEC, options);
    if (mkdir("scratch/tmp", 0755) < 0 || mkdir("scratch/shm", 0755) < 0 || chmod("scratch/tmp", 01777) < 0 ||
        chmod("scratch/shm", 01777) < 0 || mount("scratch/tmp", "tmp", NULL, MS_BIND, NULL) < 0 ||
        mount("scratch/shm", "dev/shm", NULL, MS_BIND, NULL) < 0) {
        fail("can't mount", "the writable places");
    }
}

/* Its user namespace's limits of namespaces: none of any kind can be made within. This stands behind the
   student's system call filter. The kind "cgroup" is missing because the last of ours is made later; it takes
   SYS_ADMIN, which the student can't get without a user namespace. */
static void forbid_namespaces(int settings) {
    static const char *const kinds[] = { "user", "mnt", "pid", "net", "ipc", "uts" };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char path[64];
        snprintf(path, sizeof path, "sys/user/max_%s_namespaces", kinds[i]);
        int setting = openat(settings, path, O_WRONLY | O_CLOEXEC);
        if (setting < 0 || write(setting, "0\n", 2) != 2) {
            fail("can't set to 0", path);
        }
        close(setting);
    }
}

static void leave_old_root(int root) {
    struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC };
    if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) {
        fail("can't change to", "the new root");
    }
    if (mount_setattr(AT_FDCWD, "/", 0, &read_only, sizeof read_only) < 0) {
        fail("can't make read-only", "/");
    }
    close(root);
}

/* What would be worst if it were otherwise is looked at, not believed. */
static void check_root(void) {
    struct statvfs usr, top;
    if (statvfs("/usr", &usr) < 0 || statvfs("/", &top) < 0 || !(usr.f_flag & ST_RDONLY) || !(top.f_flag & ST_RDONLY) ||
        !(usr.f_flag & ST_NOSUID)) {
        errno = EINVAL;
        fail("is not read-only as it was made:", "/usr or /");
    }
    if (access("/sys", F_OK) == 0 || access("/proc/sys", F_OK) == 0 || access("/root", F_OK) == 0) {
        errno = EEXIST;
        fail("should not be there:", "/sys, /proc/sys or /root");
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) {
        fail("can't open", "/dev/null");
    }
    close(null);
}

struct mounts_opened mounts_build(const struct spec *spec) {
    struct mounts_opened opened;
    umask(022);
    detach_from_host();
    int root = start_root();
    show_system(root);
    show_more(root, spec);
    show_settings(root);
    show_devices(root);
    show_processes(root);
    make_source_place();
    make_scratch(spec);
    int settings = make_processes(false, 0);
    opened.processes = make_processes(true, 0);
    /* Last of what mounts anything: a mount that isn't hung up has a namespace of its own. */
    forbid_namespaces(settings);
    opened.last_process = openat(settings, "sys/kernel/ns_last_pid", O_RDWR | O_CLOEXEC);
    close(settings);
    leave_old_root(root);
    check_root();
    return opened;
}
