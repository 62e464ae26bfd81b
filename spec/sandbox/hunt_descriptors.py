# attack: looks for descriptors that were left open, and tries more with its own than they are for
# wall: nothing is inherited but three streams, each for one direction
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
# input: given\n
import fcntl
import os
import stat
import sys

import probe

for number in range(3, 4096):
    try:
        os.fstat(number)
    except OSError:
        continue
    probe.breach(f"descriptor {number} is open: {os.readlink(f'/proc/self/fd/{number}')}")
if fcntl.fcntl(0, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
    probe.breach("standard input can be written")
if sys.stdin.read() != "given\n":
    probe.breach("standard input isn't what was given")
probe.fails("writing to standard input", lambda: os.write(0, b"x"))
probe.fails("opening standard input to write", lambda: os.open("/proc/self/fd/0", os.O_RDWR))
probe.fails("cutting standard input", lambda: os.truncate("/proc/self/fd/0", 0))
for number in (1, 2):
    if not stat.S_ISFIFO(os.fstat(number).st_mode):
        probe.breach(f"descriptor {number} is no pipe")
    probe.fails("reading from an output", lambda: os.read(number, 1))
    probe.fails("opening an output to read", lambda: os.open(f"/proc/self/fd/{number}", os.O_RDONLY | os.O_NONBLOCK))
    probe.fails("changing an output's mode", lambda: os.fchmod(number, 0o666))
    # Opening it anew to write is what honest programs do with /dev/stdout.
    os.close(os.open(f"/proc/self/fd/{number}", os.O_WRONLY))
probe.finish()
