# attack: stops itself and its children, so that nothing ever ends by itself
# wall: limit of time by the clock; SIGKILL ends what is stopped
# ending: wall
# limits: wall=300ms
import os
import signal

os.fork()
os.kill(os.getpid(), signal.SIGSTOP)
