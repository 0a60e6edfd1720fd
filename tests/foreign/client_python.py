"""Our client, tests/foreign/echo_client.cpp, with servers of Python's `websockets`: client_python.py [BUILD FOLDER]"""
import asyncio
import base64
import contextlib
import itertools
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))
import websockets
from peers import DEADLINE, Certificates, Client, check, run, told
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

certificates = Certificates()


class Server:
    """An echo: `async with Server(secure=True, deflate={}) as server:`; `answer(socket, message)` for something else."""

    def __init__(self, secure=False, deflate=None, certificate="server", answer=None):
        self.scheme = "wss" if secure else "ws"
        self.answer = answer or (lambda socket, message: socket.send(message))
        self.closes = asyncio.Queue()  # the code with which each connection was closed
        self.deflate = None  # what was agreed upon with the last client
        self.compressed = {"in": 0, "out": 0}  # messages
        self.options = {
            "compression": None,
            "extensions": [] if deflate is None else [ServerPerMessageDeflateFactory(**deflate)],
            "ssl": certificates.served(certificate) if secure else None,
            "max_size": None,
        }

    async def __aenter__(self):
        self.server = await websockets.serve(self.handle, "127.0.0.1", 0, **self.options)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()

    def url(self, host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}/"

    async def handle(self, socket):
        for self.deflate in socket.extensions:
            decode, encode = self.deflate.decode, self.deflate.encode

            def counted_decode(frame, *, max_size=None):
                self.compressed["in"] += frame.rsv1
                return decode(frame, max_size=max_size)

            def counted_encode(frame):
                encoded = encode(frame)
                self.compressed["out"] += encoded.rsv1
                return encoded

            self.deflate.decode, self.deflate.encode = counted_decode, counted_encode
        try:
            async for message in socket:
                await self.answer(socket, message)
        except websockets.ConnectionClosedError:
            pass
        await socket.wait_closed()
        self.closes.put_nowait(socket.close_code)

    async def closed(self):
        """The code with which a connection was closed; waits for the next one."""
        return await asyncio.wait_for(self.closes.get(), DEADLINE)


class Proxy:
    """Opens tunnels (RFC 9110 §9.3.6). `async with Proxy() as proxy:`"""

    def __init__(self, credentials=None, answer=None):
        self.credentials, self.answer = credentials, answer
        self.asked = []  # (target, status) of each request
        self.carried = 0  # bytes
        self.tasks = set()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.handle, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def url(self, credentials=None):
        return f"http://{credentials + '@' if credentials else ''}127.0.0.1:{self.port}"

    async def handle(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, version = head.split("\r\n")[0].split(" ")
        lines = [line.split(":", 1) for line in head.split("\r\n")[1:-2]]
        fields = {name.lower(): value.strip() for name, value in lines}
        assert (method, version, fields["host"]) == ("CONNECT", "HTTP/1.1", target), head
        expected = self.credentials and "Basic " + base64.b64encode(self.credentials.encode()).decode()
        refused = fields.get("proxy-authorization") != expected
        self.asked.append((target, 407 if refused else 200))
        try:
            if refused:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n"
                             b'Proxy-Authenticate: Basic realm="tests"\r\n\r\nwho?')
            elif self.answer is not None:
                writer.write(self.answer)
            else:
                host, port = target.rsplit(":", 1)
                far_reader, far_writer = await asyncio.open_connection(host, int(port))
                writer.write(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 tests\r\n\r\n")
                await asyncio.gather(self.carry(reader, far_writer), self.carry(far_reader, writer))
        finally:
            writer.close()

    async def carry(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while some := await reader.read(65536):
                self.carried += len(some)
                writer.write(some)
                await writer.drain()
        writer.close()


def trusting(server):
    return ["--ca", certificates["ca.pem"]] if server.scheme == "wss" else []


def deflating(kind, deflate):
    return [] if deflate is None else ["--deflate", kind]


@check
async def without_compression():
    """Messages of every length and both kinds come back to our client, over plain and TLS, up to 16 MiB."""
    for secure in [False, True]:
        async with Server(secure) as server:
            client = await Client(server.url(), *trusting(server), "--longest", 1 << 24).succeeds()
            assert client["compressed"] == 0 and client["bytes_in"] > client["payload_bytes"], client
            assert await server.closed() == 1000


@check
async def with_every_agreement():
    """Whatever windows and contexts the server wants, messages travel compressed both ways and come back."""
    for kind, server_bits, client_bits, server_forgets, client_forgets in itertools.product(
            ["shared", "dedicated"], [None, 9, 15], [None, 9, 12], [False, True], [False, True]):
        wanted = {"server_max_window_bits": server_bits, "client_max_window_bits": client_bits,
                  "server_no_context_takeover": server_forgets, "client_no_context_takeover": client_forgets}
        with told(f"{kind}, {wanted}"):
            async with Server(deflate=wanted) as server:
                client = await Client(server.url(), "--deflate", kind, "--longest", 65537).succeeds()
                agreed = server.deflate
                assert agreed.remote_max_window_bits == (client_bits or agreed.remote_max_window_bits), agreed
                assert agreed.remote_no_context_takeover >= client_forgets, agreed
                if kind == "shared":
                    assert agreed.remote_no_context_takeover and agreed.local_no_context_takeover, agreed
                assert server.compressed["in"] == client["compressed"] >= 150, (server.compressed, client)
                assert server.compressed["out"] == client["messages"], (server.compressed, client)
                assert client["bytes_out"] < client["payload_bytes"] * 0.7, client


@check
async def with_deflate_and_tls():
    """Compressed messages up to 16 MiB come back through TLS, for half of the bytes or less."""
    for kind in ["shared", "dedicated"]:
        async with Server(secure=True, deflate={}) as server:
            client = await Client(server.url(), *trusting(server), "--deflate", kind, "--longest", 1 << 24).succeeds()
            assert max(client["bytes_in"], client["bytes_out"]) < client["payload_bytes"] * 0.5, client


@check
async def without_agreement():
    """A client that offers compression to a server that has none talks plainly; one that offers none gets none."""
    async with Server() as server:
        client = await Client(server.url(), "--deflate", "shared").succeeds()
        assert client["compressed"] == 0 and server.deflate is None, client
    async with Server(deflate={}) as server:
        client = await Client(server.url()).succeeds()
        assert client["compressed"] == 0 and server.deflate is None, client


@check
async def fragments_and_pings():
    """Answers that come in fragments are joined, and pings between them are answered with their bytes."""
    async def answer(socket, message):
        cut = len(message) // 3
        await socket.send([message[:cut], message[cut:2 * cut], message[2 * cut:], message[:0]])
        if len(message) < 100:
            said = message.encode() if isinstance(message, str) else message
            pongs.append(await asyncio.wait_for(await socket.ping(said), DEADLINE))

    for secure, deflate in itertools.product([False, True], [None, {}]):
        pongs = []
        async with Server(secure, deflate, answer=answer) as server:
            await Client(server.url(), *trusting(server), *deflating("dedicated", deflate)).succeeds()
            assert len(pongs) > 100 and await server.closed() == 1000, len(pongs)


@check
async def closed_by_the_server():
    """A close by the server is answered with its code, and our client tells the code and the reason."""
    async def answer(socket, message):
        await socket.close(code, "that is all")

    for secure, code in itertools.product([False, True], [1000, 1001, 1011, 3000, 4999]):
        async with Server(secure, answer=answer) as server:
            client = await Client(server.url(), *trusting(server)).fails()
            assert f'closed {code} by the server: "that is all", with 0 messages back' in client.stderr, client.stderr
            assert await server.closed() == code


@check
async def finds_what_is_changed():
    """An answer that is not what was sent is found (a check of the program that checks)."""
    async def answer(socket, message):
        await socket.send(message[:-1] if len(message) == 1000 else message)

    async with Server(answer=answer) as server:
        client = await Client(server.url()).fails()
        assert re.search(r"message \d+ came back as 999 bytes .* and was 1000 bytes", client.stderr), client.stderr
        assert await server.closed() == 1011


@check
async def refuses_what_is_too_long():
    """A message beyond the limit is answered with 1009, also if it is beyond it only when inflated."""
    for kind in [None, "shared", "dedicated"]:
        async with Server(deflate=kind and {}) as server:
            client = await Client(server.url(), *(["--deflate", kind] if kind else []), "--max-message", 2000).fails()
            assert "closed 1009" in client.stderr, client.stderr
            assert await server.closed() == 1009


@check
async def refuses_certificates():
    """Our client says why it does not accept a server: an authority it does not trust, a name that is another."""
    async with Server(secure=True) as server, Server(secure=True, certificate="elsewhere") as other:
        for target, options, why in [
                (server, [], "is not trusted"),
                (server, ["--ca", certificates["stranger.pem"]], "is not trusted"),
                (other, ["--ca", certificates["ca.pem"]], "is for another name")]:
            client = await Client(target.url(), *options).fails()
            assert f"not connected: the peer's certificate {why}" in client.stderr, client.stderr
        await Client(server.url("localhost"), *trusting(server), "--longest", 1000).succeeds()
        await Client(other.url(), "--insecure", "--longest", 1000).succeeds()
        for target in [server, other]:
            assert await target.closed() == 1000 and target.closes.empty()


@check
async def through_a_proxy():
    """Plain and TLS, compressed or not, go through the tunnel of a proxy, with credentials where it wants them."""
    for secure, deflate, credentials in itertools.product([False, True], [None, {}], [None, "ada:love:lace"]):
        async with Server(secure, deflate) as server, Proxy(credentials) as proxy:
            client = await Client(server.url(), *trusting(server), *deflating("shared", deflate),
                                  "--proxy", proxy.url(credentials)).succeeds()
            assert proxy.asked == [(f"127.0.0.1:{server.port}", 200)], proxy.asked
            assert proxy.carried >= client["bytes_in"] + client["bytes_out"] - 1000, (proxy.carried, client)


@check
async def refused_by_a_proxy():
    """What a proxy refuses, our client tells; it does not go round it."""
    async with Server() as server:
        for credentials in [None, "ada:wrong"]:
            async with Proxy("ada:lovelace") as proxy:
                client = await Client(server.url(), "--proxy", proxy.url(credentials)).fails()
                assert "not connected: " in client.stderr and "prox" in client.stderr, client.stderr
                assert proxy.asked == [(f"127.0.0.1:{server.port}", 407)], proxy.asked
        for answer in [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
                       b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b""]:
            async with Proxy(answer=answer) as proxy:
                client = await Client(server.url(), "--proxy", proxy.url()).fails()
                assert "not connected: " in client.stderr and "prox" in client.stderr, (answer, client.stderr)
        assert server.closes.empty(), "a connection went round the proxy"


@check
async def certificates_behind_a_proxy():
    """Behind a proxy it is the server's certificate that is verified, for the server's name."""
    async with Server(secure=True) as server, Proxy() as proxy:
        await Client(server.url("localhost"), *trusting(server), "--proxy", proxy.url()).succeeds()
        assert proxy.asked == [(f"localhost:{server.port}", 200)], proxy.asked
    async with Server(secure=True, certificate="elsewhere") as server, Proxy() as proxy:
        client = await Client(server.url(), *trusting(server), "--proxy", proxy.url()).fails()
        assert "not connected: the peer's certificate is for another name" in client.stderr, client.stderr


if __name__ == "__main__":
    run()
