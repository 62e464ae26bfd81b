# attack: fills its output with packets of one byte, hundreds with each call and from many processes, so that whoever reads
#   them has no time for the clock
# wall: the runner looks at the clock after so many reads, not only after so many bytes
# ending: wall
# limits: cpu=3s wall=300ms output=64M
# cases: 5
# modules: ctypes fcntl
import ctypes
import fcntl
import os
import time

F_SETPIPE_SZ, whole = 1031, 1 << 20
# A pipe that keeps what is written apart, full: tee puts all of it once more into another, and keeps it.
source, target = os.pipe2(os.O_DIRECT)
for descriptor in (target, 1, 2):
    fcntl.fcntl(descriptor, F_SETPIPE_SZ, whole)
for _ in range(256):
    os.write(target, b"x")
libc = ctypes.CDLL(None)
for number in range(8):
    if os.fork() == 0:
        while True:
            libc.tee(source, 1 + number % 2, whole, 0)
time.sleep(1000)
