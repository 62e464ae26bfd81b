# attack: a daemon that outlives its case: new session, double fork, all descriptors closed, signals ignored
# wall: a case's end kills all of the student's processes, in whatever session; the PID namespace ends with the sandbox
# ending: exit 0
# output: alone
# arguments: {number}
# cases: 2
# within: 2s
import os
import signal
import sys
import time

others = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
left = os.listdir("/tmp") + os.listdir("/dev/shm")
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in range(1, signal.NSIG):
        if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
            signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    os.closerange(0, 1024)
    while True:
        with open("/tmp/heartbeat", "a") as file:
            file.write(sys.argv[1])
        time.sleep(0.005)
os.wait()
while not os.path.exists("/tmp/heartbeat"):
    time.sleep(0.001)
print("alone" if not others and not left else f"BREACH: processes {others}, files {left}")
