# attack: ends at once and leaves a fork bomb behind, each process of it in a session of its own
# wall: a case's end kills by user, under the lock that a fork needs, until nobody is left
# ending: exit 0
# output: ended
# cases: 3
# within: 1s
import os
import signal

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
        except OSError:
            pass
print("ended")
