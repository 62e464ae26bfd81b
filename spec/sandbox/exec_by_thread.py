# attack: another thread than the first becomes another program, which takes the first one's number and is not the process
#   that was started; it exceeds the time that is left
# wall: a process has ended when its last thread has; limits are the case's
# ending: cpu
# limits: cpu=300ms wall=3s
import os
import sys
import threading
import time

if len(sys.argv) == 1:
    threading.Thread(target=os.execv, args=(sys.executable, [sys.executable, __file__, "again"])).start()
    time.sleep(1000)
while True:
    pass
