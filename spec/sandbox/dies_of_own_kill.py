# attack: kills itself with SIGKILL, so that it looks as if a limit had done it
# wall: memory is told from the kernel's count of kills, time from its clocks, never from the signal
# ending: signal SIGKILL
import os
import signal

block = bytearray(b"x") * (16 << 20)
os.kill(os.getpid(), signal.SIGKILL)
