# attack: a child exceeds the memory and is killed; its parent goes on as if nothing had happened
# wall: too much memory is the case's end, whichever process had it
# ending: memory
# ending in rlimit: exit 0
# output: went on
# limits: memory=64M cpu=5s
import os
import time

if os.fork() == 0:
    blocks = []
    while True:
        blocks.append(bytearray(b"x") * (1 << 20))
os.wait()
time.sleep(0.3)
print("went on")
