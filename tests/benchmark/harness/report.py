"""Prints the tables."""

from . import stats
from .claims import claims
from .rows import ROWS


def number(value):
    return f'{value:,.0f}' if value >= 100 else f'{value:.2f}' if value >= 1 else f'{value:.3f}'


def print_rows(results):
    for key, measured in results.items():
        row = ROWS[key]
        print(f'\n{row.title}')
        _line('', list(measured))
        for label, what in _LINES[_form(row)]:
            _line(label, [what(m) if 'error' not in m else 'failed' for m in measured.values()])
        _print_ratios(row, measured)
        _print_notes(row, measured)
    print("""
  Messages of a broadcast are deliveries. Spread: (most - least) / median of the repeats.
  !  server or generator waited for a processor over a tenth of the time: something else is running, measure again
  g  the generator was the limit: it had no time left and the server had, or it was late in sending""")
    for key, measured in results.items():
        for name, m in measured.items():
            if 'error' in m:
                print(f'\n{ROWS[key].title}, {name}: failed: {m["error"]}')


def _line(label, cells):
    print(f'  {label:<26}' + ''.join(f'{cell:>14}' for cell in cells))


def _form(row):
    return 'delivery' if row.kind == 'delivery' else row.how


def _cpu(m):
    return number(m['cpu_us']) + (' !' if m['disturbed'] else '')


def _us(key):
    return lambda m: number(m[key])


def _percent(key):
    return lambda m: f'{100 * m[key]:.0f} %'


def _limited(key):
    return lambda m: number(m[key]) + (' g' if m['generator_bound'] else '')


_COST = [('server µs a message', _cpu), ('spread of repeats', _percent('spread')),
         ('messages a second', _limited('per_second')), ('generator µs', _us('generator_us'))]
_LINES = {
    'cost': _COST,
    'delivery': [('server µs an event', _cpu), ('  lower quartile', _us('cpu_us_low')), *_COST[1:]],
    'idle': [('bytes a connection', _us('bytes')), ('spread of repeats', _percent('spread'))],
    'connect': [('connects a second', _limited('connects_per_second')), ('spread of repeats', _percent('rate_spread')),
                ('server µs a connect', _cpu), ('generator µs', _us('generator_us')), ('p99 of a handshake, µs', _us('p99_us'))],
    'latency': [('messages a second', _us('sent_rate')), ('p50, µs', _us('p50_us')), ('p99, µs', _limited('p99_us')),
                ('p99.9, µs', _us('p999_us')), ('spread of p99', _percent('p99_spread')),
                ('generator late, p99, µs', _us('late_p99_us')), ('server µs a message', _cpu),
                ('server busy', _percent('server_share')), ('generator busy', _percent('generator_share'))],
    'shards': [*_COST, ('server busy', _percent('server_share')), ('generator busy', _percent('generator_share'))],
}


def _print_ratios(row, measured):
    key = {'idle': 'bytes', 'connect': 'connects_per_second', 'latency': 'p99_us'}.get(row.how, 'cpu_us')
    own = measured.get('polycast', {}).get(key)
    if own and len(measured) > 1:
        _line('polycast / peer', [f'{own / m[key]:.2f} x' if name != 'polycast' and m.get(key) else ''
                                  for name, m in measured.items()])


def _print_notes(row, measured):
    if row.kind == 'delivery':
        pair = [measured[name].get('samples') for name in ('at_least_once', 'at_most_once')]
        if all(pair):
            print(f'  at_least_once / at_most_once, the median of neighbouring repeats: {stats.pairwise(*pair):.2f} x')
    if 'room' in measured.get('two shards', {}):
        one, two = measured['one shard'], measured['two shards']
        print(f'  two shards deliver {two["per_second"] / one["per_second"]:.2f} x of one, at {two["cpu_us"] / one["cpu_us"]:.2f} x '
              f'the processor time each;\n  the generator runs on the same processors, which leaves room for {two["room"]:.2f} x')


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


def print_claims(results, compiled, high_lane, names):
    """Returns how many claims failed or could not be checked."""
    print('\nclaims')
    made = list(claims(results, compiled, high_lane, names))
    for claim in made:
        print(f'  {claim}')
    unmet = [claim for claim in made if claim.verdict != 'PASS']
    beyond = sum(claim.out_of_reach for claim in unmet)
    print(f'  {len(made) - len(unmet)} of {len(made)} met' +
          (f'; {beyond} of the others would be missed by raw, which does nothing but read and write' if beyond else ''))
    return len(unmet)
