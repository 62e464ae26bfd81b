# attack: becomes another program, which then computes for ever
# wall: limits are the case's, not the interpreter's
# ending: cpu
# limits: cpu=300ms wall=3s
import os

os.execv("/bin/sh", ["python3", "-c", "while :; do :; done"])
