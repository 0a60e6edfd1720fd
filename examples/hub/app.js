// The page's side of the hub. polycast.js keeps the connection, so that an answer goes on where it was when the network
// comes back; what is here is what is done with each event. No build step.
import { Client } from '/polycast.js';

const $ = id => document.getElementById(id);
const element = (tag, className, text) => {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
};

// ---- The connection -------------------------------------------------------------------------------------------------

let client = null;

function connect() {
  client?.close();
  lostRuns();
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const user = encodeURIComponent($('user').value.trim());
  const made = client = new Client(`${scheme}//${location.host}/?user=${user}`, {backoff: {initial: 300, cap: 10000}});
  setState('connecting', 'connecting');
  for (const [type, handler] of Object.entries(on)) made.on(type, handler);
  let met = false;
  made.on('$hello', ({resumed}) => {
    if (met && !resumed) lostRuns();  // the hub has begun anew
    met = true;
    notice('');
  });
  made.on('$state', (state, {code, reason}) => {
    if (made !== client) return;  // another user's by now
    if (state === 'open') return setState('connected', 'connected');
    if (state !== 'waiting') return;
    if (code === 1013) notice(`The hub refused this connection: ${reason}.`);
    setState(code === 1013 ? 'refused' : 'connecting', code === 1013 ? 'refused' : 'reconnecting');
  });
  made.on('$error', error => notice(error.message));
}

function emit(type, data) {
  client.emit(type, data).catch(error => error.code === 'closed' || notice(error.message));
}

/// Every event by its name; what is not here is ignored, so that the hub may learn new ones.
const on = {
  welcome(e) { $('root').textContent = e.root; },
  live_data: showFigures,
  agent_started: e => startRun(e),
  agent_thinking: e => step(e.run_id, run => {
    const item = line('think', '');
    inline(item.firstChild, e.reasoning);
    run.steps.append(item);
    if (e.progress_percentage !== undefined) run.bar.style.width = `${Math.max(4, e.progress_percentage)}%`;
  }),
  tool_executing: e => step(e.run_id, run => {
    const item = line('tool', '', '…');
    const text = item.firstChild;
    text.append(element('b', '', e.tool_name), ` ${brief(e.parameters)}`);
    run.calls.set(e.call_id, item);
    run.steps.append(item);
  }),
  tool_completed: e => step(e.run_id, run => {
    const item = run.calls.get(e.call_id);
    if (!item) return;
    item.classList.add(e.status === 'success' ? 'done' : 'error');
    item.firstChild.append(` → ${brief(e.results)}`);
    item.lastChild.textContent = duration(e.duration_ms);
  }),
  agent_completed: e => step(e.run_id, run => {
    endRun(run, e.status, `${e.status === 'success' ? 'done' : e.status} in ${duration(e.duration_ms)}`);
    run.box.append(formatted(e.final_response));
  }),
  agent_error: e => notice(e.message.charAt(0).toUpperCase() + e.message.slice(1) + '.'),
};

function setState(state, text) {
  $('state').dataset.state = state;
  $('state').textContent = text;
  $('ask').disabled = state !== 'connected';
  $('dashboard').classList.toggle('stale', state !== 'connected');
}

function notice(text) {
  $('notice').textContent = text;
  $('notice').hidden = !text;
}

// ---- Runs -----------------------------------------------------------------------------------------------------------

const runs = new Map();

function startRun(e) {
  const box = element('section', 'run');
  const head = element('header');
  const status = element('span', 'status', 'working');
  const cancel = element('button', 'cancel', 'Cancel');
  cancel.onclick = () => emit('cancel_run', {run_id: e.run_id});
  head.append(element('strong', '', e.question), status, cancel);
  const bar = element('div', 'bar');
  const steps = element('ol', 'steps');
  box.append(head, bar, steps);
  document.querySelector('.empty')?.remove();
  $('runs').prepend(box);
  runs.set(e.run_id, {box, status, cancel, bar, steps, calls: new Map()});
  while ($('runs').children.length > 20) $('runs').lastChild.remove();
}

function endRun(run, status, text) {
  run.box.dataset.status = status;
  run.status.textContent = text;
  run.cancel.remove();
}

function step(id, show) {
  const run = runs.get(id);  // one that began before this page came is not shown
  if (run) show(run);
}

/// A run whose answer went to a connection that is gone: it can be asked again.
function lostRuns() {
  for (const run of runs.values())
    if (!run.box.dataset.status) endRun(run, 'lost', 'connection lost; ask again');
}

function line(className, text, time = '') {
  const item = element('li', className);
  item.append(element('span', '', text), element('span', 'time', time));
  return item;
}

const brief = object => Object.entries(object || {})
  .map(([key, value]) => `${key.replaceAll('_', ' ')}: ${Array.isArray(value) ? value.join(', ') : value}`)
  .join(' · ');
const duration = ms => ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;

/// The little Markdown that answers are made of: paragraphs, lists, fences, **bold** and `code`. Text stays text.
function formatted(text) {
  const out = element('div', 'answer');
  let fence = null, list = null;
  for (const row of text.split('\n')) {
    if (fence) {
      if (row === fence.mark) { out.append(fence.pre); fence = null; }
      else fence.pre.textContent += (fence.pre.textContent ? '\n' : '') + row;
    } else if (row === '```' || row === '~~~~') {
      fence = {mark: row, pre: element('pre')};
      list = null;
    } else if (row.startsWith('- ')) {
      if (!list) out.append(list = element('ul'));
      list.append(inline(element('li'), row.slice(2)));
    } else if (row) {
      list = null;
      out.append(inline(element('p'), row));
    }
  }
  if (fence) out.append(fence.pre);
  return out;
}

function inline(into, text) {
  for (const part of text.split(/(\*\*[^*]+\*\*|`[^`]+`)/)) {
    if (/^\*\*.+\*\*$/.test(part)) into.append(inline(element('b'), part.slice(2, -2)));
    else if (/^`.+`$/.test(part)) into.append(element('code', '', part.slice(1, -1)));
    else into.append(part);
  }
  return into;
}

// ---- The dashboard --------------------------------------------------------------------------------------------------

const pastFigures = {cpu: [], memory: [], load: [], network: []};
let lastFigures = 0;

function bytes(n) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (n >= 1000 && unit < units.length - 1) { n /= 1000; ++unit; }
  return `${n.toFixed(n < 10 && unit > 0 ? 1 : 0)}\u00a0${units[unit]}`;
}

function showFigures(e) {
  lastFigures = performance.now();
  figure('cpu', `${e.cpu_percent.toFixed(0)} % of ${e.cores} cores`, [e.cpu_percent], 100);
  figure('memory', `${bytes(e.memory_used_bytes)} of ${bytes(e.memory_total_bytes)}`, [e.memory_used_bytes],
         e.memory_total_bytes);
  figure('load', `${e.load_1.toFixed(2)} ${e.load_5.toFixed(2)} ${e.load_15.toFixed(2)}`, [e.load_1], e.cores);
  figure('network', `↓\u00a0${bytes(e.received_bytes_per_s)}/s ↑\u00a0${bytes(e.sent_bytes_per_s)}/s`,
         [e.received_bytes_per_s, e.sent_bytes_per_s], 1000);
  $('connections').textContent = e.connections;
  $('active').textContent = e.runs_active;
  $('waiting').textContent = e.runs_waiting;
  const hours = Math.floor(e.uptime_s / 3600);
  const minutes = Math.floor(e.uptime_s / 60) % 60;
  $('uptime').textContent = hours < 48 ? `${hours} h ${minutes} min` : `${Math.floor(hours / 24)} days`;
}

/// Shows the newest figure and the last minute as a line. `least` is the least value that fills the height.
function figure(name, text, values, least) {
  const past = pastFigures[name];
  past.push(values);
  if (past.length > 60) past.shift();
  const card = document.querySelector(`[data-figure=${name}]`);
  card.querySelector('output').textContent = text;
  const top = Math.max(least, ...past.flat());
  const x = i => (120 * (i + 60 - past.length) / 59).toFixed(1);
  const lines = values.map((_, of) =>
    past.map((v, i) => `${i === 0 ? 'M' : 'L'}${x(i)} ${(34 - 32 * v[of] / top).toFixed(1)}`).join(''));
  card.querySelector('svg').replaceChildren(
    path('area', `${lines[0]}L120 36L${x(0)} 36Z`), ...lines.map((d, i) => path(i === 0 ? '' : 'second', d)));
}

function path(className, d) {
  const p = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  p.setAttribute('class', className);
  p.setAttribute('d', d);
  return p;
}

setInterval(() => {
  const age = Math.round((performance.now() - lastFigures) / 1000);
  $('fresh').textContent = lastFigures === 0 ? '' : age < 3 ? 'live' : `${age} s ago`;
}, 1000);

// ---- Start ----------------------------------------------------------------------------------------------------------

function ask(text) {
  if (!text.trim()) return;
  notice('');
  const path = $('path').value.trim();
  emit('question', path ? {text, path} : {text});
}

$('form').onsubmit = event => { event.preventDefault(); ask($('text').value); };
$('try').onclick = ({target}) => {
  if (target.tagName !== 'BUTTON') return;
  $('text').value = target.textContent;
  ask(target.textContent);
};
$('user').onchange = () => { sessionStorage.setItem('user', $('user').value.trim()); connect(); };
const asked = new URLSearchParams(location.search);
const guest = `guest-${Math.random().toString(36).slice(2, 6)}`;
$('user').value = asked.get('user') ?? sessionStorage.getItem('user') ?? guest;
sessionStorage.setItem('user', $('user').value);
$('path').value = asked.get('path') ?? '';
connect();
// The hub need not keep the session of a page that is gone; one that comes back from the browser's memory has a new one.
addEventListener('pagehide', () => client.close());
addEventListener('pageshow', ({persisted}) => { if (persisted) connect(); });
