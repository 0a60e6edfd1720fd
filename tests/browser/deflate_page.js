// A page in headless Chromium that talks to the echo example with permessage-deflate: deflate_page.js [BUILD FOLDER]
// Chromium offers it by itself. What was agreed upon is read from the answer that its debugging protocol shows.
'use strict';
const assert = require('node:assert');
const net = require('node:net');
const { chromium } = require('playwright-core');
const { DEADLINE, certificates, run, start, within } = require('../foreign/support/peers.js');

/// Passes bytes on to a port and counts them.
async function meter(port) {
  const counts = {up: 0, down: 0};
  const server = net.createServer(near => {
    const far = net.connect(port, '127.0.0.1');
    near.on('data', bytes => counts.up += bytes.length).on('error', () => far.destroy());
    far.on('data', bytes => counts.down += bytes.length).on('error', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  return {counts, port: server.address().port, end: () => server.close()};
}

async function main() {
  const made = certificates();
  const kinds = [['shared', []], ['shared', made.tls], ['dedicated', []], ['dedicated', made.tls]];
  const echoes = await Promise.all(kinds.map(async ([kind, args]) => {
    const how = kind === 'shared' ? '--deflate' : '--deflate-dedicated';
    const echo = await start('examples/echo', {args: [how, ...args]});
    const between = await meter(echo.port);
    return {kind, ...echo, ...between, url: echo.url.replace(echo.port, between.port)};
  }));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
           '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const context = await browser.newContext({ignoreHTTPSErrors: true});
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  const debug = await context.newCDPSession(page);
  await debug.send('Network.enable');
  /// Runs `body(socket, echoed, prose, noise)` in the page, with a WebSocket that is open. `echoed(message)` sends it
  /// and checks that it comes back.
  async function talk(echo, body) {
    const answered = new Promise(done => debug.once('Network.webSocketHandshakeResponseReceived', done));
    const result = await within(page.evaluate(async ([url, text]) => {
      const socket = new WebSocket(url);
      socket.binaryType = 'arraybuffer';
      await new Promise((done, fail) => {
        socket.onopen = done;
        socket.onerror = () => fail(new Error('no connection'));
      });
      const same = (a, b) => typeof a === 'string' ? a === b
        : b instanceof ArrayBuffer && a.length === b.byteLength && new Uint8Array(b).every((byte, i) => byte === a[i]);
      const waiting = [];
      socket.onmessage = ({data}) => waiting.shift()(data);
      const echoed = async message => {
        socket.send(message);
        const back = await new Promise(done => waiting.push(done));
        if (!same(message, back)) throw new Error(`${message.length} came back as ${back.length ?? back.byteLength}`);
      };
      const prose = length => 'an agent thinks about œuvre and 漢字; '.repeat(length / 30 + 1).slice(0, length);
      const noise = length => {
        const bytes = new Uint8Array(length);
        for (let i = 0; i < length; i += 65536) crypto.getRandomValues(bytes.subarray(i, i + 65536));
        return bytes;
      };
      const found = await (new Function('return ' + text)())(socket, echoed, prose, noise);
      const closed = new Promise(done => socket.onclose = ({code, reason, wasClean}) => done({code, wasClean}));
      const extensions = socket.extensions;
      socket.close(4321, 'that is all');
      return {found, extensions, ...await closed};
    }, [echo.url, String(body)]), `talk with ${echo.url}`, 3 * DEADLINE);
    const {response} = await within(answered, 'the answer to the upgrade');
    const name = Object.keys(response.headers).find(key => key.toLowerCase() === 'sec-websocket-extensions');
    return {...result, status: response.status, agreed: response.headers[name]};
  }

  await run({
    'Chromium agrees on permessage-deflate, and text and binary of every length come back.': async () => {
      for (const echo of echoes) {
        const {status, agreed, extensions, code, wasClean} = await talk(echo, async (socket, echoed, prose, noise) => {
          for (const length of [0, 1, 125, 126, 127, 128, 129, 65535, 65536, 65537, 1 << 20]) {
            await echoed(prose(length));
            await echoed(noise(length));
            await echoed(new Uint8Array(length));
          }
        });
        assert.deepStrictEqual([status, code, wasClean], [101, 4321, true]);
        for (const said of [agreed, extensions]) assert(said?.startsWith('permessage-deflate'), said);
        assert.strictEqual(agreed.includes('server_no_context_takeover'), echo.kind === 'shared', agreed);
      }
    },

    'What repeats itself is a small part of its length on the wire, in both directions.': async () => {
      for (const echo of echoes) {
        const before = {...echo.counts};
        await talk(echo, async (socket, echoed, prose) => { await echoed(prose(4_000_000)); });
        for (const way of ['up', 'down']) {
          const bytes = echo.counts[way] - before[way];
          assert(bytes > 500 && bytes < 400_000, `${echo.kind} ${echo.url} ${way}: ${bytes} bytes`);
        }
      }
    },

    'A text that was just said takes few bytes where contexts are kept.': async () => {
      for (const echo of echoes) {
        const before = {...echo.counts};
        await talk(echo, async (socket, echoed, prose, noise) => {
          const text = Array.from(noise(5000), byte => byte.toString(16)).join('');
          for (let i = 0; i < 100; ++i) await echoed(text);
        });
        for (const way of ['up', 'down']) {
          const bytes = echo.counts[way] - before[way];
          const right = echo.kind === 'shared' ? bytes > 400_000 : bytes < 100_000;
          assert(right, `${echo.kind} ${echo.url} ${way}: ${bytes} bytes`);
        }
      }
    },

    'A thousand messages sent without waiting come back in their order.': async () => {
      for (const echo of echoes) {
        await talk(echo, async (socket, echoed, prose) => {
          const all = [];
          for (let i = 0; i < 1000; ++i) all.push(echoed(`${i}: ${prose(i)}`));
          await Promise.all(all);
        });
      }
    },

    'When the server ends the page is told 1001, and the server ends with status 0.': async () => {
      for (const echo of echoes) {
        const told = page.evaluate(url => new Promise(done => {
          const socket = new WebSocket(url);
          socket.onopen = () => socket.send('hello');
          socket.onmessage = () => console.log('echoed');
          socket.onclose = ({code, wasClean}) => done([code, wasClean]);
        }), echo.url);
        await page.waitForEvent('console', message => message.text() === 'echoed');
        assert.strictEqual(await echo.stop(), 0);
        assert.deepStrictEqual(await within(told, 'the close'), [1001, true]);
        echo.end();
      }
      await browser.close();
    },
  });
}

main().catch(error => { console.log(`not ok - ${error.stack}`); process.exit(1); });
