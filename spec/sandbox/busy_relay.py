# attack: computes in a chain of short-lived processes that nobody waits for
# wall: CPU time of processes that have ended counts as well
# ending: cpu
# ending in rlimit: cpu or wall
# limits: cpu=300ms wall=2s
import os
import signal
import time

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
main = os.getpid()
while True:
    started = time.process_time()
    while time.process_time() - started < 0.02:
        pass
    if os.fork():
        # The main process stays, asleep, or the case would be over.
        if os.getpid() == main:
            time.sleep(1000)
        os._exit(0)
