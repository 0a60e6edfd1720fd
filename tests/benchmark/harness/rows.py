"""The workloads, and what polycast may cost in each."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    title: str
    kind: str  # of peers.COMMANDS: which servers
    load: str  # mode of the load generator
    bytes: int = 0
    in_flight: int = 1
    connections: int = 0  # or receivers; 0: as the generator has it
    how: str = 'cost'     # a name of measure.MEASUREMENTS
    targets: dict = field(default_factory=dict)  # peer: most that polycast may cost as a multiple of that peer
    unit: str = 'µs'      # of the server's time, for each message; or what else is compared
    floor: str = ''       # the row whose `raw` says what the kernel alone costs here, where this one has none


COMPRESSED = {'bun': 0.20, 'beast': 0.05}
ROWS = {
    'echo20': Row('echo 20 B, one in flight, 100 connections', 'echo', 'echo', 20,
                  targets={'bun': 0.97, 'beast': 0.80, 'raw': 1.06}),
    'echo20x16': Row('echo 20 B, 16 in flight', 'echo', 'echo', 20, 16, targets={'bun': 0.75, 'beast': 0.08, 'raw': 1.15}),
    'echo1k16': Row('echo 1 KiB, 16 in flight', 'echo', 'echo', 1024, 16, targets={'bun': 0.50, 'beast': 0.08, 'raw': 1.20}),
    'echo16k': Row('echo 16 KiB, one in flight', 'echo', 'echo', 16 * 1024, targets={'bun': 0.65, 'beast': 0.50}),
    'echo1m': Row('echo 1 MiB, one in flight, 10 connections', 'echo', 'echo', 1024 * 1024, connections=10,
                  targets={'bun': 0.80, 'beast': 0.60}),
    'cast1': Row('broadcast 100 B to 1,000, one publish in flight', 'room', 'broadcast', 100,
                 targets={'bun': 1.00, 'beast': 0.85}),
    'cast16': Row('broadcast 100 B to 1,000, 16 in flight', 'room', 'broadcast', 100, 16, targets={'bun': 1.05, 'beast': 0.08}),
    'deflate1': Row('compressed broadcast 300 B to 1,000, deflate, one publish in flight', 'deflate', 'broadcast', 300,
                    targets=COMPRESSED, floor='cast1'),
    'deflate16': Row('compressed broadcast 300 B to 1,000, deflate, 16 in flight', 'deflate', 'broadcast', 300, 16,
                     targets=COMPRESSED, floor='cast16'),
    'zstd1': Row('compressed broadcast 300 B to 1,000, zstd with dictionary, one publish in flight', 'zstd', 'broadcast', 300,
                 targets=COMPRESSED, floor='cast1'),
    'zstd16': Row('compressed broadcast 300 B to 1,000, zstd with dictionary, 16 in flight', 'zstd', 'broadcast', 300, 16,
                  targets=COMPRESSED, floor='cast16'),
    'typed1': Row('typed JSON events 220 B in and out, one in flight', 'typed', 'events', 220, targets={'bun': 0.60},
                  floor='echo20'),
    'typed16': Row('typed JSON events 220 B in and out, 16 in flight', 'typed', 'events', 220, 16, targets={'bun': 0.60},
                   floor='echo20x16'),
    'reliable1': Row('reliable broadcast 100 B to 1,000, one publish in flight', 'delivery', 'reliable', 100),
    'reliable16': Row('reliable broadcast 100 B to 1,000, 16 in flight', 'delivery', 'reliable', 100, 16),
    'idle': Row('idle connection, bytes of user memory', 'echo', 'idle', how='idle', targets={'bun': 0.60, 'beast': 0.16},
                unit='bytes'),
    'connect': Row('connecting: TCP, handshake, closing', 'main', 'connect', how='connect', unit='connects a second'),
    'latency': Row('echo 20 B at half of what the slower one can do, 100 connections', 'main', 'echo', 20, how='latency'),
    'events100k': Row('typed JSON events 220 B, 100,000 a second in and out', 'typed', 'events', 220, how='latency'),
    'shards': Row('broadcast 100 B to 1,000, 16 in flight, by shards', 'shards', 'broadcast', 100, 16, how='shards'),
}
EVENTS_A_SECOND = 100_000  # of the row `events100k`


@dataclass(frozen=True)
class Pace:
    """How long and how often one measures."""
    repeats: int
    seconds: float
    warm_up: float       # of each repeat
    first_warm_up: float  # of each server, once a row: run-time compilers need it
    settle: float        # of idle connections
    idle_repeats: int
    latency_seconds: float  # of each repeat: p99.9 needs more of them


QUICK = Pace(repeats=3, seconds=0.25, warm_up=0.1, first_warm_up=0.3, settle=0.5, idle_repeats=1, latency_seconds=1.0)
FULL = Pace(repeats=7, seconds=1.0, warm_up=0.3, first_warm_up=2.0, settle=1.0, idle_repeats=3, latency_seconds=3.0)
