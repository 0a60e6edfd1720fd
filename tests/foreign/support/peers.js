// What the Node tests share: starting a program of the build, talking to it, and saying how a check went.
'use strict';
const assert = require('node:assert');
const { execFileSync, spawn } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const { once, EventEmitter } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');

const DEADLINE = 20000;  // milliseconds that anything may take that is waited for
const buildFolder = process.argv[2] || path.resolve(__dirname, '../../../build');

function within(promise, what, ms = DEADLINE) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/// Starts a program of the build, on a port that the system chooses unless it is given.
async function start(name, {port = 0, args = []} = {}) {
  const command = path.join(buildFolder, name);
  const child = spawn(command, ['--port', String(port), ...args], {stdio: ['ignore', 'pipe', 'inherit']});
  process.on('exit', () => child.kill('SIGKILL'));
  const ended = once(child, 'exit').then(([status]) => status);
  const firstLine = once(readline.createInterface(child.stdout), 'line').then(([line]) => line);
  const line = await within(Promise.race([firstLine, ended]), name);
  const found = /:(\d+)/.exec(line);
  assert(found, `${name} printed no port but: ${line}`);
  const scheme = args.includes('--tls') ? 'wss' : 'ws';
  return {
    port: Number(found[1]),
    url: `${scheme}://127.0.0.1:${found[1]}/`,
    /// Asks it to end; its exit status.
    stop: (signal = 'SIGTERM') => { child.kill(signal); return within(ended, `${name} ends`); },
  };
}

/// Made on the spot; support/certificates says which there are. `file(NAME)` is the path of one, `read(NAME)` its text.
function certificates() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'polycast-'));
  process.on('exit', () => fs.rmSync(folder, {recursive: true, force: true}));
  execFileSync(path.join(__dirname, 'certificates'), [folder], {timeout: DEADLINE});
  const file = name => path.join(folder, name);
  return {file, read: name => fs.readFileSync(file(name)), tls: ['--tls', file('server.pem'), file('server.key')]};
}

const WORDS = 'the quick fox jumps over a lazy dog while an agent thinks about œuvre, naïveté and 漢字'.split(' ');

/// Text that is that long in UTF-8, is never the same, and repeats itself as people do.
function prose(length) {
  let said = randomBytes(4).toString('hex');
  while (said.length < length && said.length < 200_000) said += ' ' + WORDS[Math.floor(Math.random() * WORDS.length)];
  const bytes = Buffer.alloc(length, said);
  let cut = length;  // not within a letter
  while (cut > 0 && bytes[cut - 1] >= 0x80) bytes[--cut] = 0x2e;
  return String(bytes);
}

/// A connection that keeps every event it received, in order.
class Peer extends EventEmitter {
  constructor(socket) {
    super();
    this.received = [];
    this.socket = socket;
    this.closed = new Promise(done => socket.on('close', (code, reason) => done({code, reason: String(reason)})));
    socket.on('message', data => {
      for (const line of String(data).split('\n')) this.received.push(JSON.parse(line));
      this.emit('more');
    });
    this.closed.then(() => this.emit('more'));
  }
  send(type, data, around = {}) { this.socket.send(JSON.stringify({type, ...around, data})); }
  /// The first received event for which `wanted` holds; waits for it.
  async until(wanted, what) {
    const look = async () => {
      for (;;) {
        const found = this.received.find(wanted);
        if (found) return found;
        assert(this.socket.readyState <= 1, `closed before ${what} came`);
        await once(this, 'more');
      }
    };
    return within(look(), what);
  }
  untilType(type) { return this.until(e => e.type === type, type); }
  /// Asks, and returns the events of the run that this started, in order.
  async ask(text, more = {}) {
    const known = new Set(this.received.filter(e => e.type === 'agent_started').map(e => e.data.run_id));
    this.send('question', {text, ...more});
    const {data: {run_id: run}} = await this.until(
      e => e.type === 'agent_started' && e.data.question === text && !known.has(e.data.run_id), 'agent_started');
    await this.until(e => e.type === 'agent_completed' && e.data.run_id === run, 'agent_completed');
    return this.received.filter(e => e.data && e.data.run_id === run);
  }
}

/// Runs the checks, a sentence each, one after another, and ends the program.
async function run(checks) {
  let failed = 0;
  for (const [sentence, check] of Object.entries(checks)) {
    try {
      await within(check(), sentence, 4 * DEADLINE);
      console.log(`ok - ${sentence}`);
    } catch (error) {
      ++failed;
      console.log(`not ok - ${sentence}\n${error.stack}`);
    }
  }
  console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

module.exports = {DEADLINE, Peer, buildFolder, certificates, prose, run, start, within};
