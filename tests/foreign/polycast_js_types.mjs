// examples/hub/polycast.d.ts under TypeScript's compiler: polycast_js_types.mjs
import assert from 'node:assert';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

const require = createRequire(import.meta.url);
const { run } = require('./support/peers.js');
const SKIPPED = 77;
let compiler;
try {
  compiler = path.join(path.dirname(require.resolve('typescript/package.json')), 'bin/tsc');
} catch {
  console.log('skipped: no npm package `typescript`');
  process.exit(SKIPPED);
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'polycast-'));
process.on('exit', () => fs.rmSync(folder, {recursive: true, force: true}));
const hub = new URL('../../examples/hub/', import.meta.url);
for (const name of ['polycast.js', 'polycast.d.ts']) fs.copyFileSync(new URL(name, hub), path.join(folder, name));
fs.copyFileSync(new URL('polycast.js', hub), path.join(folder, 'code.js'));  // without a declaration beside it
fs.writeFileSync(path.join(folder, 'package.json'), '{"type": "module"}');
fs.writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({
  compilerOptions: {noEmit: true, strict: true, exactOptionalPropertyTypes: true, allowJs: true, target: 'es2022',
                    module: 'nodenext', lib: ['es2023', 'dom'], types: []},
  files: ['use.ts'],
}));
// Those of the code's options, in its own words.
const defaults = fs.readFileSync(new URL('polycast.js', hub), 'utf8').match(/const defaults = \{(.*?)\n\};/s)[1];
const options = [...defaults.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);

/// What the compiler complains about.
function compile(text) {
  fs.writeFileSync(path.join(folder, 'use.ts'), text);
  const {status, stdout} = spawnSync(process.execPath, [compiler, '--pretty', 'false'],
                                     {cwd: folder, encoding: 'utf8'});
  assert.strictEqual(status === 0, stdout === '', stdout);
  return stdout;
}

const typed = `
import {Client, PolycastError, type Answer, type Envelope, type Gap, type Joined} from './polycast.js';
interface Said { said: {who: string; text: string}; cost_update: {daily_cost: number}; tick: {} }
interface Heard { say: {text: string}; request_cost: {}; filter: {kinds?: string[]} }
const client = new Client<Said, Heard>('wss://example.org/', {
  token: async () => 'abc', bearer: true, queueLimit: 10, backoff: {initial: 500}, random: () => 0.5, WebSocket,
  timers: {setTimeout: (then, ms) => setTimeout(then, ms), clearTimeout: id => clearTimeout(id)},
});
`;

await run({
  'Events, requests and rooms have the types that the application gives them.': async () => {
    assert.strictEqual(compile(`${typed}
      const off: () => void = client.on('said', ({who, text}, {room, offset}) => {
        const all: [string, string, string | undefined, number | undefined] = [who, text, room, offset];
        return all;
      });
      off();
      client.on('*', (data, envelope) => { if (envelope.type === 'said') envelope.data?.who.length; });
      client.on('$gap', (gap: Gap) => gap.to - gap.from);
      client.on('$state', (state, {code, delay}) => state === 'waiting' ? delay : code);
      client.on('$error', error => error instanceof PolycastError && error.code === 'queue_full' && error.retryAfterMs);
      client.on('$hello', ({resumed, ack}) => resumed && ack?.every);
      client.send('say', {text: 'hello'}, {room: 'lobby', service: 'chat'});
      client.send('request_cost');
      client.send('filter');
      const answer: Answer<Said> = await client.request('request_cost', {}, {timeout: 1000});
      if (answer.type === 'cost_update') answer.data?.daily_cost.toFixed(2);
      const {room, offset, epoch, recovered}: Joined = await client.join('lobby', {since: 3, epoch: 'e1'});
      await client.emit('say', {text: room});
      await client.leave('lobby');
      client.close();
      const envelope: Envelope<'said', Said['said']> | undefined = undefined;
    `), '');
  },

  'Without types every event is accepted.': async () => {
    assert.strictEqual(compile(`
      import {Client} from './polycast.js';
      const client = new Client(() => new URL('ws://localhost/'));
      client.on('anything', ({text}, {timestamp}) => text + timestamp);
      client.send('whatever', {a: [1]});
      client.emit('whatever').then(({type}) => type.length);
    `), '');
  },

  'What is misspelled or misused is an error, each time.': async () => {
    const wrong = [
      "client.on('sayd', () => {});", "client.on('said', ({whom}) => whom);", "client.on('$gap', gap => gap.first);",
      "client.send('said', {who: 'a', text: 'b'});", "client.send('say', {text: 5});", "client.send('say');",
      "client.emit('say', {text: 'a'}, {rooms: 'b'});", "client.request('request_cost', {}, {timeout: 'long'});",
      "client.join(5);", "client.join('a', {since: 'b'});", "client.state = 'open';", "client.close(1000);",
      "new Client('ws://a/', {queuelimit: 4});", "client.on('$state', state => state === 'opened');",
    ];
    assert.strictEqual(compile(typed + wrong.map(line => `// @ts-expect-error\n${line}\n`).join('')), '');
    for (const line of wrong.slice(0, 2)) assert.match(compile(typed + line), /^use\.ts\(/);  // the compiler was there
  },

  'It declares what the code has, no more and no less.': async () => {
    assert.strictEqual(compile(`
      import * as code from './code.js';
      import * as declared from './polycast.js';
      type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
      const names: Same<keyof typeof code, keyof typeof declared> = true;
      const client: Same<keyof code.Client, keyof declared.Client> = true;
      const error: Same<keyof code.PolycastError, keyof declared.PolycastError> = true;
      const options: Same<keyof NonNullable<ConstructorParameters<typeof declared.Client>[1]>,
                          ${options.map(name => `'${name}'`).join(' | ')}> = true;
    `), '');
  },
});
