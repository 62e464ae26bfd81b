# attack: exits with the code by which shells tell a SIGKILL
# wall: an exit code is an exit code
# ending: exit 137
# output: right
import os

os.write(1, b"right\n")
os._exit(137)
