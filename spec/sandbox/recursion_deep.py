# attack: recursion without end, with Python's own guard taken away
# wall: the memory limit, or the end of the stack
# ending: signal SIGSEGV or memory
# ending in rlimit: signal SIGSEGV or exit 1
# output:
# limits: memory=64M cpu=5s
import sys

sys.setrecursionlimit(1 << 30)


def deeper(number):
    """Never comes back."""
    return [deeper(number + 1)]


deeper(0)
