# attack: puts itself before all others: negative nice, real-time scheduling, locked memory
# wall: no capability; rlimits
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes resource
import os
import resource

import probe

probe.fails("nice -1", lambda: os.nice(-1))
probe.fails("priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, -20))
for policy in (os.SCHED_FIFO, os.SCHED_RR):
    probe.fails(f"scheduling {policy}", lambda: os.sched_setscheduler(0, policy, os.sched_param(1)))
for kind in (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE,
             resource.RLIMIT_MEMLOCK, resource.RLIMIT_STACK, resource.RLIMIT_MSGQUEUE, resource.RLIMIT_NICE,
             resource.RLIMIT_RTPRIO):
    before = resource.getrlimit(kind)
    for attempt in (resource.RLIM_INFINITY, before[1] + 1):
        try:
            resource.setrlimit(kind, (attempt, attempt))
        except (OSError, ValueError):
            pass
    if before[1] != resource.RLIM_INFINITY and resource.getrlimit(kind)[1] != before[1]:
        probe.breach(f"limit {kind} could be raised")
if resource.getrlimit(resource.RLIMIT_CORE)[1] > 1:
    probe.breach("core dumps are allowed")
if probe.libc.mlockall(3) == 0:
    probe.breach("all memory could be locked")
probe.finish()
