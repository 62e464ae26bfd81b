# honest: threads, locks, timers
# ending: exit 0
# output: 8000 done
import threading

lock = threading.Lock()
total = 0


def work():
    """A thousand steps under a lock."""
    global total
    for _ in range(1000):
        with lock:
            total += 1


threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
done = threading.Event()
threading.Timer(0.01, done.set).start()
print(total, "done" if done.wait(5) else "late")
