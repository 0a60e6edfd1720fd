"""Python's `websockets` in conversation with the echo example: echo_python.py [BUILD FOLDER]"""
import asyncio
import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))
import websockets
from peers import DEADLINE, Program, check, comes_back, run


def connect(echo, **options):
    return websockets.connect(echo.url(), open_timeout=DEADLINE, close_timeout=DEADLINE, max_size=None, **options)


@check
async def echoes_every_length(echo):
    """Text and binary of every length about the limits of a header come back as they were."""
    async with connect(echo) as socket:
        for length in [0, 1, 125, 126, 127, 65535, 65536, 65537, 1 << 20]:
            await comes_back(socket, os.urandom(length))
            await comes_back(socket, "é" * (length // 2) + "x" * (length % 2))
        await comes_back(socket, "𝄞 smile 😀 \x00 ﷺ")


@check
async def joins_fragments(echo):
    """A message in fragments comes back whole."""
    async with connect(echo) as socket:
        for _ in range(20):
            await comes_back(socket, [os.urandom(random.randint(0, 5000)) for _ in range(random.randint(2, 9))])
        await comes_back(socket, ["a", "", "é", "b" * 70000])


@check
async def keeps_the_order(echo):
    """A thousand messages sent without waiting come back in their order."""
    async with connect(echo) as socket:
        sent = [f"{i}:{'x' * random.randint(0, 300)}" for i in range(1000)]

        async def send_all():
            for message in sent:
                await socket.send(message)

        sender = asyncio.create_task(send_all())
        assert [await asyncio.wait_for(socket.recv(), DEADLINE) for _ in sent] == sent
        await sender


@check
async def answers_pings(echo):
    """A ping is answered by a pong with the same bytes."""
    async with connect(echo) as socket:
        for length in [0, 1, 125]:
            await asyncio.wait_for(await socket.ping(os.urandom(length)), DEADLINE)


@check
async def echoes_the_close(echo):
    """The code of a close comes back."""
    for code in [1000, 1001, 3000, 4999]:
        socket = await connect(echo)
        await socket.close(code, "bye")
        assert socket.close_code == code, socket.close_code


@check
async def reaches_a_room(echo):
    """What is published reaches every subscriber, and nobody else."""
    async with connect(echo) as one, connect(echo) as two, connect(echo) as stranger:
        for socket in [one, two]:
            await socket.send("sub")
            assert await asyncio.wait_for(socket.recv(), DEADLINE) == "ok"
        await stranger.send("pub hello")
        assert await asyncio.wait_for(one.recv(), DEADLINE) == "pub hello"
        assert await asyncio.wait_for(two.recv(), DEADLINE) == "pub hello"
        await comes_back(stranger, "only this")


@check
async def agrees_on_no_compression_it_lacks(echo):
    """A client that offers permessage-deflate is served, with or without it."""
    for compression in ["deflate", None]:
        async with connect(echo, compression=compression) as socket:
            await comes_back(socket, "z" * 10_000)


@check
async def serves_many(echo):
    """Two hundred connections at once are each answered with their own."""
    async def one(number):
        async with connect(echo) as socket:
            await comes_back(socket, f"number {number}")
            await comes_back(socket, os.urandom(number))

    await asyncio.gather(*[one(i) for i in range(200)])


@check
async def ends_when_told(echo):
    """On SIGTERM clients are closed with 1001, and the program ends with status 0."""
    async with connect(echo) as socket:
        await comes_back(socket, "hello")
        status = await asyncio.to_thread(echo.stop)
        await asyncio.wait_for(socket.wait_closed(), DEADLINE)
        assert (socket.close_code, status) == (1001, 0), (socket.close_code, status)


if __name__ == "__main__":
    with Program("examples/echo") as started:
        run(started)
