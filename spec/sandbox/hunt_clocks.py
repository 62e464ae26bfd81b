# attack: reads how much CPU time other processes have used: that tells what the runner did for the case before
# wall: the filter lets through only the clocks that are one's own
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes time
import ctypes
import errno
import threading
import time

import probe

block = (ctypes.c_uint64 * 8)()
for number in probe.visible():
    for kind in (0, 1, 2, 4, 5, 6):
        clock = ctypes.c_int32((~number << 3) | kind).value
        probe.refused("clock_gettime", clock, ctypes.byref(block), reasons=(errno.EPERM, errno.EINVAL))
        probe.refused("clock_gettime", clock & 0xFFFFFFFF, ctypes.byref(block), reasons=(errno.EPERM, errno.EINVAL))
        probe.refused("timer_create", clock, 0, ctypes.byref(block), reasons=(errno.EPERM, errno.EINVAL))
# One's own are there.
for clock in (time.CLOCK_MONOTONIC, time.CLOCK_REALTIME, time.CLOCK_PROCESS_CPUTIME_ID, time.CLOCK_THREAD_CPUTIME_ID,
              time.pthread_getcpuclockid(threading.get_ident())):
    time.clock_gettime(clock)
probe.finish()
