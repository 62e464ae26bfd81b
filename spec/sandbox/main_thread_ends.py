# attack: its main thread ends while another computes, so that the process looks like a zombie
# wall: a process has ended when its last thread has; the limit of CPU time counts them all
# ending: cpu
# limits: cpu=300ms wall=3s
# machine: x86_64
# modules: ctypes
import ctypes
import threading


def work():
    """Computes for ever."""
    while True:
        pass


threading.Thread(target=work).start()
# The kernel's exit of this thread alone; Python isn't told, so the lock must be free: ctypes lets go of it.
ctypes.CDLL(None).syscall(60)
