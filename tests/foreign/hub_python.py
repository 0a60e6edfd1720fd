"""Python's `websockets` in conversation with the hub: hub_python.py [BUILD FOLDER]

The files that are asked about are made up here, at random: no answer can be one that was written beforehand.
"""
import asyncio
import contextlib
import ctypes
import json
import os
import pathlib
import random
import shutil
import string
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))
import websockets
from peers import DEADLINE, Peer, Program, check, connected, run

FIVE = ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"]


def word():
    return "".join(random.choices(string.ascii_lowercase, k=12))


class Files:
    """A directory of random files, and what is true of it."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.lines = {}
        for number in range(random.randint(5, 20)):
            name = f"{['src', 'lib', 'doc'][number % 3]}/{word()}.{random.choice(['cpp', 'py', 'txt'])}"
            self.write(name, [f"{word()} {word()}" for _ in range(random.randint(3, 200))])
        # One definition, used in two other files.
        self.name = word()
        self.defined_in = f"src/{word()}.hpp"
        self.defined_at = random.randint(10, 40)
        lines = [f"// {word()}" for _ in range(self.defined_at - 1)]
        lines += [f"struct {self.name} {{", f"    int {word()};", "};"]
        self.write(self.defined_in, lines)
        self.used_in = [f"lib/{word()}.cpp", f"lib/{word()}.cpp"]
        for at in self.used_in:
            self.write(at, [f"// {word()}", f"auto x = {self.name}{{}};", f"return x; // {word()}"])

    def write(self, name, lines):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line + "\n" for line in lines))
        self.lines[name] = len(lines)

    @property
    def count(self):
        return f"{len(self.lines)} files, {sum(self.lines.values()):,} lines"


def answer_of(events):
    return events[-1]["data"]["final_response"]


@check
async def asks_and_is_answered(hub, files):
    """A question is answered by the five events, in order, from the files that are really there."""
    async with connected(hub.url("/?user=ada")) as ada:
        assert (await ada.until_type("welcome"))["data"]["user"] == "ada"
        events = await ada.ask("How many lines of code are here?")
        assert files.count in answer_of(events), (files.count, answer_of(events))
        kinds = [e["type"] for e in events]
        assert list(dict.fromkeys(kinds)) == FIVE, kinds
        assert kinds[0] == FIVE[0] and kinds[-1] == FIVE[-1], kinds
        started = events[0]["data"]
        assert started["agent_name"] and started["thread_id"] and started["timestamp"].endswith("Z"), started
        open_calls = set()
        for e in events:
            data = e["data"]
            if e["type"] == "tool_executing":
                assert data["tool_name"] and isinstance(data["parameters"], dict), data
                open_calls.add(data["call_id"])
            elif e["type"] == "tool_completed":
                assert data["status"] == "success" and data["duration_ms"] >= 0 and "results" in data, data
                open_calls.remove(data["call_id"])
        assert not open_calls
        assert events[-1]["data"]["status"] == "success" and events[-1]["data"]["duration_ms"] >= 0
        assert None not in [v for e in events for v in e["data"].values()], "an absent field is absent, not null"


@check
async def finds_a_definition(hub, files):
    """`Where is X` names the file and line of the definition, and quotes it."""
    async with connected(hub.url("/?user=ada")) as ada:
        answer = answer_of(await ada.ask(f"Where is {files.name} defined?"))
        assert f"`{files.name}` is defined at **`{files.defined_in}:{files.defined_at}`**" in answer, answer
        assert f"struct {files.name} {{" in answer, answer


@check
async def lists_the_files_that_mention(hub, files):
    """`Which files mention X` names exactly these files."""
    async with connected(hub.url("/?user=ada")) as ada:
        answer = answer_of(await ada.ask(f"Which files mention {files.name}?"))
        assert f"3 of {len(files.lines)} files" in answer, answer
        for name in files.lines:
            assert (f"`{name}`:" in answer) == (name in [files.defined_in, *files.used_in]), (name, answer)
        nowhere = word()
        answer = answer_of(await ada.ask(f"Which files mention {nowhere}?"))
        assert f"None of the {len(files.lines)} files" in answer and nowhere in answer, answer


@check
async def tells_the_commits(hub, files):
    """`What changed lately` tells the commits of a git repository, and of files without one which are newest."""
    subject, other = f"Add {word()} {word()}", word()
    repository = files.root / "doc"
    git = ["git", "-C", str(repository), "-c", "user.name=Ada L", "-c", "user.email=ada@example.org"]
    async with connected(hub.url("/?user=ada")) as ada:
        await ada.until_type("welcome")
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", other], check=True)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", subject], check=True)
        answer = answer_of(await ada.ask("What changed lately?", path="doc"))
        assert subject in answer and "Ada L" in answer and other not in answer, answer
        answer = answer_of(await ada.ask("What changed lately?", path="src"))
        assert "no git repository" in answer and files.defined_in in answer, answer


@check
async def stays_inside(hub, files):
    """A path that leads out of the root, by dots, from the top, or through a link, is refused; so are hidden files."""
    secret = word()
    with tempfile.TemporaryDirectory() as outside:
        (pathlib.Path(outside) / "secret.txt").write_text(f"{secret}\n")
        link = files.root / "src" / "out"
        link.symlink_to(outside)
        (files.root / ".hidden").write_text(f"{secret}\n")
        try:
            async with connected(hub.url("/?user=eve")) as eve:
                escapes = ["..", "src/../../..", "/etc", outside, "src/out", "src/out/secret.txt", f"../{word()}"]
                for path, why in [*[(e, "outside") for e in escapes], (".hidden", "hidden"), (word(), "there is no")]:
                    end = (await eve.ask(f'Where is "{secret}"?', path=path))[-1]["data"]
                    assert end["status"] == "failed" and why in end["final_response"], (path, end)
                answer = answer_of(await eve.ask(f'Where is "{secret}"?'))
                assert answer.startswith("None of the"), answer
        finally:
            link.unlink()
            (files.root / ".hidden").unlink()


@check
async def users_are_apart(hub, files):
    """Of two users at once, neither receives anything of the other's; two connections of one user both receive all."""
    asked = {"ada": [word() for _ in range(10)], "bob": [word() for _ in range(10)]}
    async with connected(hub.url("/?user=ada")) as ada, connected(hub.url("/?user=ada")) as ada2, \
            connected(hub.url("/?user=bob")) as bob, connected(hub.url()) as nobody, connected(hub.url()) as nobody2:
        for peer in [ada, ada2, bob, nobody, nobody2]:
            await peer.until_type("welcome")

        async def ask_all(peer, words):
            return [e for w in words for e in await peer.ask(f'Where is "{w}"?')]

        theirs = await asyncio.gather(
            ask_all(ada, asked["ada"]), ask_all(bob, asked["bob"]), nobody.ask("How many files?"))
        last = theirs[0][-1]
        await ada2.until(
            lambda e: e["type"] == last["type"] and e["data"] == last["data"], "the other connection's last event")
        for peer in [ada, ada2, bob, nobody, nobody2]:  # whatever is under way arrives before this
            await peer.send("$ping")
            await peer.until_type("$pong")

        def of_runs(peer):
            return [e for e in peer.received if e["type"] not in ("welcome", "live_data", "$pong")]

        assert of_runs(ada) == theirs[0] and of_runs(bob) == theirs[1] and of_runs(nobody) == theirs[2]
        assert of_runs(ada2) == theirs[0]
        assert of_runs(nobody2) == [], "connections without a user are strangers"
        for peer, others in [(ada, "bob"), (ada2, "bob"), (bob, "ada"), (nobody, "ada"), (nobody, "bob")]:
            text = json.dumps(peer.received)
            assert not [w for w in asked[others] if w in text], "a word of another user's question was seen"


@check
async def a_user_has_three_connections(hub, files):
    """The fourth connection of a user is closed with 1013 and told why; one that ends makes room again."""
    async with contextlib.AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(connected(hub.url("/?user=cy"))) for _ in range(3)]
        for peer in peers:
            await peer.until_type("welcome")
        async with connected(hub.url("/?user=cy")) as fourth:
            await asyncio.wait_for(fourth.reader, DEADLINE)
            assert fourth.socket.close_code == 1013, fourth.socket.close_code
            assert "limit of 3 connections" in fourth.socket.close_reason, fourth.socket.close_reason
            assert fourth.received == []
        await peers[0].close()
        async with connected(hub.url("/?user=cy")) as again:
            await again.until_type("welcome")


@check
async def errors_are_told(hub, files):
    """Bad JSON, an unknown type and a wrong field are answered with a code and the field's path; the connection
    lives."""
    async with connected(hub.url("/?user=ada")) as ada:
        await ada.until_type("welcome")
        for number, (sent, code, within) in enumerate([
            ("{\"type\":", "bad_message", ""),
            ("no json at all", "bad_message", ""),
            ("[]", "bad_message", ""),
            (json.dumps({"type": "no_such_event", "id": 7}), "unknown_type", ""),
            (json.dumps({"type": "question", "id": 8, "data": {"text": 5}}), "bad_field", "data.text"),
            (json.dumps({"type": "question", "data": {"text": "x", "path": {}}}), "bad_field", "data.path"),
            (json.dumps({"type": "question", "data": {}}), "bad_field", "data.text"),
            (json.dumps({"type": "cancel_run", "data": {"run_id": ["a"]}}), "bad_field", "data.run_id"),
        ], 1):
            await ada.socket.send(sent)
            error = await ada.until_type("$error", number)
            assert error["code"] == code and within in error["message"], (sent, error)
            if '"id": ' in sent:
                assert error["id"] == json.loads(sent)["id"], error
        assert files.count in answer_of(await ada.ask("How many lines?"))


@check
async def refusals_are_clear(hub, files):
    """Of a flood of questions each is answered or refused with a reason and a time; an empty one is told to be
    empty."""
    async with connected(hub.url("/?user=flo")) as flo:
        await flo.until_type("welcome")
        await flo.send("question", {"text": "  "})
        assert (await flo.until_type("agent_error"))["data"]["code"] == "bad_question"
        flo.received.clear()
        count = 60
        flood = [{"type": "question", "data": {"text": f"How many files {i}"}} for i in range(count)]
        await flo.socket.send("\n".join(map(json.dumps, flood)))

        def ended(_):
            return len(flo.of_type("agent_completed")) + len(flo.of_type("agent_error")) == count

        await flo.until(ended, "an end of every question")
        refusals = flo.of_type("agent_error")
        for e in refusals:
            assert e["data"]["code"] in ("rate_limited", "overloaded") and e["data"]["retry_after_ms"] > 0, e
        assert len(flo.of_type("agent_started")) == len(flo.of_type("agent_completed")) >= 4
        assert files.count.split(" ")[0] in answer_of(await flo.ask("How many files?"))


@check
async def runs_are_cancelled_by_their_owner(hub, files):
    """A run is cancelled by its owner and by nobody else; one that has ended is told to be unknown."""
    large = files.root / "large"
    large.mkdir()
    try:
        text = "".join(f"{word()} {word()}\n" for _ in range(30_000))
        for number in range(60):
            (large / f"{number}.txt").write_text(text)
        async with connected(hub.url("/?user=ada")) as ada, connected(hub.url("/?user=bob")) as bob:
            for attempt in range(1, 11):  # the run may end before the cancellation is read
                asked = f"Where is {word()} or {word()}?"
                await ada.send("question", {"text": asked, "path": "large"})
                run_id = (await ada.until_type("agent_started", attempt))["data"]["run_id"]
                await bob.send("cancel_run", {"run_id": run_id})
                assert (await bob.until_type("agent_error", attempt))["data"]["code"] == "no_such_run"
                await ada.send("cancel_run", {"run_id": run_id})
                end = (await ada.until_type("agent_completed", attempt))["data"]
                assert end["run_id"] == run_id
                if end["status"] == "cancelled":
                    break
            assert end["status"] == "cancelled", end
            ada.received.clear()
            await ada.send("cancel_run", {"run_id": run_id})
            assert (await ada.until_type("agent_error"))["data"]["code"] == "no_such_run"
    finally:
        shutil.rmtree(large)


@check
async def figures_are_live(hub, files):
    """`live_data` comes once a second, with this machine's figures."""
    async with connected(hub.url("/?user=ada")) as ada:
        await ada.until_type("live_data", 3)
        events = ada.of_type("live_data")
        with open("/proc/meminfo", encoding="ascii") as memory:
            total = int(memory.readline().split()[1]) * 1024
        for e in events:
            data = e["data"]
            assert e["room"] == "dashboard"
            assert data["memory_total_bytes"] == total and 0 < data["memory_used_bytes"] < total, data
            assert 0 <= data["cpu_percent"] <= 100 and data["cores"] == os.cpu_count(), data
            assert data["connections"] >= 1, data
        ups = [e["data"]["uptime_s"] for e in events]
        assert ups == sorted(set(ups)) or ups[-1] - ups[0] >= 1, ups


@check
async def speaks_the_protocol_with_a_token(hub, files):
    """A client that offers `polycast.v1.json` gets it, opens with `$open`, and hears nothing before `$hello`."""
    async with connected(hub.url("/?user=ada"), subprotocols=["polycast.v9", "polycast.v1.json"]) as ada:
        assert ada.socket.subprotocol == "polycast.v1.json"
        await ada.send("$open")
        hello = await ada.until_type("$hello")
        assert hello["version"] == 1 and hello["resumed"] is False and hello["max_message_bytes"] > 0, hello
        assert files.count in answer_of(await ada.ask("How many lines?"))
        assert ada.received[0]["type"] == "$hello", ada.types()


class CompressedPeer(Peer):
    """Reads frames with the zstd library that every Linux has."""

    zstd = None

    @classmethod
    def decode(cls, message):
        assert isinstance(message, bytes), "compressed events come in binary messages"
        cls.zstd.ZSTD_decompress.restype = ctypes.c_size_t
        out = ctypes.create_string_buffer(1 << 20)
        size = cls.zstd.ZSTD_decompress(out, ctypes.c_size_t(len(out)), message, ctypes.c_size_t(len(message)))
        assert size <= len(out), "no zstd frame"
        return out.raw[:size].decode()

    async def send(self, type_, data=None, **around):
        plain = json.dumps({"type": type_, **around, **({} if data is None else {"data": data})}).encode()
        out = ctypes.create_string_buffer(len(plain) + 1024)
        self.zstd.ZSTD_compress.restype = ctypes.c_size_t
        size = self.zstd.ZSTD_compress(out, ctypes.c_size_t(len(out)), plain, ctypes.c_size_t(len(plain)), 3)
        await self.socket.send(out.raw[:size])


@check
async def compresses(hub, files):
    """A client that offers `polycast.v1.json.zstd` talks in zstd frames, made and read by another zstd."""
    CompressedPeer.zstd = ctypes.CDLL("libzstd.so.1")
    async with connected(hub.url("/?user=zoe"), CompressedPeer, subprotocols=["polycast.v1.json.zstd"]) as zoe:
        assert zoe.socket.subprotocol == "polycast.v1.json.zstd"
        await zoe.send("$open")
        await zoe.until_type("$hello")
        assert files.count in answer_of(await zoe.ask("How many lines?"))


@check
async def messages_have_a_limit(hub, files):
    """A message over 64 KiB is refused with 1009."""
    async with connected(hub.url("/?user=big")) as big:
        await big.until_type("welcome")
        await big.send("question", {"text": "x" * 70_000})
        await asyncio.wait_for(big.reader, DEADLINE)
        assert big.socket.close_code == 1009, big.socket.close_code


@check
async def serves_its_page(hub, files):
    """The page and its parts are served on the same port, another path is not, and a stranger's page may not
    connect."""
    def get(path, method="GET"):
        asked = urllib.request.Request(f"http://127.0.0.1:{hub.port}{path}", method=method)
        with urllib.request.urlopen(asked, timeout=DEADLINE) as answer:
            return answer.headers, answer.read().decode()

    headers, page = await asyncio.to_thread(get, "/")
    assert headers["Content-Type"].startswith("text/html"), headers
    assert "default-src 'self'" in headers["Content-Security-Policy"], headers
    for part in ["/app.js", "/style.css", "/icon.svg"]:
        assert part in page and (await asyncio.to_thread(get, part))[1]
    assert (await asyncio.to_thread(get, "/", "HEAD"))[1] == ""
    for path in ["/nothing", "/../../etc/passwd", "/%2e%2e/main.cpp"]:
        try:
            await asyncio.to_thread(get, path)
            raise AssertionError(f"{path} is served")
        except urllib.error.HTTPError as e:
            assert e.code == 404, e.code
    for url, options, status in [("/?user=ada", {"origin": "http://example.org"}, 403), (f"/?user={'x' * 65}", {}, 400),
                                 ("/?user=%00", {}, 400)]:
        try:
            await websockets.connect(hub.url(url), **options)
            raise AssertionError(f"{url} was admitted")
        except websockets.InvalidStatusCode as e:
            assert e.status_code == status, e.status_code


@check
async def ends_when_told(hub, files):
    """On SIGTERM clients are closed with 1001, and the hub ends with status 0."""
    async with connected(hub.url("/?user=ada")) as ada:
        await ada.until_type("welcome")
        status = await asyncio.to_thread(hub.stop)
        await asyncio.wait_for(ada.reader, DEADLINE)
        assert ada.socket.close_code == 1001, ada.socket.close_code
        assert status == 0, status


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        made_up = Files(directory)
        with Program("examples/hub/hub", "--root", directory) as started:
            run(started, made_up)
