"""What the Python tests share: starting a program of the build, talking to it, and saying how a check went."""
import asyncio
import collections
import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import traceback

import websockets

DEADLINE = 20  # seconds that anything may take that is waited for
AT_END = contextlib.ExitStack()  # what `run` closes before it ends the program


def build_folder():
    default = pathlib.Path(__file__).resolve().parents[3] / "build"
    return pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default


def temporary_folder():
    """One that is gone after `run`."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="polycast-"))
    AT_END.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Certificates:
    """Made on the spot; support/certificates says which there are."""

    def __init__(self):
        self.folder = temporary_folder()
        subprocess.run([pathlib.Path(__file__).with_name("certificates"), self.folder], check=True, timeout=DEADLINE)

    def __getitem__(self, name):
        return str(self.folder / name)

    def tls(self, name="server"):
        """Has the echo example and its like speak TLS."""
        return ["--tls", self[name + ".pem"], self[name + ".key"]]

    def trust(self, authority="ca"):
        """For a client."""
        return ssl.create_default_context(cafile=self[authority + ".pem"])

    def served(self, name="server"):
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self[name + ".pem"], self[name + ".key"])
        return context


class Program:
    """A program of the build, on a port that the system chose. `with Program("examples/hub/hub") as hub:`"""

    def __init__(self, name, *arguments):
        self.command = [str(build_folder() / name), "--port", "0", *map(str, arguments)]
        self.scheme = "wss" if "--tls" in arguments else "ws"

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        AT_END.callback(self.process.kill)
        line = self.process.stdout.readline()
        port = re.search(r":(\d+)", line)
        assert port, f"{self.command} printed no port but: {line!r}"
        self.port = int(port[1])
        return self

    def url(self, target="/"):
        return f"{self.scheme}://127.0.0.1:{self.port}{target}"

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


class Client:
    """A run of tests/foreign/echo_client.cpp: `client = await Client(url, "--deflate", "shared").succeeds()`. Then
    `client["messages"]` and the other numbers that it prints, and `client.stderr`."""

    def __init__(self, *arguments):
        self.command = [str(build_folder() / "tests/foreign_echo_client"), *map(str, arguments)]

    async def succeeds(self):
        return await self._run(0)

    async def fails(self):
        return await self._run(1)

    async def _run(self, wanted):
        with told(" ".join(self.command)):
            process = await asyncio.create_subprocess_exec(
                *self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                out, err = await asyncio.wait_for(process.communicate(), 2 * DEADLINE)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            self.stderr = err.decode()
            self.numbers = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", out.decode())}
            assert process.returncode == wanted, f"status {process.returncode}: {self.stderr}"
            return self

    def __getitem__(self, name):
        return self.numbers[name]

    def __repr__(self):
        return f"client that printed {self.numbers}"


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


WORDS = "the quick brown fox jumps over a lazy dog while an agent thinks about œuvre, naïveté and 漢字".split()


def prose(length):
    """Text that is that long in UTF-8, is never the same, and repeats itself as people do."""
    said = " ".join([random.randbytes(4).hex(), *random.choices(WORDS, k=min(length, 200_000) // 4 + 1)]).encode()
    text = (said * (length // len(said) + 1))[:length].decode(errors="ignore")
    return text + "." * (length - len(text.encode()))


@contextlib.contextmanager
def told(circumstances):
    """What fails within is told with these."""
    try:
        yield
    except BaseException as error:
        error.add_note(circumstances)
        raise


async def comes_back(socket, message):
    """Sends a message, whole or as a list of fragments, and gets the same from an echo."""
    await socket.send(message)
    got = await asyncio.wait_for(socket.recv(), DEADLINE)
    whole = message if not isinstance(message, list) else type(message[0])().join(message)
    assert got == whole, (len(got), len(whole), str(message)[:80])


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
            for program in itertools.chain.from_iterable(a if isinstance(a, list) else [a] for a in arguments):
                if isinstance(program, Program) and (status := program.process.poll()) not in (None, 0):
                    print(f"# {program.command[0]} has ended with status {status}", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed", flush=True)
    # What is still open in a failed check must not keep us.
    AT_END.close()
    sys.stdout.flush()
    os._exit(failed != 0)
