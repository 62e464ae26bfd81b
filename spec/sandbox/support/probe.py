"""What hostile programs share: system calls by number, and the book in which is written what got through.

A program ends with finish(), which prints "held", or what got through, and then exits with 1.
"""
import ctypes
import errno
import os
import platform
import re
import sys

_numbers = {  # x86_64, aarch64
    "ptrace": (101, 117), "syslog": (103, 116), "setuid": (105, 146), "setgid": (106, 144), "setgroups": (116, 159),
    "setresuid": (117, 147), "setresgid": (119, 149), "setfsuid": (122, 151), "capset": (126, 91),
    "mknodat": (259, 33), "personality": (135, 92), "pivot_root": (155, 41), "adjtimex": (159, 171),
    "chroot": (161, 51), "acct": (163, 89), "settimeofday": (164, 170), "mount": (165, 40), "umount2": (166, 39),
    "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142), "sethostname": (170, 161),
    "setdomainname": (171, 162), "iopl": (172, None), "ioperm": (173, None), "init_module": (175, 105),
    "delete_module": (176, 106), "quotactl": (179, 60), "lookup_dcookie": (212, 18), "clock_settime": (227, 112),
    "kexec_load": (246, 104), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "ioprio_set": (251, 30), "migrate_pages": (256, 238), "unshare": (272, 97), "move_pages": (279, 239),
    "perf_event_open": (298, 241), "fanotify_init": (300, 262), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "clock_adjtime": (305, 266), "setns": (308, 268),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272), "finit_module": (313, 273),
    "seccomp": (317, 277), "kexec_file_load": (320, 294), "bpf": (321, 280), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsmount": (432, 432), "fspick": (433, 433), "pidfd_open": (434, 434),
    "clone3": (435, 435), "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "mount_setattr": (442, 442),
    "quotactl_fd": (443, 443), "landlock_create_ruleset": (444, 444), "memfd_secret": (447, 447),
    "process_mrelease": (448, 448), "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190),
    "msgget": (68, 186), "mq_open": (240, 180), "modify_ldt": (154, None), "vhangup": (153, 58), "clone": (56, 220),
    "set_mempolicy": (238, 237), "mbind": (237, 235), "prlimit64": (302, 261), "pidfd_send_signal": (424, 424),
    "timer_create": (222, 107), "fcntl": (72, 25), "inotify_init1": (294, 26),
    "ioctl": (16, 29), "prctl": (157, 167), "uselib": (134, None), "sysfs": (139, None), "ustat": (136, None),
    "remap_file_pages": (216, 234), "socket": (41, 198), "clock_gettime": (228, 113), "getpid": (39, 172),
    "mmap": (9, 222), "memfd_create": (319, 279), "fadvise64": (221, 223), "setsockopt": (54, 208), "fsync": (74, 82),
    "fdatasync": (75, 83), "sync_file_range": (277, 84), "msync": (26, 227), "sync": (162, 81), "syncfs": (306, 267),
    "sched_setattr": (314, 274), "execveat": (322, 281), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
    "sched_setaffinity": (203, 122), "setpriority": (141, 140), "getsockopt": (55, 209), "madvise": (28, 233),
}
_column = {"x86_64": 0, "aarch64": 1}[platform.machine()]

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
breaches = []


def call(name, *arguments):
    """A system call: its result and errno. None where this machine has no such call."""
    number = _numbers[name][_column]
    if number is None:
        return None
    ctypes.set_errno(0)
    prepared = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = libc.syscall(ctypes.c_long(number), *prepared)
    return result, ctypes.get_errno()


def refused(name, *arguments, reasons=(errno.EPERM, errno.ENOSYS, errno.EACCES)):
    """Tries a system call that has to be refused, for one of these reasons."""
    outcome = call(name, *arguments)
    if outcome and (outcome[0] != -1 or outcome[1] not in reasons):
        breach(f"{name}{arguments} gave {outcome[0]}, errno {errno.errorcode.get(outcome[1], outcome[1])}")


def fails(what, attempt, *reasons):
    """Tries something that has to fail with an OSError, of these errnos if any are named."""
    try:
        result = attempt()
    except OSError as failure:
        if reasons and failure.errno not in reasons:
            breach(f"{what} failed with {failure}")
    else:
        breach(f"{what} went through: {result!r}")


def breach(what):
    """Notes what got through."""
    breaches.append(what)


def visible():
    """The process numbers that can be seen or guessed, except our own."""
    listed = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    return sorted((listed | set(range(1, 400)) | {os.getppid()}) - {os.getpid(), 0})


def secrets(data):
    """Those of the host's secrets that are in some bytes."""
    return re.findall(rb"CANARY-[0-9a-f]{32}", data)


def finish(word="held"):
    """The end: everything held, or what didn't."""
    if breaches:
        print("BREACH:", *breaches, sep="\n")
        sys.stdout.flush()
        os._exit(1)
    print(word)
