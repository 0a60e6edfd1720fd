// examples/hub/polycast.js in a page in headless Chromium: polycast_js_page.mjs [BUILD FOLDER]
// The page loads it from the server, as a module.
import assert from 'node:assert';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { cutter } from '../foreign/support/cutter.mjs';

const require = createRequire(import.meta.url);
const { chromium } = require('playwright-core');
const { DEADLINE, run, start, within } = require('../foreign/support/peers.js');

const upTo = n => Array.from({length: n}, (_, i) => i + 1);
const file = relative => fileURLToPath(new URL(relative, import.meta.url));
const client = file('../../examples/hub/polycast.js');
const server = await start('tests/foreign_polycast_js_server', {args: ['--client', client]});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

/// A page with a client that keeps what it hears, behind a wire whose connections break after `limit()` bytes from
/// when `between.breaks` is set.
async function open(limit = () => Infinity) {
  const between = await cutter(server.port, () => between?.breaks ? limit() : Infinity);
  const page = await browser.newPage();
  page.setDefaultTimeout(DEADLINE);
  page.errors = [];
  page.on('pageerror', error => page.errors.push(error.message));
  await page.goto(`http://127.0.0.1:${between.port}/`);
  await page.evaluate(async () => {
    const {Client} = await import('/polycast.js');
    const heard = window.heard = {events: [], gaps: [], hellos: [], errors: []};
    window.client = new Client(`ws://${location.host}/`, {backoff: {initial: 10, cap: 50}});
    client.on('*', (data, {type, room}) => heard.events.push({type, room, ...data}));
    client.on('$gap', gap => heard.gaps.push(gap));
    client.on('$hello', hello => heard.hellos.push(hello));
    client.on('$error', error => heard.errors.push(error.message));
  });
  return {page, between, heard: () => page.evaluate('heard'),
          end: async () => { await page.evaluate('client.close()'); await page.close(); between.end(); }};
}
const numbers = ({events}, type) => events.filter(e => e.type === type).map(e => e.n);

await run({
  'Cut by the server again and again, the page has every event once and in order, and each request is done once.':
  async () => {
    const s = await open();
    const answers = await within(s.page.evaluate(() => Promise.all(
      Array.from({length: 120}, (_, i) => client.emit('more', {count: 20, cut: i % 4 === 3 ? 4000 + i % 3 : 0})))),
      'answers');
    assert(answers.every(({type}) => type === '$ok'));
    await s.page.waitForFunction(() => heard.events.length >= 2400);
    assert.strictEqual((await s.page.evaluate(() => client.request('add', {a: 19, b: 23}))).data.value, 42);
    const heard = await s.heard();
    assert.deepStrictEqual(numbers(heard, 'number'), upTo(2400));
    assert.deepStrictEqual([heard.gaps, heard.errors, s.page.errors], [[], [], []]);
    const [first, ...others] = heard.hellos;
    assert(others.length >= 5 && others.every(({resumed, session}) => resumed && session === first.session));
    await s.end();
  },

  'Cut at any byte, likewise; the page stays in its room.': async () => {
    const s = await open(() => 300 + Math.random() ** 2 * 12000);
    await s.page.evaluate(() => client.join('lobby'));
    s.between.breaks = true;
    await s.page.evaluate(() => client.emit('more', {count: 1, cut: 4000}));
    for (const round of upTo(10))
      await within(s.page.evaluate(n => Promise.all(Array.from({length: 10}, (_, i) => [
        client.emit('more', {count: 20, cut: 0}), client.emit('say', {text: `${n} ${i}`}, {room: 'lobby'}),
      ]).flat()), round), 'answers');
    await s.page.waitForFunction(() => heard.events.length >= 2101);
    const heard = await s.heard();
    assert.deepStrictEqual(numbers(heard, 'number'), upTo(2001));
    assert.deepStrictEqual(numbers(heard, 'said'), upTo(100));
    assert.deepStrictEqual([heard.gaps, heard.errors, s.page.errors], [[], [], []]);
    assert(s.between.cuts > 5, `${s.between.cuts} cuts`);
    assert.strictEqual(await s.page.evaluate('client.received'), 2101);
    await s.end();
  },

  'Several pages hear what one of them says while their connections break, once and in order.': async () => {
    const all = await Promise.all(upTo(4).map(() => open(() => 600 + Math.random() * 4000)));
    for (const s of all) {
      await s.page.evaluate(() => client.join('hall'));
      s.between.breaks = true;
      await s.page.evaluate(() => client.emit('more', {count: 1, cut: 4000}));
    }
    for (const i of upTo(100)) await within(all[0].page.evaluate(
      text => client.emit('say', {text}, {room: 'hall'}), `${i}`.padEnd(50, '.')), 'an answer');
    for (const s of all) {
      await s.page.waitForFunction(() => heard.events.length >= 101);
      const heard = await s.heard();
      assert.deepStrictEqual(numbers(heard, 'said'), upTo(100));
      assert.deepStrictEqual([heard.gaps, heard.errors, s.page.errors], [[], [], []]);
      assert(s.between.cuts > 0);
      await s.end();
    }
  },

  'The client of three lines in the README gets its answer in a page.': async () => {
    const code = fs.readFileSync(file('../../README.md'), 'utf8').match(/```js\n(const ws = new WebSocket.*?)```/s)[1];
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.port}/`);
    const said = page.waitForEvent('console', {predicate: message => message.type() === 'log', timeout: DEADLINE});
    await page.evaluate(code.replace('ws://localhost:8765/', server.url));
    assert.deepStrictEqual(await Promise.all((await within(said, 'the answer')).args().map(arg => arg.jsonValue())),
                           ['agent_thinking', {run_id: 'r1', reasoning: 'reading: hello'}]);
    await page.close();
  },

  'The server ends with status 0.': async () => {
    assert.strictEqual(await server.stop(), 0);
    await browser.close();
  },
});
