// Node's `ws` in conversation with the hub, echo and chat: npm_ws.js [BUILD FOLDER]
// The files that are asked about are made up here, at random: no answer can be one that was written beforehand.
'use strict';
const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const WebSocket = require('ws');
const { Peer, run, start, within } = require('./support/peers.js');

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'hub-'));
process.on('exit', () => fs.rmSync(root, {recursive: true, force: true}));
const word = () => [...randomBytes(12)].map(b => String.fromCharCode(97 + b % 26)).join('');

let files = 0, lines = 0;
for (let left = 5 + Math.floor(Math.random() * 10); left > 0; --left) {
  const count = 3 + Math.floor(Math.random() * 100);
  fs.writeFileSync(path.join(root, `${word()}.js`), Array.from({length: count}, () => `// ${word()}\n`).join(''));
  ++files;
  lines += count;
}

async function open(url, protocols, options) {
  const socket = new WebSocket(url, protocols, options);
  await within(once(socket, 'open'), `open ${url}`);
  return socket;
}
const message = async socket => (await within(once(socket, 'message'), 'a message'));
async function close(...sockets) {
  for (const socket of sockets) {
    const closed = once(socket, 'close');
    socket.close();
    await within(closed, 'close');
  }
}

async function main() {
  const hub = await start('examples/hub/hub', {args: ['--root', root]});
  const echo = await start('examples/echo');
  const chat = await start('examples/chat');
  // Listening from the first byte on: what comes with the handshake is not missed.
  const connect = async (user, protocols) => {
    const socket = new WebSocket(`ws://127.0.0.1:${hub.port}/?user=${user}`, protocols);
    const peer = new Peer(socket);
    await within(once(socket, 'open'), 'open');
    return peer;
  };

  await run({
    'A question is answered by the five events, from the files that are really there.': async () => {
      const ada = await connect('ada');
      const events = await ada.ask('How many files and lines are here?');
      const kinds = [...new Set(events.map(e => e.type))];
      assert.deepStrictEqual(
        kinds, ['agent_started', 'agent_thinking', 'tool_executing', 'tool_completed', 'agent_completed']);
      const answer = events.at(-1).data.final_response;
      assert(answer.includes(`${files} files, ${lines.toLocaleString('en-US')} lines`), answer);
      await close(ada.socket);
    },

    'Of several users at once, each receives its own runs and nothing else.': async () => {
      const peers = await Promise.all(['ada', 'ada', 'bob', 'cy', ''].map(user => connect(user)));
      const words = peers.map(() => word());
      await Promise.all(peers.map(p => p.untilType('welcome')));
      const asked = await Promise.all(peers.map((p, i) => p.ask(`Where is "${words[i]}"?`)));
      for (const p of peers) { p.send('$ping'); await p.untilType('$pong'); }
      peers.forEach((p, i) => {
        const own = i < 2 ? [0, 1] : [i];
        const text = JSON.stringify(p.received);
        words.forEach((w, j) => assert.strictEqual(text.includes(w), own.includes(j), `peer ${i}, question ${j}`));
        const ids = new Set(p.received.filter(e => e.data && e.data.run_id).map(e => e.data.run_id));
        const ownIds = new Set(own.map(j => asked[j][0].data.run_id));
        assert.deepStrictEqual([...ids].sort(), [...ownIds].sort());
      });
      await close(...peers.map(p => p.socket));
    },

    'Errors have a code and a field path, carry the request\'s id, and leave the connection open.': async () => {
      const ada = await connect('ada');
      ada.send('question', {text: true}, {id: 'q1'});
      const error = await ada.untilType('$error');
      assert.strictEqual(error.code, 'bad_field');
      assert.strictEqual(error.id, 'q1');
      assert(error.message.includes('data.text'), error.message);
      ada.send('question', {text: 'How many files?'}, {id: 'q2'});
      assert.strictEqual((await ada.untilType('$ok')).id, 'q2');
      await ada.untilType('agent_completed');
      await close(ada.socket);
    },

    'A fourth connection of one user is closed with 1013 and a reason that names the limit.': async () => {
      const three = await Promise.all([1, 2, 3].map(() => connect('dee')));
      await Promise.all(three.map(p => p.untilType('welcome')));
      const {code, reason} = await within((await connect('dee')).closed, 'close');
      assert.strictEqual(code, 1013);
      assert.match(reason, /limit of 3 connections/);
      await close(...three.map(p => p.socket));
    },

    'The hub agrees on the token it prefers among those offered, and on none without one in common.': async () => {
      const agreed = 'polycast.v1.json';
      for (const offered of [[agreed], ['other.v1', agreed]]) {
        const peer = await connect('eli', offered);
        assert.strictEqual(peer.socket.protocol, agreed);
        peer.send('$open');
        assert.strictEqual((await peer.untilType('$hello')).version, 1);
        await close(peer.socket);
      }
      // A client library may refuse an answer without a token, as RFC 6455 lets it; the server must not invent one.
      const socket = new WebSocket(`ws://127.0.0.1:${hub.port}/`, ['other.v1']);
      const [response] = await within(Promise.race([once(socket, 'upgrade'), once(socket, 'error')]), 'an answer');
      assert.strictEqual(response.headers && response.headers['sec-websocket-protocol'], undefined);
      socket.on('error', () => {});
      socket.terminate();
    },

    'Echo returns text and binary of every length, whole or in fragments.': async () => {
      const socket = await open(`ws://127.0.0.1:${echo.port}/`);
      for (const length of [0, 1, 125, 126, 65535, 65536, 300000]) {
        const bytes = randomBytes(length);
        socket.send(bytes);
        const [got, binary] = await message(socket);
        assert(binary && got.equals(bytes), `binary of ${length}`);
        socket.send(bytes.toString('base64'));
        const [text, isBinary] = await message(socket);
        assert(!isBinary && String(text) === bytes.toString('base64'), `text of ${length}`);
        socket.send(bytes.subarray(0, length / 2), {binary: true, fin: false});
        socket.send(bytes.subarray(length / 2), {binary: true, fin: true});
        assert((await message(socket))[0].equals(bytes), `fragments of ${length}`);
      }
      await close(socket);
    },

    'Echo answers pings with their bytes and closes with the code it is given.': async () => {
      const socket = await open(`ws://127.0.0.1:${echo.port}/`);
      const bytes = randomBytes(125);
      socket.ping(bytes);
      assert((await within(once(socket, 'pong'), 'pong'))[0].equals(bytes));
      socket.close(4321, 'that is all');
      assert.strictEqual((await within(once(socket, 'close'), 'close'))[0], 4321);
    },

    'What is said in a chat room reaches its members, under the name that the server knows.': async () => {
      const peers = await Promise.all(['ada', 'bob', 'eve'].map(async user => {
        const peer = new Peer(new WebSocket(`ws://127.0.0.1:${chat.port}/?user=${user}`));
        await within(once(peer.socket, 'open'), 'open');
        return peer;
      }));
      for (const [i, room] of ['lobby', 'lobby', 'attic'].entries()) {
        peers[i].send('$join', undefined, {id: 1, room});
        await peers[i].untilType('$ok');
      }
      const text = word();
      peers[0].send('say', {text, who: 'mallory'}, {room: 'lobby'});
      for (const p of peers.slice(0, 2)) assert.deepStrictEqual((await p.untilType('said')).data, {who: 'ada', text});
      peers[2].send('$ping');
      await peers[2].untilType('$pong');
      assert(!JSON.stringify(peers[2].received).includes(text), 'another room heard it');
      await close(...peers.map(p => p.socket));
    },

    'On SIGINT or SIGTERM each program closes its clients with 1001 and ends with status 0.': async () => {
      for (const [program, signal] of [[hub, 'SIGINT'], [echo, 'SIGTERM'], [chat, 'SIGINT']]) {
        const peer = new Peer(new WebSocket(`ws://127.0.0.1:${program.port}/?user=ada`));
        await within(once(peer.socket, 'open'), 'open');
        assert.strictEqual(await program.stop(signal), 0);
        assert.strictEqual((await within(peer.closed, 'close')).code, 1001);
      }
    },
  });
}

main().catch(error => { console.log(`not ok - ${error.stack}`); process.exit(1); });
