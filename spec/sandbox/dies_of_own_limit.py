# attack: sends itself the signals that limits send: CPU time, file size
# wall: verdicts are from counters, never from a signal
# ending: signal SIGXCPU
import os
import signal

signal.signal(signal.SIGXCPU, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGXCPU)
