"""A policy that is not chosen leaves nothing behind: removed.py WORK_DIRECTORY COMPILER [ARGUMENT...]

Compiles removed.cpp, not optimised, so that everything the compiler made shows, with the policy and without. What belongs
to the policy has to be among the symbols of the first, and not of the second.
"""
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
WORK, COMPILER = pathlib.Path(sys.argv[1]), sys.argv[2:]
MACROS = {"zlib": "POLYCAST_WITH_ZLIB", "sqlite": "POLYCAST_WITH_SQLITE", "openssl": "POLYCAST_WITH_OPENSSL"}

# One server, however it is spelled.
DEFAULT = "pc::transport::tcp"
DEFAULTS = {DEFAULT, "pc::serializer::json", "pc::compression::identity", "pc::isolation::shared", "pc::delivery::at_most_once",
            "pc::guard::same_origin", "pc::observer::counters"}
# What is removed: (what it needs, policy with it, policy without it, its symbols)
CASES = {
    "at_least_once": ("", "pc::delivery::at_least_once<>", "pc::delivery::at_most_once",
                      r"\bbasic_ledger<|detail::logged\b|offline_event\b|detail::ring<"),
    "a durable log": ("sqlite", "pc::delivery::at_least_once<pc::delivery::sqlite_log>", "pc::delivery::at_least_once<>",
                      r"journal_batch|\bsqlite"),
    "zstd": ("", "pc::compression::zstd<3>", "pc::compression::identity", r"ZSTD_|\bzstd"),
    "deflate": ("zlib", "pc::compression::deflate<pc::compression::shared>", "pc::compression::identity",
                r"\bdeflateInit2_|\binflateInit2_|detail::(deflater|inflater)\b"),
    "rooms": ("", "pc::isolation::shared", "pc::isolation::per_connection", r"basic_room_histor|detail::joining<.*with_history"),
    "json": ("", "pc::serializer::json", "pc::serializer::raw",
             r"rapidjson|json_|basic_room_histor|basic_mergeable|\bmerged?<"),
    "msgpack": ("", "pc::serializer::msgpack", "pc::serializer::json", r"msgpack"),
    "counters": ("", "pc::observer::counters", "pc::observer::silent", r"observer::counters::\w+\("),
    "same_origin": ("", "pc::guard::same_origin", "pc::guard::open", r"is_same_origin|guard::same_origin::"),
    "tls": ("openssl", "pc::transport::tls", "pc::transport::tcp", r"\bSSL_|tls_engine"),
    "unix_socket": ("", "pc::transport::unix_socket", "pc::transport::tcp", r"unix_(listener|address|connect)"),
}


def without_arguments(symbol):
    """The symbol without what `composition<...>` names: that is any policy, wherever the symbol comes from."""
    while (begin := symbol.find("composition<")) >= 0:
        end, depth = begin + len("composition<"), 1
        while depth and end < len(symbol):
            depth += {"<": 1, ">": -1}.get(symbol[end], 0)
            end += 1
        symbol = symbol[:begin] + symbol[end:]
    return symbol


def symbols(policies):
    made = WORK / "removed.o"
    command = [*COMPILER, "-O0", "-c", HERE / "removed.cpp", f"-DREMOVED_POLICIES={policies}", "-o", made]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{policies}\n{done.stdout[:4000]}")
    listed = subprocess.run(["nm", "-C", made], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return [without_arguments(symbol) for symbol in listed]


WORK.mkdir(parents=True, exist_ok=True)
known, faults = {}, []
for removed, (needs, with_it, without_it, pattern) in CASES.items():
    if needs and f"-D{MACROS[needs]}=1" not in COMPILER:
        print(f"{removed}: not built with {needs}")
        continue
    counts = []
    for policies in (with_it, without_it):
        policies = DEFAULT if policies in DEFAULTS else policies
        if policies not in known:
            known[policies] = symbols(policies)
        counts.append([s for s in known[policies] if re.search(pattern, s)])
    print(f"{removed}: {len(counts[0])} symbols with it, {len(counts[1])} without")
    if not counts[0]:
        faults.append(f"{removed}: no symbol of it where it is chosen: {pattern}")
    faults += [f"{removed}, removed, has left {s[19:200]}" for s in counts[1][:5]]
if faults:
    sys.exit("\n".join(faults))
