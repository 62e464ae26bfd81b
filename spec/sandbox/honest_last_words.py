# honest: what is printed at the very end: atexit, __del__, buffers
# ending: exit 0
# output: main\natexit\n__del__
import atexit
import sys


class Last:
    """Says so when it goes."""

    def __del__(self):
        sys.stdout.write("__del__")


kept = Last()
atexit.register(print, "atexit")
sys.stdout.write("main\n")
