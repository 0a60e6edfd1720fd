"""Holds figures that do not depend on the machine's mood against those of figures.json:

    budget.py compile INCLUDE_DIRECTORY WORK_DIRECTORY COMPILER...   what a compiler reads and makes of a program
    budget.py instructions PROGRAM COMPILER...                       what a message costs a server, under Callgrind

`--renew`, in front, writes what it finds into figures.json instead: for a rise that is meant, and after a fall. The figures
are those of one version of a compiler with its libraries; another is told so, and skipped (77).
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FIGURES = HERE / "figures.json"
SKIPPED = 77

# What is compiled: nothing but the umbrella, a server of the smallest kind, and one of every default.
PROGRAMS = {"include": ROOT / "tests/benchmark/compile/include.cpp", "echo": ROOT / "examples/echo.cpp",
            "default server": ROOT / "tests/benchmark/compile/default_server.cpp"}
# What runs: messages of each kind (steady.cpp).
SCENARIOS = {"echo": 10000, "echo16": 1000, "broadcast": 1000, "events": 5000}
RISE = {"compile": 1.10, "instructions": 1.05}
FALL = {"compile": 0.80, "instructions": 0.95}


def output_of(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def read_bytes(compiler, flags, source, include):
    """Preprocessed, without comments and line markers: what comes from the library, and all."""
    own = all_of_it = 0
    ours = False
    for line in output_of(*compiler, *flags, "-E", source).splitlines():
        if marker := re.match(r'# \d+ "([^"]*)"', line):
            ours = pathlib.Path(marker[1]).resolve().is_relative_to(include)
        elif line.strip():
            all_of_it += len(line) + 1
            own += ours * (len(line) + 1)
    return {"library bytes": own, "bytes": all_of_it}


def emitted(compiler, flags, source, work):
    """Functions in an object that is not optimised: nearly all are instantiations."""
    made = work / "budget.o"
    output_of(*compiler, *flags, "-O0", "-c", source, "-o", made)
    symbols = output_of("nm", made).splitlines()
    return {"functions": sum(line.split()[-2] in "tTwW" for line in symbols)}


def instantiated(clang, flags, source, work):
    """Templates that clang instantiates, used or not: what an include alone costs shows only here."""
    made = work / "budget.o"
    output_of(*clang, *flags, "-O0", "-c", source, "-o", made, "-ftime-trace", "-ftime-trace-granularity=0")
    trace = json.loads(made.with_suffix(".json").read_text(encoding="utf-8", errors="replace"))
    return {"instantiations": sum(e["name"] in ("InstantiateClass", "InstantiateFunction") for e in trace["traceEvents"])}


def compile_figures(include, work, *compiler):
    include, work = pathlib.Path(include).resolve(), pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)
    flags = ["-std=c++20", "-I" + str(include), "-pthread"]
    is_clang = "clang" in output_of(*compiler, "--version")
    found = {}
    for name, source in PROGRAMS.items():
        figures = read_bytes(compiler, flags, source, include)
        figures |= (instantiated if is_clang else emitted)(compiler, flags, source, work)
        found |= {f"{name}: {what}": value for what, value in figures.items()}
    return found


def instruction_figures(program):
    if not shutil.which("valgrind"):
        print("no valgrind (Debian: valgrind)")
        sys.exit(SKIPPED)
    found = {}
    for scenario, messages in SCENARIOS.items():
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "callgrind.out"
            output_of("valgrind", "--tool=callgrind", "--toggle-collect=measured", f"--callgrind-out-file={out}",
                      program, scenario, str(messages))
            total = re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.MULTILINE)
        found[f"{scenario}: instructions"] = round(int(total[1]) / messages)
    return found


def main(arguments):
    renew = arguments[:1] == ["--renew"]
    kind, *rest = arguments[renew:]
    if kind == "compile":
        compiler = rest[2:]
    else:
        compiler = rest[1:]
    version = re.sub(r"^\S*[gc]\+\+\S* ", "g++ ", output_of(*compiler, "--version").splitlines()[0])  # by whatever name
    key = f"{kind}, {'clang' if 'clang' in version else 'g++'}"
    kept = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    if not renew and kept.get(key, {}).get("compiler") != version:
        print(f"the figures are not those of {version}")
        return SKIPPED
    found = compile_figures(*rest) if kind == "compile" else instruction_figures(rest[0])
    if renew:
        kept[key] = {"compiler": version, "figures": found}
        FIGURES.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    budgets = kept[key]["figures"]
    worst = 0
    for name in sorted(found | budgets):
        value, budget = found.get(name), budgets.get(name)
        if value is None or budget is None:
            verdict = "has no counterpart"
        elif value > budget * RISE[kind]:
            verdict = f"ROSE by {value / budget - 1:.1%}, more than {RISE[kind] - 1:.0%}"
        elif value < budget * FALL[kind]:
            verdict = f"fell by {1 - value / budget:.1%}: renew the budget, so that it is kept"
        else:
            verdict = "ok"
        worst |= value is None or budget is None or value > budget * RISE[kind]
        print(f"{name:<36}{value or 0:>10}  budget {budget or 0:>10}  {verdict}")
    if worst:
        print("\nIf that is meant: " + " ".join([sys.executable, os.path.relpath(__file__), "--renew", *arguments]))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
