"""Python's `websockets` with permessage-deflate and TLS, with the echo example: deflate_python.py [BUILD FOLDER]"""
import asyncio
import contextlib
import itertools
import os
import pathlib
import random
import ssl
import sys
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))
import websockets
from peers import DEADLINE, Certificates, Program, check, comes_back, prose, run, told
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

certificates = Certificates()


@contextlib.asynccontextmanager
async def connected(echo, **offer):
    """A connection on which permessage-deflate was agreed upon. `socket.came` has, for each message that came
    compressed, how many bytes it was then; of what goes out, everything is compressed but where `socket.plainly` is
    set."""
    with told(f"{echo}, offered {offer}"):
        factory = ClientPerMessageDeflateFactory(**{"client_max_window_bits": True, **offer})
        async with websockets.connect(
                echo.url(), compression=None, extensions=[factory], ssl=certificates.trust() if echo.secure else None,
                open_timeout=DEADLINE, close_timeout=DEADLINE, max_size=None) as socket:
            [socket.deflate] = socket.extensions
            decode, encode = socket.deflate.decode, socket.deflate.encode

            def counted(frame, *, max_size=None):
                if frame.rsv1:
                    socket.came.append(len(frame.data))
                return decode(frame, max_size=max_size)

            socket.came, socket.plainly = [], False
            socket.deflate.decode = counted
            socket.deflate.encode = lambda frame: frame if socket.plainly else encode(frame)
            yield socket


@check
async def keeps_to_every_agreement(echoes):
    """Whatever of windows and contexts is offered is agreed upon or better, and messages then come back compressed."""
    for echo, server_bits, client_bits, server_forgets, client_forgets in itertools.product(
            [e for e in echoes if not e.secure], [None, 9, 12, 15], [None, True, 9, 12, 15],
            [False, True], [False, True]):
        async with connected(
                echo, server_max_window_bits=server_bits, client_max_window_bits=client_bits,
                server_no_context_takeover=server_forgets, client_no_context_takeover=client_forgets) as socket:
            agreed = socket.deflate
            assert agreed.remote_max_window_bits <= (server_bits or 15), agreed
            assert agreed.local_max_window_bits <= (client_bits if client_bits not in [None, True] else 15), agreed
            assert agreed.remote_no_context_takeover >= (server_forgets or echo.shared), agreed
            for length in [130, 3000, 70_000]:
                await comes_back(socket, prose(length))
            assert len(socket.came) == 3 and socket.came[2] < 35_000, socket.came
            await comes_back(socket, os.urandom(500))


@check
async def remembers_or_forgets(echoes):
    """A text that was just said takes few bytes where contexts are kept, and as many as before where they are not."""
    for echo, forgets in itertools.product(echoes, [False, True]):
        async with connected(echo, server_no_context_takeover=forgets) as socket:
            text = os.urandom(2000).hex()
            for _ in range(4):
                await comes_back(socket, text)
            first, *more = socket.came
            assert len(more) == 3
            if echo.shared or forgets:
                assert all(size == first for size in more), socket.came
            else:
                assert all(size < first / 20 for size in more), socket.came


@check
async def every_length(echoes):
    """Text and binary of every length from none to 16 MiB come back as they were, what is long and repeats itself
    compressed."""
    for echo in echoes:
        async with connected(echo) as socket:
            longest = 1 << 24 if echo.shared == echo.secure else 1 << 21
            for length in [0, 1, 2, 63, 125, 126, 127, 128, 129, 1000, 65535, 65536, 65537, 1 << 20, longest]:
                before = len(socket.came)
                await comes_back(socket, prose(length))
                assert len(socket.came) - before == (length >= 128), (length, socket.came[before:])
                assert length < 1000 or socket.came[-1] < length / 2, (length, socket.came[-1])
                await comes_back(socket, os.urandom(length))
            await comes_back(socket, "𝄞 smile 😀 \x00 ﷺ" * 1000)
            await comes_back(socket, bytes(10_000_000))


@check
async def joins_fragments(echoes):
    """A compressed message in fragments, empty ones too, comes back whole."""
    for echo, forgets in itertools.product(echoes, [False, True]):
        async with connected(echo, client_no_context_takeover=forgets) as socket:
            for _ in range(20):
                await comes_back(socket, [prose(random.randint(0, 9000)) for _ in range(random.randint(2, 9))])
                await comes_back(socket, [os.urandom(random.choice([0, 1, 3000])) for _ in range(random.randint(2, 9))])
            await comes_back(socket, ["", "", "é", "b" * 70000, ""])


@check
async def plain_beside_compressed(echoes):
    """A client may compress one message and not the next."""
    for echo in echoes:
        async with connected(echo) as socket:
            for i in range(50):
                socket.plainly = i % 3 == 1
                await comes_back(socket, prose(random.randint(0, 3000)))
                await comes_back(socket, [prose(200), prose(3000)])


@check
async def keeps_the_order(echoes):
    """A thousand messages sent without waiting come back in their order, with pings answered between them."""
    for echo in echoes:
        async with connected(echo) as socket:
            sent = [f"{i}:{prose(random.randint(0, 500))}" for i in range(1000)]

            async def send_all():
                for i, message in enumerate(sent):
                    await socket.send(message)
                    if i % 200 == 0:
                        await asyncio.wait_for(await socket.ping(os.urandom(i % 126)), DEADLINE)

            sender = asyncio.create_task(send_all())
            assert [await asyncio.wait_for(socket.recv(), DEADLINE) for _ in sent] == sent
            await sender
            assert len(socket.came) > 500, len(socket.came)


@check
async def echoes_the_close(echoes):
    """The code of a close comes back, on a connection that has carried compressed messages."""
    for echo, code in itertools.product(echoes, [1000, 1001, 3000, 4999]):
        async with connected(echo) as socket:
            await comes_back(socket, prose(1000))
            await socket.close(code, "bye")
            assert socket.close_code == code, socket.close_code


@check
async def reaches_a_room(echoes):
    """What is published reaches every subscriber, whatever each has agreed upon."""
    for echo in (e for e in echoes if e.shared):
        async with contextlib.AsyncExitStack() as stack:
            offers = [{"server_max_window_bits": bits, "server_no_context_takeover": forgets}
                      for bits in [None, 9, 10, 11, 12, 13, 14, 15] for forgets in [False, True]]
            sockets = [await stack.enter_async_context(connected(echo, **offer)) for offer in offers]
            plain = await stack.enter_async_context(websockets.connect(
                echo.url(), compression=None, open_timeout=DEADLINE,
                ssl=certificates.trust() if echo.secure else None))
            for socket in [*sockets, plain]:
                await socket.send("sub")
                assert await asyncio.wait_for(socket.recv(), DEADLINE) == "ok"
            for _ in range(5):
                text = "pub " + prose(100_000)
                await sockets[0].send(text)
                for socket in [*sockets, plain]:
                    assert await asyncio.wait_for(socket.recv(), DEADLINE) == text
            for socket in sockets:
                assert len(socket.came) == 5 and max(socket.came) < 50_000, socket.came


@check
async def serves_who_offers_nothing(echoes):
    """A client that offers no extension gets none, and is echoed plainly."""
    for echo in echoes:
        with told(str(echo)):
            async with websockets.connect(echo.url(), compression=None, max_size=None, open_timeout=DEADLINE,
                                          ssl=certificates.trust() if echo.secure else None) as socket:
                assert socket.extensions == []
                for length in [0, 1000, 1 << 20]:
                    await comes_back(socket, prose(length))
                    await comes_back(socket, os.urandom(length))


@check
async def serves_many(echoes):
    """A hundred connections at once, each with an offer of its own, are each answered with their own."""
    async def one(echo, number):
        async with connected(echo, server_max_window_bits=random.choice([None, *range(9, 16)]),
                             server_no_context_takeover=random.random() < 0.5) as socket:
            for _ in range(5):
                await comes_back(socket, f"number {number} {prose(random.randint(0, 5000))}")
                await comes_back(socket, os.urandom(number))

    for echo in echoes:
        await asyncio.gather(*[one(echo, i) for i in range(100)])


@check
async def is_verified(echoes):
    """A client that trusts another authority, or connects to another name, does not get as far as the upgrade."""
    for echo in (e for e in echoes if e.secure):
        for options in [{"ssl": certificates.trust("stranger")}, {"ssl": ssl.create_default_context()},
                        {"ssl": certificates.trust(), "server_hostname": "elsewhere.example"}]:
            with told(f"{echo}, {options}"):
                try:
                    async with websockets.connect(echo.url(), open_timeout=DEADLINE, **options):
                        raise AssertionError("connected")
                except ssl.SSLCertVerificationError:
                    pass


@check
async def both_versions_of_tls(echoes):
    """TLS 1.2 and 1.3 are spoken, with http/1.1 agreed upon (RFC 7301); TLS 1.1 is not."""
    for echo in (e for e in echoes if e.secure):
        for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
            context = certificates.trust()
            context.minimum_version = context.maximum_version = version
            context.set_alpn_protocols(["h2", "http/1.1"])
            async with websockets.connect(echo.url(), ssl=context, open_timeout=DEADLINE) as socket:
                tls = socket.transport.get_extra_info("ssl_object")
                assert (tls.version(), tls.selected_alpn_protocol()) == (version.name.replace("_", "."), "http/1.1")
                await comes_back(socket, prose(100_000))
        context = certificates.trust()
        context.set_ciphers("ALL@SECLEVEL=0")  # else the client would refuse by itself
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        try:
            async with websockets.connect(echo.url(), ssl=context, open_timeout=DEADLINE):
                raise AssertionError("connected")
        except ssl.SSLError as error:
            assert "ALERT_PROTOCOL_VERSION" in str(error), error


@check
async def ends_when_told(echoes):
    """On SIGTERM clients are closed with 1001, and the program ends with status 0."""
    for echo in echoes:
        async with connected(echo) as socket:
            await comes_back(socket, prose(1000))
            status = await asyncio.to_thread(echo.stop)
            await asyncio.wait_for(socket.wait_closed(), DEADLINE)
            assert (socket.close_code, status) == (1001, 0), (socket.close_code, status)


class Echo(Program):
    def __init__(self, shared, secure):
        self.shared, self.secure = shared, secure
        super().__init__("examples/echo", "--deflate" if shared else "--deflate-dedicated",
                         *(certificates.tls() if secure else []))

    def __repr__(self):
        return f"{self.scheme} and deflate<{'shared' if self.shared else 'dedicated'}>"


if __name__ == "__main__":
    with contextlib.ExitStack() as programs:
        run([programs.enter_context(Echo(*kind)) for kind in itertools.product([True, False], [False, True])])
