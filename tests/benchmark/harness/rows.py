"""The workloads, and how one is measured on all servers side by side."""

import contextlib
from dataclasses import dataclass, replace
from statistics import median

from .peers import DELIVERIES, Failure
from .processes import Server, load


@dataclass(frozen=True)
class Row:
    title: str
    mode: str
    bytes: int = 0
    in_flight: int = 1


ROWS = {
    'echo20': Row('echo 20 B, one in flight', 'echo', 20),
    'echo20x16': Row('echo 20 B, 16 in flight', 'echo', 20, 16),
    'echo1k16': Row('echo 1 KiB, 16 in flight', 'echo', 1024, 16),
    'echo16k': Row('echo 16 KiB, one in flight', 'echo', 16 * 1024),
    'cast1': Row('broadcast 100 B, 1 publish in flight', 'broadcast', 100),
    'cast16': Row('broadcast 100 B, 16 in flight', 'broadcast', 100, 16),
    'reliable1': Row('reliable broadcast 100 B, 1 publish in flight', 'reliable', 100),
    'reliable16': Row('reliable broadcast 100 B, 16 in flight', 'reliable', 100, 16),
    'idle': Row('idle connection, user memory', 'idle'),
}


@dataclass(frozen=True)
class Pace:
    """How long and how often one measures."""
    repeats: int
    seconds: float
    warm_up: float       # of each repeat
    first_warm_up: float  # of each server, once a row: run-time compilers need it
    settle: float        # of idle connections
    idle_repeats: int


QUICK = Pace(repeats=3, seconds=0.25, warm_up=0.1, first_warm_up=0.3, settle=0.5, idle_repeats=1)
FULL = Pace(repeats=7, seconds=1.0, warm_up=0.3, first_warm_up=2.0, settle=1.0, idle_repeats=3)


def measure(row, servers, pace, pinned, connections):
    """Returns {server: {cpu_us, per_second, …} or {'error': why}}, each number the median of the repeats."""
    if row.mode == 'idle':
        return {name: _guarded(lambda: _idle(name, pace, pinned, connections)) for name in servers}
    if row.mode == 'reliable':
        servers, pace = list(DELIVERIES), replace(pace, repeats=3 * pace.repeats, seconds=pace.seconds / 3)
    results = {}
    with contextlib.ExitStack() as running:
        started = {}
        for name in servers:
            if name == 'raw' and row.mode != 'echo':
                continue
            try:
                started[name] = running.enter_context(Server(name, row.bytes, pinned))
                _load(row, started[name], pace.first_warm_up, 0.05, pinned)
            except Failure as failure:
                results[name] = {'error': str(failure)}
        samples = {name: [] for name in started if name not in results}
        for _ in range(pace.repeats):  # one server after the other in each repeat, so that a disturbance hits all
            for name in samples:
                if name in results:
                    continue
                try:
                    samples[name].append(_load(row, started[name], pace.warm_up, pace.seconds, pinned))
                except Failure as failure:
                    results[name] = {'error': str(failure)}
    for name, measured in samples.items():
        if name not in results:
            results[name] = _summary(measured)
    return results


def _guarded(measurement):
    try:
        return measurement()
    except Failure as failure:
        return {'error': str(failure)}


def _load(row, server, warm_up, seconds, pinned):
    arguments = [row.mode, '--bytes', row.bytes, '--in-flight', row.in_flight, '--seconds', seconds, '--warm-up', warm_up]
    if server.name == 'at_most_once':
        arguments.append('--no-acks')  # nothing is kept for them
    return load(server, arguments, pinned, timeout=warm_up + seconds + 40)


def _summary(samples):
    cpu = [1e6 * s['server_cpu_seconds'] / s['messages'] for s in samples]

    def share(key):
        return median(s[key] / s['seconds'] for s in samples)
    generator, server = share('generator_cpu_seconds'), share('server_cpu_seconds')
    return {
        'cpu_us': median(cpu),
        'cpu_us_low': sorted(cpu)[len(cpu) // 4],
        'spread': (max(cpu) - min(cpu)) / median(cpu),
        'per_second': median(s['messages'] / s['seconds'] for s in samples),
        'generator_us': median(1e6 * s['generator_cpu_seconds'] / s['messages'] for s in samples),
        'server_share': server,
        'generator_share': generator,
        'generator_bound': generator > 0.95 and server < 0.9,
        'disturbed': max(share('server_waited_seconds'), share('generator_waited_seconds')) > 0.1,
        'samples': samples,
    }


def _idle(name, pace, pinned, connections):
    """A fresh server each time: memory that an earlier load left behind would be reused unseen."""
    bytes_each = []
    for _ in range(pace.idle_repeats):
        with Server(name, 20, pinned) as server:
            # What is set up once, at the first message, is no connection's.
            load(server, ['echo', '--connections', 10, '--seconds', 0.1, '--warm-up', 0.1], pinned, timeout=40)
            m = load(server, ['idle', '--connections', connections, '--settle', pace.settle], pinned, timeout=90)
            bytes_each.append(1024 * (m['after_kib'] - m['before_kib']) / m['connections'])
    return {'bytes': median(bytes_each), 'samples': bytes_each}
