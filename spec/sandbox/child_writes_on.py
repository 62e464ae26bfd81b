# attack: ends, while a child in another session goes on writing for the next case
# wall: children are killed before the last of the output is read, and each case has pipes of its own
# ending: exit 0
# output: parent
# cases: 3
# within: 1s
import os
import time

if os.fork() == 0:
    os.setsid()
    time.sleep(0.2)
    while True:
        os.write(1, b"child\n")
print("parent")
