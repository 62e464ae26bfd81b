# attack: makes itself, and whoever comes to end it, so unimportant that on a busy machine the end takes seconds; leaves
#   the processors on which whoever started the worker wants it to stay
# wall: the filter has no way to change how, and where, anything is scheduled
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import ctypes
import errno
import os

import probe

SCHED_IDLE, SCHED_BATCH, PRIO_PROCESS, PRIO_PGRP, PRIO_USER = 5, 3, 0, 1, 2


def scheduled():
    """How and where we are scheduled."""
    return (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0), sorted(os.sched_getaffinity(0)))


before = scheduled()
parameter = ctypes.byref(ctypes.c_int(0))
mask = (ctypes.c_ulong * 16)(*[~0] * 16)
one_only = (ctypes.c_ulong * 16)(1 << before[2][-1] % 64)
attributes = (ctypes.c_uint32 * 14)(56, SCHED_IDLE)
attempts = [
    ("sched_setscheduler", 0, SCHED_IDLE, parameter), ("sched_setscheduler", 0, SCHED_BATCH, parameter),
    ("sched_setscheduler", 0, SCHED_IDLE | 0x40000000, parameter), ("sched_setattr", 0, attributes, 0),
    ("setpriority", PRIO_PROCESS, 0, 19), ("setpriority", PRIO_PGRP, 0, 19), ("setpriority", PRIO_USER, 0, 19),
    ("sched_setaffinity", 0, 128, one_only), ("sched_setaffinity", 0, 128, mask),
]
for name, *arguments in attempts:
    # Refused, or pretended: what counts is what came of it.
    probe.call(name, *arguments)
    if scheduled() != before:
        probe.breach(f"{name} made {scheduled()} of {before}")
        before = scheduled()
# Whoever ends a case has for a moment the user that these calls ask for; nobody may be reached by his number.
for number in probe.visible():
    for name, *arguments in attempts:
        if name == "setpriority":
            outcome = probe.call(name, PRIO_PROCESS, number, 19)
        else:
            outcome = probe.call(name, number, *arguments[1:])
        if outcome[0] != 0 and outcome[1] not in (errno.EPERM, errno.ENOSYS) and len(probe.breaches) < 20:
            probe.breach(f"{name} looked at process {number}: {errno.errorcode[outcome[1]]}")
probe.finish()
