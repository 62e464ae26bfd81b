# attack: types into the host's terminal
# wall: no controlling terminal, no /dev/tty, no /dev/ptmx, a short list of ioctls
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import os

import probe

for path in ("/dev/tty", "/dev/console", "/dev/tty0", "/dev/ttyS0", "/dev/ptmx", "/dev/pts/0", "/dev/pts/ptmx", "/dev/vcs"):
    probe.fails(path, lambda: os.open(path, os.O_RDWR | os.O_NOCTTY))
null = os.open("/dev/null", os.O_RDWR)
for descriptor in (0, 1, 2, null):
    for request in (0x5412, 0x541C, 0x540E, 0x5422, 0x5423, 0x80045430, 0x4B4E):  # TIOCSTI, TIOCLINUX, TIOCSCTTY, …
        for form in (request, request | 1 << 32, request | 0xFFFFFFFF << 32):
            outcome = probe.call("ioctl", descriptor, form, b"x")
            if outcome[0] != -1:
                probe.breach(f"ioctl {form:#x}")
    if os.isatty(descriptor):
        probe.breach(f"descriptor {descriptor} is a terminal")
if os.getsid(0) != os.getpid():
    probe.breach("the session is somebody else's")
probe.finish()
