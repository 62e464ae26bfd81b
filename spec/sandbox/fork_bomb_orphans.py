# attack: a storm of orphans: each process forks twice and ends, so that somebody has to reap them all the time
# wall: the runner looks at the clock between reaping; number of processes. In a container the counters hold what thousands of
#   processes had that have just ended, until the kernel gives it back
# ending: cpu or wall
# ending in container: cpu or wall or memory
# limits: cpu=500ms wall=1s
import os
import time

if os.fork() == 0:
    while True:
        try:
            if os.fork() == 0:
                if os.fork():
                    os._exit(0)
        except OSError:
            pass
time.sleep(1000)
