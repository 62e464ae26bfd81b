# attack: writes what it was given into the names of sockets that outlive it, being sent through themselves: the next case
#   reads the names in the kernel's list
# wall: such sockets are collected before the next case begins
# ending: exit 0
# output: nothing
# arguments: {number} argument-{number}-is-secret
# cases: 4
# modules: array socket
import array
import os
import re
import socket
import sys

found = set()
if os.path.exists("/proc/self/net/unix"):
    with open("/proc/self/net/unix") as file:
        found.update(re.findall("argument-[0-9]-is-secret", file.read()))
# Where the list is not to be seen the names can still be tried.
for number in range(1, int(sys.argv[1])):
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.bind(f"\0argument-{number}-is-secret")
        except OSError:
            found.add(f"the name of case {number} is taken")
one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
named = socket.socket(socket.AF_UNIX)
named.bind("\0" + sys.argv[2])
sent = array.array("i", [one.fileno(), other.fileno(), named.fileno()])
for end in (one, other):
    end.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, sent)])
os.write(1, (", ".join(sorted(found)) or "nothing").encode())
os._exit(0)
