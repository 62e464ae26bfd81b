# attack: calls of the kernel that no student needs: keys, io_uring, bpf, perf, userfaultfd, modules, kexec, reboot, names, clocks, …
# wall: the filter refuses what isn't listed, whatever the arguments
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import ctypes
import os

import probe

block = (ctypes.c_uint64 * 64)()
place = ctypes.byref(block)
calls = [
    ("keyctl", 0, -3, 1), ("keyctl", 1, b"name"), ("keyctl", 6, -3), ("keyctl", 11, -3, place, 64),
    ("add_key", b"user", b"kept", b"secret", 6, -3), ("request_key", b"user", b"kept", 0, -3),
    ("io_uring_setup", 8, place), ("io_uring_enter", 0, 1, 0, 0, 0),
    ("bpf", 0, place, 64), ("bpf", 5, place, 64), ("perf_event_open", place, 0, -1, -1, 0),
    ("userfaultfd", 0), ("userfaultfd", 1),
    ("init_module", place, 64, b""), ("finit_module", 0, b"", 0), ("delete_module", b"loop", 0),
    ("kexec_load", 0, 0, 0, 0), ("kexec_file_load", 0, 0, 0, b"", 0),
    ("reboot", 0xFEE1DEAD, 672274793, 0, 0), ("reboot", 0xFEE1DEAD, 672274793, 0x89ABCDEF, 0),
    ("sethostname", b"taken", 5), ("setdomainname", b"taken", 5),
    ("clock_settime", 0, place), ("settimeofday", place, 0), ("adjtimex", place), ("clock_adjtime", 0, place),
    ("name_to_handle_at", -100, b"/", place, place, 0), ("open_by_handle_at", 0, place, 0),
    ("syslog", 3, place, 64), ("syslog", 10, place, 64), ("syslog", 5, 0, 0),
    ("swapon", b"/tmp/swap", 0), ("swapoff", b"/tmp/swap"), ("acct", b"/tmp/acct"),
    ("quotactl", 0x800007, b"/dev/vda", 0, place), ("quotactl_fd", 0, 0x800007, 0, place),
    ("iopl", 3), ("ioperm", 0x70, 2, 1), ("modify_ldt", 1, place, 16), ("lookup_dcookie", 0, place, 64),
    ("fanotify_init", 0, 0), ("vhangup",), ("uselib", b"/bin/true"), ("sysfs", 3), ("ustat", 0, place),
    ("mbind", 0, 4096, 0, 0, 0, 0), ("set_mempolicy", 0, 0, 0), ("remap_file_pages", 0, 0, 0, 0, 0),
    ("seccomp", 1, 0, place), ("landlock_create_ruleset", 0, 0, 1), ("memfd_secret", 0), ("process_madvise", 0, place, 1, 4, 0),
    ("process_mrelease", 0, 0), ("ioprio_set", 1, 0, 0x2000),
    ("personality", 0x0040000), ("personality", 0x400000),
]
for name, *arguments in calls:
    probe.refused(name, *arguments)
    # The same with something above the half that the kernel looks at.
    if arguments and isinstance(arguments[0], int) and name != "personality":
        probe.refused(name, arguments[0] | 1 << 32, *arguments[1:])
if "taken" in os.uname()[1]:
    probe.breach("the host name was changed")
probe.finish()
