# attack: fills the container with what the kernel remembers of names that aren't there, and then takes more memory than there is: as
#   if the container had been made too small, which would be our failure, and tried again for ever
# wall: what earlier cases of the same program left is theirs. The next program has a sandbox of its own
# ending: exit 0 or memory
# output: no more than allowed
# arguments: {number}
# cases: 3
# limits: memory=256M cpu=6s wall=12s
import os
import sys

if sys.argv[1] == "1":
    os.chdir("/usr/lib")
    # Some 2 KiB each, where the image's layers are looked through: more than a container has beside its program's limit.
    start = os.urandom(16).hex()
    for number in range(75000):
        try:
            os.stat(f"{start}{number:0218}")
        except OSError:
            pass
    print("no more than allowed")
    sys.exit()
blocks = []
try:
    while True:
        blocks.append(bytearray(b"x") * (1 << 20))
except MemoryError:
    blocks.clear()
    print("no more than allowed")
