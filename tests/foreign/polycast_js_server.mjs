// examples/hub/polycast.js with polycast's own server, over connections that are cut:
//   polycast_js_server.mjs [BUILD FOLDER]
import assert from 'node:assert';
import { once } from 'node:events';
import fs from 'node:fs';
import { cutter } from './support/cutter.mjs';
import { Client, PolycastError, WebSocket, run, start, within } from './support/scripted.mjs';

const upTo = n => Array.from({length: n}, (_, i) => i + 1);
const begin = (port, ...args) => start('tests/foreign_polycast_js_server', {port, args});
const quick = {WebSocket, backoff: {initial: 10, cap: 50}};

/// A client and what it got, with a promise of any number of events.
function listen(url, options = {}) {
  const client = new Client(url, {...quick, ...options});
  const seen = [], own = [];
  client.on('*', (data, envelope) => seen.push(envelope));
  for (const type of ['$state', '$hello', '$gap', '$error']) client.on(type, what => own.push({type, what}));
  const of = type => own.filter(e => e.type === type).map(e => e.what);
  const until = async (holds, what) => {
    let late = false;
    const look = async () => { while (!late && !holds()) await new Promise(done => setTimeout(done, 1)); };
    await within(look(), what).finally(() => { late = true; });
  };
  return {client, seen, of, until, numbers: () => seen.map(e => e.data.n)};
}

let server = await begin();

await run({
  'Requests are answered with `$ok`, a reply or a refusal; rooms are joined and left.': async () => {
    const {client, seen, until} = listen(server.url);
    assert.strictEqual((await client.emit('more', {count: 2, cut: 0})).type, '$ok');
    const reply = await client.request('add', {a: 19, b: 23});
    assert.deepStrictEqual([reply.type, reply.data.value], ['sum', 42]);
    await assert.rejects(client.emit('refuse'), error => error instanceof PolycastError &&
      error.code === 'rate_limited' && error.retryAfterMs === 1200 && error.message === '60 messages a minute');
    await assert.rejects(client.emit('add', {a: 'x', b: 1}), {code: 'bad_field'});
    await assert.rejects(client.emit('nothing_like_it'), {code: 'unknown_type'});
    const joined = await client.join('lobby');
    assert.strictEqual(joined.room, 'lobby');
    await client.emit('say', {text: 'hello'}, {room: 'lobby'});
    await client.leave('lobby');
    await client.emit('say', {text: 'to nobody'}, {room: 'lobby'}).catch(() => {});
    await client.emit('more', {count: 1, cut: 0});
    await until(() => seen.length === 5, 'events');
    assert.deepStrictEqual(seen.map(e => e.type), ['number', 'number', 'sum', 'said', 'number']);
    assert.deepStrictEqual([seen[3].room, seen[3].data.text], ['lobby', 'hello']);
    client.close();
  },

  'Cut by the server in the midst of what it says, every event comes once and in order, each request is done once.':
  async () => {
    const {client, numbers, of, until} = listen(server.url);
    const codes = [4000, 4001, 4003, 1001, 1012, 4499];
    const asked = upTo(120).map(i => client.emit('more', {count: 20, cut: i % 4 === 0 ? codes[i / 4 % 6] : 0}));
    const answers = await within(Promise.all(asked), 'answers');
    assert(answers.every(({type}) => type === '$ok'));
    await until(() => numbers().length >= 2400, 'events');
    await client.request('add', {a: 1, b: 1});
    assert.deepStrictEqual(numbers().slice(0, -1), upTo(2400));
    assert.strictEqual(client.received, 2401);
    assert.deepStrictEqual(of('$gap'), []);
    const [first, ...others] = of('$hello');
    assert(others.length >= 5, `${others.length} reconnects`);
    assert(others.every(({resumed, session}) => resumed && session === first.session));
    client.close();
  },

  'Cut at any byte, in both directions, likewise; rooms are kept, with and without a history.': async () => {
    const historic = await begin(0, '--history', '1000');
    let cuts = 0;
    for (const [round, {port}] of [server, historic, server, historic].entries()) {
      const between = await cutter(port, () => Math.floor(Math.random() ** 2 * 12000));
      const {client, seen, of, until} = listen(between.url);
      const asked = [];
      for (const i of upTo(100)) {
        const room = `${round}/${Math.ceil(i / 5)}`;
        if (i % 5 === 1) asked.push(client.join(room));
        asked.push(client.emit('more', {count: 20, cut: 0}), client.emit('say', {text: `${i}`}, {room}));
        if (i % 10 === 0) await within(asked.at(-1), 'an answer');
      }
      await within(Promise.all(asked), 'answers');
      const those = type => seen.filter(e => e.type === type);
      await until(() => those('number').length >= 2000 && those('said').length >= 100, 'events');
      assert.deepStrictEqual(those('number').map(e => e.data.n), upTo(2000));
      assert.deepStrictEqual(those('said').map(e => e.data), upTo(100).map(i => ({n: (i - 1) % 5 + 1, text: `${i}`})));
      assert(those('said').every(({offset, data}) => offset === (port === historic.port ? data.n : undefined)));
      assert.deepStrictEqual(of('$gap'), []);
      assert(of('$hello').slice(1).every(({resumed}) => resumed));
      cuts += between.cuts;
      client.close();
      between.end();
    }
    assert(cuts > 10, `${cuts} cuts`);
    assert.strictEqual(await historic.stop(), 0);
  },

  'A server that ends says when to come back; one that begins anew is joined again, and gets what was not answered.':
  async () => {
    const {client, seen, of, until} = listen(server.url, {random: () => 0});
    await client.join('lobby');
    await client.emit('more', {count: 3, cut: 0});
    const [{session, epoch}] = of('$hello');
    const {port} = server;
    const ended = server.stop();
    await until(() => client.state !== 'open', 'the end');
    const asked = client.emit('say', {text: 'again'}, {room: 'lobby'});
    assert.strictEqual(await ended, 0);
    server = await begin(port);
    await within(asked, 'the answer');
    const hello = of('$hello')[1];
    assert.deepStrictEqual([hello.resumed, hello.session !== session, hello.epoch !== epoch], [false, true, true]);
    await until(() => seen.length === 4, 'what was said');
    assert.strictEqual(seen[3].data.text, 'again');
    assert.strictEqual(client.received, 1);
    client.close();
  },

  'Ten at once, each cut in its own way, hear what one says to all of them, once and in order.': async () => {
    const betweens = await Promise.all(upTo(10).map(() => cutter(server.port, () => 500 + Math.random() * 4000)));
    const all = betweens.map(({url}) => listen(url));
    await Promise.all(all.map(({client}) => client.join('hall')));
    const speaker = listen(server.url);
    for (const i of upTo(200)) {
      speaker.client.send('say', {text: `${i}`.padEnd(50, '.')}, {room: 'hall'});
      if (i % 10 === 0) await speaker.client.request('add', {a: i, b: i});
    }
    for (const {seen, of, numbers, until} of all) {
      await until(() => seen.length >= 200, 'what was said');
      assert.deepStrictEqual(numbers(), upTo(200));
      assert.deepStrictEqual(of('$gap'), []);
    }
    assert(betweens.every(({cuts}) => cuts > 1), `${betweens.map(({cuts}) => cuts)} cuts`);
    for (const {client} of [...all, speaker]) client.close();
    betweens.forEach(between => between.end());
  },

  'A session that has expired joins its rooms from where it was, and has every event or is told which it has not.':
  async () => {
    const forgetful = await begin(0, '--window', '100', '--history', '50');
    const expired = async () => Number(await (await fetch(`http://127.0.0.1:${forgetful.port}/expired`)).text());
    let blocked = false;
    const between = await cutter(forgetful.port, () => blocked ? 0 : Infinity);
    const {client, seen, of, numbers, until} = listen(between.url);
    const speaker = listen(forgetful.url);
    let said = 0;
    const say = async count => {
      for (let i = 0; i < count; ++i) speaker.client.send('say', {text: `${++said}`}, {room: 'hall'});
      await speaker.client.request('add', {a: 1, b: 1});
    };
    await client.join('hall');
    await say(10);
    await until(() => seen.length === 10, 'what was said');
    for (const missed of [30, 100, 20]) {
      const before = await expired();
      blocked = true;
      between.cutAfter(0);
      await say(1);
      while (await expired() === before) await new Promise(done => setTimeout(done, 10));
      await say(missed);
      blocked = false;
      await until(() => client.state === 'open' && client.pending === 0, 'the return');
      await say(5);
      await until(() => numbers().at(-1) === said, 'what was said last');
    }
    assert.deepStrictEqual(of('$hello').map(({resumed}) => resumed), [false, false, false, false]);
    // 30 were recovered, of 100 only 50 were kept: that is denied as a whole.
    assert.deepStrictEqual(of('$gap'), [{type: '$gap', room: 'hall', from: 47, to: 147, reason: 'not_recovered'}]);
    assert.deepStrictEqual(numbers(), upTo(said).filter(n => n < 47 || n > 147));
    assert.deepStrictEqual(seen.map(e => e.offset), numbers());
    client.close();
    speaker.client.close();
    between.end();
    assert.strictEqual(await forgetful.stop(), 0);
  },

  'The client of three lines in the README gets its answer, without `$open`.': async () => {
    const readme = fs.readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const code = readme.match(/```js\n(const ws = new WebSocket.*?)```/s)[1];
    assert(code.includes("'ws://localhost:8765/'"), code);
    const said = [];
    const log = (...what) => said.push(what);
    const here = code.replace('ws://localhost:8765/', server.url);
    const ws = new Function('WebSocket', 'console', `${here}; return ws;`)(WebSocket, {log});
    await within((async () => { while (!said.length) await once(ws, 'message'); })(), 'the answer');
    assert.deepStrictEqual(said, [['agent_thinking', {run_id: 'r1', reasoning: 'reading: hello'}]]);
    ws.close();
  },

  'The server ends with status 0.': async () => assert.strictEqual(await server.stop(), 0),
});
