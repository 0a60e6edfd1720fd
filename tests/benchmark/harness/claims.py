"""Holds what was measured against the targets."""

from dataclasses import dataclass

from . import compile_cost, stats
from .rows import ROWS

RELIABLE = 1.25   # at_least_once, as a multiple of at_most_once
HIGH_LANE = 2     # p99 beside a saturated batch lane, as a multiple of that without it
EVENTS_P99_US = 5000
SHARDS = 1.7      # what two deliver, as a multiple of what one does
SHARDS_OF_ROOM = 0.85  # likewise, of what the generator leaves room for
DEFAULT_SERVER_SECONDS = 0.5  # as a multiple of Beast's echo
UMBRELLA_SECONDS = 1.5  # g++ -O0
ECHO_SECONDS = 0.35     # as a multiple of Beast's
ECHO_BINARY = 0.5       # likewise


@dataclass(frozen=True)
class Claim:
    text: str
    value: float | None  # None: not measured
    limit: float
    unit: str = 'x'
    at_least: bool = False  # else at most
    note: str = ''
    floor: float | None = None  # what `raw` has of the same measure: no server on this kernel has less

    @property
    def out_of_reach(self):
        """Whether a server that does nothing would miss it too."""
        return self.floor is not None and not self.at_least and self.verdict == 'FAIL' and self.floor > self.limit

    @property
    def verdict(self):
        if self.value is None:
            return 'NOT MEASURED'
        return 'PASS' if (self.value >= self.limit if self.at_least else self.value <= self.limit) else 'FAIL'

    def __str__(self):
        said = f'{self.verdict:<5} {self.text}: at {"least" if self.at_least else "most"} {self.limit:.4g} {self.unit}'
        floor = f' (out of reach: raw has {self.floor:.4g} {self.unit})' if self.out_of_reach else ''
        return said + ('' if self.value is None else f': {self.value:.4g} {self.unit}') + self.note + floor


def claims(results, compiled, high_lane, names):
    """Of the rows in `results`, against the servers `names`."""
    for key, measured in results.items():
        row = ROWS[key]
        own = measured.get('polycast', {})
        for peer, limit in row.targets.items():
            if peer in names:
                raw = results.get(row.floor or key, {}).get('raw', {}) if row.how == 'cost' else {}
                yield Claim(f'{row.title}, against {peer}', _ratio(own, measured.get(peer, {}), row), limit,
                            floor=_ratio(raw, measured.get(peer, {}), row))
        if row.how in _SPECIAL or row.kind == 'delivery':
            yield from (_reliable if row.kind == 'delivery' else _SPECIAL[row.how])(key, row, measured)
    if high_lane:
        yield Claim('high lane, p99 beside a saturated batch lane, of that without it', high_lane['ratio'], HIGH_LANE)
    yield from _compile(compiled)


def _compile(compiled):
    for flags, cost in compiled.get(compile_cost.INCLUDE, {}).items():
        if flags == 'g++ -O0':
            yield Claim(f'{compile_cost.INCLUDE} compiles ({flags})', cost.get('seconds'), UMBRELLA_SECONDS, 's')
    beast = compiled.get(compile_cost.ECHO['beast'], {})
    for title, what, value, limit in ((compile_cost.DEFAULT_SERVER, 'compiles', 'seconds', DEFAULT_SERVER_SECONDS),
                                      (compile_cost.ECHO['polycast'], 'compiles', 'seconds', ECHO_SECONDS),
                                      (compile_cost.ECHO['polycast'], 'binary', 'kib', ECHO_BINARY)):
        own = compiled.get(title, {})
        for flags in own.keys() & beast.keys():
            pair = [side[flags].get(value) for side in (own, beast)]
            yield Claim(f'{title} {what}, of Beast echo ({flags})', pair[0] / pair[1] if all(pair) else None, limit)


def _ratio(own, peer, row):
    key = 'bytes' if row.how == 'idle' else 'cpu_us'
    return own[key] / peer[key] if own.get(key) and peer.get(key) else None


def _reliable(_, row, measured):
    pair = [measured.get(name, {}).get('samples') for name in ('at_least_once', 'at_most_once')]
    yield Claim(f'{row.title}, at_least_once of at_most_once', stats.pairwise(*pair), RELIABLE)


def _connect(_, row, measured):
    own, bun = (measured.get(name, {}).get('connects_per_second') for name in ('polycast', 'bun'))
    if 'bun' in measured:
        limited = any(measured[name].get('generator_bound') for name in ('polycast', 'bun') if name in measured)
        yield Claim(f'{row.title}, connects a second of bun', own / bun if own and bun else None, 1, at_least=True,
                    note=' (the generator was the limit)' if limited else '')


def _latency(key, row, measured):
    own, bun = measured.get('polycast', {}), measured.get('bun', {})
    note = ' (the generator was the limit)' if own.get('generator_bound') or bun.get('generator_bound') else ''
    if key == 'events100k':
        yield Claim(f'{row.title}, p99', own.get('p99_us'), EVENTS_P99_US, 'µs', note=note)
    elif 'bun' in measured:
        for name, percentile in (('p99', 'p99_us'), ('p99.9', 'p999_us')):
            pair = own.get(percentile), bun.get(percentile)
            yield Claim(f'{row.title}, {name} of bun', pair[0] / pair[1] if all(pair) else None, 1, note=note)


def _shards(_, row, measured):
    one, two = measured['one shard'], measured['two shards']
    if 'room' not in two:
        yield Claim(f'{row.title}, two of one', None, SHARDS, at_least=True)
        return
    ratio, room = two['per_second'] / one['per_second'], two['room']
    limited = room * SHARDS_OF_ROOM < SHARDS
    yield Claim(f'{row.title}, deliveries a second of two, of one', ratio, SHARDS_OF_ROOM * room if limited else SHARDS,
                at_least=True, note=f' (the generator leaves room for {room:.2f} x)' if limited else '')


_SPECIAL = {'connect': _connect, 'latency': _latency, 'shards': _shards}
