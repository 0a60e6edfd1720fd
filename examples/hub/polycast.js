// polycast's client for browsers and Node. One file, no dependencies.
//
//   import {Client} from './polycast.js';
//   const client = new Client('wss://example.org/');
//   client.on('said', ({text}, {room}) => show(room, text));
//   await client.join('lobby');
//   await client.emit('say', {text: 'hello'}, {room: 'lobby'});
//
// It connects again by itself. Each event comes once and in order; what cannot come any more is named by `$gap`. What
// is emitted is kept, and sent again on each new connection, until the server has answered it.
// Names that begin with `$` are the client's own events: `$state`, `$hello`, `$gap`, `$bye`, `$error`.

/// Why something that was asked for was not done. `code` is the server's, or one of the client's own: `queue_full`,
/// `too_large`, `timeout`, `closed`, `protocol`, `unreachable`.
export class PolycastError extends Error {
  constructor(code, message, retryAfterMs) {
    super(message || code);
    this.name = 'PolycastError';
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

const defaults = {
  token: undefined,        // text, or a function that returns it or a promise of it
  bearer: false,           // whether the token rides in the handshake too, as a subprotocol
  queueLimit: 1000,        // messages that wait to be sent or to be answered
  requestTimeout: 30_000,  // of `request`; `emit` waits as long as it takes
  requestWindow: 256,      // requests on the way: the server knows so many again if they are repeated
  connectTimeout: 10_000,  // from the attempt to `$hello`
  backoff: {initial: 1000, factor: 2, cap: 30_000},
  invitesReconnect: code => code < 4500,
  WebSocket: globalThis.WebSocket,
  timers: {setTimeout: (then, ms) => setTimeout(then, ms), clearTimeout: id => clearTimeout(id)},
  random: Math.random,
  now: () => performance.now(),
};

const SUBPROTOCOL = 'polycast.v1.json';
const NORMAL = 1000;  // the server ends the session …
const STALE = 4000;   // … or keeps it
const LOST = 1006;

const valueOf = given => typeof given === 'function' ? given() : given;
const bytesOf = text => new TextEncoder().encode(text);
const base64url = text => btoa(String.fromCharCode(...bytesOf(text)))
  .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

/// Rings once, unless it is stopped or set anew.
class Alarm {
  #timers;
  #id;
  constructor(timers) { this.#timers = timers; }
  get isSet() { return this.#id !== undefined; }
  set(ms, then) {
    this.stop();
    this.#id = this.#timers.setTimeout(() => { this.#id = undefined; then(); }, ms);
  }
  stop() {
    if (this.isSet) this.#timers.clearTimeout(this.#id);
    this.#id = undefined;
  }
}

export class Client {
  #url;
  #options;
  #handlers = new Map();

  // The connection
  #state = 'waiting';
  #link = null;      // {socket} of the attempt or connection that counts; what another still says is not heard
  #failures = 0;     // attempts since the last `$hello`
  #bye = null;       // said on this connection
  #target = null;    // where the last `$bye` wants the next attempt to go
  #heard = 0;        // when, by `now`
  #attempt;          // rings for the next one, or when this one takes too long
  #pulse;

  // The session
  #session;
  #epoch;
  #hello = {};
  #received = 0;     // application events, as the server counts them
  #acked = 0;
  #ackDue;
  #rooms = new Map();  // name → {since, epoch: where to join again, seen: the offset of the last event}

  // What the application sent: `onTheWay` requests that wait for their answer, then what waits to be sent
  #queue = [];
  #onTheWay = 0;
  #lastId = 0;
  #turns = 0;        // requests that were sent in this session

  /// Connects at once. `url`: text, or a function that returns it or a promise of it, called for each attempt.
  constructor(url, options = {}) {
    this.#url = url;
    this.#options = {...defaults, ...options, backoff: {...defaults.backoff, ...options.backoff}};
    if (!this.#options.WebSocket) throw new TypeError('there is no WebSocket here: pass one as an option');
    [this.#attempt, this.#pulse, this.#ackDue] = [1, 2, 3].map(() => new Alarm(this.#options.timers));
    this.#connect();
  }

  get state() { return this.#state; }
  get session() { return this.#session; }
  get received() { return this.#received; }
  get pending() { return this.#queue.length; }
  get rooms() { return [...this.#rooms.keys()]; }

  // ---- What an application does -------------------------------------------------------------------------------------

  /// `handler(data, envelope)` is called for each event of this type, or of every type if it is '*'. Returns what
  /// takes it off again.
  on(type, handler) {
    if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
    this.#handlers.get(type).add(handler);
    return () => this.off(type, handler);
  }
  off(type, handler) { this.#handlers.get(type)?.delete(handler); }

  /// At most once; later if there is no connection now. Throws if the queue is full.
  send(type, data, {room, service} = {}) {
    const text = JSON.stringify({type, room, service, data});
    this.#enqueue({message: () => text, reject: error => this.#report(error)});
  }

  /// At least once, and once where the server knows it again. A promise of the answer, an envelope: `$ok`, or an event
  /// with which the server replies. Rejects if the server refused it.
  emit(type, data, options = {}) { return this.request(type, data, {...options, timeout: Infinity}); }

  /// The same, for at most `timeout` milliseconds.
  async request(type, data, {room, service, timeout = this.#options.requestTimeout} = {}) {
    const id = ++this.#lastId;
    const text = JSON.stringify({type, id, room, service, data});  // now: what is changed later is not sent
    return this.#request({id, message: () => text, timeout});
  }

  /// A promise of the `$ok`: {room, offset, epoch, recovered}. A position from before asks for what came after it. The
  /// client stays in the room over all reconnects until it leaves.
  async join(room, {since, epoch} = {}) {
    this.#admit();
    if (!this.#rooms.has(room)) this.#rooms.set(room, {since, epoch, seen: since ?? 0});
    return this.#request(this.#joining(room));
  }

  async leave(room) {
    this.#admit();
    const id = ++this.#lastId;
    this.#rooms.delete(room);
    return this.#request({id, message: () => JSON.stringify({type: '$leave', id, room})}).catch(error => {
      if (error.code !== 'not_joined') throw error;  // as after a session that was lost
      return {type: '$ok', id, room};
    });
  }

  /// For good: the server ends the session. What was not answered by now is rejected.
  close() {
    if (this.#state === 'closed') return;
    this.#acknowledge();
    this.#end(NORMAL, 'the client was closed');
  }

  // ---- The connection -----------------------------------------------------------------------------------------------

  async #connect() {
    const link = this.#link = {socket: null};
    const current = () => this.#link === link;
    this.#attempt.set(this.#options.connectTimeout, () => this.#lost(LOST, 'no answer in time'));
    this.#become('connecting');
    try {
      const url = this.#target ?? await valueOf(this.#url);
      const token = await valueOf(this.#options.token);
      if (!current()) return;
      const offered = this.#options.bearer && token ? [SUBPROTOCOL, `bearer.${base64url(token)}`] : [SUBPROTOCOL];
      const socket = link.socket = new this.#options.WebSocket(url, offered);
      socket.onopen = () => current() && this.#open(token);
      socket.onmessage = ({data}) => current() && this.#take(data);
      socket.onclose = ({code, reason}) => current() && this.#lost(code, reason);
      socket.onerror = () => {};  // a close follows
    } catch (error) {
      if (!current()) return;
      this.#report(new PolycastError('unreachable', error.message));
      this.#lost();
    }
  }

  #open(token) {
    if (this.#link.socket.protocol !== SUBPROTOCOL) return this.#failed(`the server does not speak ${SUBPROTOCOL}`);
    const resume = this.#session === undefined ? {} : {session: this.#session, received: this.#received};
    this.#transmit({type: '$open', ...resume, token});
  }

  #welcome(hello) {
    this.#attempt.stop();
    this.#failures = 0;
    this.#hello = hello;
    this.#session = hello.session;
    if (!hello.resumed) {
      this.#received = this.#turns = 0;
      for (const entry of this.#queue) entry.turn = undefined;
      const asked = this.#queue.map(({room}) => room);
      const again = [...this.#rooms.keys()].filter(room => !asked.includes(room)).map(room => this.#joining(room));
      this.#queue.unshift(...again);
    }
    this.#acked = this.#received;  // `$open` said it
    if (this.#epoch !== undefined && hello.epoch !== this.#epoch)  // whose offsets begin anew
      for (const position of this.#rooms.values()) position.seen = 0;
    this.#epoch = hello.epoch;
    this.#raise('$hello', hello);
    if (this.#state !== 'connecting') return;  // a handler has closed the client
    this.#become('open');
    this.#listen();
    this.#flush();
  }

  /// Asks after a silence, and gives the connection up when that is not answered either. Never without having asked:
  /// alarms of a page in the background ring late.
  #listen(askedAfter) {
    const interval = this.#hello.heartbeat_ms;
    if (!interval || this.#state !== 'open') return;
    const heard = this.#heard;
    const silence = this.#options.now() - heard;
    if (silence < interval) return this.#pulse.set(interval - silence, () => this.#listen());
    if (askedAfter === heard) return this.#lost(LOST, 'nothing was heard');
    this.#transmit({type: '$ping'});
    this.#pulse.set(interval / 2, () => this.#listen(heard));
  }

  #failed(message) {
    this.#report(new PolycastError('protocol', message));
    if (this.#link) this.#lost(LOST, message);
  }

  #lost(code = LOST, reason = '') {
    if (!this.#options.invitesReconnect(code)) return this.#end(code, reason);
    const {initial, factor, cap} = this.#options.backoff;
    const wait = Math.min(cap, initial * factor ** this.#failures++);
    const [least, most] = this.#bye?.reconnect_after_ms ?? [0.5 * wait, 1.5 * wait];
    const delay = least + this.#options.random() * (most - least);
    this.#target = this.#bye?.url;
    this.#disconnect(STALE);
    this.#attempt.set(delay, () => this.#connect());
    this.#become('waiting', {code, reason, delay});
  }

  #end(code, reason) {
    this.#disconnect(NORMAL);
    this.#state = 'closed';
    for (const entry of this.#queue.splice(0)) this.#finish(entry, new PolycastError('closed', reason));
    this.#become('closed', {code, reason});
  }

  #disconnect(code) {
    const socket = this.#link?.socket;
    this.#link = this.#bye = null;
    this.#onTheWay = 0;
    for (const alarm of [this.#attempt, this.#pulse, this.#ackDue]) alarm.stop();
    if (socket?.readyState <= 1) socket.close(code);
  }

  #become(state, why = {}) {
    this.#state = state;
    this.#raise('$state', state, why);
  }

  // ---- What comes in ------------------------------------------------------------------------------------------------

  #take(text) {
    const link = this.#link;
    this.#heard = this.#options.now();
    for (const line of String(text).split('\n')) {
      let envelope;
      try {
        envelope = JSON.parse(line);
      } catch { /* told below */ }
      if (typeof envelope?.type !== 'string') return this.#failed(`no event: ${line.slice(0, 100)}`);
      this.#understand(envelope);
      if (this.#link !== link) return;  // a handler has closed the client
    }
    const {every = Infinity, within_ms: within} = this.#hello.ack ?? {};
    const unacked = this.#received - this.#acked;
    if (unacked >= every) this.#acknowledge();
    else if (unacked > 0 && within !== undefined && !this.#ackDue.isSet)
      this.#ackDue.set(within, () => this.#acknowledge());
  }

  #understand(envelope) {
    const {type, id, room, offset} = envelope;
    switch (type) {
    case '$hello': return this.#welcome(envelope);
    case '$ok': return this.#settle(id, envelope);
    case '$error': {
      const error = new PolycastError(envelope.code, envelope.message, envelope.retry_after_ms);
      return id === undefined ? this.#report(error) : this.#settle(id, error);
    }
    case '$gap':
      this.#received = Math.max(this.#received, envelope.to);
      this.#onTheWay = 0;  // a reply may be among what is missing: what is not answered is asked again
      this.#flush();
      return this.#raise('$gap', envelope);
    case '$bye':
      this.#bye = envelope;
      this.#acknowledge();
      return this.#raise('$bye', envelope);
    }
    if (type.startsWith('$')) return;
    ++this.#received;
    // The reply to a request that was sent twice may come twice.
    if (id !== undefined && !this.#settle(id, envelope)) return;
    const position = offset === undefined ? undefined : this.#rooms.get(room);
    if (position) {
      if (offset <= position.seen) return;
      position.seen = offset;
      position.since = Math.max(position.since ?? 0, offset);
    }
    for (const listener of [type, '*']) this.#raise(listener, envelope.data ?? {}, envelope);
  }

  #acknowledge() {
    this.#ackDue.stop();
    if (this.#received === this.#acked || !this.#hello.ack) return;
    this.#transmit({type: '$ack', received: this.#received});
    this.#acked = this.#received;
  }

  #raise(type, ...what) {
    for (const handler of [...this.#handlers.get(type) ?? []]) {
      const failed = error => type === '$error' ? console.error(error) : this.#report(error);
      try {
        handler(...what)?.catch?.(failed);
      } catch (error) {
        failed(error);
      }
    }
  }

  #report(error) {
    if (this.#handlers.get('$error')?.size) this.#raise('$error', error);
    else console.error(error);
  }

  // ---- Rooms --------------------------------------------------------------------------------------------------------

  #joining(room) {
    const id = ++this.#lastId;
    // Written when it is sent: the position may be another by then.
    const message = () => {
      const {since, epoch} = this.#rooms.get(room) ?? {};
      return JSON.stringify({type: '$join', id, room, since, epoch});
    };
    const accept = answer => {
      if (answer instanceof Error) this.#rooms.delete(room);
      else this.#joined(room, answer);
    };
    const reject = error => { if (error.code !== 'closed') this.#report(error); };
    return {id, room, message, accept, reject, resolve() {}};
  }

  #joined(room, {offset, epoch, recovered}) {
    const position = this.#rooms.get(room);
    if (!position) return;  // left meanwhile
    const known = position.epoch !== undefined;
    const same = !known || position.epoch === epoch;
    const since = same ? position.since ?? 0 : 0;
    position.epoch = epoch;
    if (!same) position.seen = 0;
    if (recovered || offset === undefined) return;
    // Not `seen`: the answer may overtake earlier events, which a member of before the last reconnect still gets.
    position.since = Math.max(since, offset);
    if (known && offset > since)
      this.#raise('$gap', {type: '$gap', room, from: since + 1, to: offset, reason: 'not_recovered'});
  }

  // ---- What goes out ------------------------------------------------------------------------------------------------

  #request(entry) {
    return new Promise((resolve, reject) => this.#enqueue({...entry, resolve, reject}));
  }

  #enqueue(entry) {
    this.#admit();
    this.#queue.push(entry);
    if (entry.timeout < Infinity) {
      entry.deadline = new Alarm(this.#options.timers);
      const late = new PolycastError('timeout', `no answer within ${entry.timeout} ms`);
      entry.deadline.set(entry.timeout, () => this.#settle(entry.id, late));
    }
    this.#flush();
  }

  #admit() {
    if (this.#state === 'closed') throw new PolycastError('closed', 'the client is closed');
    if (this.#queue.length >= this.#options.queueLimit)
      throw new PolycastError('queue_full', `${this.#queue.length} messages are waiting already`);
  }

  #flush() {
    const {requestWindow} = this.#options;
    while (this.#state === 'open' && this.#link.socket.readyState === 1 && this.#onTheWay < this.#queue.length) {
      const entry = this.#queue[this.#onTheWay];
      // The first in the queue is the oldest that is not answered.
      const oldest = this.#queue[0].turn ?? this.#turns;
      if (entry.id && entry.turn === undefined && this.#turns - oldest >= requestWindow) return;
      const text = entry.message();
      const limit = this.#hello.max_message_bytes ?? Infinity;
      const tooLarge = bytesOf(text).length > limit;  // would end this connection, and each on which it is repeated
      if (entry.id && !tooLarge) {
        entry.turn ??= this.#turns++;
        ++this.#onTheWay;
      } else {
        this.#queue.splice(this.#onTheWay, 1);
      }
      if (tooLarge) this.#finish(entry, new PolycastError('too_large', `the server takes ${limit} bytes`));
      else this.#link.socket.send(text);
    }
  }

  /// Ends the request with this id. False if there is none, or none any more.
  #settle(id, answer) {
    const at = this.#queue.findIndex(entry => entry.id !== undefined && entry.id === id);
    if (at < 0) return false;
    const [entry] = this.#queue.splice(at, 1);
    if (at < this.#onTheWay) --this.#onTheWay;
    this.#finish(entry, answer);
    this.#flush();
    return true;
  }

  #finish(entry, answer) {
    entry.deadline?.stop();
    entry.accept?.(answer);
    if (answer instanceof Error) entry.reject(answer);
    else entry.resolve(answer);
  }

  #transmit(message) {
    if (this.#link?.socket?.readyState === 1) this.#link.socket.send(JSON.stringify(message));
  }
}
