"""Fails when a public header is not reached from <polycast/polycast.hpp>: umbrella.py INCLUDE_DIRECTORY"""
import pathlib
import re
import sys

# Headers that a program includes by name, because they are worth their cost to few.
BY_NAME = set()

root = pathlib.Path(sys.argv[1])
reached, waiting = set(), ["polycast/polycast.hpp"]
while waiting:
    header = waiting.pop()
    if header not in reached:
        reached.add(header)
        waiting += re.findall(r"^#include <(polycast/[^>]+)>", (root / header).read_text(encoding="utf-8"), re.MULTILINE)

everything = {p.relative_to(root).as_posix() for p in root.glob("polycast/**/*.hpp")}
lost = sorted(everything - reached - BY_NAME)
stale = sorted(BY_NAME - (everything - reached))
if lost or stale:
    sys.exit("\n".join([f"not reached from the umbrella: {h}" for h in lost] + [f"no need to list: {h}" for h in stale]))
