"""How costs scale: which points are measured, and what is drawn of them."""

import sys
from dataclasses import dataclass, replace

from . import svg
from .markdown import HEADS
from .measure import measure as measure_row
from .report import number
from .rows import Row

SERVERS = ['polycast', 'bun']
MOST_SECONDS = 0.5  # of a repeat: there are many points


@dataclass(frozen=True)
class Curve:
    title: str
    x_label: str
    at: tuple
    quick_at: tuple
    row: object  # x → the row that is measured
    linear: bool = False


PANELS = {
    'connections': Curve('echo 20 B, one in flight', 'connections', (10, 30, 100, 300, 1000, 3000, 10000, 15000),
                         (10, 100, 1000, 15000), lambda n: Row('', 'main', 'echo', 20, connections=n)),
    'room': Curve('broadcast 100 B, one publish in flight', 'receivers in the room', (1, 10, 100, 1000, 10000),
                  (1, 100, 10000), lambda n: Row('', 'main', 'broadcast', 100, connections=n)),
    'message': Curve('echo, 10 connections, one in flight', 'bytes of a message',
                     (16, 128, 1024, 8 * 1024, 64 * 1024, 1024 * 1024), (16, 1024, 64 * 1024, 1024 * 1024),
                     lambda n: Row('', 'main', 'echo', n, connections=10)),
    'shards': Curve('broadcast 100 B to 1,000, 16 in flight', 'shards', (1, 2), (1, 2),
                    lambda n: Row('', f'{n} shards', 'broadcast', 100, 16), linear=True),
}


def measure(name, pace, quick, pinned, descriptors):
    """Returns [{x, servers: {name: as of measure.measure}}, …]."""
    curve = PANELS[name]
    pace = replace(pace, seconds=min(pace.seconds, MOST_SECONDS), first_warm_up=min(pace.first_warm_up, 1.0))
    points = []
    for x in curve.quick_at if quick else curve.at:
        if name in ('connections', 'room') and x + 200 > descriptors:
            print(f'note: the descriptor limit is {descriptors}, so {x:,} {curve.x_label} are left out (ulimit -n)', file=sys.stderr)
            continue
        print(f'measuring {curve.title}: {x:,} {curve.x_label} …', file=sys.stderr, flush=True)
        points.append({'x': x, 'servers': measure_row(curve.row(x), SERVERS, pace, pinned and name != 'shards', 0)})
    return points


def _points(points, name):
    for point in points:
        m = point['servers'].get(name, {'error': 'not measured'})
        if 'error' not in m:
            each = [1e6 * s['server_cpu_seconds'] / s['messages'] for s in m['samples']]
            yield svg.Point(point['x'], min(each), m['cpu_us'], max(each))


def picture(run):
    panels = []
    for name, points in run['panels'].items():
        curve = PANELS[name]
        lines = {server: list(_points(points, server)) for server in SERVERS}
        panels.append(svg.Panel(curve.title, curve.x_label, 'server µs a message', {HEADS[s]: line for s, line in lines.items() if line},
                                tuple(p['x'] for p in points) if curve.linear or name == 'message' else (), curve.linear))
    return svg.draw([panel for panel in panels if panel.lines],
                    f'Server time for a message, medians of {run["repeats"]} with least and most; commit {run["commit"]}; '
                    f'{run["versions"]}')


def text(run):
    lines = []
    for name, points in run['panels'].items():
        lines.append(f'{PANELS[name].title}, server µs a message by {PANELS[name].x_label}')
        for point in points:
            cells = [f'{server} {number(m["cpu_us"])}{" g" if m["generator_bound"] else ""}{" !" if m["disturbed"] else ""}'
                     if 'error' not in m else f'{server} failed: {m["error"]}' for server, m in point['servers'].items()]
            lines.append(f'  {point["x"]:>9,}  ' + ', '.join(cells))
    return '\n'.join([*lines, '  g: the generator was the limit; !: something else was running'])
