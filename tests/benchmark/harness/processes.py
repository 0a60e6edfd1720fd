"""Starts servers and the load generator, and sees to it that none outlives the driver."""

import contextlib
import ctypes
import json
import os
import random
import resource
import select
import signal
import socket
import subprocess
import time

from .peers import NODE, OUT, Failure, server_command

SERVER_CPU, GENERATOR_CPU = 0, 1


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _before_exec(cpu, pinned):
    """Ends with the driver, even a killed one, and runs on the processor it was given."""
    def prepare():
        death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(death_signal, signal.SIGKILL)
        if pinned:
            os.sched_setaffinity(0, {cpu})
    return prepare


def _free_port():
    # Below the ephemeral range, so that 15,000 outgoing connections do not take it.
    while True:
        port = random.randrange(20000, 32000)
        with contextlib.closing(socket.socket()) as probe:
            with contextlib.suppress(OSError):
                probe.bind(('127.0.0.1', port))
                return port


class Server:
    """A running server; a context manager that ends it."""

    def __init__(self, kind, name, payload_bytes, pinned):
        self.name, self.port = name, _free_port()
        self.log = OUT / f'{kind} {name}.log'
        with open(self.log, 'wb') as errors:
            self.process = subprocess.Popen(
                server_command(kind, name, self.port, payload_bytes), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=errors, env=dict(os.environ, NODE_PATH=str(NODE / 'node_modules')),
                preexec_fn=_before_exec(SERVER_CPU, pinned))
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self):
        said, deadline = b'', time.monotonic() + 15
        while b'listening on' not in said or not said.endswith(b'\n'):
            left = deadline - time.monotonic()
            chunk = b''
            if left > 0 and select.select([self.process.stdout], [], [], left)[0]:
                chunk = os.read(self.process.stdout.fileno(), 4096)
            if not chunk:
                why = 'did not print `listening on` within 15 s' if left <= 0 else 'ended before it was ready'
                raise Failure(f'the {self.name} server {why}; it said:\n{said.decode()}{self.log.read_text(errors="replace")}')
            said += chunk

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                print(f'note: the {self.name} server did not end within 5 s of SIGTERM and was killed', flush=True)
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def raise_priority(nice):
    """Of this process and those that it starts. Linux groups processes by session and shares processors between groups
    first, so that a number within ours would mean little on a busy machine."""
    with contextlib.suppress(OSError):
        os.setsid()
    os.nice(nice)
    with contextlib.suppress(OSError):
        with open('/proc/self/autogroup', 'w') as group:
            group.write(str(nice))


def high_lane(seconds):
    """What the program measures; its server and its client are threads of it."""
    done = subprocess.run([str(OUT / 'high_lane'), '--seconds', str(seconds)], capture_output=True, text=True, timeout=300,
                          preexec_fn=_before_exec(SERVER_CPU, False), check=False)
    if done.returncode != 0:
        raise Failure(f'high_lane: {done.stderr.strip()}')
    return json.loads(done.stdout)


def load(server, arguments, pinned, timeout):
    """Runs the load generator against `server`; returns what it measured."""
    command = [str(OUT / 'load'), *map(str, arguments), '--port', str(server.port), '--server-pid', str(server.process.pid)]
    generator = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True, preexec_fn=_before_exec(GENERATOR_CPU, pinned))
    try:
        said, errors = generator.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Failure(f'the load generator was not done with {server.name} after {timeout} s') from None
    finally:
        if generator.poll() is None:
            generator.kill()
            generator.wait()
    if generator.returncode != 0:
        state = 'runs on' if server.alive() else f'ended with status {server.process.returncode}'
        log = server.log.read_text(errors='replace')[-2000:]
        raise Failure(f'{server.name}: {errors.strip()} (the server {state})\n{log}'.rstrip())
    return json.loads(said)
