# attack: sleeps for ever
# wall: limit of time by the clock, timerfd-exact
# ending: wall
# limits: wall=300ms
# alone: yes
import time

time.sleep(1000)
