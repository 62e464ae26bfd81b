# attack: changes what its output pipes are: size, blocking, packets, ownership of signals, and reads them empty
# wall: the pipes are the runner's; each case has its own
# ending: exit 0
# output: held
# cases: 2
# with: probe.py
# modules: ctypes fcntl
import fcntl
import os

import probe

for number in (1, 2):
    for command, argument in ((1031, 1 << 30), (1031, 4096), (fcntl.F_SETFL, os.O_NONBLOCK | os.O_DIRECT | os.O_ASYNC),
                              (fcntl.F_SETOWN, 1), (10, 9), (fcntl.F_SETLEASE, 1), (1033, 15)):
        try:
            fcntl.fcntl(number, command, argument)
        except OSError:
            pass
    probe.fails("reading by a new descriptor", lambda: os.open(f"/dev/fd/{number}", os.O_RDONLY | os.O_NONBLOCK))
    probe.fails("reading by another way", lambda: os.open(f"/dev/fd/{number}", os.O_RDWR | os.O_NONBLOCK))
probe.finish()
