# attack: hides a message for the next case in how far the kernel's counters have moved: process numbers, file numbers
# wall: process numbers start anew each case; the writable places are a fresh file system
# ending: exit 0
# output: 0
# arguments: {number}
# cases: 3
# limits: processes=32
import os
import sys

# The message is a count: as many processes and files as the case's number is large. A case that starts as all others do
# learns nothing.
first = os.fork()
if first == 0:
    os._exit(0)
os.waitpid(first, 0)
descriptor = os.open("/tmp/first", os.O_CREAT | os.O_WRONLY)
inode = os.fstat(descriptor).st_ino
for one in range(int(sys.argv[1]) * 20):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    os.close(os.open(f"/tmp/{one}", os.O_CREAT | os.O_WRONLY))
# Small numbers are those of a fresh start: after the cases before they would be larger by twenty each.
print(int(first - os.getpid() > 3 or os.getpid() > 15 or inode > 15))
