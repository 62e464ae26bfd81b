# attack: becomes itself again and again, so that no program of it ever ran long
# wall: CPU time is the process's, whatever it executes, and the case's
# ending: cpu
# limits: cpu=300ms wall=6s
import os
import sys

os.execv(sys.executable, [sys.executable, "-I", "-S", __file__])
