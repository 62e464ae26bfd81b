# attack: ends at once, but a child keeps standard output and error open
# wall: the case ends with its main process, not with its streams
# ending: exit 0
# output: parent
# within: 1s
# limits: wall=3s
import os
import time

if os.fork() == 0:
    time.sleep(1000)
print("parent")
