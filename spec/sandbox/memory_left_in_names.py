# attack: leaves memory to the next case, in what the kernel remembers of names that aren't there: taken for what was there
#   anyway it is added to that case's limit, and given back as soon as that case needs it
# wall: what the kernel would give back is no part of what a case is given on top of its limit
# ending: exit 0 or memory
# ending in rlimit: exit 0
# output: no more than allowed
# arguments: {number}
# cases: 2
# limits: memory=64M cpu=6s wall=12s
import os
import sys

if sys.argv[1] == "1":
    os.chdir("/usr/lib")
    # Names that nobody asked for before, or they are remembered on somebody else's account.
    start = os.urandom(16).hex()
    for number in range(64000):
        try:
            os.stat(f"{start}{number:0218}")
        except OSError:
            pass
    print("no more than allowed")
    sys.exit()
try:
    block = bytearray(b"x") * (76 << 20)
    print(f"BREACH: {len(block) >> 20} MiB")
except MemoryError:
    print("no more than allowed")
