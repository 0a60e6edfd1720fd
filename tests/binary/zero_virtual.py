"""Looks for virtual dispatch and type erasure: zero_virtual.py headers DIRECTORY | program FILE"""
import pathlib
import re
import subprocess
import sys

ERASES = re.compile(r"\b(virtual|dynamic_cast|typeid|any_executor|any_io_executor|std::(move_only_)?function|std::any)\b")
# What a program's symbols must not name; an error category is the one polymorphic type.
SYMBOL = re.compile(r"vtable for polycast::(?!.*_category_type$)|\bany_(io_)?executor\b|\bstd::(__cxx11::)?function<")
# A comment, a string or a character: none of them is code.
NOT_CODE = re.compile(r"""//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'""", re.DOTALL)


def faults_in_headers(root):
    for path in sorted(root.glob("**/*.hpp")):
        blank = lambda found: "\n" * found[0].count("\n")
        code = NOT_CODE.sub(blank, path.read_text(encoding="utf-8"))
        overrides = re.search(r"\boverride\b", code) and ": public std::error_category" not in code
        for number, line in enumerate(code.splitlines(), 1):
            if ERASES.search(line) or (overrides and re.search(r"\boverride\b", line)):
                yield f"{path.relative_to(root)}:{number}: {line.strip()}"


def faults_in_program(file):
    symbols = subprocess.run(["nm", "-C", file], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    if not any("polycast::" in symbol for symbol in symbols):
        yield f"{file} has no symbol of polycast: is it stripped?"
    yield from (symbol for symbol in symbols if SYMBOL.search(symbol))


kind, where = sys.argv[1], pathlib.Path(sys.argv[2])
faults = list(faults_in_headers(where) if kind == "headers" else faults_in_program(where))
if faults:
    sys.exit("\n".join(faults))
