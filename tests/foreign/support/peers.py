"""What the Python tests share: starting a program of the build, talking to it, and saying how a check went."""
import asyncio
import collections
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import traceback

import websockets

DEADLINE = 20  # seconds that anything may take that is waited for


def build_folder():
    default = pathlib.Path(__file__).resolve().parents[3] / "build"
    return pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default


class Program:
    """A program of the build, on a port that the system chose. `with Program("examples/hub/hub") as hub:`"""

    def __init__(self, name, *arguments):
        self.command = [str(build_folder() / name), "--port", "0", *map(str, arguments)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        port = re.search(r":(\d+)", line)
        assert port, f"{self.command} printed no port but: {line!r}"
        self.port = int(port[1])
        return self

    def url(self, target="/"):
        return f"ws://127.0.0.1:{self.port}{target}"

    def stop(self):
        """Asks it to end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Peer:
    """A connection that keeps every event it received, in order."""

    def __init__(self, socket):
        self.socket = socket
        self.received = []
        self.arrived = asyncio.Condition()
        self.closed = False
        self.reader = asyncio.create_task(self._read())

    async def _read(self):
        try:
            async for message in self.socket:
                async with self.arrived:
                    self.received += [json.loads(line) for line in self.decode(message).split("\n")]
                    self.arrived.notify_all()
        except websockets.ConnectionClosed:
            pass
        finally:
            self.closed = True
            async with self.arrived:
                self.arrived.notify_all()

    @staticmethod
    def decode(message):
        assert isinstance(message, str), "JSON comes in text messages"
        return message

    async def send(self, type_, data=None, **around):
        await self.socket.send(json.dumps({"type": type_, **around, **({} if data is None else {"data": data})}))

    async def until(self, wanted, what):
        """The first received event that `wanted` holds for; waits for it."""
        def found():
            return next((event for event in self.received if wanted(event)), None)

        async with self.arrived:
            try:
                await asyncio.wait_for(self.arrived.wait_for(lambda: found() or self.closed), DEADLINE)
            except asyncio.TimeoutError:
                raise AssertionError(f"{what} did not come; received: {self.types()}") from None
        event = found()
        assert event, f"closed before {what} came; received: {self.types()}"
        return event

    async def until_type(self, type_, nth=1):
        """The nth event of that type."""
        await self.until(lambda _: len(self.of_type(type_)) >= nth, f"{type_} number {nth}")
        return self.of_type(type_)[nth - 1]

    async def ask(self, text, **data):
        """Asks, and returns the events of the run that this started, in order."""
        known = {e["data"]["run_id"] for e in self.of_type("agent_started")}
        await self.send("question", {"text": text, **data})
        started = await self.until(
            lambda e: e["type"] == "agent_started" and e["data"]["question"] == text
            and e["data"]["run_id"] not in known, "agent_started")
        run = started["data"]["run_id"]
        await self.until(lambda e: e["type"] == "agent_completed" and e["data"]["run_id"] == run, "agent_completed")
        return [e for e in self.received if e.get("data", {}).get("run_id") == run]

    def of_type(self, type_):
        return [e for e in self.received if e["type"] == type_]

    def types(self):
        return dict(collections.Counter(e["type"] for e in self.received))

    async def close(self):
        await self.socket.close()
        await self.reader


@contextlib.asynccontextmanager
async def connected(url, peer=Peer, **options):
    socket = await websockets.connect(url, open_timeout=DEADLINE, close_timeout=DEADLINE, max_size=None, **options)
    p = peer(socket)
    try:
        yield p
    finally:
        await p.close()


CHECKS = []


def check(function):
    """Marks a coroutine as a check. Its docstring is the sentence that must hold."""
    CHECKS.append(function)
    return function


def run(*arguments):
    """Runs all checks, one after another, and ends the program."""
    failed = 0
    for function in CHECKS:
        sentence = " ".join(function.__doc__.split())
        try:
            asyncio.run(asyncio.wait_for(function(*arguments), 4 * DEADLINE))
            print(f"ok - {sentence}", flush=True)
        except BaseException:
            failed += 1
            print(f"not ok - {sentence}", flush=True)
            traceback.print_exc(limit=-3)
            for program in arguments:
                if isinstance(program, Program) and (status := program.process.poll()) not in (None, 0):
                    print(f"# {program.command[0]} has ended with status {status}", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed", flush=True)
    # What is still open in a failed check must not keep us.
    sys.stdout.flush()
    os._exit(failed != 0)
