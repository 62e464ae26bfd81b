# attack: leaves memory, semaphores and messages behind, of System V and POSIX, and looks for the host's
# wall: an IPC namespace; System V and POSIX queues are refused by the filter; /dev/shm is made anew between cases
# ending: exit 0
# output: held
# arguments: {neighbour}
# cases: 3
# with: probe.py
# modules: ctypes json
import ctypes
import errno
import json
import os
import sys

import probe

neighbour = json.loads(sys.argv[1])
reasons = (errno.EPERM, errno.ENOSYS, errno.ENOENT, errno.EACCES)
for key in (neighbour["shm"], 1234):
    probe.refused("shmget", key, 4096, 0, reasons=reasons)
    probe.refused("semget", key, 1, 0, reasons=reasons)
    probe.refused("msgget", key, 0, reasons=reasons)
for identifier in range(8):
    outcome = probe.call("shmat", identifier, 0, 0)
    if outcome[0] != -1 or outcome[1] not in (errno.EPERM, errno.ENOSYS, errno.EINVAL, errno.EACCES):
        probe.breach(f"shared memory {identifier} is there")
# Leave what can be left; the case after this looks for it.
probe.call("shmget", 1234, 4096, 0o1666)
probe.call("semget", 1234, 1, 0o1666)
probe.call("msgget", 1234, 0o1666)
outcome = probe.call("mq_open", ctypes.c_char_p(b"kept"), os.O_RDWR, 0, 0)
if outcome[0] >= 0:
    probe.breach("a message queue is there")
probe.call("mq_open", ctypes.c_char_p(b"kept"), os.O_CREAT | os.O_RDWR, 0o666, 0)
for name in ("psm_kept", "sem.kept"):
    if os.path.exists(f"/dev/shm/{name}"):
        probe.breach(f"/dev/shm/{name} is there")
    with open(f"/dev/shm/{name}", "wb") as file:
        file.write(b"kept")
probe.finish()
