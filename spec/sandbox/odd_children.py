# attack: leaves children behind of kinds that a plain wait doesn't see or that tell of their end by another signal: made
#   with all that clone can share, with no exit signal, with SIGKILL or SIGSTOP as theirs, each in a session of its own
# wall: a case's end kills by user, and whoever loses its parent becomes a child that the runner reaps
# ending: exit 0
# output: alone
# cases: 3
# limits: processes=64
# within: 2s
# modules: ctypes
import ctypes
import os
import signal

found = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.clone.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_IO, CLONE_SYSVSEM = 0x100, 0x200, 0x400, 0x800, 0x80000000, 0x40000
CLONE_UNTRACED, CLONE_PIDFD = 0x800000, 0x1000
pause = ctypes.cast(libc.pause, ctypes.c_void_p)
made = 0
for shared in (0, CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_IO, CLONE_VM, CLONE_VM | CLONE_SIGHAND | CLONE_FILES | CLONE_UNTRACED):
    for last_word in (0, signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP, 64):
        stack = libc.mmap(None, ctypes.c_size_t(1 << 16), 3, 0x22, -1, ctypes.c_long(0))
        flags = ctypes.c_int((shared | last_word) & 0xFFFFFFFF).value
        made += libc.clone(pause, stack + (1 << 16), flags, None) > 0
        # A parent that ends before its child: the child's exit signal would reach process 1.
        if os.fork() == 0:
            os.setsid()
            libc.clone(pause, stack + (1 << 16), flags, None)
            os._exit(0)
print("alone" if not found and made > 4 else f"BREACH: processes {found}, made {made}")
