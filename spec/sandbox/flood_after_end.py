# attack: a child floods when its parent has ended, while the last of the output is read
# wall: all is killed before the last of the output is read; what a pipe holds is bounded
# ending: exit 0 or output
# output: parent
# within: 1s
# limits: output=64K
import os
import time

ready, go = os.pipe()
if os.fork() == 0:
    os.close(go)
    os.read(ready, 1)
    time.sleep(0.05)
    while True:
        os.write(1, b"x" * 65536)
print("parent")
