# honest: coroutines, with processes and timers
# ending: exit 0
# output: [0, 1, 4, 9] child
# modules: asyncio
import asyncio


async def square(number):
    """Takes its time."""
    await asyncio.sleep(0.01 * (4 - number))
    return number * number


async def main():
    """All at once."""
    squares = await asyncio.gather(*(square(number) for number in range(4)))
    process = await asyncio.create_subprocess_exec("echo", "child", stdout=asyncio.subprocess.PIPE)
    text, _ = await process.communicate()
    print(squares, text.decode().strip())


asyncio.run(main())
