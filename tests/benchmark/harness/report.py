"""Prints the tables and holds them against what is claimed."""

from statistics import median

from . import compile_cost
from .rows import ROWS

# row, peer, most that polycast may cost as a multiple of that peer
CLAIMS = [
    ('echo20', 'bun', 1.1),
    ('echo20x16', 'bun', 1.2),
    ('echo20x16', 'beast', 1 / 3),
    ('cast16', 'bun', 1.2),
    ('cast16', 'beast', 1 / 3),
]
RELIABLE = 1.25  # at_least_once<memory_log>, as a multiple of at_most_once
HIGH_LANE = 2  # p99 beside a saturated batch lane, as a multiple of that without it
IDLE_BYTES = 1500
COMPILE_RATIO = 0.5


def _number(value):
    return f'{value:,.0f}' if value >= 100 else f'{value:.2f}' if value >= 1 else f'{value:.3f}'


def _line(label, cells):
    print(f'  {label:<22}' + ''.join(f'{cell:>14}' for cell in cells))


def print_rows(results, servers):
    print('\n' + ' ' * 24 + ''.join(f'{name:>14}' for name in servers))
    for key, measured in results.items():
        print(ROWS[key].title)
        if ROWS[key].mode == 'reliable':
            _print_deliveries(measured)
            continue
        unit = 'bytes' if key == 'idle' else 'cpu_us'

        def cells(what, measured=measured):
            return [what(measured[s]) if s in measured and 'error' not in measured[s] else
                    'failed' if s in measured else '-' for s in servers]
        _line('bytes a connection' if key == 'idle' else 'server µs a message',
              cells(lambda m: _number(m[unit]) + (' !' if m.get('disturbed') else '')))
        own = measured.get('polycast', {})
        if unit in own:
            _line('polycast / peer', ['', *cells(lambda m: f'{own[unit] / m[unit]:.2f} x')[1:]])
        if key != 'idle':
            _line('messages a second', cells(lambda m: _number(m['per_second']) + (' g' if m['generator_bound'] else '')))
            if 'per_second' in own:
                _line('polycast / peer', ['', *cells(lambda m: f'{own["per_second"] / m["per_second"]:.2f} x')[1:]])
            _line('spread of repeats', cells(lambda m: f'{100 * m["spread"]:.0f} %'))
            _line('generator µs', cells(lambda m: _number(m['generator_us'])))
    print("""
  Messages of a broadcast are deliveries. Spread: (most - least) / median.
  !  server or generator waited for a processor over a tenth of the time: something else is running, measure again
  g  the generator was the bottleneck: it had no time left and the server had, so the throughput is the generator's""")
    for key, measured in results.items():
        for name, m in measured.items():
            if 'error' in m:
                print(f'\n{ROWS[key].title}, {name}: failed: {m["error"]}')


def _print_deliveries(measured):
    names = list(measured)
    _line('', names)

    def cells(what):
        return [what(m) if 'error' not in m else 'failed' for m in measured.values()]
    _line('server µs an event', cells(lambda m: _number(m['cpu_us']) + (' !' if m.get('disturbed') else '')))
    _line('  lower quartile', cells(lambda m: _number(m['cpu_us_low'])))
    _line('events a second', cells(lambda m: _number(m['per_second'])))
    _line('spread of repeats', cells(lambda m: f'{100 * m["spread"]:.0f} %'))
    if ratio := reliable_ratio(measured):
        _line('at least / at most', ['', f'{ratio:.2f} x'])


def reliable_ratio(measured):
    """Of one repeat to the one beside it; the median of these is troubled less by a busy machine than that of either."""
    pair = [measured.get(name, {}).get('samples') for name in ('at_least_once', 'at_most_once')]
    if not all(pair):
        return None
    each = [[s['server_cpu_seconds'] / s['messages'] for s in samples] for samples in pair]
    return median(a / b for a, b in zip(*each))


def print_high_lane(measured):
    print('\nhigh-lane latency, µs             median       p99')
    for name in ('alone', 'saturated'):
        print(f'  {name:<26}{measured[name]["median_us"]:>12,.0f}{measured[name]["p99_us"]:>10,.0f}')
    print(f'  p99, {measured["rounds"]} rounds in turn: {measured["ratio"]:.2f} x '
          f'({measured["batch_bytes_a_second"] / 1e6:,.0f} MB/s in the batch lane)')


def print_compile(results):
    print(f'\n{"compile (-c, one program)":<42}{"compiler, flags":<24}{"CPU s":>8}{"peak MiB":>10}{"object KiB":>12}'
          f'{"binary KiB":>12}')
    for title, by_flags in results.items():
        for flags, cost in by_flags.items():
            if 'error' in cost:
                print(f'{title:<42}{flags:<24}  failed:\n{cost["error"]}')
            else:
                print(f'{title:<42}{flags:<24}{cost["seconds"]:>8.2f}{cost["mib"]:>10.0f}{cost["object_kib"]:>12.0f}'
                      f'{cost["kib"]:>12.0f}')


def print_claims(results, compiled, high_lane):
    """Returns how many claims failed or could not be checked."""
    unmet = 0

    def claim(text, value, limit, form):
        nonlocal unmet
        if value is None:
            verdict, shown = 'NOT MEASURED', ''
        else:
            verdict, shown = ('PASS' if value <= limit else 'FAIL'), ': ' + form(value)
        unmet += verdict != 'PASS'
        print(f'  {verdict:<5} {text}{shown}')

    def of(key, name, unit='cpu_us'):
        return results.get(key, {}).get(name, {}).get(unit)

    print('\nclaims')
    for key, peer, limit in CLAIMS:
        own, other = of(key, 'polycast'), of(key, peer)
        claim(f'{ROWS[key].title}: at most {limit:.2f} x {peer}', own / other if own and other else None, limit,
              lambda ratio: f'{ratio:.2f} x')
    for key in [key for key in results if ROWS[key].mode == 'reliable']:
        claim(f'{ROWS[key].title}: at_least_once at most {RELIABLE} x at_most_once', reliable_ratio(results[key]), RELIABLE,
              lambda ratio: f'{ratio:.2f} x')
    if high_lane:
        claim(f'high lane, p99 beside a saturated batch lane: at most {HIGH_LANE} x that without it', high_lane['ratio'],
              HIGH_LANE, lambda ratio: f'{ratio:.2f} x')
    claim(f'idle connection: at most {IDLE_BYTES} B', of('idle', 'polycast', 'bytes'), IDLE_BYTES, lambda b: f'{b:.0f} B')
    own, other = (compiled.get(title, {}) for title in (compile_cost.DEFAULT_SERVER, compile_cost.ECHO['beast']))
    for flags in own.keys() | other.keys() or {'-O0'}:
        pair = [side.get(flags, {}).get('seconds') for side in (own, other)]
        claim(f'header and default server compile in at most {COMPILE_RATIO} x Beast echo ({flags})',
              pair[0] / pair[1] if all(pair) else None, COMPILE_RATIO, lambda ratio: f'{ratio:.2f} x')
    return unmet
