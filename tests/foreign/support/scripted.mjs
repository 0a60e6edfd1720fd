// For tests of polycast.js: a clock that stands still until it is told, and a server of Node's `ws` that says what the
// test wants it to say.
import assert from 'node:assert';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

const require = createRequire(import.meta.url);
export const WebSocket = require('ws');
export const { Peer, run, start, within } = require('./peers.js');

// As a user would who has no package.json that says `"type": "module"`.
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'polycast-'));
process.on('exit', () => fs.rmSync(folder, {recursive: true, force: true}));
const module = path.join(folder, 'polycast.mjs');
const source = process.env.POLYCAST_JS ?? new URL('../../../examples/hub/polycast.js', import.meta.url);
fs.copyFileSync(source, module);
export const { Client, PolycastError } = await import(module);

export class Clock {
  time = 0;
  #alarms = new Map();
  #lastId = 0;
  timers = {
    setTimeout: (then, ms) => { this.#alarms.set(++this.#lastId, {at: this.time + ms, then}); return this.#lastId; },
    clearTimeout: id => this.#alarms.delete(id),
  };
  now = () => this.time;
  /// Milliseconds to each that is set, the next first.
  get due() { return [...this.#alarms.values()].map(({at}) => at - this.time).sort((a, b) => a - b); }
  advance(ms) {
    const end = this.time + ms;
    for (;;) {
      const next = [...this.#alarms].filter(([, {at}]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!next) break;
      this.#alarms.delete(next[0]);
      this.time = Math.max(this.time, next[1].at);
      next[1].then();
    }
    this.time = end;
  }
}

/// A connection as the server has it: `received` is what the client said, an object each.
class Connection extends Peer {
  constructor(socket, request) {
    super(socket);
    this.offered = request.headers['sec-websocket-protocol'];
    this.path = request.url;
  }
  /// All in one frame, as the server joins them.
  say(...envelopes) { this.socket.send(envelopes.map(e => typeof e === 'string' ? e : JSON.stringify(e)).join('\n')); }
  async welcome(more = {}) {
    const open = await this.untilType('$open');
    this.say({type: '$hello', version: 1, session: 's_1', epoch: 'e1', resumed: 'session' in open, heartbeat_ms: 30000,
              ack: {every: 32, within_ms: 500}, max_message_bytes: 65536, dictionary: null, ...more});
    return open;
  }
  get types() { return this.received.map(e => e.type); }
  untilId(id) { return this.until(e => e.id === id, `id ${id}`); }
  /// The n-th message of this type, from 1.
  untilTh(type, n) { return this.until(e => this.received.filter(o => o.type === type).indexOf(e) === n - 1, type); }
  /// Everything that the client sent until now has arrived, when this has.
  async caughtUp(client) {
    const mark = {n: Math.random()};
    client.send('mark', mark);
    await this.until(e => e.type === 'mark' && e.data.n === mark.n, 'mark');
    this.received = this.received.filter(e => e.type !== 'mark');
  }
  drop() { this.socket.terminate(); }
  /// Loses the connection when so many bytes of a frame with this text are on the wire.
  async dropWithin(text, bytes) {
    const payload = Buffer.from(text);
    const head = payload.length < 126 ? Buffer.from([0x81, payload.length])
      : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255]);
    const frame = Buffer.concat([head, payload]);
    assert(bytes < frame.length);
    await new Promise(done => this.socket._socket.write(frame.subarray(0, bytes), done));
    this.socket.terminate();
  }
}

export class Server {
  #waiting = [];
  #came = [];
  static async start({port = 0, ...options} = {}) {
    const server = new Server();
    server.listener = new WebSocket.WebSocketServer({host: '127.0.0.1', port, ...options});
    server.listener.on('connection', (socket, request) => {
      const connection = new Connection(socket, request);
      socket.on('error', () => {});
      const taker = server.#waiting.shift();
      if (taker) taker(connection);
      else server.#came.push(connection);
    });
    await once(server.listener, 'listening');
    server.port = server.listener.address().port;
    server.url = `ws://127.0.0.1:${server.port}/`;
    return server;
  }
  /// The next that connects.
  connection() {
    const came = this.#came.shift();
    return came ? Promise.resolve(came) : within(new Promise(done => this.#waiting.push(done)), 'a connection');
  }
  async end() {
    for (const socket of this.listener.clients) socket.terminate();
    this.listener.close();
    await once(this.listener, 'close');
  }
}

/// A client, its server and its clock; `seen` is each event that the application got, `own` each event of the client
/// itself.
export async function stage(options = {}, given = undefined) {
  const server = given ?? await Server.start();
  const clock = new Clock();
  const client = new Client(options.url ?? server.url,
                            {WebSocket, timers: clock.timers, now: clock.now, random: () => 0.5, ...options});
  const seen = [], own = [];
  client.on('*', (data, envelope) => seen.push(envelope));
  for (const type of ['$state', '$hello', '$gap', '$bye', '$error'])
    client.on(type, (what, why) => own.push({type, what, why}));
  const until = async (holds, what) => {
    let found, late = false;
    const looking = (async () => {
      while (!late && !(found = holds())) await new Promise(done => setTimeout(done, 1));
      return found;
    })();
    return within(looking, what).finally(() => { late = true; });
  };
  return {
    server, clock, client, seen, own, until,
    /// The values of what came with each own event of this type.
    of: type => own.filter(e => e.type === type).map(e => e.what),
    numbers: () => seen.map(e => e.data.n),
    state: wanted => until(() => client.state === wanted, `the state ${wanted}`),
    count: n => until(() => seen.length >= n, `${n} events`),
    /// Connected and welcomed.
    async open(hello) {
      const connection = await server.connection();
      await connection.welcome(hello);
      await this.state('open');
      return connection;
    },
    /// Waits for the loss of the connection, lets the time pass, and is connected again.
    async again(hello) {
      await this.state('waiting');
      clock.advance(own.findLast(e => e.type === '$state').why.delay);
      return this.open(hello);
    },
    async end() {
      client.close();
      await server.end();
    },
  };
}
