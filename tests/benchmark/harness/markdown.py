"""The table of README's costs, from what was measured."""

from .report import number
from .rows import ROWS

HEADS = {'polycast': 'polycast', 'bun': 'Bun', 'beast': 'Beast', 'websocketpp': 'websocketpp', 'ws': 'ws (node)', 'raw': 'raw'}
# Rows of a table of their own: how they are measured, what is shown, and whether more is better.
MORE = {'connect': ('connects_per_second', ' a second'), 'latency': ('p99_us', ' µs'), 'delivery': ('cpu_us', ' µs'),
        'shards': ('per_second', ' a second')}


def table(results, names, connections):
    """One line a row, one column a server, with polycast's ratio to each peer."""
    lines = ['| work | ' + ' | '.join(HEADS[name] for name in names) + ' |', '|---' * (len(names) + 1) + '|']
    for key, measured in results.items():
        row = ROWS[key]
        if row.how not in ('cost', 'idle') or row.kind == 'delivery':
            continue
        title = row.title + (f', {connections:,} of them' if row.how == 'idle' else '')
        value = 'bytes' if row.how == 'idle' else 'cpu_us'
        lines.append(f'| {title} | ' + ' | '.join(_cell(measured, name, value) for name in names) + ' |')
    return '\n'.join(lines)


def _cell(measured, name, value):
    its, own = measured.get(name, {}).get(value), measured.get('polycast', {}).get(value)
    if not its:
        return '–'
    shown = f'{its:,.0f}' if value == 'bytes' else number(its)
    return shown + (f' ({own / its:.2f} ×)' if own and name != 'polycast' else '')


def beside(results):
    """The rows that are no cost of a message, one line each."""
    lines = ['| beside it | |', '|---|---|']
    for key, measured in results.items():
        row = ROWS[key]
        form = 'delivery' if row.kind == 'delivery' else row.how
        if form not in MORE or any('error' in m for m in measured.values()):
            continue
        value, unit = MORE[form]
        shown = [f'{HEADS.get(name, f"`{name}`" if "_" in name else name)} {_value(m, value)}{unit}'
                 for name, m in measured.items()]
        rate = f' ({next(iter(measured.values()))["rate"]:,.0f} a second)' if key == 'latency' else ''
        percentiles = ', p99 / p99.9' if form == 'latency' else ''
        lines.append(f'| {row.title}{rate}{percentiles} | {", ".join(shown)} |')
    return '\n'.join(lines) if len(lines) > 2 else ''


def _value(m, value):
    limited = ', the generator was the limit,' if m['generator_bound'] and value in ('p99_us', 'connects_per_second') else ''
    return number(m[value]) + (f' / {number(m["p999_us"])}' if value == 'p99_us' else '') + limited


def page(saved):
    """All that README's costs say of one run, which is what `--json` wrote."""
    spreads = {}
    for key, measured in saved['rows'].items():
        if ROWS[key].how == 'cost' and ROWS[key].kind != 'delivery':
            for name, m in measured.items():
                if 'error' not in m:
                    spreads.setdefault(ROWS[key].in_flight, []).append(m['spread'])
    said = '; '.join(f'with {n} in flight by up to {100 * max(values):.0f} %' for n, values in sorted(spreads.items()))
    parts = [f'{saved["machine"]}, {saved["placed"]}, medians of {saved["repeats"]}, commit {saved["commit"]}; '
             f'{saved["versions"]}.', table(saved['rows'], saved['servers'], saved['connections'])]
    if said:
        parts.append(f'Repeats spread {said}.')
    if rest := beside(saved['rows']):
        parts.append(rest)
    return '\n\n'.join(parts)
