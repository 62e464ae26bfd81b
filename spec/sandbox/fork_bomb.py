# attack: forks as fast as it can, in all its children
# wall: number of processes (cgroup, and RLIMIT_NPROC); the case's end kills by user, so nobody forks past it
# ending: cpu or wall
# limits: cpu=500ms wall=1s
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
