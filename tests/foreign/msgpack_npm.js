// npm's MessagePack over node's `ws` in conversation with serializer::msgpack: msgpack_npm.js [BUILD FOLDER]
// Two encoders, as they choose different formats for the same value.
'use strict';
const assert = require('node:assert');
const { once } = require('node:events');
const WebSocket = require('ws');
const official = require('@msgpack/msgpack');
const { Packr } = require('msgpackr');
const { run, start, within } = require('./support/peers.js');

const packr = new Packr({useRecords: false, int64AsType: 'bigint'});
const libraries = {
  '@msgpack/msgpack': {
    encode: value => official.encode(value, {useBigInt64: true}),
    decodeMany: bytes => [...official.decodeMulti(bytes, {useBigInt64: true})],
  },
  'msgpackr': {encode: value => packr.pack(value), decodeMany: bytes => packr.unpackMultiple(bytes)},
};

/// A connection that keeps each frame it received as a list of events.
class Peer {
  constructor(socket, library) {
    this.socket = socket;
    this.library = library;
    this.frames = [];
    this.waiting = [];
    socket.on('message', (data, binary) => {
      assert(binary, 'a text frame came');
      this.frames.push(library.decodeMany(data));
      for (const wake of this.waiting.splice(0)) wake();
    });
  }
  send(...events) { this.socket.send(Buffer.concat(events.map(e => Buffer.from(this.library.encode(e))))); }
  get events() { return this.frames.flat(); }
  async until(wanted, what) {
    const look = async () => {
      for (;;) {
        const found = this.events.find(wanted);
        if (found) return found;
        assert(this.socket.readyState <= 1, `closed before ${what} came`);
        await new Promise(wake => this.waiting.push(wake));
      }
    };
    return within(look(), what);
  }
}

const number = value => typeof value === 'bigint' ? Number(value) : value;

/// What goes out, and, where that is not the same, what comes back.
const whole = {
  flag: true, whole: -2147483649, huge: 18446744073709551615n, real: 0.1, small: 0.25, text: 'a"\n\u20ac\u{1F600}',
  named: 'green', maybe: 300, nothing: null, points: [{x: 1, y: -129}, {y: 70000, x: -32}], pair: [-1, 127],
  by_name: {one: 1, half: 0.5, [`${'k'.repeat(40)}`]: -1e300}, either: {point: {x: 1, y: 2}},
  time: '2026-11-21T01:02:03.456Z', bytes: Buffer.from([0, 1, 127, 128, 255]), raw: {any: [1, 'two', null, {three: 3.5}]},
};
const normal = data => ({...data, whole: number(data.whole), bytes: [...data.bytes]});

async function main() {
  const server = await start('tests/foreign_msgpack_server');
  const connect = async (library, protocols) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`, protocols);
    const peer = new Peer(socket, library);
    await within(once(socket, 'open'), 'open');
    return peer;
  };
  const checks = {};
  for (const [name, library] of Object.entries(libraries)) {
    checks[`${name}: every kind of field goes there and comes back as it was.`] = async () => {
      const peer = await connect(library);
      peer.send({type: 'everything', id: 'a"1', data: whole});
      const {id, data} = await peer.until(e => e.type === 'everything' || e.type === '$error', 'the echo');
      assert.strictEqual(id, 'a"1');
      assert.deepStrictEqual(normal(data), normal(whole));
      peer.socket.close();
    };
    checks[`${name}: a Date is a time, a list of numbers are bytes, absent and nil are no value.`] = async () => {
      const peer = await connect(library);
      const when = new Date('2031-02-03T04:05:06.789Z');
      const {maybe, ...rest} = whole;
      peer.send({type: 'everything', id: 1, data: {...rest, time: when, bytes: [1, 255], either: 'text'}});
      const first = await peer.until(e => e.id === 1, 'the first');
      assert.strictEqual(first.data.time, when.toISOString());
      assert.deepStrictEqual([...first.data.bytes], [1, 255]);
      assert.strictEqual(first.data.either, 'text');
      assert(!('maybe' in first.data));
      peer.send({type: 'everything', id: 2, data: {...whole, maybe: null, nothing: 5}});
      const second = await peer.until(e => e.id === 2, 'the second');
      assert(!('maybe' in second.data));
      assert.strictEqual(second.data.nothing, 5);
      peer.socket.close();
    };
    checks[`${name}: events that share a frame are told apart, in both directions.`] = async () => {
      const peer = await connect(library);
      peer.send({type: 'count_to', id: 1, data: {n: 120}}, {type: '$ping', id: 2}, {type: 'count_to', data: {n: 1}});
      await peer.until(() => peer.events.filter(e => e.type === 'number').length === 121, 'all numbers');
      const numbers = peer.events.filter(e => e.type === 'number').map(e => e.data);
      numbers.slice(0, 120).forEach((d, i) => assert.deepStrictEqual(d, {n: i, text: 'x'.repeat(i)}));
      assert(peer.frames.some(frame => frame.length > 10), 'nothing was joined');
      assert(peer.events.every(e => e.type !== 'number' || /^\d{4}-.*Z$/.test(e.timestamp)));
      await peer.until(e => e.type === '$pong' && e.id === 2, '$pong');
      await peer.until(e => e.type === '$ok' && e.id === 1, '$ok');
      peer.socket.close();
    };
    checks[`${name}: ids of any size come back, errors name the field, unknown events are JSON.`] = async () => {
      const peer = await connect(library);
      for (const id of [0, 255, 65536, 1700000000000, 'text', '\u20ac'.repeat(100)]) {
        peer.send({type: '$ping', id});
        await peer.until(e => e.type === '$pong' && number(e.id) === id, `$pong ${id}`);
      }
      peer.send({type: 'count_to', id: 'q', data: {n: 'many'}});
      const error = await peer.until(e => e.type === '$error', '$error');
      assert.deepStrictEqual([error.id, error.code, error.message], ['q', 'bad_field', 'data.n: expected an integer']);
      peer.send({type: 'never heard of', data: {list: [1, 2.5, null, 'x'], bytes: Buffer.from('abc')}});
      const {data} = await peer.until(e => e.type === 'unknown_said', 'the unknown event');
      assert.deepStrictEqual(data, {type: 'never heard of', data: {list: [1, 2.5, null, 'x'], bytes: 'YWJj'}});
      peer.socket.close();
    };
    checks[`${name}: the token is agreed, and $open is answered by $hello before anything else.`] = async () => {
      const peer = await connect(library, ['polycast.v1.json', 'polycast.v1.msgpack']);
      assert.strictEqual(peer.socket.protocol, 'polycast.v1.msgpack');
      peer.send({type: '$open', id: 1});
      const hello = await peer.until(() => true, '$hello');
      assert.strictEqual(hello.type, '$hello');
      assert.strictEqual(hello.id, 1);
      assert.strictEqual(hello.version, 1);
      assert.deepStrictEqual(hello.ack, {every: 32, within_ms: 500});
      assert.strictEqual(hello.dictionary, null);
      peer.send({type: '$join', id: 2, room: 'thread/42'});
      const ok = await peer.until(e => e.type === '$ok', '$ok');
      assert.strictEqual(ok.room, 'thread/42');
      peer.socket.close();
    };
  }
  await run(checks);
}

main().catch(error => { console.log(`not ok - ${error.stack}`); process.exit(1); });
