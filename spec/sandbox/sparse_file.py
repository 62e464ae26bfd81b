# attack: a file of a terabyte, with nothing in it
# wall: RLIMIT_FSIZE; the size of the writable places
# ending: exit 0
# output: refused
import os
import signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
got = []
for path in ("/tmp/large", "/dev/shm/large"):
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR)
    for attempt in (lambda: os.ftruncate(descriptor, 1 << 40), lambda: os.pwrite(descriptor, b"x", (1 << 40) - 1),
                    lambda: os.posix_fallocate(descriptor, 0, 1 << 33)):
        try:
            attempt()
            got.append(path)
        except OSError:
            pass
try:
    os.ftruncate(os.memfd_create("large"), 1 << 40)
    got.append("memfd")
except OSError:
    pass
print("refused" if not got else f"BREACH: {got}")
