"""The `curl` command with a server's pages and its WebSocket, over plain and TLS: curl.py [BUILD FOLDER]

Debian 12's curl (7.88) has no ws:// among its protocols. It does send the fields of an upgrade, though, and prints what
comes after the 101 as it comes: that is enough to read the server's frames. It cannot send any.
"""
import asyncio
import base64
import contextlib
import hashlib
import itertools
import os
import pathlib
import struct
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))
from peers import DEADLINE, Certificates, Program, check, run, told

certificates = Certificates()
CURL = ["curl", "--silent", "--noproxy", "*", "--no-buffer", "--max-time", str(DEADLINE)]
VERIFY = ["--cacert", certificates["ca.pem"]]


def http(server, target="/", host="127.0.0.1"):
    return server.url(target).replace("ws", "http", 1).replace("127.0.0.1", host)


def counted(length):
    return b"".join(b"%d " % i for i in range(length // 2))[:length]


async def curl(*arguments):
    """(exit status, what it printed)"""
    with told(" ".join(arguments)):
        process = await asyncio.create_subprocess_exec(*CURL, *arguments, stdout=asyncio.subprocess.PIPE)
        out, _ = await asyncio.wait_for(process.communicate(), 2 * DEADLINE)  # curl ends within one
    return process.returncode, out


async def answer(*arguments):
    """(status, fields, body)"""
    code, out = await curl("--include", *arguments)
    assert code == 0, f"curl ended with {code}: {arguments}"
    head, _, body = out.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    version, status = first.split(" ")[:2]
    assert version == "HTTP/1.1", first
    return int(status), {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}, body


def upgrade(key, version=13):
    return [word for field in ["Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Version: {version}",
                               f"Sec-WebSocket-Key: {key}"] for word in ["--header", field]]


def fresh_key():
    return base64.b64encode(os.urandom(16)).decode()


def accept(key):
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def frames(data):
    """[(first byte, payload)] of unmasked frames."""
    found = []
    while data:
        first, length = data[0], data[1]
        extended = {126: 2, 127: 8}.get(length, 0)
        assert length < 128, "a server masks nothing"
        if extended:
            length = int.from_bytes(data[2:2 + extended], "big")
        begin = 2 + extended
        assert len(data) >= begin + length, "a frame is cut off"
        found.append((first, data[begin:begin + length]))
        data = data[begin + length:]
    return found


@check
async def gets_pages(sites):
    """GET is answered with the page, HEAD with the same fields alone, an unknown path with 404."""
    for site in sites:
        status, fields, body = await answer(*VERIFY, http(site))
        assert (status, body, fields["content-length"]) == (200, b"a few words\n", "12"), (status, fields, body)
        head = await answer(*VERIFY, "--head", http(site))
        assert head == (200, fields, b""), head
        status, _, body = await answer(*VERIFY, http(site, "/elsewhere?x=1"))
        assert (status, body) == (404, b"no such page\n"), (status, body)
        status, _, body = await answer(*VERIFY, "--head", http(site, "/elsewhere"))
        assert (status, body) == (404, b""), (status, body)


@check
async def gets_a_large_page(sites):
    """A page of three megabytes arrives whole, to several at once and to one that reads slowly."""
    whole = counted(3_000_000)
    for site in sites:
        for _, fields, body in await asyncio.gather(*[answer(*VERIFY, http(site, "/large")) for _ in range(5)],
                                                    answer(*VERIFY, "--limit-rate", "3M", http(site, "/large"))):
            assert body == whole and fields["content-length"] == str(len(whole)), (len(body), fields)


@check
async def refuses_other_methods(sites):
    """Any other method is answered with 405 and the methods there are."""
    for site in sites:
        for method in [["--data", "x=1"], ["--data-binary", "@/dev/null"], ["--request", "DELETE"],
                       ["--request", "OPTIONS"]]:
            status, fields, _ = await answer(*VERIFY, *method, http(site))
            assert (status, fields["allow"]) == (405, "GET, HEAD"), (method, status, fields)


@check
async def several_in_a_row(sites):
    """One curl gets page after page."""
    for site in sites:
        code, out = await curl(*VERIFY, *[http(site)] * 5)
        assert (code, out) == (0, b"a few words\n" * 5), (code, out)


@check
async def verifies(sites):
    """curl accepts the certificate from its authority for its names, and for no other authority or name."""
    plain, secure = sites
    for host in ["127.0.0.1", "localhost"]:
        assert (await answer(*VERIFY, http(secure, host=host)))[0] == 200
    elsewhere = http(secure, host="elsewhere.example")
    resolve = ["--resolve", f"elsewhere.example:{secure.port}:127.0.0.1"]
    for arguments in [[http(secure)], ["--cacert", certificates["stranger.pem"], http(secure)],
                      [*VERIFY, *resolve, elsewhere]]:
        assert await curl(*arguments) == (60, b""), arguments  # CURLE_PEER_FAILED_VERIFICATION
    assert (await answer("--insecure", *resolve, elsewhere))[0] == 200


@check
async def falls_back_from_http2(sites):
    """A client that would rather speak HTTP/2 is answered in HTTP/1.1, by ALPN over TLS and by silence over plain."""
    for site in sites:
        code, out = await curl(*VERIFY, "--http2", "--write-out", "%{http_version}", http(site))
        assert (code, out) == (0, b"a few words\n1.1"), (code, out)


@check
async def versions_of_tls(sites):
    """TLS 1.2 and 1.3 are spoken, 1.1 is not."""
    _, secure = sites
    for version in ["1.2", "1.3"]:
        code, out = await curl(*VERIFY, f"--tlsv{version}", "--tls-max", version, http(secure))
        assert (code, out) == (0, b"a few words\n"), (version, code, out)
    code, _ = await curl(*VERIFY, "--tlsv1.1", "--tls-max", "1.1", "--ciphers", "ALL@SECLEVEL=0", http(secure))
    assert code == 35, code  # CURLE_SSL_CONNECT_ERROR


@check
async def confused(sites):
    """Who speaks TLS to the plain port or plain to the TLS port is shut out, and the next is served."""
    for site, scheme in zip(sites, ["https", "http"]):
        code, out = await curl("--insecure", f"{scheme}://127.0.0.1:{site.port}/")
        assert code != 0 and b"a few words" not in out, (code, out)
        assert (await answer(*VERIFY, http(site)))[0] == 200


@check
async def upgrades(sites):
    """The fields of an upgrade are answered with 101 and the key's answer, then come the frames of the greeting."""
    for site in sites:
        key = fresh_key()
        status, fields, body = await answer(*VERIFY, *upgrade(key), http(site))
        assert (status, fields["sec-websocket-accept"]) == (101, accept(key)), (status, fields)
        assert (fields["upgrade"].lower(), fields["connection"].lower()) == ("websocket", "upgrade"), fields
        assert frames(body) == [(0x81, b"hello"), (0x82, counted(70_000)),
                                (0x88, struct.pack("!H", 1000) + b"that is all")], body[:100]


@check
async def upgrades_with_compression(sites):
    """With permessage-deflate in the offer, the long message of the greeting comes compressed, for itself alone."""
    for site, bits in itertools.product(sites, [9, 15]):
        offer = f"Sec-WebSocket-Extensions: x-unheard-of; y=1, permessage-deflate; server_max_window_bits={bits}"
        status, fields, body = await answer(*VERIFY, *upgrade(fresh_key()), "--header", offer, http(site))
        agreed = [word.strip() for word in fields["sec-websocket-extensions"].split(";")]
        assert agreed[0] == "permessage-deflate" and "server_no_context_takeover" in agreed, agreed
        hello, (first, long), (closing, _) = frames(body)
        assert (hello, first, closing) == ((0x81, b"hello"), 0xC2, 0x88), (hello, first, closing)
        # RFC 7692 §7.2.2: these four bytes are appended.
        assert zlib.decompressobj(wbits=-bits).decompress(long + b"\0\0\xFF\xFF") == counted(70_000)
        assert len(long) < 35_000, len(long)


@check
async def refuses_upgrades(sites):
    """An upgrade of another version is answered with 426 and ours, one with a bad key with 400, an endless head with
    431."""
    for site in sites:
        status, fields, _ = await answer(*VERIFY, *upgrade(fresh_key(), version=8), http(site))
        assert (status, fields["sec-websocket-version"]) == (426, "13"), (status, fields)
        status, _, _ = await answer(*VERIFY, *upgrade("c2hvcnQ="), http(site))
        assert status == 400, status
        status, _, _ = await answer(*VERIFY, *upgrade(fresh_key()), "--header", "Cookie: a=" + "b" * 20_000, http(site))
        assert status == 431, status


@check
async def says_goodbye(sites):
    """When the server is told to end, curl is sent a close frame with 1001."""
    async def one(flags):
        with Program("examples/echo", *flags) as echo:
            process = await asyncio.create_subprocess_exec(
                *CURL, "--verbose", *VERIFY, *upgrade(fresh_key()), http(echo),
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
            line = b""
            while not line.startswith(b"< HTTP/1.1 101 "):
                line = await asyncio.wait_for(process.stderr.readline(), DEADLINE)
                assert line, "curl has ended"
            stopped = asyncio.create_task(asyncio.to_thread(echo.stop))
            out, _ = await asyncio.wait_for(process.communicate(), DEADLINE)
            [(first, payload)] = frames(out)
            assert (first, payload[:2]) == (0x88, struct.pack("!H", 1001)), out
            assert (process.returncode, await stopped) == (0, 0)

    await asyncio.gather(one([]), one(certificates.tls()))


if __name__ == "__main__":
    with contextlib.ExitStack() as programs:
        run([programs.enter_context(Program("tests/foreign_site", *flags)) for flags in [[], certificates.tls()]])
