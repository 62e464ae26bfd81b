# attack: opens files until there is none
# wall: RLIMIT_NOFILE, which can't be raised
# ending: exit 0
# output: refused
# modules: resource
import os
import resource

try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 20, 1 << 20))
except (OSError, ValueError):
    pass
opened = 0
try:
    for opened in range(100000):
        os.open("/dev/null", os.O_RDONLY)
except OSError:
    pass
print("refused" if opened <= 1024 else f"BREACH: {opened} files")
