# attack: traces, reads and writes the memory of, and changes the limits and priorities of every process that it can guess
# wall: ptrace and its kin are refused by the filter; the runner is another user's and not dumpable
# ending: exit 0
# output: held
# arguments: {host}
# with: probe.py
# modules: ctypes resource
import ctypes
import errno
import os
import resource
import sys

import probe

target = ctypes.create_string_buffer(64)


class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


local = Piece(ctypes.addressof(target), 8)
remote = Piece(0x400000, 8)
no_such = (errno.EPERM, errno.ESRCH, errno.ENOSYS, errno.EACCES)
for number in [*probe.visible(), int(sys.argv[1]), os.getpid()]:
    for request in (16, 0x4206, 0):  # attach, seize, trace me
        probe.refused("ptrace", request, number, 0, 0, reasons=no_such)
    for name in ("process_vm_readv", "process_vm_writev"):
        probe.refused(name, number, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0, reasons=no_such)
    probe.refused("kcmp", os.getpid(), number, 0, 0, 0, reasons=no_such)
    probe.refused("move_pages", number, 0, 0, 0, 0, 0, reasons=no_such)
    probe.refused("migrate_pages", number, 0, 0, 0, reasons=no_such)
    if number != os.getpid():
        probe.fails(f"memory of {number}", lambda: open(f"/proc/{number}/mem", "r+b"))
        probe.fails(f"limits of {number}", lambda: resource.prlimit(number, resource.RLIMIT_CPU, (1, 1)), *no_such)
        probe.fails(f"limits of {number} read", lambda: resource.prlimit(number, resource.RLIMIT_NOFILE), *no_such)
        probe.fails(f"priority of {number}", lambda: os.setpriority(os.PRIO_PROCESS, number, 19), *no_such)
        probe.fails(f"processors of {number}", lambda: os.sched_setaffinity(number, {0}), *no_such)
        probe.fails(f"group of {number}", lambda: os.setpgid(number, number), *no_such)
probe.fails("priority of user 0", lambda: os.setpriority(os.PRIO_USER, 0, -20), *no_such)
probe.finish()
