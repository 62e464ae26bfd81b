# attack: aborts
# wall: the verdict is from the status with which it was reaped
# ending: signal SIGABRT
import os

os.abort()
