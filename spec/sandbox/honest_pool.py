# honest: pools of processes and threads, shared memory, queues, locks
# ending: exit 0
# output: 285 285 45 [1, 2, 3] 7
# modules: multiprocessing concurrent.futures multiprocessing.shared_memory
# limits: cpu=4s wall=8s processes=32
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import shared_memory


def square(number):
    """What the pool computes."""
    return number * number


def put(queue, lock, value):
    """What a process of its own does."""
    with lock, value.get_lock():
        value.value += 7
        queue.put([1, 2, 3])


if __name__ == "__main__":
    with multiprocessing.Pool(3) as pool:
        first = sum(pool.map(square, range(10)))
    with ProcessPoolExecutor(2) as pool:
        second = sum(pool.map(square, range(10)))
    with ThreadPoolExecutor(4) as pool:
        third = sum(pool.map(int, range(10)))
    queue, lock, value = multiprocessing.Queue(), multiprocessing.Lock(), multiprocessing.Value("i", 0)
    process = multiprocessing.Process(target=put, args=(queue, lock, value))
    process.start()
    fourth = queue.get()
    process.join()
    memory = shared_memory.SharedMemory(create=True, size=1024)
    memory.buf[0] = 7
    fifth = memory.buf[0] if value.value == 7 else None
    memory.close()
    memory.unlink()
    print(first, second, third, fourth, fifth)
