"""The load generator against servers that behave and servers that do not: load_generator.py [BUILD FOLDER]

Looks at what it counts and how it ends, never at how fast anything is."""
import asyncio
import base64
import hashlib
import json
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))
from peers import DEADLINE, Program, build_folder, check, run

SHORT = ["--seconds", 0.2, "--warm-up", 0.05]
QUANTILES = ["p50_us", "p90_us", "p99_us", "p999_us", "max_us"]


async def load(*arguments):
    """Its exit status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        str(build_folder() / "examples/load"), *map(str, arguments), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE)
    try:
        out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, out.decode(), err.decode()


async def measured(server, *arguments):
    status, out, err = await load(*arguments, "--port", server.port, "--server-pid", server.process.pid, *SHORT)
    assert status == 0, err
    assert out.count("\n") == 1 and not err, (out, err)
    result = json.loads(out)
    assert result["messages"] > 0 and result["server_cpu_seconds"] > 0, result
    return result


def has_latencies(result):
    times = [result[name] for name in QUANTILES]
    assert result["latencies"] > 0 and times == sorted(times) and times[0] > 0, result


@check
async def echoes(servers):
    """Echo is measured from 1 byte to 1 MiB, in both loops, with latencies where they are asked for."""
    echo = servers[0]
    for arguments in [[], ["--in-flight", 16, "--refill", "whole"], ["--bytes", 1], ["--bytes", 126], ["--bytes", 65536, "--binary"],
                      ["--bytes", 1 << 20, "--connections", 2]]:
        result = await measured(echo, "echo", "--connections", 5, *arguments)
        assert "p50_us" not in result, result
    has_latencies(await measured(echo, "echo", "--connections", 5, "--in-flight", 3, "--latency"))
    result = await measured(echo, "echo", "--connections", 5, "--rate", 500)
    has_latencies(result)
    assert result["rate"] == 500 and abs(result["sent_rate"] - 500) <= 10 and result["unanswered"] == 0, result
    assert abs(result["latencies"] - 0.2 * 500) <= 2, result


@check
async def broadcasts(servers):
    """A room is measured as it is, and compressed both ways, and reliably."""
    echo, deflating, typed = servers
    await measured(echo, "broadcast", "--receivers", 20, "--in-flight", 3)
    result = await measured(deflating, "broadcast", "--receivers", 20, "--in-flight", 3, "--bytes", 400, "--deflate")
    assert result["wire_bytes"] < 400 == result["plain_bytes"], result
    assert result["decompressed"] < result["messages"], "one of a publish is enough"
    result = await measured(typed, "broadcast", "--receivers", 20, "--in-flight", 3, "--bytes", 400, "--zstd")
    assert result["wire_bytes"] < 400 == result["plain_bytes"], result
    await measured(typed, "reliable", "--receivers", 20, "--in-flight", 3)


@check
async def exchanges_events(servers):
    """Typed events are answered in order, in both loops."""
    await measured(servers[2], "events", "--connections", 5, "--in-flight", 40)
    has_latencies(await measured(servers[2], "events", "--connections", 5, "--rate", 500))


@check
async def resumes_sessions(servers):
    """Connections that are cut come back, and miss nothing."""
    result = await measured(servers[2], "resume", "--receivers", 20, "--cuts", 100)
    has_latencies(result)
    assert result["missing"] == result["twice"] == 0, result
    assert result["cuts"] == result["resumed"] > 0, result


@check
async def counts_connections(servers):
    """Connections are opened and closed, and quiet ones are held."""
    result = await measured(servers[0], "connect", "--connections", 10, "--in-flight", 5)
    has_latencies(result)
    assert result["connects"] == result["messages"], result
    status, out, err = await load("idle", "--connections", 50, "--settle", 0.05, "--port", servers[0].port, "--server-pid",
                                  servers[0].process.pid)
    assert status == 0 and json.loads(out)["connections"] == 50, (out, err)


def frame(op, payload):
    length = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack(">H", len(payload))
    return bytes([0x80 | op]) + length + payload


class Misbehaving:
    """`answer(number, op, payload)` says what bytes a client's message is answered with; None: the connection ends."""

    def __init__(self, answer, accept=lambda value: value):
        self.answer, self.accept = answer, accept

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            key = head.split("Sec-WebSocket-Key: ")[1].split("\r\n")[0]
            digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Accept: " + self.accept(base64.b64encode(digest)) + b"\r\n\r\n")
            for number in range(1 << 30):
                op, length = await reader.readexactly(2)
                length &= 0x7F
                if length == 126:
                    length, = struct.unpack(">H", await reader.readexactly(2))
                key = await reader.readexactly(4)
                payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(await reader.readexactly(length)))
                answered = self.answer(number, op & 0xF, payload)
                if answered is None:
                    break
                writer.write(answered)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def misbehaves(answer, words, *arguments, **handshake):
    async with Misbehaving(answer, **handshake) as server:
        status, out, err = await load(*arguments, "--connections", 3, "--port", server.port, *SHORT)
    assert status == 1 and not out, (status, out)
    assert words in err and "This mode needs" in err, err


@check
async def tells_what_is_wrong(_):
    """A server that answers wrongly, or not, or ends connections, is told so on stderr, with status 1."""
    def echo(number, op, payload):
        return frame(op, payload)

    await misbehaves(lambda n, op, p: frame(op, b"x" * len(p)) if n == 32 else echo(n, op, p), "wrong content", "echo")
    await misbehaves(lambda n, op, p: frame(op, p + b"x"), "21 bytes, due were 20", "echo")
    await misbehaves(lambda n, op, p: 2 * frame(op, p), "more replies than requests", "echo")
    await misbehaves(lambda n, op, p: b"\xc1" + frame(op, p)[1:], "a reserved bit is set", "echo")
    await misbehaves(lambda n, op, p: frame(8, b"\x03\xf3broken") if n == 4 else echo(n, op, p), "code 1011: broken", "echo")
    await misbehaves(lambda n, op, p: None if n == 4 else echo(n, op, p), "without a close frame", "echo")
    await misbehaves(echo, "does not answer the key", "echo", accept=lambda value: b"A" * len(value))
    await misbehaves(echo, "an answer does not begin with", "events")
    await misbehaves(lambda n, op, p: frame(op, b'{"type":"tool_completed","data":{"step":7}}'), '"step":1000001', "events")
    await misbehaves(lambda n, op, p: frame(op, b"ok" if p == b"sub" else p), "who is not in the room", "broadcast")
    await misbehaves(echo, "does not agree to `permessage-deflate", "broadcast", "--deflate")
    await misbehaves(echo, "does not speak polycast.v1.json", "resume")


@check
async def waits_for_no_server_forever(_):
    """A server that is silent ends the measurement, with status 1."""
    await asyncio.gather(
        misbehaves(lambda *_: b"", "nothing came for 5 s", "echo"),
        misbehaves(lambda *_: b"", "nothing came for 5 s", "events", "--rate", 100),
        misbehaves(lambda n, op, p: frame(op, p) if n < 3 else b"", "nothing came for 5 s", "echo", "--rate", 100),
        misbehaves(lambda *_: b"", "has not answered the close frame", "connect"))


@check
async def refuses_wrong_usage(_):
    """Wrong usage is told with the usage, and status 2."""
    for arguments in [[], ["frob", "--port", 1], ["echo"], ["echo", "--port", "x"], ["echo", "--port", 1, "--rate"],
                      ["idle", "--port", 1], ["echo", "--port", 1, "--deflate"], ["connect", "--port", 1, "--rate", 5],
                      ["events", "--port", 1, "--bytes", 10], ["echo", "--port", 1, "--in-flight", 0]]:
        status, out, err = await load(*arguments)
        assert status == 2 and not out and "usage: load MODE" in err, (arguments, status, err)
    status, out, err = await load("--help")
    assert status == 0 and out.startswith("usage: load MODE") and not err


if __name__ == "__main__":
    with Program("examples/echo") as plain, Program("examples/echo", "--deflate") as deflating:
        with Program("tests/foreign_load_server") as typed:
            run([plain, deflating, typed])
