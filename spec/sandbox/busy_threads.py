# attack: computes in threads and processes that end before anybody looks, one after the other
# wall: CPU time of threads and processes that have ended counts as well
# ending: cpu
# limits: cpu=400ms wall=5s processes=8
# alone: yes
import os
import threading


def work():
    """A few milliseconds."""
    sum(range(50000))


while True:
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    os.waitpid(child, 0)
    for thread in threads:
        thread.join()
