# attack: folders within folders, without rights, with names that aren't text, for whoever has to clean up
# wall: a fresh file system instead of a clean-up
# ending: exit 0
# output: empty
# cases: 3
# limits: files=4M cpu=3s
import os

found = os.listdir("/tmp") + os.listdir("/dev/shm")
os.chdir("/tmp")
try:
    for depth in range(3000):
        name = b"\xff\n" + b"x" * 200
        os.mkdir(name)
        os.chdir(name)
        os.symlink("..", "up")
        os.mkfifo("fifo")
except OSError:
    pass
os.chmod(".", 0)
print("empty" if not found else f"BREACH: {found}")
