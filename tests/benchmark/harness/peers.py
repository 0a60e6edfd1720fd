"""The servers that are compared, and how each is installed, built and started."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
OUT = ROOT / 'build-benchmark'
NODE = OUT / 'node'
RELEASE = ['-O3', '-DNDEBUG']

LIBRARY = ['-I' + str(ROOT / 'include'), '-pthread', '-lzstd']
WITH_ZLIB = [*LIBRARY, '-DPOLYCAST_WITH_ZLIB=1', '-lz']
# name: source, language standard, further arguments. websocketpp 0.8.2 is no valid C++20 for g++ 11 and later.
PROGRAMS = {
    'polycast': (ROOT / 'examples/echo.cpp', 'c++20', LIBRARY),  # what compilers are timed on
    'polycast_echo': (HERE / 'peers/polycast_echo.cpp', 'c++20', WITH_ZLIB),
    'polycast_typed': (HERE / 'peers/polycast_typed.cpp', 'c++20', LIBRARY),
    'delivery': (HERE / 'peers/delivery_server.cpp', 'c++20', LIBRARY),
    'beast': (HERE / 'peers/beast_echo.cpp', 'c++20', ['-pthread']),
    'websocketpp': (HERE / 'peers/websocketpp_echo.cpp', 'c++17', ['-pthread']),
    'raw': (HERE / 'peers/raw_epoll.cpp', 'c++20', ['-I' + str(ROOT / 'include')]),
    'load': (ROOT / 'examples/load.cpp', 'c++20', WITH_ZLIB),
    'high_lane': (HERE / 'high_lane.cpp', 'c++20', LIBRARY),
}
PEERS = ['bun', 'beast', 'websocketpp', 'ws', 'raw']
ALONE = ['delivery', 'shards']  # kinds that compare polycast with itself
# For each kind of row the servers that are compared: a program or script, and its arguments.
COMMANDS = {
    'echo': {
        'polycast': ['polycast_echo'],
        'bun': ['bun_echo.js'],
        'beast': ['beast'],
        'websocketpp': ['websocketpp'],
        'ws': ['ws_echo.js'],
        'raw': ['raw'],
    },
    'room': {
        'polycast': ['polycast_echo'],
        'bun': ['bun_echo.js'],
        'beast': ['beast'],
        'websocketpp': ['websocketpp'],
        'ws': ['ws_echo.js'],
        'raw': ['raw', '--room'],
    },
    'main': {'polycast': ['polycast_echo'], 'bun': ['bun_echo.js'], 'beast': ['beast']},
    'deflate': {
        'polycast': ['polycast_echo', '--deflate'],
        'bun': ['bun_echo.js', '--deflate'],
        'beast': ['beast', '--deflate'],
    },
    'zstd': {
        'polycast': ['delivery', '--zstd'],
        'bun': ['bun_echo.js', '--deflate'],
        'beast': ['beast', '--deflate'],
    },
    'typed': {'polycast': ['polycast_typed'], 'bun': ['bun_typed.js']},
    'delivery': {'at_most_once': ['delivery'], 'at_least_once': ['delivery', '--at-least-once']},
    '1 shards': {'polycast': ['polycast_echo'], 'bun': ['bun_echo.js']},
    '2 shards': {'polycast': ['polycast_echo', '--shards', '2']},  # Bun has one
    'shards': {'one shard': ['polycast_echo'], 'two shards': ['polycast_echo', '--shards', '2']},
}

# file that must be there: Debian package that brings it
DEBIAN = {
    'polycast': {'/usr/include/asio.hpp': 'libasio-dev', '/usr/include/zstd.h': 'libzstd-dev',
                 '/usr/include/rapidjson/reader.h': 'rapidjson-dev', '/usr/include/zlib.h': 'zlib1g-dev'},
    'beast': {'/usr/include/boost/beast.hpp': 'libboost-dev'},
    'websocketpp': {'/usr/include/websocketpp/server.hpp': 'libwebsocketpp-dev',
                    '/usr/include/boost/version.hpp': 'libboost-dev',
                    '/usr/include/boost/system/error_code.hpp': 'libboost-system-dev'},
}


class Failure(Exception):
    """Something that a person has to look at; the message says what and what to do."""


def run(command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Failure(f'{" ".join(map(str, command))}\nended with status {done.returncode}:\n{done.stdout}{done.stderr}')
    return done.stdout


def apt_install(packages):
    print('installing', ' '.join(packages), file=sys.stderr, flush=True)
    environment = dict(os.environ, DEBIAN_FRONTEND='noninteractive')
    run(['apt-get', 'update'], env=environment, timeout=300)
    run(['apt-get', 'install', '-y', '--no-install-recommends', *packages], env=environment, timeout=600)


def install(names):
    """Installs what `names` need and the machine lacks."""
    missing = {package for name in names for file, package in DEBIAN.get(name, {}).items() if not Path(file).exists()}
    if not shutil.which('g++'):
        missing.add('g++')
    if {'bun', 'ws'} & set(names) and not shutil.which('npm'):
        missing |= {'nodejs', 'npm'}
    if missing:
        apt_install(sorted(missing))
    wanted = []
    if 'ws' in names and not (NODE / 'node_modules/ws').exists():
        wanted.append('ws@8')
    if 'bun' in names and not bun_program().exists():
        # The package `bun` fetches its program in a script after installing; the platform package has it inside.
        wanted.append(f'@oven/{bun_package()}@1')
    if wanted:
        print('installing', ' '.join(wanted), flush=True)
        NODE.mkdir(parents=True, exist_ok=True)
        if not (NODE / 'package.json').exists():
            (NODE / 'package.json').write_text('{"private": true}\n')
        run(['npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', *wanted], cwd=NODE, timeout=300)


def bun_package():
    if platform.machine() == 'aarch64':
        return 'bun-linux-aarch64'
    return 'bun-linux-x64' if ' avx2 ' in Path('/proc/cpuinfo').read_text() else 'bun-linux-x64-baseline'


def bun_program():
    return NODE / 'node_modules/@oven' / bun_package() / 'bin/bun'


def compile_command(name, flags, output, source=None):
    own_source, standard, rest = PROGRAMS[name]
    libraries = [argument for argument in rest if argument.startswith('-l')]
    return ['g++', '-std=' + standard, *flags, *[a for a in rest if a not in libraries], str(source or own_source),
            '-o', str(output), *libraries]


def programs(kinds, names):
    """The programs that the servers `names` are in rows of these kinds."""
    used = [command[0] for kind in kinds for name, command in COMMANDS[kind].items() if name in names or kind in ALONE]
    return [name for name in dict.fromkeys(used) if name in PROGRAMS]


def _sources(program):
    """What a change of means building anew."""
    source, _, rest = PROGRAMS[program]
    yield source
    if LIBRARY[0] in rest:
        yield from sorted((ROOT / 'include').rglob('*.hpp'))
    yield from sorted(source.with_suffix('').glob('*.hpp'))
    if program in ('raw', 'high_lane'):
        yield ROOT / 'examples/load/wire.hpp'


def build(names):
    """Builds these programs in release mode, those whose sources or flags changed."""
    for name in dict.fromkeys(names):
        binary, stamp = OUT / name, OUT / (name + '.stamp')
        command = compile_command(name, RELEASE, binary)
        key = hashlib.sha256(repr(command).encode())
        for file in _sources(name):
            key.update(file.read_bytes())
        if binary.exists() and stamp.exists() and stamp.read_text() == key.hexdigest():
            continue
        print('building', name, flush=True)
        run(command, timeout=600)
        stamp.write_text(key.hexdigest())


def server_command(kind, name, port, payload_bytes):
    program, *arguments = COMMANDS[kind][name]
    if not program.endswith('.js'):
        command = [OUT / program]
    elif program.startswith('bun'):
        command = [bun_program(), HERE / 'peers' / program]
    else:
        command = [shutil.which('node'), HERE / 'peers' / program]
    if program == 'raw':
        arguments += ['--bytes', payload_bytes]
    return [str(part) for part in [*command, '--port', port, *arguments]]


def versions(names):
    """What is compared, in words."""
    found = [run(['g++', '--version']).splitlines()[0]]
    if 'bun' in names:
        found.append('Bun ' + run([str(bun_program()), '--version']).strip())
    if 'ws' in names:
        package = (NODE / 'node_modules/ws/package.json').read_text()
        found.append('ws ' + package.split('"version": "')[1].split('"')[0] + ' on node ' +
                     run(['node', '--version']).strip())
    for name, file, word in [('beast', 'boost/version.hpp', 'BOOST_LIB_VERSION "')]:
        if name in names:
            found.append('Boost ' + Path('/usr/include', file).read_text().split('#define ' + word)[1].split('"')[0])
    if 'websocketpp' in names:
        text = Path('/usr/include/websocketpp/version.hpp').read_text()
        found.append('websocketpp ' + '.'.join(
            text.split(f'{part}_version = ')[1].split(';')[0] for part in ('major', 'minor', 'patch')))
    return ', '.join(found)


def commit():
    """Of the sources that are measured; a `+` says that they differ from it."""
    if subprocess.run(['git', '-C', str(ROOT), 'rev-parse'], capture_output=True, check=False).returncode != 0:
        return 'unknown'
    changed = run(['git', '-C', str(ROOT), 'status', '--porcelain', '--', 'include', 'examples', 'tests/benchmark/peers'])
    return run(['git', '-C', str(ROOT), 'rev-parse', '--short', 'HEAD']).strip() + ('+' if changed else '')
