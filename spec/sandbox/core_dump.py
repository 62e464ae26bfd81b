# attack: dies so that the kernel would write its memory to a file or hand it to a program of the host's
# wall: RLIMIT_CORE of one byte, which means never even where core_pattern is a pipe, and can't be changed
# ending: exit 0
# output: no dump
# modules: ctypes resource
import os
import resource
import signal

os.chdir("/tmp")
for wanted in ((0, 0), (resource.RLIM_INFINITY, resource.RLIM_INFINITY), (1 << 20, 1 << 20)):
    try:
        resource.setrlimit(resource.RLIMIT_CORE, wanted)
    except (OSError, ValueError):
        pass
found = []
for one in (signal.SIGABRT, signal.SIGSEGV, signal.SIGQUIT, signal.SIGSYS, signal.SIGTRAP, signal.SIGXCPU):
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), one)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WCOREDUMP(status):
        found.append(one)
print("no dump" if not found and not os.listdir("/tmp") else f"BREACH: {found} {os.listdir('/tmp')}")
