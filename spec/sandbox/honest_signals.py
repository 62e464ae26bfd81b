# honest: alarms, handlers, its own children
# ending: exit 0
# output: alarm -15 woken
import os
import signal
import time

words = []
signal.signal(signal.SIGALRM, lambda *_: words.append("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.pause()
child = os.fork()
if child == 0:
    time.sleep(1000)
os.kill(child, signal.SIGTERM)
words.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
signal.signal(signal.SIGUSR1, lambda *_: words.append("woken"))
signal.raise_signal(signal.SIGUSR1)
print(*words)
