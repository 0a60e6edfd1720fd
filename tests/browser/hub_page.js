// The hub's page in headless Chromium: hub_page.js [BUILD FOLDER] [FOLDER FOR SCREENSHOTS]
// What the browser received on its WebSocket is compared with what the page shows.
'use strict';
const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { chromium } = require('playwright-core');
const { DEADLINE, run, start } = require('../foreign/support/peers.js');

const word = () => [...randomBytes(12)].map(b => String.fromCharCode(97 + b % 26)).join('');
const FIVE = ['agent_started', 'agent_thinking', 'tool_executing', 'tool_completed', 'agent_completed'];

// The files that are asked about are made up here, at random.
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'hub-'));
process.on('exit', () => fs.rmSync(root, {recursive: true, force: true}));
let files = 0, lines = 0;
function write(name, text) {
  fs.writeFileSync(path.join(root, name), text.map(line => line + '\n').join(''));
  ++files;
  lines += text.length;
}
for (let left = 5 + Math.floor(Math.random() * 10); left > 0; --left)
  write(`${word()}.cpp`, Array.from({length: 3 + Math.floor(Math.random() * 100)}, () => `// ${word()}`));
const hostile = word();
write('hostile.html', [
  '<img src=x onerror="document.title=1">',
  `<b id="${hostile}">${hostile}</b> **\`</code><script>document.title=2</script>\`**`,
]);

async function main() {
  const {cutter} = await import('../foreign/support/cutter.mjs');
  let hub = await start('examples/hub/hub', {args: ['--root', root]});
  const address = `http://127.0.0.1:${hub.port}/`;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
           '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });

  /// A page of its own (cookies, storage), what its sockets received, and whatever went wrong in it.
  async function open(query, options = {}, at = address) {
    const context = await browser.newContext({viewport: {width: 1280, height: 860}, ...options});
    const page = await context.newPage();
    page.setDefaultTimeout(DEADLINE);
    const seen = {page, received: [], sockets: 0, elsewhere: [], errors: []};
    page.on('websocket', socket => {
      ++seen.sockets;
      socket.on('framereceived', ({payload}) =>
        seen.received.push(...String(payload).split('\n').map(line => JSON.parse(line))));
    });
    page.on('request', request => { if (!request.url().startsWith(at)) seen.elsewhere.push(request.url()); });
    page.on('pageerror', error => seen.errors.push(error.message));
    page.on('console', message => {
      if (/Content Security|Refused/.test(message.text())) seen.errors.push(message.text());
    });
    await page.goto(at + query);
    seen.close = () => context.close();
    return seen;
  }
  const connected = page => page.waitForSelector('#state[data-state=connected]');
  async function ask(page, text) {
    await page.fill('#text', text);
    await page.click('#ask:enabled');
    const box = page.locator('.run', {hasText: text}).first();
    await box.locator('.answer').waitFor();
    return box;
  }
  const shoot = async (page, name) => {
    if (process.argv[3]) await page.screenshot({path: path.join(process.argv[3], `${name}.png`), fullPage: true});
  };
  const ada = await open('?user=ada');

  await run({
    'The page connects, loads nothing from elsewhere, and shows the name of the directory.': async () => {
      await connected(ada.page);
      assert.strictEqual(await ada.page.textContent('#root'), path.basename(root));
      assert.strictEqual(await ada.page.textContent('#state'), 'connected');
      assert.deepStrictEqual([ada.elsewhere, ada.errors], [[], []]);
    },

    'A question shows the five events in their order, and the answer that is true of the files.': async () => {
      const box = await ask(ada.page, 'How many lines of code are here?');
      const events = ada.received.filter(e => e.data && e.data.run_id);
      assert.deepStrictEqual([...new Set(events.map(e => e.type))], FIVE);
      // Each event left its mark, in the order of arrival.
      const shown = await box.locator('.steps li').evaluateAll(items => items.map(item => item.textContent));
      const steps = events.filter(e => e.type === 'agent_thinking' || e.type === 'tool_executing');
      assert.strictEqual(shown.length, steps.length);
      const mark = e => e.data.tool_name || e.data.reasoning.replaceAll('`', '');
      steps.forEach((e, i) => assert(shown[i].includes(mark(e)), shown[i]));
      const calls = events.filter(e => e.type === 'tool_completed').length;
      assert(calls >= 2);
      assert.strictEqual(await box.locator('.tool.done').count(), calls);
      assert.match(await box.locator('.tool .time').first().textContent(), /^[\d.]+ m?s$/);
      const answer = await box.locator('.answer').textContent();
      assert(answer.includes(`${files} files, ${lines.toLocaleString('en-US')} lines`), answer);
      assert.match(await box.locator('.status').textContent(), /^done in/);
      await shoot(ada.page, 'desktop');
    },

    'Text from files stays text: no element and no script comes of it.': async () => {
      const title = await ada.page.title();
      const box = await ask(ada.page, `Where is "${hostile}"?`);
      const answer = await box.locator('.answer').textContent();
      assert(answer.includes(`<b id="${hostile}">`) && answer.includes('<script>'), answer);
      assert.strictEqual(await ada.page.locator(`[id="${hostile}"], .answer img, .answer script`).count(), 0);
      assert.strictEqual(await ada.page.title(), title);
    },

    'The dashboard shows the figures that arrive, once a second.': async () => {
      await ada.page.waitForFunction(() =>
        document.querySelector('[data-figure=cpu] path:not(.area)')?.getAttribute('d').split('L').length >= 3);
      const figures = {cpu: /% of \d+ cores/, memory: /of [\d.]+.[MGT]B/, load: /\d\.\d\d/, network: /B\/s/};
      for (const [name, like] of Object.entries(figures))
        assert.match(await ada.page.textContent(`[data-figure=${name}] output`), like);
      const last = ada.received.filter(e => e.type === 'live_data').at(-1).data;
      assert(last.memory_total_bytes === os.totalmem() && last.cores === os.cpus().length, JSON.stringify(last));
      assert.strictEqual(await ada.page.textContent('#connections'), String(last.connections));
    },

    'What one user asks is not seen on another user\'s page, but on all pages of their own.': async () => {
      const [bob, ada2] = [await open('?user=bob'), await open('?user=ada')];
      await Promise.all([connected(bob.page), connected(ada2.page)]);
      const secret = word();
      await ask(ada.page, `Where is ${secret}?`);
      await ada2.page.locator('.run .answer', {hasText: secret}).waitFor();
      await ask(bob.page, 'How many files?');
      assert(!JSON.stringify(bob.received).includes(secret));
      assert(!(await bob.page.content()).includes(secret));
      assert.strictEqual(await bob.page.locator('.run').count(), 1);
      await bob.close();
      await ada2.close();
    },

    'A question that cannot be answered says why.': async () => {
      await ada.page.fill('#path', '../..');
      const box = await ask(ada.page, 'What is up there?');
      assert.match(await box.locator('.answer').textContent(), /outside of the hub's root/);
      assert.strictEqual(await box.getAttribute('data-status'), 'failed');
      await ada.page.fill('#path', '');
    },

    'An answer whose connection is cut goes on where it was, and nothing is shown twice.': async () => {
      const between = await cutter(hub.port, () => Infinity);
      const eve = await open('?user=eve', {}, `http://127.0.0.1:${between.port}/`);
      await connected(eve.page);
      for (const bytes of [10, 200, 400, 600, 800, 1000, 1200]) {
        between.cutAfter(bytes);
        const box = await ask(eve.page, `How many files are ${word()}?`);
        assert.match(await box.locator('.status').textContent(), /^done in/);
        const run = eve.received.filter(e => e.type === 'agent_completed').at(-1).data.run_id;
        const events = eve.received.filter(e => e.data && e.data.run_id === run);
        assert.deepStrictEqual([...new Set(events.map(e => e.type))], FIVE);
        const steps = events.filter(e => e.type === 'agent_thinking' || e.type === 'tool_executing');
        assert.strictEqual(await box.locator('.steps li').count(), steps.length);
        await connected(eve.page);
      }
      assert(between.cuts >= 5, `${between.cuts} cuts`);
      assert.strictEqual(await eve.page.locator('.run').count(), 7);
      assert.deepStrictEqual([eve.elsewhere, eve.errors], [[], []]);
      await eve.close();
      between.end();
    },

    'When the hub dies and comes back, the page says so, reconnects by itself, and works again.': async () => {
      const {port} = hub;
      await hub.stop('SIGKILL');
      await ada.page.waitForSelector('#state:not([data-state=connected])');
      assert.match(await ada.page.textContent('#state'), /reconnecting|connecting/);
      assert(await ada.page.isDisabled('#ask'));
      // It keeps trying while nobody is there.
      const tried = ada.sockets;
      await ada.page.waitForEvent('websocket', {predicate: () => ada.sockets >= tried + 2, timeout: DEADLINE});
      hub = await start('examples/hub/hub', {port, args: ['--root', root]});
      await connected(ada.page);
      const before = ada.received.filter(e => e.type === 'live_data').length;
      const box = await ask(ada.page, 'How many lines are there now?');
      assert((await box.locator('.answer').textContent()).includes(`${files} files`));
      while (ada.received.filter(e => e.type === 'live_data').length === before)
        await ada.page.waitForEvent('websocket', {timeout: 100}).catch(() => {});
      assert.strictEqual(await ada.page.locator('#dashboard.stale').count(), 0);
    },

    'A fourth page of one user is told the limit.': async () => {
      const more = [await open('?user=ada'), await open('?user=ada')];
      await Promise.all(more.map(m => connected(m.page)));
      const fourth = await open('?user=ada');
      await fourth.page.waitForSelector('#state[data-state=refused]');
      assert.match(await fourth.page.textContent('#notice'), /limit of 3 connections/);
      for (const m of [...more, fourth]) await m.close();
    },

    'On a narrow phone, dark or light, nothing is wider than the screen.': async () => {
      for (const colorScheme of ['light', 'dark']) {
        const phone = await open('?user=phone', {viewport: {width: 360, height: 740}, colorScheme});
        await connected(phone.page);
        await ask(phone.page, 'What is here?');
        await phone.page.waitForSelector('[data-figure=cpu] path');
        const [wide, screen] = await phone.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert(wide <= screen, `${wide} > ${screen}`);
        await shoot(phone.page, `phone-${colorScheme}`);
        assert.deepStrictEqual([phone.elsewhere, phone.errors], [[], []]);
        await phone.close();
      }
    },

    'At the end the page has had no error, and the hub ends with status 0.': async () => {
      assert.deepStrictEqual([ada.elsewhere, ada.errors], [[], []]);
      assert.strictEqual(await hub.stop(), 0);
      await browser.close();
    },
  });
}

main().catch(error => { console.log(`not ok - ${error.stack}`); process.exit(1); });
