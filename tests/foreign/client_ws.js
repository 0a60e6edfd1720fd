// Our client, tests/foreign/echo_client.cpp, with servers of Node's `ws`: client_ws.js [BUILD FOLDER]
'use strict';
const assert = require('node:assert');
const { execFile } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');
const { WebSocketServer } = require('ws');
const { DEADLINE, buildFolder, certificates, run, within } = require('./support/peers.js');

const made = certificates();

const echo = (socket, data, binary) => socket.send(data, {binary});

/// An echo; `answer(socket, data, binary)` may do something else. `agreed` has the extensions of each client, `closes`
/// the code with which each connection was closed.
async function serve(options = {}, {secure = false, answer = echo} = {}) {
  const keys = {cert: made.read('server.pem'), key: made.read('server.key')};
  const listener = secure ? https.createServer(keys) : http.createServer();
  const server = new WebSocketServer({server: listener, ...options});
  const agreed = [], closes = [];
  server.on('headers', headers => agreed.push(headers.find(line => line.startsWith('Sec-WebSocket-Extensions'))));
  server.on('connection', socket => {
    socket.on('message', (data, binary) => answer(socket, data, binary));
    socket.on('error', () => {});  // it is closed then, with its code
    socket.on('close', code => { closes.push(code); server.emit('ended'); });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    agreed,
    url: `${secure ? 'wss' : 'ws'}://127.0.0.1:${listener.address().port}/`,
    trust: secure ? ['--ca', made.file('ca.pem')] : [],
    /// The code with which its only connection was closed. Then nobody is served any more.
    async end() {
      if (closes.length === 0) await within(once(server, 'ended'), 'the close');
      for (const socket of server.clients) socket.terminate();
      server.close();
      listener.close();
      assert.strictEqual(closes.length, 1);
      return closes[0];
    },
  };
}

/// Runs our client; the numbers that it prints, its exit `status` and what it `complains` about.
function client(...args) {
  return new Promise(done => execFile(
    path.join(buildFolder, 'tests', 'foreign_echo_client'), args.map(String), {timeout: 2 * DEADLINE},
    (error, out, complains) => done({
      status: error ? error.code ?? error.signal : 0, complains,
      ...Object.fromEntries([...out.matchAll(/(\w+)=(\d+)/g)].map(([, name, value]) => [name, Number(value)])),
    })));
}
function succeeded(result, circumstances) {
  assert.strictEqual(result.status, 0, `${circumstances}: ${result.complains}`);
  return result;
}

async function main() {
  await run({
    'Messages of every length and both kinds come back to our client, over plain and TLS, up to 16 MiB.': async () => {
      for (const secure of [false, true]) {
        const server = await serve({}, {secure});
        const result = succeeded(await client(server.url, ...server.trust, '--longest', 1 << 24), server.url);
        assert(result.compressed === 0 && result.bytes_in > result.payload_bytes);
        assert.strictEqual(await server.end(), 1000);
      }
    },

    'Whatever windows and contexts the server wants, messages travel compressed both ways and come back.': async () => {
      for (const kind of ['shared', 'dedicated'])
        for (const serverMaxWindowBits of [undefined, 9, 15])
          for (const clientMaxWindowBits of [undefined, 9, 12])
            for (const serverNoContextTakeover of [undefined, true])
              for (const clientNoContextTakeover of [undefined, true]) {
                const wanted = {serverMaxWindowBits, clientMaxWindowBits, serverNoContextTakeover,
                                clientNoContextTakeover, threshold: 0};
                const server = await serve({perMessageDeflate: wanted});
                const result = succeeded(await client(server.url, '--deflate', kind, '--longest', 65537),
                                         `${kind} ${JSON.stringify(wanted)} -> ${server.agreed}`);
                assert(server.agreed[0].includes('permessage-deflate'), server.agreed[0]);
                if (clientMaxWindowBits)
                  assert(server.agreed[0].includes(`client_max_window_bits=${clientMaxWindowBits}`), server.agreed[0]);
                assert(result.compressed >= 150, `${result.compressed} were compressed`);
                const most = Math.max(result.bytes_in, result.bytes_out);
                assert(most < 0.8 * result.payload_bytes, JSON.stringify(result));
                assert.strictEqual(await server.end(), 1000);
              }
    },

    'Compressed messages up to 16 MiB come back through TLS.': async () => {
      for (const kind of ['shared', 'dedicated']) {
        const server = await serve({perMessageDeflate: true}, {secure: true});
        const flags = [...server.trust, '--deflate', kind, '--longest', 1 << 24];
        const result = succeeded(await client(server.url, ...flags), kind);
        assert(Math.max(result.bytes_in, result.bytes_out) < 0.5 * result.payload_bytes, JSON.stringify(result));
        assert.strictEqual(await server.end(), 1000);
      }
    },

    'Without an agreement both talk plainly.': async () => {
      for (const [perMessageDeflate, ...flags] of [[false, '--deflate', 'shared'], [false, '--deflate', 'dedicated'],
                                                   [true]]) {
        const server = await serve({perMessageDeflate});
        const result = succeeded(await client(server.url, ...flags), flags);
        assert(result.compressed === 0 && result.bytes_in > result.payload_bytes);
        assert.deepStrictEqual(server.agreed, [undefined]);
        assert.strictEqual(await server.end(), 1000);
      }
    },

    'Answers in fragments are joined, and pings between the fragments are answered with their bytes.': async () => {
      for (const secure of [false, true])
        for (const perMessageDeflate of [false, {threshold: 0}]) {
          const pings = [], pongs = [];
          const server = await serve({perMessageDeflate}, {secure, answer: (socket, data, binary) => {
            if (pings.length === 0) socket.on('pong', bytes => pongs.push(String(bytes)));
            for (const [i, fin] of [[0, false], [1, false], [2, true]]) {
              const size = Math.ceil(data.length / 2);
              socket.send(data.subarray(i * size, (i + 1) * size), {binary, fin});
              pings.push(`ping ${pings.length}`);
              socket.ping(pings.at(-1));
            }
          }});
          const flags = perMessageDeflate ? ['--deflate', 'dedicated'] : [];
          succeeded(await client(server.url, ...server.trust, ...flags), server.url);
          assert.strictEqual(await server.end(), 1000);
          // Those of the last message may come after the client's close.
          assert(pongs.length >= pings.length - 3, `${pings.length} pings, ${pongs.length} pongs`);
          assert.deepStrictEqual(pongs, pings.slice(0, pongs.length));
        }
    },

    'A close by the server is answered with its code, and our client tells the code and the reason.': async () => {
      for (const secure of [false, true])
        for (const code of [1000, 1011, 3000, 4999]) {
          const server = await serve({}, {secure, answer: socket => socket.close(code, 'that is all')});
          const {status, complains} = await client(server.url, ...server.trust);
          assert.strictEqual(status, 1);
          assert(complains.includes(`closed ${code} by the server: "that is all", with 0 messages back`), complains);
          assert.strictEqual(await server.end(), code);
        }
    },

    'A connection that just ends is told as such.': async () => {
      for (const secure of [false, true]) {
        const server = await serve({}, {secure, answer: socket => socket.terminate()});
        const {status, complains} = await client(server.url, ...server.trust);
        assert.strictEqual(status, 1);
        assert(/closed 1006: "\S.*", with 0 messages back/.test(complains), complains);
        await server.end();
      }
    },

    'A message that inflates beyond the limit is answered with 1009.': async () => {
      for (const kind of ['shared', 'dedicated']) {
        const server = await serve({perMessageDeflate: {threshold: 0}}, {
          answer: (socket, data, binary) => socket.send(Buffer.alloc(20_000_000), {binary}),
        });
        const {status, complains, bytes_in: came} =
          await client(server.url, '--deflate', kind, '--max-message', 1_000_000);
        assert(status === 1 && complains.includes('closed 1009') && came < 1_000_000, `${complains} ${came}`);
        assert.strictEqual(await server.end(), 1009);
      }
    },

    'A server that refuses the upgrade is told as such.': async () => {
      for (const [refusal, said] of [[401, 'credentials|unauthorized'], [403, 'forbid|permitted|refused'],
                                     [503, 'try again later'], [500, 'refused the upgrade']]) {
        const listener = http.createServer();
        listener.on('upgrade', (_, socket) => socket.end(`HTTP/1.1 ${refusal} No\r\nContent-Length: 0\r\n\r\n`));
        listener.listen(0, '127.0.0.1');
        await once(listener, 'listening');
        const {status, complains} = await client(`ws://127.0.0.1:${listener.address().port}/`);
        listener.close();
        assert.strictEqual(status, 1);
        assert(new RegExp(`not connected: .*(${said})`).test(complains), `${refusal}: ${complains}`);
      }
    },
  });
}

main().catch(error => { console.log(`not ok - ${error.stack}`); process.exit(1); });
