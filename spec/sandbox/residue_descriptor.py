# attack: hides a message for the next case in what belongs to a descriptor that both are given: standard input's flags
#   and signal number
# wall: each case's descriptors are opened for it alone
# ending: exit 0
# output: 0 0
# cases: 3
# modules: fcntl
import fcntl
import os

# What an open file has beside its contents stays as long as anybody has it open.
standard = os.O_NONBLOCK | os.O_APPEND
found = fcntl.fcntl(0, fcntl.F_GETFL) & standard, fcntl.fcntl(0, fcntl.F_GETSIG)
fcntl.fcntl(0, fcntl.F_SETFL, standard)
fcntl.fcntl(0, fcntl.F_SETSIG, 42)
print(*found)
