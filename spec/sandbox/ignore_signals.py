# attack: ignores every signal that can be ignored and blocks the others
# wall: limit of time by the clock; SIGKILL can't be ignored
# ending: wall
# limits: wall=300ms
import signal
import time

for number in range(1, signal.NSIG):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
while True:
    time.sleep(1)
