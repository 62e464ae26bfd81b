# attack: many children, each of which takes less than the limit
# wall: the memory limit is the case's, not a process's
# ending: memory
# ending in rlimit: wall
# limits: memory=64M processes=12 cpu=5s wall=3s
import os
import time

for _ in range(10):
    if os.fork() == 0:
        block = bytearray(b"x") * (12 << 20)
        time.sleep(1000)
os.wait()
time.sleep(1000)
