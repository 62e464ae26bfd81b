# honest: processes in all the ways that multiprocessing can start them, and what they send to each other
# ending: exit 0
# output: fork [1, 4, 9] spawn [1, 4, 9] forkserver [1, 4, 9] through a pipe
# modules: multiprocessing.forkserver multiprocessing.connection
# limits: cpu=6s wall=12s processes=32
import multiprocessing
import os


def square(number):
    """What is computed elsewhere."""
    return number * number


def answer(connection):
    """Sends a descriptor and a word."""
    reader, writer = os.pipe()
    os.write(writer, b"through a pipe")
    multiprocessing.reduction.send_handle(connection, reader, None)
    connection.close()


if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(square, [1, 2, 3]), end=" ")
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=answer, args=(theirs,))
    process.start()
    print(os.read(multiprocessing.reduction.recv_handle(ours), 64).decode())
    process.join()
