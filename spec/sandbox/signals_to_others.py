# attack: kills and stops every process that it can see or guess, process 1, its parent, and all at once
# wall: a PID namespace; the runner and its launcher are another user's
# ending: exit 0
# output: held
# arguments: {host}
# cases: 2
# with: probe.py
# modules: ctypes
import errno
import os
import signal
import sys

import probe

reasons = (errno.EPERM, errno.ESRCH, errno.EINVAL)
targets = [*probe.visible(), int(sys.argv[1])]
for number in targets:
    if number == os.getpid():
        continue
    for one in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV, signal.SIGCONT, 0):
        probe.fails(f"signal {one} to {number}", lambda: os.kill(number, one), *reasons)
        if number > 1:
            probe.fails(f"signal {one} to group {number}", lambda: os.kill(-number, one), *reasons)
    try:
        descriptor = os.pidfd_open(number)
    except OSError:
        continue
    probe.fails(f"signal to {number} by descriptor", lambda: signal.pidfd_send_signal(descriptor, signal.SIGKILL), *reasons)
    outcome = probe.call("pidfd_getfd", descriptor, 0, 0)
    if outcome[0] >= 0:
        probe.breach(f"a descriptor of process {number} was taken")
    os.close(descriptor)
# The kernel doesn't tell whether this reached anybody; the next case does.
try:
    os.kill(-1, signal.SIGKILL)
except OSError:
    pass
probe.finish()
