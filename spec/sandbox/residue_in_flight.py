# attack: ends with open files sent through sockets through which these sockets themselves were sent, so that nobody holds
#   them and yet nothing closes them: a lock on a file of the system's stays, and memory, and sockets, for the next case
#   and beyond the sandbox's end
# wall: the kernel collects such sockets when it is asked to, which the runner does while there are more than its own
# ending: exit 0
# output: nothing is left
# cases: 4
# limits: memory=64M files=40M cpu=4s
# modules: array fcntl socket
import array
import fcntl
import os
import socket

found = []
if os.path.exists("/proc/self/net/unix"):
    with open("/proc/self/net/unix") as file:
        # The first line is a heading; one pair belongs to the runner.
        sockets = len(file.readlines()) - 1
    if sockets > 2:
        found.append(f"{sockets} sockets")
# Both are this sandbox's own, so that nobody else holds them.
locked = os.open("/etc/passwd", os.O_RDONLY), os.open(__file__, os.O_RDONLY)
for descriptor in locked:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        found.append("a lock")
memory = os.open("/tmp", os.O_TMPFILE | os.O_RDWR)
for _ in range(24):
    os.write(memory, b"x" * (1 << 20))
one, other = socket.socketpair()
sent = array.array("i", [one.fileno(), other.fileno(), memory, *locked])
for end in (one, other):
    end.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, sent)])
os.write(1, (", ".join(found) or "nothing is left").encode())
# Not even by Python's own clean-up may a socket be closed: that would have the kernel look.
os._exit(0)
