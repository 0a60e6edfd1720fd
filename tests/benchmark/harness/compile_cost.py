"""What a compiler spends on each program: processor seconds, peak memory, and the size of the result."""

import os
import shutil
import subprocess
from pathlib import Path

from .peers import HERE, OUT, PROGRAMS, ROOT, Failure, compile_command

INCLUDE = 'polycast.hpp'
DEFAULT_SERVER = 'polycast.hpp + default server'
EVERYTHING = 'polycast, every policy'
ECHO = {'polycast': 'polycast echo', 'beast': 'Beast echo', 'websocketpp': 'websocketpp echo (C++17)'}
# Back ends that EVERYTHING has where they are installed: header, macro, libraries.
BACK_ENDS = [('zlib.h', 'ZLIB', ['-lz']), ('openssl/ssl.h', 'OPENSSL', ['-lssl', '-lcrypto']), ('sqlite3.h', 'SQLITE', ['-lsqlite3'])]


def measure(names, quick):
    """Returns {title: {'compiler flags': {seconds, mib, object_kib, kib}}}: user and system time, the least of the repeats."""
    jobs = []
    if 'polycast' in names:
        jobs.append((INCLUDE, 'polycast', HERE / 'compile/include.cpp', []))
        jobs.append((DEFAULT_SERVER, 'polycast', HERE / 'compile/default_server.cpp', []))
    jobs += [(ECHO[name], name, PROGRAMS[name][0], []) for name in ECHO if name in names]
    if 'polycast' in names:
        jobs.append((EVERYTHING, 'polycast', ROOT / 'tests/binary/everything.cpp', everything()))
    if quick:  # those that a claim is about
        jobs = [job for job in jobs if job[0] in (INCLUDE, DEFAULT_SERVER, ECHO['polycast'], ECHO['beast'])]
    results = {title: {} for title, *_ in jobs}
    compilers = ['g++'] if quick else [c for c in ('g++', 'clang++') if shutil.which(c)]
    for flags in (['-O0'],) if quick else (['-O0'], ['-O2', '-DNDEBUG']):
        for _ in range(1 if quick else 2):
            for title, name, source, more in jobs:  # in turn, so that a slow minute is everybody's
                for compiler in compilers:
                    cost = _compile(compiler, name, flags, source, more)
                    key = ' '.join([compiler, *flags])
                    before = results[title].get(key)
                    if before is None or 'error' in cost or cost['seconds'] < before.get('seconds', 0):
                        results[title][key] = cost
    return results


def everything():
    arguments = ['-DPOLYCAST_WITH_SIMULATION=1']
    for header, macro, libraries in BACK_ENDS:
        if Path('/usr/include', header).exists():
            arguments += [f'-DPOLYCAST_WITH_{macro}=1', *libraries]
    return arguments


def _compile(compiler, name, flags, source, more):
    binary = OUT / 'compile_cost.bin'
    object_file = binary.with_suffix('.o')
    macros = [argument for argument in more if argument.startswith('-D')]
    command = [compiler, *compile_command(name, [*flags, *macros, '-c'], object_file, source)[1:]]
    with open(OUT / 'compile_cost.log', 'wb') as log:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if status != 0:
        return {'error': f'{" ".join(command)}\n{(OUT / "compile_cost.log").read_text(errors="replace")[:2000]}'}
    link = [compiler, '-s', str(object_file), '-o', str(binary), '-pthread', *(['-lzstd'] if name == 'polycast' else []),
            *(argument for argument in more if argument.startswith('-l'))]
    linked = subprocess.run(link, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if linked.returncode != 0:
        raise Failure(f'{" ".join(link)}\n{linked.stderr}')
    cost = {'seconds': usage.ru_utime + usage.ru_stime, 'mib': usage.ru_maxrss / 1024,
            'object_kib': object_file.stat().st_size / 1024, 'kib': binary.stat().st_size / 1024}
    binary.unlink()
    object_file.unlink()
    return cost
