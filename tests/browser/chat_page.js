// The chat example's page in headless Chromium: chat_page.js [BUILD FOLDER]
'use strict';
const assert = require('node:assert');
const { chromium } = require('playwright-core');
const { DEADLINE, run, start } = require('../foreign/support/peers.js');

async function main() {
  const chat = await start('examples/chat');
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
           '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  async function join(user, room) {
    const page = await browser.newPage();
    page.setDefaultTimeout(DEADLINE);
    await page.goto(`http://127.0.0.1:${chat.port}/`);
    await page.fill('#user', user);
    await page.fill('#room', room);
    await page.click('#who button');
    await page.locator('#log p', {hasText: `You are in ${room}.`}).waitFor();
    return page;
  }
  const say = async (page, text) => { await page.fill('#text', text); await page.click('#send'); };

  await run({
    'Two in one room read each other, and somebody in another room reads neither.': async () => {
      const [ada, bob, eve] = [await join('ada', 'lobby'), await join('bob', 'lobby'), await join('eve', 'attic')];
      await ada.locator('#log p', {hasText: 'bob came in.'}).waitFor();
      await say(ada, '<b>hello</b> bob');
      await say(bob, 'hello ada');
      for (const page of [ada, bob]) {
        await page.locator('#log p', {hasText: 'ada <b>hello</b> bob'}).waitFor();
        await page.locator('#log p', {hasText: 'bob hello ada'}).waitFor();
      }
      await say(eve, 'alone');
      await eve.locator('#log p', {hasText: 'eve alone'}).waitFor();
      assert.strictEqual(await eve.locator('#log p', {hasText: 'hello'}).count(), 0);
    },
    'The chat ends with status 0.': async () => {
      assert.strictEqual(await chat.stop(), 0);
      await browser.close();
    },
  });
}

main().catch(error => { console.log(`not ok - ${error.stack}`); process.exit(1); });
