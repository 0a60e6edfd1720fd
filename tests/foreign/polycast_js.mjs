// examples/hub/polycast.js with servers that do what a test wants, on a clock that stands still: polycast_js.mjs
import realAssert from 'node:assert';
import net from 'node:net';
import { Client, PolycastError, Server, WebSocket, run, stage, within } from './support/scripted.mjs';

let checks = 0;
const assert = new Proxy(realAssert, {
  get: (of, name) => (...args) => (++checks, of[name](...args)),
  apply: (of, _, args) => (++checks, of(...args)),
});
process.on('exit', () => console.log(`${checks} checks`));
process.on('unhandledRejection', error => { console.log(`not ok - unhandled: ${error.stack}`); process.exit(1); });

const event = (n, around = {}) => ({type: 'number', ...around, data: {n}});
const events = (from, to) => upTo(to, from).map(n => event(n));
const inRoom = (room, from, to) => upTo(to, from).map(n => event(n, {room, offset: n}));
const upTo = (n, from = 1) => Array.from({length: n - from + 1}, (_, i) => from + i);
const rejected = async (promise, code) => {
  const error = await within(promise.then(() => null, e => e), `a rejection with ${code}`);
  assert(error instanceof PolycastError && error instanceof Error, String(error));
  assert.strictEqual(error.code, code);
  return error;
};
/// A sequence that looks random and is the same each time.
function chance(seed) {
  return () => {
    seed = (seed + 0x6D2B79F5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

await run({
  // ---- Connecting ---------------------------------------------------------------------------------------------------

  'It offers the token, opens with `$open` and nothing else, and is open when `$hello` has come.': async () => {
    const s = await stage();
    const peer = await s.server.connection();
    assert.strictEqual(peer.offered, 'polycast.v1.json');
    assert.strictEqual(peer.socket.protocol, 'polycast.v1.json');
    await peer.untilType('$open');
    assert.strictEqual(s.client.state, 'connecting');
    await peer.welcome();
    await s.state('open');
    await peer.caughtUp(s.client);
    assert.deepStrictEqual(peer.received, [{type: '$open'}]);
    assert.deepStrictEqual(s.of('$state'), ['open']);  // 'connecting' was before anybody could listen
    assert.strictEqual(s.client.session, 's_1');
    assert.strictEqual(s.of('$hello')[0].heartbeat_ms, 30000);
    await s.end();
  },

  'A token rides in `$open`, and in the handshake if that is wanted; it and the address are asked for anew.':
  async () => {
    const server = await Server.start();
    let asked = 0, addressed = 0;
    const s = await stage({token: async () => `täken/${++asked}?>`, bearer: true,
                           url: () => `${server.url}n${++addressed}`}, server);
    for (const n of [1, 2]) {
      const peer = n === 1 ? await s.open() : await s.again();
      assert.strictEqual(peer.received[0].token, `täken/${n}?>`);
      const [token, bearer] = peer.offered.split(',');
      assert.strictEqual(token, 'polycast.v1.json');
      assert.match(bearer, /^bearer\.[\w-]+$/);
      assert.strictEqual(String(Buffer.from(bearer.slice(7), 'base64url')), `täken/${n}?>`);
      assert.strictEqual(peer.path, `/n${n}`);
      peer.drop();
    }
    await s.end();
    const plain = await stage({token: 'abc'});
    const peer = await plain.open();
    assert.strictEqual(peer.offered, 'polycast.v1.json');
    assert.deepStrictEqual(peer.received[0], {type: '$open', token: 'abc'});
    await plain.end();
  },

  'An address that cannot be had is told, and asked for again after the wait.': async () => {
    const server = await Server.start();
    let times = 0;
    const url = async () => { if (++times === 1) throw new Error('no network'); return server.url; };
    const s = await stage({url}, server);
    await s.state('waiting');
    assert.strictEqual(s.of('$error')[0].code, 'unreachable');
    assert.strictEqual(s.of('$error')[0].message, 'no network');
    s.clock.advance(1000);
    await s.open();
    await s.end();
  },

  'A server that does not speak the protocol is told to be such.': async () => {
    const server = await Server.start();
    // A browser may take an answer without a token; `ws` would not.
    class Lenient extends WebSocket { constructor(url) { super(url); } get protocol() { return ''; } }
    const s = await stage({WebSocket: Lenient}, server);
    await s.state('waiting');
    assert.strictEqual(s.of('$error')[0].code, 'protocol');
    assert.match(s.of('$error')[0].message, /polycast\.v1\.json/);
    await s.end();
  },

  // ---- Counting and resuming ----------------------------------------------------------------------------------------

  'After a loss it says which session it had and how many events it took: each object, no control.': async () => {
    const s = await stage();
    const first = await s.open();
    first.say(...events(1, 3), {type: '$pong'}, {type: '$new_control', data: {}}, event(4));
    first.say({type: '$ok', id: 99});
    first.say(event(5));
    await s.count(5);
    first.drop();
    const second = await s.again();
    assert.deepStrictEqual(second.received[0], {type: '$open', session: 's_1', received: 5});
    second.say(...events(6, 7));
    await s.count(7);
    assert.deepStrictEqual(s.numbers(), upTo(7));
    assert.deepStrictEqual([s.client.received, s.client.session], [7, 's_1']);
    assert.deepStrictEqual(s.of('$state'), ['open', 'waiting', 'connecting', 'open']);
    await s.end();
  },

  'A connection that is lost within a frame has not brought that frame, wherever it was cut.': async () => {
    const text = [...events(2, 4)].map(e => JSON.stringify(e)).join('\n');
    const s = await stage();
    let peer = await s.open();
    peer.say(event(1));
    await s.count(1);
    for (const bytes of [1, 2, 3, text.indexOf('\n') + 2, text.indexOf('\n') + 3, text.length, text.length + 1]) {
      await peer.dropWithin(text, bytes);
      peer = await s.again();
      assert.deepStrictEqual(peer.received[0], {type: '$open', session: 's_1', received: 1});
    }
    peer.say(text);
    await s.count(4);
    assert.deepStrictEqual(s.numbers(), upTo(4));
    await s.end();
  },

  'Cut anywhere, a hundred times, it brings every event once and in order; what it sends arrives once and in order.':
  async () => {
    for (const seed of [1, 2, 3]) {
      const random = chance(seed);
      const below = n => Math.floor(random() * n);
      const s = await stage({random});
      const TOTAL = 600;
      let counted = 0;          // by the server
      let acknowledged = 0;
      const heard = [];         // what the server took from the client, once each
      const known = new Map();  // id → answer
      let asked = 0, answered = 0, cuts = 0;
      const hello = {ack: {every: 5, within_ms: 500}};
      const ask = () => {
        const n = ++asked;
        s.client.emit('ask', {n}).then(answer => { realAssert.strictEqual(answer.type, '$ok'); ++answered; });
      };
      let connection = await s.open(hello);
      const attend = peer => {
        let done = 0;
        const look = () => {
          for (; done < peer.received.length; ++done) {
            const said = peer.received[done];
            if (said.type === '$open' && said.received !== undefined) {
              assert(said.received <= counted && said.received >= acknowledged, `${said.received} of ${counted}`);
              acknowledged = said.received;
              counted = said.received;  // sends the rest again
            }
            if (said.type === '$ack') {
              assert(said.received <= counted && said.received > acknowledged, `${said.received} of ${counted}`);
              acknowledged = said.received;
            }
            if (said.type !== 'ask') continue;
            if (!known.has(said.id)) { known.set(said.id, {type: '$ok', id: said.id}); heard.push(said.data.n); }
            peer.say(known.get(said.id));
          }
        };
        look();
        peer.on('more', look);
      };
      attend(connection);
      while (s.seen.length < TOTAL || answered < asked) {
        for (let left = below(4); left > 0 && asked < 200; --left) ask();
        const batch = events(counted + 1, Math.min(TOTAL, counted + 1 + below(20)));
        const last = s.seen.length;
        if (batch.length > 0 && cuts < 100 && random() < 0.5) {
          const text = batch.map(e => JSON.stringify(e)).join('\n');
          await connection.dropWithin(text, below(text.length));
        } else if (cuts < 100 && random() < 0.3) {
          connection.drop();
        } else {
          if (batch.length > 0) connection.say(...batch);
          counted += batch.length;
          if (random() < 0.5) await s.count(last + batch.length);  // else the cut may come first
          if (random() < 0.3) s.clock.advance(500);
          if (batch.length === 0) await new Promise(done => setImmediate(done));
          continue;
        }
        ++cuts;
        for (let left = below(3); left > 0 && asked < 200; --left) ask();
        connection = await s.again(hello);
        attend(connection);
      }
      assert.deepStrictEqual(s.numbers(), upTo(TOTAL));
      assert.deepStrictEqual(heard, upTo(asked));
      assert(cuts > 20, `${cuts} cuts`);
      assert.strictEqual(s.client.pending, 0);
      await s.end();
    }
  },

  'It acknowledges as many events as the server wants, no earlier, counting over frames.': async () => {
    const s = await stage();
    const peer = await s.open({ack: {every: 5, within_ms: 500}});
    peer.say(...events(1, 3));
    peer.say(event(4));
    await s.count(4);
    await peer.caughtUp(s.client);
    assert(!peer.types.includes('$ack'));
    peer.say(event(5));
    assert.deepStrictEqual(await peer.untilType('$ack'), {type: '$ack', received: 5});
    peer.say(...events(6, 18));  // one frame is acknowledged once
    assert.deepStrictEqual(await peer.untilTh('$ack', 2), {type: '$ack', received: 18});
    s.clock.advance(5000);
    await peer.caughtUp(s.client);
    assert.strictEqual(peer.types.filter(type => type === '$ack').length, 2);
    await s.end();
  },

  'It acknowledges fewer within the time since the first of them, and before it closes.': async () => {
    const s = await stage();
    const peer = await s.open({ack: {every: 100, within_ms: 500}});
    peer.say(event(1));
    await s.count(1);
    s.clock.advance(300);
    peer.say(event(2));
    await s.count(2);
    s.clock.advance(199);
    await peer.caughtUp(s.client);
    assert(!peer.types.includes('$ack'));
    s.clock.advance(1);
    assert.deepStrictEqual(await peer.untilType('$ack'), {type: '$ack', received: 2});
    peer.say(event(3));
    await s.count(3);
    s.client.close();
    assert.deepStrictEqual(await peer.untilTh('$ack', 2), {type: '$ack', received: 3});
    assert.strictEqual((await within(peer.closed, 'close')).code, 1000);
    await s.end();
  },

  'What `$open` said need not be acknowledged again, and no alarm of a lost connection rings.': async () => {
    const s = await stage();
    const first = await s.open({ack: {every: 3, within_ms: 500}});
    first.say(...events(1, 2));
    await s.count(2);
    first.drop();
    const second = await s.again({ack: {every: 3, within_ms: 500}});
    s.clock.advance(600);
    second.say(...events(3, 4));
    await s.count(4);
    await second.caughtUp(s.client);
    assert.deepStrictEqual(second.types, ['$open']);
    second.say(event(5));
    assert.strictEqual((await second.untilType('$ack')).received, 5);
    await s.end();
  },

  'A server that wants no acknowledgements gets none.': async () => {
    const s = await stage();
    const peer = await s.open({ack: undefined});
    peer.say(...events(1, 100));
    await s.count(100);
    s.clock.advance(1000);
    await peer.caughtUp(s.client);
    assert.deepStrictEqual(peer.types, ['$open']);
    await s.end();
  },

  'A gap moves the count to its end, is told, and is acknowledged.': async () => {
    const s = await stage();
    const peer = await s.open({ack: {every: 10, within_ms: 500}});
    peer.say(...events(1, 2), {type: '$gap', from: 3, to: 8, reason: 'evicted'}, event(9));
    await s.count(3);
    assert.deepStrictEqual(s.of('$gap'), [{type: '$gap', from: 3, to: 8, reason: 'evicted'}]);
    assert.deepStrictEqual(s.numbers(), [1, 2, 9]);
    peer.say(event(10));
    assert.strictEqual((await peer.untilType('$ack')).received, 10);
    peer.drop();
    const second = await s.again();
    assert.strictEqual(second.received[0].received, 10);
    second.say({type: '$gap', from: 11, to: 12, reason: 'expired'}, {type: '$gap', from: 4, to: 5, reason: 'late'});
    await s.until(() => s.of('$gap').length === 3, 'gaps');
    assert.strictEqual(s.client.received, 12);
    await s.end();
  },

  'When the session is gone it counts from 0.': async () => {
    const s = await stage();
    const first = await s.open();
    first.say(...events(1, 5));
    await s.count(5);
    first.drop();
    const second = await s.again({resumed: false, session: 's_2', ack: {every: 2, within_ms: 500}});
    assert.strictEqual(s.of('$hello')[1].resumed, false);
    second.say(...events(6, 7));
    assert.strictEqual((await second.untilType('$ack')).received, 2);
    second.drop();
    const third = await s.again();
    assert.deepStrictEqual(third.received[0], {type: '$open', session: 's_2', received: 2});
    assert.deepStrictEqual(s.numbers(), upTo(7));
    await s.end();
  },

  // ---- Connecting again ---------------------------------------------------------------------------------------------

  'It waits 1 s, 2 s, 4 s … 30 s, half of it by chance, and begins anew when it was welcomed.': async () => {
    for (const [random, factor] of [[0, 0.5], [0.5, 1], [0.999999, 1.499999]]) {
      const server = await Server.start();
      const s = await stage({random: () => random}, server);
      await s.open();
      await server.end();  // and nobody listens there any more
      const delays = [];
      for (let i = 0; i < 8; ++i) {
        await s.until(() => s.of('$state').filter(state => state === 'waiting').length === i + 1, 'waiting');
        const {why} = s.own.findLast(e => e.type === '$state');
        delays.push(why.delay);
        assert.strictEqual(why.code, 1006);
        const before = s.own.length;
        s.clock.advance(why.delay - 0.01);
        assert.strictEqual(s.own.length, before);
        if (i < 7) s.clock.advance(0.02);
      }
      const wanted = [1, 2, 4, 8, 16, 30, 30, 30].map(seconds => 1000 * seconds * factor);
      delays.forEach((delay, i) => assert(Math.abs(delay - wanted[i]) < 0.1, `${delays}`));
      const back = await Server.start({port: server.port});
      s.clock.advance(0.02);
      const peer = await back.connection();
      await peer.welcome();
      await s.state('open');
      peer.drop();
      await s.state('waiting');
      assert(Math.abs(s.own.at(-1).why.delay - 1000 * factor) < 0.1);
      s.client.close();
      assert.deepStrictEqual(s.clock.due, []);
      await back.end();
    }
  },

  'One that is let in but never welcomed is no success: the waits grow.': async () => {
    const s = await stage();
    for (const seconds of [1, 2, 4]) {
      const peer = await s.server.connection();
      await peer.untilType('$open');
      peer.socket.close(1013, 'full');
      await s.state('waiting');
      assert.deepStrictEqual(s.own.at(-1).why, {code: 1013, reason: 'full', delay: 1000 * seconds});
      s.clock.advance(1000 * seconds);
    }
    await s.end();
  },

  'A server that accepts and says nothing is given up after 10 s, at each stage.': async () => {
    const sockets = [];
    const mute = net.createServer(socket => { sockets.push(socket); socket.on('error', () => {}); });
    await new Promise(done => mute.listen(0, '127.0.0.1', done));
    const s = await stage({url: `ws://127.0.0.1:${mute.address().port}/`});
    await new Promise(done => (sockets.length ? done() : mute.once('connection', done)));
    s.clock.advance(9999);
    assert.strictEqual(s.client.state, 'connecting');
    s.clock.advance(1);
    assert.strictEqual(s.client.state, 'waiting');
    s.client.close();
    for (const socket of sockets) socket.destroy();
    mute.close();

    const unwelcome = await stage();
    const peer = await unwelcome.server.connection();
    await peer.untilType('$open');
    unwelcome.clock.advance(10000);
    assert.strictEqual(unwelcome.client.state, 'waiting');
    await within(peer.closed, 'close');
    peer.socket.removeAllListeners();
    unwelcome.clock.advance(1000);
    const second = await unwelcome.open();
    assert.deepStrictEqual(second.received[0], {type: '$open'});
    await unwelcome.end();
  },

  '`$bye` says when to come back, once, and where to; events are acknowledged before the server closes.': async () => {
    const other = await Server.start();
    const s = await stage();
    const first = await s.open();
    first.say(...events(1, 2), {type: '$bye', reason: 'drain', reconnect_after_ms: [200, 5000], url: other.url});
    assert.strictEqual((await first.untilType('$ack')).received, 2);
    assert.strictEqual(s.of('$bye')[0].reason, 'drain');
    first.socket.close(1012);
    await s.state('waiting');
    assert.strictEqual(s.own.at(-1).why.delay, 2600);
    s.clock.advance(2600);
    const there = await other.connection();
    assert.strictEqual((await there.untilType('$open')).received, 2);
    there.drop();  // not welcomed: back to the address that was given, with the ordinary waits
    await s.state('waiting');
    assert.strictEqual(s.own.at(-1).why.delay, 2000);
    s.clock.advance(2000);
    await s.open();
    await other.end();
    await s.end();
  },

  'It comes back after 1000 … 4499, and stops at 4500 and above; what waits is rejected then.': async () => {
    for (const code of [1000, 1001, 1002, 1008, 1009, 1011, 1012, 1013, 3000, 4000, 4001, 4002, 4003, 4499]) {
      const s = await stage();
      const peer = await s.open();
      peer.socket.close(code, 'why');
      await s.state('waiting');
      assert.strictEqual(s.own.at(-1).why.code, code);
      await s.again();
      await s.end();
    }
    for (const code of [4500, 4501, 4502, 4999]) {
      const s = await stage();
      const peer = await s.open();
      const asked = rejected(s.client.emit('say', {text: 'hello'}), 'closed');
      await peer.untilType('say');
      peer.socket.close(code, 'no');
      await s.state('closed');
      assert.deepStrictEqual(s.own.at(-1).why, {code, reason: 'no'});
      await asked;
      await rejected(s.client.emit('say', {}), 'closed');
      await rejected(s.client.join('lobby'), 'closed');
      assert.throws(() => s.client.send('say', {}), {code: 'closed'});
      assert.deepStrictEqual(s.clock.due, []);
      await s.end();
    }
    const s = await stage({invitesReconnect: code => code !== 1008});
    (await s.open()).socket.close(1008);
    await s.state('closed');
    await s.end();
    const once = await stage({invitesReconnect: () => false});  // and the connection, half open, is still there
    const peer = await once.open({heartbeat_ms: 1000});
    once.clock.advance(1500);
    assert.deepStrictEqual(once.own.at(-1).why, {code: 1006, reason: 'nothing was heard'});
    assert.strictEqual((await within(peer.closed, 'close')).code, 1000);
    await once.end();
  },

  'An own close ends the session with 1000, from every state, and nothing comes after it.': async () => {
    const s = await stage();
    const peer = await s.open();
    s.client.close();
    s.client.close();
    assert.strictEqual((await within(peer.closed, 'close')).code, 1000);
    assert.strictEqual(s.client.state, 'closed');
    assert.deepStrictEqual(s.clock.due, []);
    assert.deepStrictEqual(s.of('$state'), ['open', 'closed']);
    await s.end();

    const waiting = await stage();
    (await waiting.open()).drop();
    await waiting.state('waiting');
    waiting.client.close();
    assert.deepStrictEqual(waiting.clock.due, []);
    await waiting.end();

    const connecting = await stage();
    connecting.client.close();
    assert.deepStrictEqual([connecting.client.state, connecting.clock.due.length], ['closed', 0]);
    await connecting.end();

    const within_ = await stage();  // by a handler, within a frame: the rest is not taken
    const last = await within_.open();
    within_.client.on('number', ({n}) => { if (n === 2) within_.client.close(); });
    last.say(...events(1, 4));
    await within_.state('closed');
    assert.deepStrictEqual(within_.numbers(), [1, 2]);
    assert.strictEqual((await last.untilType('$ack')).received, 2);
    await within_.end();

    const greeted = await stage();
    greeted.client.on('$hello', () => greeted.client.close());
    await (await greeted.server.connection()).welcome();
    await greeted.state('closed');
    assert.deepStrictEqual(greeted.of('$state'), ['closed']);
    await greeted.end();
  },

  'A silence of a heartbeat is asked about, and one of a half more ends a connection that is half open.': async () => {
    const s = await stage();
    const first = await s.open({heartbeat_ms: 10000});
    s.clock.advance(9000);
    first.say(event(1));
    await s.count(1);
    s.clock.advance(9999);
    await first.caughtUp(s.client);
    assert(!first.types.includes('$ping'));
    s.clock.advance(1);
    await first.untilType('$ping');
    first.say({type: '$pong'}, event(2));
    await s.count(2);
    s.clock.advance(10000);
    await first.untilTh('$ping', 2);
    s.clock.advance(4999);
    assert.strictEqual(s.client.state, 'open');
    await first.caughtUp(s.client);
    assert.strictEqual(first.types.filter(type => type === '$ping').length, 2);
    s.clock.advance(1);
    assert.strictEqual(s.client.state, 'waiting');
    assert.strictEqual((await within(first.closed, 'close')).code, 4000);  // the session is kept
    const second = await s.again();
    assert.deepStrictEqual(second.received[0], {type: '$open', session: 's_1', received: 2});
    await s.end();
  },

  'A connection is not given up unasked, however late an alarm rings.': async () => {
    const s = await stage();
    const peer = await s.open({heartbeat_ms: 10000});
    s.clock.time += 60000;  // as for a page in the background
    s.clock.advance(0);
    assert.strictEqual(s.client.state, 'open');
    await peer.untilType('$ping');
    peer.say({type: '$pong'}, event(1));
    await s.count(1);
    s.clock.time += 60000;
    s.clock.advance(0);  // the alarm that follows the first question, which was answered
    assert.strictEqual(s.client.state, 'open');
    await peer.untilTh('$ping', 2);
    s.clock.advance(5000);
    assert.strictEqual(s.client.state, 'waiting');
    await s.end();
  },

  'What a given-up connection still says is not heard.': async () => {
    const s = await stage();
    const first = await s.open({heartbeat_ms: 10000});
    first.socket._socket.pause();  // so that it does not learn of the close
    s.clock.advance(10000);
    s.clock.advance(5000);
    assert.strictEqual(s.client.state, 'waiting');
    first.say(event(1));
    const second = await s.again();
    second.say(event(1));
    await s.count(1);
    first.say(event(2));
    second.say(event(2));
    await s.count(2);
    assert.deepStrictEqual(s.numbers(), [1, 2]);
    await s.end();
  },

  'Without a heartbeat nobody asks.': async () => {
    const s = await stage();
    await s.open({heartbeat_ms: 0});
    assert.deepStrictEqual(s.clock.due, []);
    await s.end();
  },

  'What is no event ends the connection, is told, and the events before it are kept.': async () => {
    for (const broken of ['{"type":', 'null', '7', '"x"', '[]', '{"kind":"x"}', '']) {
      const s = await stage();
      const first = await s.open();
      first.socket.send(`${JSON.stringify(event(1))}\n${broken}\n${JSON.stringify(event(2))}`);
      await s.state('waiting');
      assert.strictEqual(s.of('$error')[0].code, 'protocol');
      const second = await s.again();
      assert.strictEqual(second.received[0].received, 1);
      assert.deepStrictEqual(s.numbers(), [1]);
      await s.end();
    }
  },

  // ---- Rooms --------------------------------------------------------------------------------------------------------

  'A join is answered with the fields of its `$ok`; a refused one rejects and is not repeated.': async () => {
    const s = await stage();
    const first = await s.open();
    const joined = s.client.join('lobby');
    const asked = await first.untilType('$join');
    assert.deepStrictEqual(asked, {type: '$join', id: asked.id, room: 'lobby'});
    first.say({type: '$ok', id: asked.id, room: 'lobby', offset: 21, epoch: 'e1'});
    const {room, offset, epoch} = await joined;
    assert.deepStrictEqual([room, offset, epoch], ['lobby', 21, 'e1']);
    const refused = s.client.join('attic');
    const {id} = await first.until(e => e.room === 'attic', 'attic');
    first.say({type: '$error', id, code: 'forbidden', message: 'this room is not open to you'});
    assert.strictEqual((await rejected(refused, 'forbidden')).message, 'this room is not open to you');
    assert.deepStrictEqual(s.client.rooms, ['lobby']);
    first.drop();
    const second = await s.again({resumed: false});
    await second.caughtUp(s.client);
    assert.deepStrictEqual(second.received.map(e => [e.type, e.room]), [['$open', undefined], ['$join', 'lobby']]);
    await s.end();
  },

  'A session that is resumed is in its rooms; one that is gone joins them from where it was, before all else.':
  async () => {
    const s = await stage();
    const first = await s.open();
    for (const [room, more] of [['a', {offset: 3, epoch: 'e1'}], ['b', {}], ['c', {offset: 0, epoch: 'e1'}]]) {
      const joined = s.client.join(room);
      const {id} = await first.until(e => e.type === '$join' && e.room === room, room);
      first.say({type: '$ok', id, room, ...more});
      await joined;
    }
    first.say(...inRoom('a', 4, 6), event(0, {room: 'b'}));
    await s.count(4);
    first.drop();
    const second = await s.again();
    await second.caughtUp(s.client);
    assert.deepStrictEqual(second.types, ['$open']);
    second.say(...inRoom('a', 7, 7));
    await s.count(5);
    const waiting = s.client.emit('say', {text: 'one'});
    await second.untilType('say');
    second.drop();
    await s.state('waiting');
    s.client.send('later');
    const third = await s.again({resumed: false, session: 's_2'});
    await third.untilType('later');
    const joins = third.received.filter(e => e.type === '$join').map(({room, since, epoch}) => ({room, since, epoch}));
    assert.deepStrictEqual(joins, [{room: 'a', since: 7, epoch: 'e1'}, {room: 'b', since: undefined, epoch: undefined},
                                   {room: 'c', since: 0, epoch: 'e1'}]);
    assert.deepStrictEqual(third.types, ['$open', '$join', '$join', '$join', 'say', 'later']);
    assert.strictEqual(new Set(third.received.filter(e => e.id).map(e => e.id)).size, 4);
    third.say({type: '$ok', id: third.received[4].id});
    await waiting;
    await s.end();
  },

  'A rejoin that was not answered is repeated with its id, however often the connection is lost.': async () => {
    const s = await stage();
    const first = await s.open();
    const joined = s.client.join('a');
    first.say({type: '$ok', id: (await first.untilType('$join')).id, room: 'a', offset: 5, epoch: 'e1'});
    await joined;
    first.drop();
    const second = await s.again({resumed: false, session: 's_2'});
    const asked = await second.untilType('$join');
    second.drop();
    const third = await s.again({session: 's_2'});  // resumed: the server may have heard it or not
    assert.deepStrictEqual(await third.untilType('$join'), asked);
    third.drop();
    const fourth = await s.again({resumed: false, session: 's_3'});
    await fourth.untilType('$join');
    await fourth.caughtUp(s.client);
    assert.deepStrictEqual(fourth.types, ['$open', '$join']);
    fourth.say({type: '$ok', id: fourth.received[1].id, room: 'a', offset: 5, epoch: 'e1', recovered: true});
    await s.until(() => s.client.pending === 0, 'the answer');
    fourth.drop();
    const fifth = await s.again();
    await fifth.caughtUp(s.client);
    assert.deepStrictEqual(fifth.types, ['$open']);
    await s.end();
  },

  'An event whose offset was seen in that room is dropped, and counted all the same.': async () => {
    const s = await stage();
    const peer = await s.open({ack: {every: 7, within_ms: 500}});
    const joined = s.client.join('a');
    peer.say({type: '$ok', id: (await peer.untilType('$join')).id, room: 'a', offset: 2, epoch: 'e1'},
             ...inRoom('a', 3, 4), ...inRoom('b', 1, 1), ...inRoom('a', 1, 4));
    await joined;
    assert.strictEqual((await peer.untilType('$ack')).received, 7);
    assert.deepStrictEqual(s.seen.map(e => [e.room, e.offset]), [['a', 3], ['a', 4], ['b', 1]]);
    await s.end();
  },

  'An answer to a repeated join that overtakes events of before makes it drop none of them.': async () => {
    const s = await stage();
    const first = await s.open();
    const joined = s.client.join('a');
    await first.untilType('$join');  // and its answer, at offset 10, is lost
    first.drop();
    const second = await s.again();
    const {id} = await second.untilType('$join');
    second.say(...inRoom('a', 11, 12), {type: '$ok', id, room: 'a', offset: 14, epoch: 'e1'}, ...inRoom('a', 13, 15));
    await joined;
    await s.count(5);
    assert.deepStrictEqual(s.numbers(), upTo(15, 11));
    assert.deepStrictEqual(s.of('$gap'), []);
    await s.end();
  },

  'After a recovery the replayed events are taken and only what was seen is dropped.': async () => {
    const s = await stage();
    const first = await s.open();
    const joined = s.client.join('a');
    first.say({type: '$ok', id: (await first.untilType('$join')).id, room: 'a', offset: 10, epoch: 'e1'},
              ...inRoom('a', 11, 12));
    await joined;
    await s.count(2);
    first.drop();
    const second = await s.again({resumed: false});
    const {id, since} = await second.untilType('$join');
    assert.strictEqual(since, 12);
    second.say({type: '$ok', id, room: 'a', offset: 15, epoch: 'e1', recovered: true}, ...inRoom('a', 12, 16));
    await s.count(6);
    assert.deepStrictEqual(s.numbers(), [11, 12, 13, 14, 15, 16]);
    assert.deepStrictEqual(s.of('$gap'), []);
    await s.end();
  },

  'A recovery that is denied is told as a gap of the room, from what was seen to where it goes on.': async () => {
    const s = await stage();
    const first = await s.open();
    const joined = s.client.join('a');
    first.say({type: '$ok', id: (await first.untilType('$join')).id, room: 'a', offset: 10, epoch: 'e1'},
              ...inRoom('a', 11, 12));
    await joined;
    await s.count(2);
    first.drop();
    const second = await s.again({resumed: false});
    const {id} = await second.untilType('$join');
    second.say({type: '$ok', id, room: 'a', offset: 40, epoch: 'e1', recovered: false}, ...inRoom('a', 41, 41));
    await s.count(3);
    assert.deepStrictEqual(s.numbers(), [11, 12, 41]);
    assert.deepStrictEqual(s.of('$gap'), [{type: '$gap', room: 'a', from: 13, to: 40, reason: 'not_recovered'}]);
    await s.end();
  },

  'With a new epoch offsets begin anew, said by `$hello` or by `$ok`.': async () => {
    for (const helloTells of [true, false]) {
      const s = await stage();
      const first = await s.open();
      const joined = s.client.join('a');
      first.say({type: '$ok', id: (await first.untilType('$join')).id, room: 'a', offset: 10, epoch: 'e1'},
                ...inRoom('a', 11, 12));
      await joined;
      await s.count(2);
      first.drop();
      const second = await s.again({resumed: false, epoch: helloTells ? 'e2' : 'e1'});
      const asked = await second.untilType('$join');
      assert.deepStrictEqual([asked.since, asked.epoch], [12, 'e1']);
      if (helloTells) second.say(...inRoom('a', 1, 1));  // before the answer
      second.say({type: '$ok', id: asked.id, room: 'a', offset: 2, epoch: 'e2', recovered: false},
                 ...inRoom('a', 3, 4));
      await s.count(helloTells ? 5 : 4);
      assert.deepStrictEqual(s.numbers().filter(n => n !== 1), [11, 12, 3, 4]);
      assert.deepStrictEqual(s.of('$gap').map(({room, to}) => [room, to]), [['a', 2]]);
      second.drop();
      const third = await s.again({resumed: false, epoch: 'e2'});
      const again = await third.untilType('$join');
      assert.deepStrictEqual([again.since, again.epoch], [4, 'e2']);
      await s.end();
    }
    const s = await stage();  // resumed, but with a log that begins anew
    const first = await s.open();
    const joined = s.client.join('a');
    first.say({type: '$ok', id: (await first.untilType('$join')).id, room: 'a', offset: 10, epoch: 'e1'});
    await joined;
    first.drop();
    const second = await s.again({epoch: 'e2'});
    second.say(...inRoom('a', 1, 2));
    await s.count(2);
    assert.deepStrictEqual(s.numbers(), [1, 2]);
    await s.end();
  },

  'A join from an earlier position asks from there, and takes what is replayed.': async () => {
    const s = await stage();
    const joined = s.client.join('a', {since: 3, epoch: 'e1'});
    const peer = await s.open();
    const asked = await peer.untilType('$join');
    assert.deepStrictEqual([asked.since, asked.epoch], [3, 'e1']);
    peer.say({type: '$ok', id: asked.id, room: 'a', offset: 5, epoch: 'e1', recovered: true}, ...inRoom('a', 3, 6));
    assert.strictEqual((await joined).recovered, true);
    await s.count(3);
    assert.deepStrictEqual(s.numbers(), [4, 5, 6]);
    await s.end();
  },

  'A room that was left is not joined again, whether the server heard of it or not.': async () => {
    const s = await stage();
    const first = await s.open();
    for (const room of ['a', 'b']) {
      const joined = s.client.join(room);
      first.say({type: '$ok', id: (await first.until(e => e.room === room, room)).id, room});
      await joined;
    }
    const left = s.client.leave('a');
    const {id} = await first.untilType('$leave');
    first.say({type: '$ok', id, room: 'a'});
    assert.strictEqual((await left).room, 'a');
    first.drop();
    await s.state('waiting');
    const away = s.client.leave('b');
    const second = await s.again({resumed: false});
    const asked = await second.untilType('$leave');
    assert.deepStrictEqual(second.types, ['$open', '$leave']);
    second.say({type: '$error', id: asked.id, code: 'not_joined', message: 'not a member of this room'});
    await away;
    assert.deepStrictEqual(s.client.rooms, []);
    await s.end();
  },

  'Joins and leaves keep their order among what is sent, without a connection too.': async () => {
    const s = await stage();
    const first = await s.open();
    const joined = s.client.join('a');
    first.say({type: '$ok', id: (await first.untilType('$join')).id, room: 'a'});
    await joined;
    first.drop();
    await s.state('waiting');
    const all = [s.client.leave('a'), s.client.emit('one'), s.client.join('a'), s.client.emit('two', {}, {room: 'a'})];
    const second = await s.again({resumed: false});
    await second.untilType('two');
    assert.deepStrictEqual(second.types, ['$open', '$leave', 'one', '$join', 'two']);
    for (const {id, type} of second.received.slice(1))
      second.say(type === '$leave' ? {type: '$error', id, code: 'not_joined', message: ''} : {type: '$ok', id});
    await within(Promise.all(all), 'answers');
    assert.deepStrictEqual(s.client.rooms, ['a']);
    await s.end();
  },

  // ---- What the application sends -----------------------------------------------------------------------------------

  'What is sent before there is a connection waits, and goes out in order after `$hello`.': async () => {
    const s = await stage();
    s.client.send('one', {n: 1}, {room: 'lobby', service: 'chat'});
    const two = s.client.emit('two', {n: 2});
    s.client.send('three');
    const peer = await s.server.connection();
    await peer.untilType('$open');
    assert.strictEqual(s.client.pending, 3);
    await peer.welcome();
    await peer.untilType('three');
    assert.deepStrictEqual(peer.received.slice(1), [
      {type: 'one', room: 'lobby', service: 'chat', data: {n: 1}}, {type: 'two', id: peer.received[2].id, data: {n: 2}},
      {type: 'three'}]);
    peer.say({type: '$ok', id: peer.received[2].id});
    assert.strictEqual((await two).type, '$ok');
    assert.strictEqual(s.client.pending, 0);
    await s.end();
  },

  'What changes after it was emitted is sent as it was.': async () => {
    const s = await stage();
    const data = {n: 1};
    s.client.send('one', data);
    s.client.emit('two', data).catch(() => {});
    data.n = 2;
    const peer = await s.open();
    await peer.untilType('two');
    assert.deepStrictEqual(peer.received.slice(1).map(e => e.data.n), [1, 1]);
    const circle = {};
    circle.circle = circle;
    await s.client.emit('three', circle).then(() => assert.fail(), error => assert(error instanceof TypeError));
    assert.strictEqual(s.client.pending, 1);
    await s.end();
  },

  'What is emitted is sent again with its id, in order, on each connection, until it is answered.': async () => {
    const s = await stage();
    const settled = [];
    const emit = n => s.client.emit('say', {n}).then(() => settled.push(n), error => settled.push([n, error.code]));
    const first = await s.open();
    emit(1); emit(2); emit(3);
    s.client.send('plain');
    await first.untilType('plain');
    const ids = first.received.filter(e => e.type === 'say').map(e => e.id);
    first.say({type: '$ok', id: ids[1]});
    await s.until(() => s.client.pending === 2, 'the answer');
    first.drop();
    await s.state('waiting');
    emit(4);
    const second = await s.again();
    await second.until(e => e.data?.n === 4, 'the last');
    assert.deepStrictEqual(second.received.slice(1).map(e => e.data.n), [1, 3, 4]);
    assert.deepStrictEqual(second.received.slice(1, 3).map(e => e.id), [ids[0], ids[2]]);
    second.drop();
    const third = await s.again({resumed: false, session: 's_2'});
    await third.until(e => e.data?.n === 4, 'the last');
    assert.deepStrictEqual(third.received.slice(1).map(e => [e.data.n, e.id]),
                           second.received.slice(1).map(e => [e.data.n, e.id]));
    const [one, three, four] = third.received.slice(1).map(e => e.id);
    third.say({type: '$ok', id: one}, {type: '$ok', id: one},
              {type: '$error', id: three, code: 'rate_limited', message: '60 a minute', retry_after_ms: 1200},
              {type: '$ok', id: four});
    await s.until(() => s.client.pending === 0, 'answers');
    third.drop();
    const fourth = await s.again();
    await fourth.caughtUp(s.client);
    assert.deepStrictEqual(fourth.types, ['$open']);
    assert.deepStrictEqual(settled, [2, 1, [3, 'rate_limited'], 4]);
    await s.end();
  },

  'A refusal rejects with the code, the message and the time to wait.': async () => {
    const s = await stage();
    const peer = await s.open();
    const asked = s.client.emit('say');
    const {id} = await peer.untilType('say');
    peer.say({type: '$error', id, code: 'rate_limited', message: '60 messages a minute', retry_after_ms: 1200});
    const error = await rejected(asked, 'rate_limited');
    assert.deepStrictEqual([error.message, error.retryAfterMs, error.name],
                           ['60 messages a minute', 1200, 'PolycastError']);
    peer.say({type: '$error', code: 'unknown_type', message: 'no event of this type'});
    await s.until(() => s.of('$error').length, 'an error');
    assert.strictEqual(s.of('$error')[0].code, 'unknown_type');
    assert.deepStrictEqual(s.client.state, 'open');
    await s.end();
  },

  'A full queue refuses at once, and keeps what it has.': async () => {
    const s = await stage({queueLimit: 3});
    const kept = [s.client.emit('say', {n: 1}), s.client.emit('say', {n: 2})];
    s.client.send('say', {n: 3});
    await rejected(s.client.emit('say', {n: 4}), 'queue_full');
    await rejected(s.client.request('say', {n: 4}), 'queue_full');
    await rejected(s.client.join('lobby'), 'queue_full');
    await rejected(s.client.leave('lobby'), 'queue_full');
    assert.throws(() => s.client.send('say', {n: 4}), {code: 'queue_full', name: 'PolycastError'});
    assert.deepStrictEqual([s.client.pending, s.client.rooms], [3, []]);
    const peer = await s.open();
    await peer.until(e => e.data?.n === 3, 'the last');
    assert.deepStrictEqual(peer.received.slice(1).map(e => e.data.n), [1, 2, 3]);
    s.client.send('say', {n: 5});  // there is room again
    for (const {id} of peer.received.slice(1, 3)) peer.say({type: '$ok', id});
    await within(Promise.all(kept), 'answers');
    await s.end();
    const many = await stage();
    for (let i = 0; i < 1000; ++i) many.client.send('say', {n: i});
    assert.throws(() => many.client.send('say'), {code: 'queue_full'});
    const all = await many.open();
    await all.until(e => e.data?.n === 999, 'the last');
    assert.deepStrictEqual(all.received.slice(1).map(e => e.data.n), upTo(999, 0));
    await many.end();
  },

  'No more requests are on the way than the server knows again.': async () => {
    const s = await stage({requestWindow: 4});
    const answers = upTo(10).map(n => s.client.emit('say', {n}));
    const peer = await s.open();
    const said = () => peer.received.filter(e => e.type === 'say').map(e => e.data.n);
    await peer.until(e => e.data?.n === 4, 'the fourth');
    peer.say({type: '$ok', id: peer.received.find(e => e.data?.n === 3).id});
    await within(answers[2], 'the answer');
    peer.say({type: '$ping'}, {type: '$ok', id: peer.received.find(e => e.data?.n === 1).id});
    await peer.until(e => e.data?.n === 5, 'the fifth');  // the second is not answered: 2 3 4 5
    peer.say({type: '$ok', id: peer.received.find(e => e.data?.n === 4).id});
    await within(answers[3], 'the answer');
    assert.deepStrictEqual(said(), upTo(5));
    peer.drop();
    const second = await s.again();
    await second.until(e => e.data?.n === 5, 'the fifth');
    second.on('more', () => {
      for (; done < second.received.length; ++done)
        if (second.received[done].id) second.say({type: '$ok', id: second.received[done].id});
    });
    let done = 0;
    second.emit('more');
    await within(Promise.all(answers), 'answers');
    assert.deepStrictEqual(second.received.filter(e => e.id).map(e => e.data.n), [2, ...upTo(10, 5)]);
    await s.end();

    const forgotten = await stage({requestWindow: 4});
    for (const n of upTo(9)) forgotten.client.emit('say', {n}).catch(() => {});
    const third = await forgotten.open();
    await third.until(e => e.data?.n === 4, 'the fourth');
    third.drop();
    const fourth = await forgotten.again({resumed: false});  // has seen none of them
    await fourth.until(e => e.data?.n === 4, 'the fourth');
    const answer = n => ({type: '$ok', id: fourth.received.find(e => e.data?.n === n).id});
    fourth.say(answer(2), answer(1));
    await fourth.until(e => e.data?.n === 6, 'the sixth');
    fourth.say(answer(6), answer(5));
    await forgotten.until(() => forgotten.client.pending === 5, 'the answers');
    assert.deepStrictEqual(fourth.received.slice(1).map(e => e.data.n), upTo(6));
    await forgotten.end();
  },

  'What is larger than the server takes is refused, and does not end the connection over and over.': async () => {
    const s = await stage();
    const large = rejected(s.client.emit('say', {text: 'ä'.repeat(600)}), 'too_large');
    const small = s.client.emit('say', {text: 'ä'.repeat(400)});
    s.client.send('say', {text: 'x'.repeat(2000)});
    const peer = await s.open({max_message_bytes: 1024});
    await large;
    const {id, data} = await peer.untilType('say');
    assert.strictEqual(data.text.length, 400);
    peer.say({type: '$ok', id});
    await within(small, 'the answer');
    assert.deepStrictEqual(s.of('$error').map(({code}) => code), ['too_large']);
    await s.end();
  },

  'A request is answered with `$ok` or with the event that the server replies, which handlers get too.': async () => {
    const s = await stage();
    const peer = await s.open();
    const [cost, plain] = [s.client.request('request_cost'), s.client.request('touch')];
    const ids = [await peer.untilType('request_cost'), await peer.untilType('touch')].map(e => e.id);
    peer.say({type: 'cost_update', id: ids[0], data: {daily_cost: 7}}, {type: '$ok', id: ids[1]});
    const reply = await within(cost, 'the reply');
    assert.deepStrictEqual([reply.type, reply.data], ['cost_update', {daily_cost: 7}]);
    assert.strictEqual((await within(plain, 'the answer')).type, '$ok');
    assert.deepStrictEqual(s.seen.map(e => e.type), ['cost_update']);
    // The loss of the connection hid the answer: the repeated request is answered again, the event is there once.
    peer.say({type: 'cost_update', id: ids[0], data: {daily_cost: 7}}, event(3));
    await s.count(2);
    assert.deepStrictEqual(s.seen.map(e => e.type), ['cost_update', 'number']);
    assert.strictEqual(s.client.received, 3);
    assert.deepStrictEqual(s.clock.due.length, 2);  // heartbeat, acknowledgement
    await s.end();
  },

  'After a gap, which may have taken a reply, what is not answered is asked again.': async () => {
    const s = await stage();
    const peer = await s.open();
    const asked = s.client.emit('request_cost');
    const {id} = await peer.untilType('request_cost');
    peer.say({type: '$gap', from: 1, to: 1, reason: 'evicted'});
    assert.strictEqual((await peer.untilTh('request_cost', 2)).id, id);
    peer.say({type: 'cost_update', id, data: {}}, {type: 'cost_update', id, data: {}});
    assert.strictEqual((await within(asked, 'the reply')).type, 'cost_update');
    await peer.caughtUp(s.client);
    assert.deepStrictEqual(s.seen.map(e => e.type), ['cost_update']);
    await s.end();
  },

  'A request that is not answered in time rejects, is not repeated, and its late answer disturbs nobody.': async () => {
    const s = await stage();
    const first = await s.open({heartbeat_ms: 0});
    const short = s.client.request('slow', {}, {timeout: 200});
    const long = s.client.request('slower');
    const patient = s.client.emit('emitted');
    const {id} = await first.untilType('slow');
    await first.untilType('emitted');
    s.clock.advance(200);
    assert.match((await rejected(short, 'timeout')).message, /200 ms/);
    first.drop();
    await s.state('waiting');
    const offline = s.client.request('offline', {}, {timeout: 300});
    s.clock.advance(300);
    await rejected(offline, 'timeout');
    const second = await s.again({heartbeat_ms: 0});
    await second.untilType('emitted');
    assert.deepStrictEqual(second.types, ['$open', 'slower', 'emitted']);
    second.say({type: '$ok', id}, {type: '$error', id, code: 'internal', message: ''});
    s.clock.advance(30000);
    await rejected(long, 'timeout');
    s.clock.advance(1e9);
    assert.strictEqual(s.client.pending, 1);
    second.say({type: '$ok', id: second.received[2].id});
    await within(patient, 'the answer');
    assert.deepStrictEqual(s.of('$error'), []);
    await s.end();
  },

  // ---- Handlers -----------------------------------------------------------------------------------------------------

  'Handlers get the fields and the envelope, by type or all, until they are taken off.': async () => {
    const s = await stage();
    const peer = await s.open();
    const got = [];
    const one = (data, envelope) => got.push(['one', data, envelope.room]);
    s.client.on('number', one);
    const off = s.client.on('number', () => { got.push(['two']); off(); });
    peer.say(event(1, {room: 'a'}), {type: 'number'}, {type: 'other', data: {}});
    await s.count(3);
    s.client.off('number', one);
    s.client.off('nothing', one);
    peer.say(event(2));
    await s.count(4);
    assert.deepStrictEqual(got, [['one', {n: 1}, 'a'], ['two'], ['one', {}, undefined]]);
    await s.end();
  },

  'A handler that throws is told of, and breaks nothing: not the others, not the count, not the connection.':
  async () => {
    const s = await stage();
    const peer = await s.open({ack: {every: 3, within_ms: 500}});
    const after = [];
    s.client.on('number', () => { throw new Error('of a handler'); });
    s.client.on('number', async () => { throw new Error('of an asynchronous one'); });
    s.client.on('number', ({n}) => after.push(n));
    peer.say(...events(1, 3));
    assert.strictEqual((await peer.untilType('$ack')).received, 3);
    await s.until(() => s.of('$error').length === 6, 'errors');
    assert.deepStrictEqual(after, [1, 2, 3]);
    assert.deepStrictEqual(s.numbers(), [1, 2, 3]);
    assert.strictEqual(s.client.state, 'open');
    await s.end();
  },

  'Errors that nobody listens for go to the console.': async () => {
    const server = await Server.start();
    const said = [];
    const {error} = console;
    console.error = what => said.push(what);
    try {
      const client = new Client(server.url, {WebSocket});
      const peer = await server.connection();
      await peer.welcome();
      const failing = client.on('number', () => { throw new Error('first'); });
      peer.say(event(1));
      client.emit('x').catch(() => {});
      await peer.untilType('x');  // it was open, so the event is read next or was read already
      peer.say({type: '$ok', id: 1});
      while (said.length < 1) await new Promise(done => setImmediate(done));
      failing();
      client.on('$error', () => { throw new Error('second'); });
      peer.say({type: '$error', code: 'internal', message: ''});
      while (said.length < 2) await new Promise(done => setImmediate(done));
      assert.deepStrictEqual(said.map(e => e.message), ['first', 'second']);
      client.close();
    } finally {
      console.error = error;
    }
    await server.end();
  },

  'Without a WebSocket it says so.': async () => {
    assert.throws(() => new Client('ws://localhost/', {WebSocket: undefined}), /WebSocket/);
  },
});
