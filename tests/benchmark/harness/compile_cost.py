"""What a compiler spends on each program: processor seconds, peak memory, and the size of the result."""

import os
import subprocess

from .peers import HERE, OUT, PROGRAMS, Failure, compile_command

DEFAULT_SERVER = 'polycast.hpp + default server'
ECHO = {'polycast': 'polycast echo', 'beast': 'Beast echo', 'websocketpp': 'websocketpp echo (C++17)'}


def measure(names, quick):
    """Returns {title: {flags: {seconds, mib, kib}}}. Seconds are user and system time, the least of the repeats."""
    jobs = []
    if 'polycast' in names:
        jobs.append((DEFAULT_SERVER, 'polycast', HERE / 'compile/default_server.cpp'))
    jobs += [(ECHO[name], name, PROGRAMS[name][0]) for name in ECHO if name in names]
    if quick:  # the two that a claim is about
        jobs = [job for job in jobs if job[0] in (DEFAULT_SERVER, ECHO['beast'])]
    results = {title: {} for title, _, _ in jobs}
    for flags in (['-O0'],) if quick else (['-O0'], ['-O3', '-DNDEBUG']):
        for _ in range(1 if quick else 2):
            for title, name, source in jobs:
                cost = _compile(name, flags, source)
                before = results[title].get(' '.join(flags))
                if before is None or 'error' in cost or cost['seconds'] < before.get('seconds', 0):
                    results[title][' '.join(flags)] = cost
    return results


def _compile(name, flags, source):
    binary = OUT / 'compile_cost.bin'
    object_file = binary.with_suffix('.o')
    command = compile_command(name, [*flags, '-c'], object_file, source)
    with open(OUT / 'compile_cost.log', 'wb') as log:
        compiler = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _, status, usage = os.wait4(compiler.pid, 0)
        compiler.returncode = os.waitstatus_to_exitcode(status)
    if status != 0:
        return {'error': f'{" ".join(command)}\n{(OUT / "compile_cost.log").read_text(errors="replace")[:2000]}'}
    link = ['g++', '-s', str(object_file), '-o', str(binary), '-pthread', *(['-lzstd'] if name == 'polycast' else [])]
    linked = subprocess.run(link, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if linked.returncode != 0:
        raise Failure(f'{" ".join(link)}\n{linked.stderr}')
    cost = {'seconds': usage.ru_utime + usage.ru_stime, 'mib': usage.ru_maxrss / 1024,
            'kib': binary.stat().st_size / 1024}
    binary.unlink()
    object_file.unlink()
    return cost
