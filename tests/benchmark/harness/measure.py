"""Measures a row on all of its servers side by side."""

import contextlib
import os
from dataclasses import replace
from statistics import median

from . import stats
from .peers import ALONE, COMMANDS, Failure
from .processes import Server, load
from .rows import EVENTS_A_SECOND

SATURATED_SECONDS = 0.5


def measure(row, servers, pace, pinned, idle_connections):
    """Returns {server: {cpu_us, per_second, …} or {'error': why}}, each number the median of the repeats."""
    names = list(COMMANDS[row.kind]) if row.kind in ALONE else [name for name in servers if name in COMMANDS[row.kind]]
    return MEASUREMENTS[row.how](row, names, pace, pinned, idle_connections)


def _cost(row, names, pace, pinned, _):
    if row.kind == 'delivery':  # two that differ by little: the shorter the turns, the more alike what disturbs them
        pace = replace(pace, repeats=3 * pace.repeats, seconds=pace.seconds / 3)
    return _in_turn(row, names, pace, pinned, stats.cost)


def _connect(row, names, pace, pinned, _):
    return _in_turn(row, names, pace, pinned, stats.connects)


def _latency(row, names, pace, pinned, _):
    """Open loop: messages leave when they are due, whatever became of those before, and their time counts from then."""
    pace = replace(pace, seconds=pace.latency_seconds)
    rate = EVENTS_A_SECOND
    if row.load == 'echo':
        saturated = _in_turn(row, names, replace(pace, seconds=SATURATED_SECONDS), pinned, stats.cost)
        failed = {name: m for name, m in saturated.items() if 'error' in m}
        if failed:
            return saturated
        rate = round(min(m['per_second'] for m in saturated.values()) / 2)
    return _in_turn(row, names, pace, pinned, stats.latency, ['--rate', rate])


def _shards(row, names, pace, _, __):
    """Servers and generator on all processors: two shards on one would say nothing."""
    results = _in_turn(row, names, pace, False, stats.cost)
    one, two = (results[name] for name in names)
    if 'error' not in one and 'error' not in two:
        two['room'] = stats.room_for_shards(one, len(os.sched_getaffinity(0)))
    return results


def _idle(row, names, pace, pinned, connections):
    """A fresh server each time: memory that an earlier load left behind would be reused unseen."""
    results = {}
    for name in names:
        bytes_each = []
        try:
            for _ in range(pace.idle_repeats):
                with Server(row.kind, name, 20, pinned) as server:
                    # What is set up once, at the first message, is no connection's.
                    load(server, ['echo', '--connections', 10, '--seconds', 0.1, '--warm-up', 0.1], pinned, timeout=40)
                    m = load(server, ['idle', '--connections', connections, '--settle', pace.settle], pinned, timeout=90)
                    bytes_each.append(1024 * (m['after_kib'] - m['before_kib']) / m['connections'])
            results[name] = {'bytes': median(bytes_each), 'spread': stats.spread(bytes_each), 'samples': bytes_each}
        except Failure as failure:
            results[name] = {'error': str(failure)}
    return results


MEASUREMENTS = {'cost': _cost, 'idle': _idle, 'connect': _connect, 'latency': _latency, 'shards': _shards}


def _in_turn(row, names, pace, pinned, summary, options=()):
    """One server after the other in each repeat, so that a disturbance hits all."""
    results = {}
    with contextlib.ExitStack() as running:
        samples = {}
        for name in names:
            try:
                server = running.enter_context(Server(row.kind, name, row.bytes, pinned))
                _load(row, server, pace.first_warm_up, 0.05, pinned, options)
                samples[server] = []
            except Failure as failure:
                results[name] = {'error': str(failure)}
        for _ in range(pace.repeats):
            for server in samples:
                if server.name in results:
                    continue
                try:
                    samples[server].append(_load(row, server, pace.warm_up, pace.seconds, pinned, options))
                except Failure as failure:
                    results[server.name] = {'error': str(failure)}
    for server, measured in samples.items():
        if server.name not in results:
            results[server.name] = summary(measured)
    return {name: results[name] for name in names}


def load_arguments(row, server, warm_up, seconds, options):
    """What the load generator is told, to put this row's load on `server`."""
    arguments = [row.load, '--seconds', seconds, '--warm-up', warm_up, *options]
    if row.load != 'connect':
        arguments += ['--bytes', row.bytes, '--in-flight', row.in_flight]
    if row.connections:
        arguments += ['--connections', row.connections]
    if row.kind in ('deflate', 'zstd'):
        arguments.append('--zstd' if row.kind == 'zstd' and server.name == 'polycast' else '--deflate')
    if server.name == 'at_most_once':
        arguments.append('--no-acks')  # nothing is kept for them
    return arguments


def _load(row, server, warm_up, seconds, pinned, options):
    return load(server, load_arguments(row, server, warm_up, seconds, options), pinned, timeout=warm_up + seconds + 40)
