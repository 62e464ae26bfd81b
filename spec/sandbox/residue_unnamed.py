# attack: hides a message for the next case in how many files without a name there were: no folder's time tells of them
# wall: the writable places count as used when the number of the next file has moved
# ending: exit 0
# output: 0
# arguments: {number}
# cases: 3
import os
import sys

inodes = []
for _ in range(1 + 100 * int(sys.argv[1])):
    descriptor = os.open("/tmp", os.O_TMPFILE | os.O_RDWR)
    inodes.append(os.fstat(descriptor).st_ino)
    os.close(descriptor)
# In a place that nobody used before the first number is small.
print(int(inodes[0] > 50))
