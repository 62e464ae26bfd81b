# attack: asks prctl for what no student needs: where its memory begins, who may trace it, a filter of its own, whose core it
#   shares, memory merged with that of others, speculation, faults of the machine
# wall: the filter looks at the option, and at what the kernel looks at: the low half of it
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import ctypes
import errno
import os

import probe

place = ctypes.byref((ctypes.c_uint64 * 64)())
for option in (8, 10, 22, 24, 28, 31, 33, 35, 44, 53, 55, 57, 59, 61, 62, 65, 67, 0x59616D61, 0x53564D42):
    for form in (option, option | 1 << 32, option | 0xFFFFFFFF << 32):
        for arguments in ((0, 0, 0, 0), (1, 0, 0, 0), (2, 1, 0, 0), (-1, 0, 0, 0)):
            # EINVAL would be the kernel's own answer.
            probe.refused("prctl", form, *arguments, reasons=(errno.EPERM,))
probe.refused("prctl", 22, 2, place, 0, 0, reasons=(errno.EPERM,))
for name in ("seccomp", "ptrace", "kcmp"):
    probe.refused(name, 0, 0, 0, 0, 0)
# What may be asked for, and changes nothing: the runner, not this process, gets what loses its parent in the end.
for option, value in ((36, 1), (1, 9), (4, 0), (4, 1), (38, 1), (29, 1)):
    outcome = probe.call("prctl", option, value, 0, 0, 0)
    if outcome[0] != 0:
        probe.breach(f"prctl {option} gave {outcome}")
if os.fork() == 0:
    if os.fork() == 0:
        while True:
            pass
    os._exit(0)
os.wait()
probe.finish()
