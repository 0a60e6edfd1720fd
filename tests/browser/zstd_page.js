// A page in headless Chromium that decodes zstd, with a dictionary, by WebAssembly: zstd_page.js [BUILD FOLDER]
// The decoder is the npm package @bokuweb/zstd-wasm. Its modules name each other without suffix, as bundlers want it.
'use strict';
const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { chromium } = require('playwright-core');
const { DEADLINE, buildFolder, run, start } = require('../foreign/support/peers.js');

const decoder = path.join(path.dirname(require.resolve('@bokuweb/zstd-wasm')), '../esm');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'zstd-'));
process.on('exit', () => fs.rmSync(folder, {recursive: true, force: true}));
const train = path.join(buildFolder, 'examples/train');
const html = path.join(__dirname, 'pages/zstd.html');
const trainedFile = path.join(folder, 'trained');

/// What a bundler does: finds the module that `name` means in `file`.
function resolved(file, name) {
  const full = path.join(path.dirname(file), name);
  const found = [`${full}.js`, path.join(full, 'index.js')].find(candidate => fs.existsSync(candidate));
  return '/decoder/' + path.relative(decoder, found);
}

/// Events as the server says them, to train on.
function recorded(count) {
  const words = ['harbour', 'lantern', 'meadow', 'quarry', 'thistle', 'willow', 'ferry', 'orchard'];
  const word = () => words[Math.floor(Math.random() * words.length)];
  return Array.from({length: count}, (_, i) => JSON.stringify({
    type: 'sentence_was_said', timestamp: new Date(1.7e12 + i * 1e6).toISOString(),
    data: {speaker_name: word(), whole_sentence: `the ${word()} and the ${word()} ${i}`, position_in_conversation: i},
  }) + '\n').join('');
}

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
           '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  /// The server's page; only its decoder is not from there.
  async function open(server) {
    const page = await browser.newPage();
    page.setDefaultTimeout(DEADLINE);
    page.fetched = [];
    page.on('pageerror', error => console.log(`# ${error.message}`));
    page.on('response', answer => page.fetched.push(`${answer.status()} ${new URL(answer.url()).pathname}`));
    await page.route('**/decoder/**', route => {
      const file = path.join(decoder, new URL(route.request().url()).pathname.replace('/decoder/', ''));
      if (file.endsWith('.wasm')) return route.fulfill({path: file, contentType: 'application/wasm'});
      const module = fs.readFileSync(file, 'utf8')
        .replace(/from '(\.[^']*)'/g, (_, name) => `from '${resolved(file, name)}'`);
      return route.fulfill({body: module, contentType: 'text/javascript'});
    });
    await page.goto(`http://127.0.0.1:${server.port}/`);
    const state = await page.waitForFunction(() => document.getElementById('error').textContent ||
                                                   document.getElementById('bytes').textContent);
    assert.match(await state.jsonValue(), /^\d+$/);
    return page;
  }
  async function say(page, how, speaker, sentence) {
    await page.fill('#speaker', speaker);
    await page.fill('#sentence', sentence);
    await page.click(how);
    const line = page.locator('li', {hasText: sentence}).last();
    await line.waitFor();
    assert.strictEqual(await page.textContent('#error'), '');
    return {text: await line.textContent(), ...await line.evaluate(li => ({...li.dataset}))};
  }
  const checked = async page => {
    const id = await page.textContent('#id');
    assert.match(id, /^[0-9a-f]{16}$/);
    assert(page.fetched.includes(`200 /polycast/dictionary/${id}`), page.fetched.join('\n'));
    return id;
  };
  let derivedId;

  await run({
    'A page reads events that a dictionary of their names compressed, and needs it for that.': async () => {
      const server = await start('tests/browser_zstd_server', {args: ['--page', html]});
      const page = await open(server);
      derivedId = await checked(page);
      const first = await say(page, '#plain', 'Ada', 'Ünïcödé and <b>tags</b> arrive as they are');
      assert.strictEqual(first.text, 'Ada said: Ünïcödé and <b>tags</b> arrive as they are');
      assert.strictEqual(await page.textContent('#without'), 'It is needed.');
      assert(Number(first.bytes) < Number(first.payload) * 0.75, JSON.stringify(first));
      const long = 'again and '.repeat(3000);
      const second = await say(page, '#packed', 'Bob', `${long}again`);
      assert.strictEqual(second.text, `Bob said: ${long}again`);
      assert(Number(second.bytes) < 300, JSON.stringify(second));
      await page.close();
      assert.strictEqual(await server.stop(), 0);
    },

    'It also reads what a dictionary compressed that examples/train made of recorded events.': async () => {
      const traffic = path.join(folder, 'traffic.txt');
      fs.writeFileSync(traffic, '# connected to nowhere\n' + recorded(2000));
      const said = execFileSync(train, [traffic, '--kib', '4', '--out', trainedFile], {encoding: 'utf8'});
      assert.match(said, /trained +[\d.]+ +[\d.]+/);
      const server = await start('tests/browser_zstd_server', {args: ['--page', html, '--dictionary', trainedFile]});
      const page = await open(server);
      const id = await checked(page);
      assert.notStrictEqual(id, derivedId);
      assert.strictEqual(await page.textContent('#bytes'), String(fs.statSync(trainedFile).size));
      const first = await say(page, '#packed', 'ferry', 'the meadow and the willow 77');
      assert.strictEqual(first.text, 'ferry said: the meadow and the willow 77');
      assert.strictEqual(await page.textContent('#without'), 'It is needed.');
      assert(Number(first.bytes) < Number(first.payload) / 2, JSON.stringify(first));
      await say(page, '#plain', 'lantern', 'words that were never recorded: 0xC0FFEE');
      await page.close();
      assert.strictEqual(await server.stop(), 0);
    },

    'The trainer takes what the console prints, and says what is wrong with too little or no data.': async () => {
      const ran = (input, ...args) => spawnSync(train, args, {input, encoding: 'utf8'});
      const out = path.join(folder, 'other');
      const printed = recorded(2000).trim().split('\n').map(line => JSON.parse(line))
        .map(e => `${e.type} ${JSON.stringify(e.data)}\n`).join('');
      const good = ran(printed, '-', '--kib', '4', '--level', '19', '--out', out);
      assert.strictEqual(good.status, 0, good.stderr);
      assert.match(good.stdout, /zstd level 19, 400 events/);
      assert(fs.statSync(out).size > 1000 && fs.statSync(out).size <= 4096);
      for (const [input, args, why] of [
        ['', [], /0 events are too few/],
        [recorded(50), [], /50 events are too few/],
        [recorded(200), ['--kib', '64'], /KiB of events are too little for a dictionary of 64 KiB/],
        ['', ['/no/such/file'], /cannot read \/no\/such\/file/],
        ['', ['--kib', 'many'], /not a number from 1 to 1024: many/],
        [recorded(2000), ['--kib', '4', '--level', '4', '--out', out], /no level of/],
        [recorded(2000), ['--kib', '4', '--out', '/no/such/folder/d'], /cannot write \/no\/such\/folder\/d/],
        ['', ['--unknown'], /usage: train/],
      ]) {
        const bad = ran(input, ...args);
        assert.strictEqual(bad.status, 1);
        assert.match(bad.stderr, why);
      }
    },
  });
}

main().catch(error => { console.log(`not ok - ${error.stack}`); process.exit(1); });
