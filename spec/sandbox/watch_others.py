# attack: watches the system's files, which all sandboxes share, to see which of them other programs open; leaves marks on them;
#   throws them out of the page cache
# wall: the filter has neither inotify nor the older directory notices, refuses write hints, and only pretends to take advice
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes fcntl
import ctypes
import errno
import fcntl
import os

import probe

probe.refused("inotify_init1", 0)
probe.refused("fanotify_init", 0, 0)
folder = os.open("/usr/lib", os.O_RDONLY)
for form in (fcntl.F_NOTIFY, fcntl.F_NOTIFY | 1 << 32):
    outcome = probe.call("fcntl", folder, form, 0x8000001F)
    if outcome[0] != -1:
        probe.breach("a folder's notices are delivered")
# Whoever has a lease holds up everybody else who opens the file, the host's own programs included.
for path in ("/usr/bin/env", "/dev/null", "/etc/passwd", __file__):
    descriptor = os.open(path, os.O_RDONLY)
    for above in (0, 1 << 32):
        outcome = probe.call("fcntl", descriptor, fcntl.F_SETLEASE | above, fcntl.F_RDLCK)
        if outcome != (-1, errno.EPERM):
            probe.breach(f"a lease on {path} was not refused by the filter: {outcome}")
# Older kernels let anybody put a hint on any file, for everybody to read until the file is forgotten.
F_SET_RW_HINT, F_SET_FILE_RW_HINT = 0x40C, 0x40E
for form in (F_SET_RW_HINT, F_SET_FILE_RW_HINT):
    for above in (0, 1 << 32):
        outcome = probe.call("fcntl", folder, form | above, ctypes.byref(ctypes.c_uint64(5)))
        if outcome[0] != -1 or outcome[1] != errno.EPERM:
            probe.breach(f"a hint, {form:x}, was not refused by the filter: {outcome}")
# Advice that can't be taken back: a descriptor that can't have pages would be refused by the kernel.
end, other = os.pipe()
if probe.call("fadvise64", end, 0, 0, 4) != (0, 0):
    probe.breach("advice reached the kernel")
probe.finish()
