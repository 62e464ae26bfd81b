# attack: has the kernel send signals for it, to process 1, to the launcher, to groups, to whoever may come: as owner of a
#   descriptor, by a timer, as a parent's end
# wall: the kernel asks of whoever set it up what it asks of whoever sends a signal: another user's processes aren't reached
# ending: exit 0
# output: still here
# cases: 3
# modules: ctypes fcntl socket
# with: probe.py
import ctypes
import fcntl
import os
import signal
import socket
import struct

import probe

F_SETSIG, F_SETOWN_EX, PR_SET_PDEATHSIG = 10, 15, 1
targets = [number for number in probe.visible() if number < 40] + [-1, -2, -os.getppid()]
one, other = socket.socketpair()
reader, writer = os.pipe()
for number in targets:
    for descriptor in (one.fileno(), reader, 1):
        for attempt in (lambda: fcntl.fcntl(descriptor, fcntl.F_SETOWN, number),
                        lambda: fcntl.fcntl(descriptor, F_SETOWN_EX, struct.pack("ii", 0, number)),
                        lambda: fcntl.fcntl(descriptor, F_SETOWN_EX, struct.pack("ii", 2, number))):
            try:
                attempt()
            except OSError:
                continue
            fcntl.fcntl(descriptor, F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
            other.send(b"x")
            os.write(writer, b"x")
            fcntl.fcntl(descriptor, fcntl.F_SETFL, 0)
    # A timer's signal goes to a thread of one's own, or is refused.
    event = (ctypes.c_int32 * 16)(0, 0, signal.SIGKILL, 4, number)
    outcome = probe.call("timer_create", 1, ctypes.byref(event), ctypes.byref(ctypes.c_int32()))
    if outcome[0] == 0:
        probe.breach(f"a timer for process {number}")
    fcntl.fcntl(one, F_SETSIG, 0)
# Orphans whose parent's end is told to them, and theirs to process 1.
for _ in range(4):
    if os.fork() == 0:
        probe.call("prctl", PR_SET_PDEATHSIG, signal.SIGSTOP, 0, 0, 0)
        if os.fork() == 0:
            probe.call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            signal.pause()
        os._exit(0)
    os.wait()
probe.finish("still here")
