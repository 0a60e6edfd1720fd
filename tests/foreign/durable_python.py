"""A server with a durable log dies again and again: durable_python.py [BUILD FOLDER]

Every two seconds it is killed with SIGKILL, or now and then asked to end, and started again on the same port and file.
Publishers and subscribers are written by hand after WIRE: request ids that are sent again until they are answered,
counts, acknowledgements, resumption. Environment: DURABLE_SECONDS, for each check (10); DURABLE_SEED.
"""
import asyncio
import collections
import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))
import websockets
from peers import AT_END, DEADLINE, build_folder, check, run, temporary_folder

SECONDS = float(os.environ.get("DURABLE_SECONDS", "10"))
CHANCE = random.Random(int(os.environ.get("DURABLE_SEED", "0")) or None)
RECONNECT = 3  # seconds that no reconnect may take, from the server's being there


class MortalServer:
    """On one port and one file, whichever process it is."""

    def __init__(self, *arguments):
        with socket.socket() as probe:  # below the ports that the system gives to clients, one of which may be us
            while True:
                self.port = CHANCE.randrange(20000, 30000)
                with contextlib.suppress(OSError):
                    probe.bind(("127.0.0.1", self.port))
                    break
        self.file = temporary_folder() / "log.db"
        self.command = [build_folder() / "tests/foreign_durable_server", "--port", self.port, "--log", self.file, *arguments]
        self.kills = self.stops = 0
        self.up = asyncio.Event()
        self.up_since = 0
        self.process = None

    def start(self):
        self.process = subprocess.Popen([str(part) for part in self.command], stdout=subprocess.PIPE, text=True)
        AT_END.callback(self.process.kill)
        line = self.process.stdout.readline()
        assert "listening" in line, f"it does not start: {line!r}, status {self.process.wait(DEADLINE)}"
        self.up_since = time.monotonic()
        self.up.set()

    async def die(self):
        """By force, or by request, which keeps sessions likewise."""
        self.up.clear()
        if CHANCE.random() < 0.2:
            self.stops += 1
            self.process.send_signal(signal.SIGTERM)
        else:
            self.kills += 1
            self.process.kill()
        await asyncio.to_thread(self.process.wait, DEADLINE)
        self.process.stdout.close()

    async def live_and_die(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(CHANCE.uniform(0.1, 3))
            await self.die()
            await asyncio.sleep(CHANCE.uniform(0, 0.2))
            await asyncio.to_thread(self.start)


class Peer:
    """A session in reliable mode over as many connections as it takes."""

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.session = None
        self.received = self.acknowledged = 0
        self.reconnects = 0
        self.lost_at = self.slowest = 0
        self.faults = []
        self.ready = asyncio.Event()
        self.socket = None
        self.task = asyncio.create_task(self._live())

    async def _live(self):
        while True:
            try:
                await self.server.up.wait()
                async with websockets.connect(
                        f"ws://127.0.0.1:{self.server.port}/", subprotocols=["polycast.v1.json"], open_timeout=DEADLINE,
                        ping_interval=None, close_timeout=0.2, compression=None) as self.socket:
                    await self._open()
                    async for message in self.socket:
                        for line in message.split("\n"):
                            await self._take(json.loads(line))
                        if self.received - self.acknowledged >= 32:
                            await self.say("$ack", received=self.received)
                            self.acknowledged = self.received
            except (OSError, websockets.WebSocketException, asyncio.TimeoutError, EOFError):
                pass
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # of the test itself
                self.faults.append(repr(error))
            self.ready.clear()
            self.lost_at = time.monotonic()
            await asyncio.sleep(CHANCE.uniform(0, 0.3))

    async def _open(self):
        again = {"session": self.session, "received": self.received} if self.session else {}
        await self.say("$open", **again)
        first, *rest = [json.loads(line) for line in (await self.socket.recv()).split("\n")]
        if first["type"] == "$bye":
            raise EOFError
        assert first["type"] == "$hello", first
        if self.session:
            self.reconnects += 1
            self.slowest = max(self.slowest, time.monotonic() - max(self.lost_at, self.server.up_since))
        await self.hello(first)
        for event in rest:
            await self._take(event)
        await self.opened()
        self.ready.set()

    async def hello(self, hello):
        if self.session and not hello["resumed"]:
            self.faults.append(f"was not resumed with {self.received} received")
        self.session = hello["session"]

    async def _take(self, event):
        if not event["type"].startswith("$"):
            self.received += 1
        elif event["type"] in ("$gap", "$error"):
            self.faults.append(f"was told {event}")
        await self.take(event)

    async def say(self, type_, **around):
        await self.socket.send(json.dumps({"type": type_, **around}))

    async def opened(self):
        pass

    async def cut(self):
        """Its connection goes, without a word."""
        if self.socket and self.socket.transport:
            self.socket.transport.abort()

    async def end(self):
        self.task.cancel()
        with contextlib.suppress(BaseException):
            await self.task


class Publisher(Peer):
    """Says `n` = 1, 2, 3, …, each until it is answered."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.last = 0
        self.unanswered = {}
        self.answers = collections.Counter()
        self.window = asyncio.Semaphore(32)

    async def opened(self):
        for n in list(self.unanswered):
            await self._say(n)

    async def take(self, event):
        if event["type"] == "$ok" and "id" in event:
            self.answers[event["id"]] += 1
            if self.unanswered.pop(event["id"], None):
                self.window.release()

    async def _say(self, n):
        await self.say("publish", id=n, data={"from": self.name, "n": n})

    async def publish(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await self.window.acquire()
            self.last += 1
            self.unanswered[self.last] = True
            if self.ready.is_set():
                with contextlib.suppress(OSError, websockets.WebSocketException):
                    await self._say(self.last)
            await asyncio.sleep(CHANCE.uniform(0, 0.02))


class Subscriber(Peer):
    """Is in the room from the beginning, and in the same session to the end."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.last = collections.Counter()
        self.joined = False

    async def opened(self):
        if not self.joined:
            await self.say("$join", id="join", room="feed")

    async def take(self, event):
        if event.get("id") == "join" and event["type"] == "$ok":
            self.joined = True
        elif event["type"] == "published":
            who, n = event["data"]["from"], event["data"]["n"]
            if n != self.last[who] + 1:
                self.faults.append(f"has {n} of {who} after {self.last[who]}")
            self.last[who] = n


class Historian(Subscriber):
    """Never resumes: has what it missed from the room's history, and knows by the offset what it has."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.offset = 0
        self.epoch = None
        self.repeated = 0

    async def hello(self, hello):
        self.session = None
        self.received = self.acknowledged = 0

    async def opened(self):
        since = {"since": self.offset, "epoch": self.epoch} if self.epoch else {}
        await self.say("$join", id="join", room="feed", **since)

    async def take(self, event):
        if event.get("id") == "join" and event["type"] == "$ok":
            if self.epoch and not event["recovered"]:
                self.faults.append(f"was denied what follows {self.offset} of {self.epoch}: {event}")
            self.epoch = event["epoch"]
            self.joined = True
        elif event["type"] == "published":
            if event["offset"] <= self.offset:
                self.repeated += 1
                return
            if event["offset"] != self.offset + 1:
                self.faults.append(f"has offset {event['offset']} after {self.offset}")
            self.offset = event["offset"]
            await super().take(event)


async def eventually(condition, what, seconds=DEADLINE):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, what()
        await asyncio.sleep(0.02)


async def survive(arguments, subscribers):
    server = MortalServer(*arguments)
    server.start()
    takers = [subscribers[i % len(subscribers)](server, f"taker{i}") for i in range(8)]
    await eventually(lambda: all(t.joined for t in takers), lambda: f"not all have joined: {takers[0].faults}")
    publishers = [Publisher(server, f"publisher{i}") for i in range(4)]

    async def cut_some():
        while True:
            await asyncio.sleep(CHANCE.uniform(0, 0.5))
            await CHANCE.choice(takers + publishers).cut()

    cutting = asyncio.create_task(cut_some())
    await asyncio.gather(server.live_and_die(SECONDS), *[p.publish(SECONDS) for p in publishers])
    cutting.cancel()

    faults = lambda: [f"{p.name} {fault}" for p in takers + publishers for fault in p.faults]
    report = lambda: "; ".join(faults()[:5]) or str([dict(t.last) for t in takers[:2]])
    await eventually(lambda: not any(p.unanswered for p in publishers),
                     lambda: f"unanswered: {[list(p.unanswered)[:5] for p in publishers]}; {report()}")
    wanted = {p.name: p.last for p in publishers}
    with contextlib.suppress(AssertionError):
        await eventually(lambda: all(t.last == wanted for t in takers), report)
    for peer in takers + publishers:
        await peer.end()
    await server.die()

    assert not faults(), f"{len(faults())} faults: {report()}"
    for taker in takers:
        assert taker.last == wanted, f"{taker.name} has {dict(taker.last)}, not {wanted}"
    assert server.kills > 0
    slowest = max(p.slowest for p in takers + publishers)
    assert slowest < RECONNECT, slowest
    print(f"# {server.kills} times killed, {server.stops} asked to end; {sum(wanted.values())} events for each of {len(takers)}, "
          f"{sum(p.reconnects for p in takers + publishers)} resumed, the slowest in {slowest * 1000:.0f} ms", flush=True)


@check
async def misses_nothing():
    """However often a server is killed, its sessions go on: each event that was answered comes once and in order."""
    await survive([], [Subscriber])


@check
async def has_the_past():
    """A room's history outlives the server: who comes in a new session has what it missed, by the offset, and so does who
    resumes."""
    await survive(["--history", 100_000], [Historian, Subscriber])


if __name__ == "__main__":
    # Where there is no SQLite the program says so at once, and there is nothing to check.
    if subprocess.run([build_folder() / "tests/foreign_durable_server"], capture_output=True).returncode == 77:
        sys.exit(77)
    run()
