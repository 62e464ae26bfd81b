# attack: waits in vfork for a child that never executes anything, where most signals can't reach it
# wall: limit of time by the clock; SIGKILL reaches even there
# ending: wall
# limits: wall=300ms
# modules: ctypes
import ctypes

libc = ctypes.CDLL(None)
if libc.vfork() == 0:
    libc.sleep(1000)
    libc._exit(0)
