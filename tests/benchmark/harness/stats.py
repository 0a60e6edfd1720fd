"""Medians of repeats, with their spread, and what they say about themselves."""

from statistics import median


def spread(values):
    """(Most - least) / median."""
    return (max(values) - min(values)) / median(values) if median(values) else 0.0


def share(samples, key):
    """Of the time that was measured: 1 is one processor."""
    return median(s[key] / s['seconds'] for s in samples)


def cost(samples):
    """Of what the load generator says of each repeat: the server's time for one message, and who was the limit."""
    cpu = [1e6 * s['server_cpu_seconds'] / s['messages'] for s in samples]
    generator, server = share(samples, 'generator_cpu_seconds'), share(samples, 'server_cpu_seconds')
    return {
        'cpu_us': median(cpu),
        'cpu_us_low': sorted(cpu)[len(cpu) // 4],
        'spread': spread(cpu),
        'per_second': median(s['messages'] / s['seconds'] for s in samples),
        'generator_us': median(1e6 * s['generator_cpu_seconds'] / s['messages'] for s in samples),
        'server_share': server,
        'generator_share': generator,
        'generator_bound': generator > 0.95 and server < 0.9,
        'disturbed': max(share(samples, 'server_waited_seconds'), share(samples, 'generator_waited_seconds')) > 0.1,
        'samples': samples,
    }


def latency(samples):
    """`cost`, and the percentiles: the median of those of the repeats. The generator is the limit where it was late itself
    by half of what it measured, or could not send as much as it was to."""
    late = median(s['late_p99_us'] for s in samples)
    p99 = [s['p99_us'] for s in samples]
    sent, rate = median(s['sent_rate'] for s in samples), samples[0]['rate']
    return {
        **cost(samples),
        **{key: median(s[key] for s in samples) for key in ('p50_us', 'p99_us', 'p999_us', 'max_us')},
        'p99_spread': spread(p99),
        'late_p99_us': late,
        'rate': rate,
        'sent_rate': sent,
        'unanswered': max(s['unanswered'] for s in samples),
        'generator_bound': late > 0.5 * median(p99) or sent < 0.98 * rate,
    }


def connects(samples):
    """`cost`, and the rates."""
    rates = [s['connects_per_second'] for s in samples]
    return {**cost(samples), 'connects_per_second': median(rates), 'rate_spread': spread(rates),
            **{key: median(s[key] for s in samples) for key in ('p50_us', 'p99_us')}}


def pairwise(one, other):
    """The cost of `one` as a multiple of that of `other`: of one repeat to the one beside it. The median of these is
    troubled less by a busy machine than that of either."""
    if not one or not other:
        return None
    each = [[s['server_cpu_seconds'] / s['messages'] for s in samples] for samples in (one, other)]
    return median(a / b for a, b in zip(*each))


def room_for_shards(one, processors):
    """How much more two shards could deliver than one, on so many processors that the generator shares with them. `one`
    is the `cost` of one shard."""
    spent = 1e-6 * (one['cpu_us'] + one['generator_us'])
    by_processors = processors / spent
    by_generator = 1e6 / one['generator_us']  # it has one thread
    return min(2.0, min(by_processors, by_generator) / one['per_second'])
