// Node's `ws` with permessage-deflate and TLS, in conversation with the echo example: deflate_ws.js [BUILD FOLDER]
'use strict';
const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const { once } = require('node:events');
const net = require('node:net');
const tls = require('node:tls');
const WebSocket = require('ws');
const { certificates, prose, run, start, within } = require('./support/peers.js');

const made = certificates();
const ca = made.read('ca.pem');

/// A connection that keeps its messages. `agreed` is the server's answer to the offer, `wire()` the bytes that came.
class Connection {
  static async open(echo, perMessageDeflate, options = {}) {
    const own = new Connection;
    own.socket = new WebSocket(echo.url, {
      perMessageDeflate, ca, ...options,
      createConnection: to =>
        own.raw = echo.url.startsWith('wss') ? tls.connect({...to, servername: ''}) : net.connect(to),
    });
    own.messages = [];
    own.socket.on('message', (data, binary) => {
      own.messages.push(binary ? data : String(data));
      own.socket.emit('more');
    });
    own.socket.on('error', () => {});  // whoever waits for something is told
    own.socket.once('upgrade', response => own.agreed = response.headers['sec-websocket-extensions']);
    own.closed = new Promise(done => own.socket.on('close', (code, reason) => done({code, reason: String(reason)})));
    await within(once(own.socket, 'open'), `open ${echo.url}`);
    return own;
  }
  wire() { return this.raw.bytesRead; }
  async until(count) {
    while (this.messages.length < count) await within(once(this.socket, 'more'), `message ${count}`);
  }
  /// Sends it, in so many fragments, and gets the same; how many bytes came.
  async comesBack(message, {fragments = 1, compress = true} = {}) {
    const before = this.wire(), count = this.messages.length;
    const size = Math.ceil(message.length / fragments);
    for (let i = 0; i < fragments; ++i) {
      const part = typeof message === 'string' ? message.slice(i * size, (i + 1) * size)
                                               : message.subarray(i * size, (i + 1) * size);
      this.socket.send(part, {fin: i === fragments - 1, compress});
    }
    await this.until(count + 1);
    const got = this.messages.at(-1);
    assert(typeof message === 'string' ? got === message : Buffer.isBuffer(got) && got.equals(message),
           `${message.length} of ${typeof message} came back as ${got.length}`);
    return this.wire() - before;
  }
  close(code, reason) {
    this.socket.close(code, reason);
    return within(this.closed, 'close');
  }
}

/// What fails within is told with these circumstances.
async function told(circumstances, check) {
  try {
    return await check();
  } catch (error) {
    error.stack += `\n    ${circumstances}`;
    throw error;
  }
}

async function main() {
  const kinds = [['shared', []], ['shared', made.tls], ['dedicated', []], ['dedicated', made.tls]];
  const echoes = await Promise.all(kinds.map(async ([kind, args]) => ({
    kind, ...await start('examples/echo', {args: [kind === 'shared' ? '--deflate' : '--deflate-dedicated', ...args]}),
  })));
  const on = (kind, secure) => echoes.find(e => e.kind === kind && e.url.startsWith('wss') === secure);

  await run({
    'Whatever of windows and contexts is offered, messages come back compressed.': async () => {
      for (const echo of echoes.filter(e => e.url.startsWith('ws:')))
        for (const serverMaxWindowBits of [undefined, 9, 12, 15])
          for (const clientMaxWindowBits of [undefined, false, 9, 12, 15])
            for (const serverNoContextTakeover of [false, true])
              for (const clientNoContextTakeover of [undefined, true]) {
                const offer = {serverMaxWindowBits, clientMaxWindowBits, serverNoContextTakeover,
                               clientNoContextTakeover, threshold: 0};
                await told(`${echo.kind} ${JSON.stringify(offer)}`, async () => {
                  const c = await Connection.open(echo, offer);
                  assert(c.agreed?.startsWith('permessage-deflate'), c.agreed);
                  for (const length of [200, 3000, 70000]) {
                    const bytes = await c.comesBack(prose(length));
                    assert(bytes < length * (length === 200 ? 1 : 0.7), `${bytes} bytes for ${length}`);
                  }
                  await c.comesBack(randomBytes(500));
                  await c.close();
                });
              }
    },

    'A text just said takes few bytes where contexts are kept, and as many as before where they are not.': async () => {
      for (const echo of echoes)
        for (const serverNoContextTakeover of [false, true]) {
          const c = await Connection.open(echo, {serverNoContextTakeover});
          const text = randomBytes(4000).toString('hex');
          const first = await c.comesBack(text), again = await c.comesBack(text);
          const forgets = echo.kind === 'shared' || serverNoContextTakeover;
          assert(forgets ? Math.abs(again - first) < 200 : again < first / 4, `${first}, ${again}`);
          await c.close();
        }
    },

    'Text and binary of every length from none to 16 MiB come back as they were.': async () => {
      for (const echo of echoes) {
        const c = await Connection.open(echo, {threshold: 100});
        const longest = echo === on('shared', true) || echo === on('dedicated', false) ? 1 << 24 : 1 << 21;
        for (const length of [0, 1, 125, 126, 127, 128, 129, 65535, 65536, 65537, 1 << 20, longest]) {
          const bytes = await c.comesBack(prose(length));
          assert(length < 65535 || bytes < length / 2, `${bytes} bytes for ${length}`);
          await c.comesBack(randomBytes(length));
        }
        await c.comesBack('𝄞 smile 😀 \x00 ﷺ'.repeat(1000));
        await c.comesBack(Buffer.alloc(10_000_000));
        await c.close();
      }
    },

    'Fragments are joined, and a client may compress one message and not the next.': async () => {
      for (const echo of echoes) {
        const c = await Connection.open(echo, {threshold: 0});
        for (let i = 0; i < 40; ++i) {
          await c.comesBack(prose(Math.floor(Math.random() * 20000)), {fragments: 1 + i % 7, compress: i % 3 !== 0});
          await c.comesBack(randomBytes(i), {fragments: 1 + i % 5, compress: i % 2 === 0});
        }
        await c.close();
      }
    },

    'A thousand messages sent without waiting come back in their order, with pings answered between them.': async () => {
      for (const echo of echoes) {
        const c = await Connection.open(echo, true);
        const pongs = [], sent = [];
        c.socket.on('pong', data => pongs.push(String(data)));
        for (let i = 0; i < 1000; ++i) {
          sent.push(`${i}:${prose(Math.floor(Math.random() * 3000))}`);
          c.socket.send(sent.at(-1));
          if (i % 100 === 0) c.socket.ping(`ping ${i}`);
        }
        await c.until(1000);
        assert.deepStrictEqual(c.messages, sent);
        assert.deepStrictEqual(pongs, Array.from({length: 10}, (_, i) => `ping ${100 * i}`));
        await c.close();
      }
    },

    'The code of a close comes back, on a connection that has carried compressed messages.': async () => {
      for (const echo of echoes)
        for (const code of [1000, 1001, 3000, 4999]) {
          const c = await Connection.open(echo, true);
          await c.comesBack(prose(2000));
          assert.strictEqual((await c.close(code, 'bye')).code, code);
        }
    },

    'What is published reaches every subscriber, whatever each has agreed upon.': async () => {
      for (const echo of echoes.filter(e => e.kind === 'shared')) {
        const offers = [false, true, {serverMaxWindowBits: 9}, {serverMaxWindowBits: 12},
                        {serverNoContextTakeover: true}];
        const all = await Promise.all(offers.map(offer => Connection.open(echo, offer)));
        for (const c of all) {
          c.socket.send('sub');
          await c.until(1);
        }
        const said = Array.from({length: 5}, () => `pub ${prose(20000)}`);
        for (const text of said) all[0].socket.send(text);
        for (const c of all) {
          await c.until(6);
          assert.deepStrictEqual(c.messages, ['ok', ...said]);
          assert(c.agreed ? c.wire() < 70000 : c.wire() > 100000, `${c.agreed}: ${c.wire()}`);
          await c.close();
        }
      }
    },

    'A client that offers no extension is echoed plainly.': async () => {
      for (const echo of echoes) {
        const c = await Connection.open(echo, false);
        assert.strictEqual(c.agreed, undefined);
        for (const length of [0, 1000, 1 << 20]) assert(await c.comesBack(prose(length)) >= length);
        await c.close();
      }
    },

    'A certificate of another authority or for another name is found out by the client.': async () => {
      for (const echo of echoes.filter(e => e.url.startsWith('wss'))) {
        for (const [options, code] of [[{ca: made.read('stranger.pem')}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
                                       [{ca, servername: 'elsewhere.example'}, 'ERR_TLS_CERT_ALTNAME_INVALID']]) {
          const socket = new WebSocket(echo.url, options);
          const [error] = await within(once(socket, 'error'), 'refused');
          assert.strictEqual(error.code, code);
        }
        const c = await Connection.open(
          echo, true, {minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1']});
        assert.deepStrictEqual([c.raw.getProtocol(), c.raw.alpnProtocol], ['TLSv1.2', 'http/1.1']);
        await c.comesBack(prose(100000));
        await c.close();
      }
    },

    'On SIGTERM clients are closed with 1001, and the program ends with status 0.': async () => {
      for (const echo of echoes) {
        const c = await Connection.open(echo, true);
        await c.comesBack(prose(1000));
        assert.strictEqual(await echo.stop(), 0);
        assert.strictEqual((await within(c.closed, 'close')).code, 1001);
      }
    },
  });
}

main().catch(error => { console.log(`not ok - ${error.stack}`); process.exit(1); });
