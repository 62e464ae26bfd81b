# attack: computes within one call that never comes back to the interpreter
# wall: limit of CPU time; nothing depends on the interpreter's help
# ending: cpu
# limits: cpu=300ms wall=3s
import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
pow(3, 10**10)
