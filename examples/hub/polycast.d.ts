// polycast.js, for TypeScript. What the server says and hears is given as two maps from an event's name to its fields:
//
//   interface Said { said: {who: string; text: string} }
//   interface Heard { say: {text: string} }
//   const client = new Client<Said, Heard>('wss://example.org/');

/// Why something that was asked for was not done.
export class PolycastError extends Error {
  constructor(code: string, message?: string, retryAfterMs?: number);
  /// One of the server's, or `queue_full`, `too_large`, `timeout`, `closed`, `protocol`, `unreachable`.
  readonly code: ErrorCode;
  /// Not to be tried again for so many milliseconds.
  readonly retryAfterMs?: number;
}

export type ErrorCode =
  | 'bad_message' | 'unknown_type' | 'bad_field' | 'too_large' | 'unauthorized' | 'forbidden' | 'rate_limited'
  | 'blocked' | 'not_joined' | 'no_such_room' | 'unknown_service' | 'overloaded' | 'internal'
  | 'queue_full' | 'timeout' | 'closed' | 'protocol' | 'unreachable'
  | (string & {});

/// An event as it was on the wire.
export interface Envelope<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly data?: Data;
  readonly room?: string;
  /// Position in the room's history, from 1.
  readonly offset?: number;
  /// When it was emitted: RFC 3339, UTC.
  readonly timestamp?: string;
  /// Only on an answer.
  readonly id?: number;
  /// It waited on the server until this user had a connection.
  readonly recovered?: boolean;
}

/// Of `E`, whichever event it is.
export type AnyEnvelope<E extends object> = {[K in keyof E & string]: Envelope<K, E[K]>}[keyof E & string];

export interface Ok {
  readonly type: '$ok';
  readonly id?: number;
  readonly room?: string;
}

/// The answer to a join. `offset` and `epoch`: only of a room that keeps history.
export interface Joined extends Ok {
  readonly room: string;
  readonly offset?: number;
  readonly epoch?: string;
  /// Absent if no position was given. False: nothing is replayed.
  readonly recovered?: boolean;
}

/// An answer is `$ok`, or one of the events of the server.
export type Answer<In extends object> = Ok | AnyEnvelope<In>;

export interface Hello {
  readonly type: '$hello';
  readonly version: number;
  readonly session: string;
  readonly epoch: string;
  /// False on a reconnect: the server no longer had the session. Rooms are joined again; events to this session alone
  /// may be missing.
  readonly resumed: boolean;
  readonly heartbeat_ms: number;
  readonly max_message_bytes: number;
  readonly ack?: {readonly every: number; readonly within_ms: number} | null;
}

/// Events that will not come. Without `room`: of the session, by its count. With it: of that room, by its offsets.
export interface Gap {
  readonly type: '$gap';
  readonly from: number;
  readonly to: number;
  readonly reason: 'evicted' | 'expired' | 'restarted' | 'not_recovered' | (string & {});
  readonly room?: string;
}

export interface Bye {
  readonly type: '$bye';
  readonly reason: string;
  readonly reconnect_after_ms?: readonly [number, number];
  readonly url?: string | null;
}

export type State = 'connecting' | 'open' | 'waiting' | 'closed';

/// Why the state is `waiting` or `closed`.
export interface StateInfo {
  readonly code?: number;
  readonly reason?: string;
  /// Milliseconds until the next attempt.
  readonly delay?: number;
}

/// The client's own events.
export interface OwnHandlers {
  $state: (state: State, why: StateInfo) => void;
  $hello: (hello: Hello) => void;
  $gap: (gap: Gap) => void;
  $bye: (bye: Bye) => void;
  /// An error that is the answer to nothing: of a handler, of `send`, of an attempt to connect. Where nobody listens
  /// it goes to the console.
  $error: (error: Error) => void;
}

export interface Destination {
  room?: string;
  service?: string;
}

/// An event's fields may be left out if none is needed.
export type Fields<Data, To> = {} extends Data ? [data?: Data, to?: To] : [data: Data, to?: To];

export type Token = string | undefined | null;

export interface Options {
  /// Rides in `$open`; a function is asked for each attempt.
  token?: Token | (() => Token | Promise<Token>);
  /// Whether the token rides in the handshake too, as the subprotocol `bearer.<base64url>`. Default: false.
  bearer?: boolean;
  /// How many messages wait, to be sent or to be answered. Default: 1000.
  queueLimit?: number;
  /// Milliseconds. Default: 30,000.
  requestTimeout?: number;
  /// Requests on the way at once. Default: 256, as many as a server knows again when they are repeated.
  requestWindow?: number;
  /// Milliseconds from an attempt to the server's `$hello`. Default: 10,000.
  connectTimeout?: number;
  /// Milliseconds before the next attempt: `initial`, each time `factor` times more, up to `cap`; ± 50 %.
  backoff?: {initial?: number; factor?: number; cap?: number};
  /// Whether to connect again after this close code. Default: below 4500.
  invitesReconnect?: (code: number) => boolean;
  /// In Node: that of the package `ws`, where there is no global one.
  WebSocket?: new (url: string, protocols: string[]) => unknown;
  timers?: {setTimeout(then: () => void, ms: number): unknown; clearTimeout(id: any): void};
  /// From 0 to 1.
  random?: () => number;
  /// Milliseconds.
  now?: () => number;
}

export type Url = string | URL;

/// `In`: what the server says. `Out`: what it hears.
export class Client<In extends object = Record<string, any>, Out extends object = Record<string, any>> {
  /// Connects at once; `url` may be a function, which is asked for each attempt.
  constructor(url: Url | (() => Url | Promise<Url>), options?: Options);

  readonly state: State;
  /// Known to the server by this name; undefined before the first connection.
  readonly session: string | undefined;
  /// Application events of the session so far.
  readonly received: number;
  /// Messages that wait to be sent or to be answered.
  readonly pending: number;
  readonly rooms: string[];

  /// Returns what takes the handler off again.
  on<K extends keyof OwnHandlers>(type: K, handler: OwnHandlers[K]): () => void;
  on(type: '*', handler: (data: In[keyof In & string], envelope: AnyEnvelope<In>) => unknown): () => void;
  on<K extends keyof In & string>(type: K, handler: (data: In[K], envelope: Envelope<K, In[K]>) => unknown): () => void;
  off(type: keyof OwnHandlers | '*' | (keyof In & string), handler: (...what: any[]) => unknown): void;

  /// At most once; later if there is no connection now. Throws a PolycastError if the queue is full.
  send<K extends keyof Out & string>(type: K, ...what: Fields<Out[K], Destination>): void;
  /// Kept and repeated until the server answers. Rejects with a PolycastError if it refuses.
  emit<K extends keyof Out & string>(type: K, ...what: Fields<Out[K], Destination>): Promise<Answer<In>>;
  /// The same, for at most `timeout` milliseconds.
  request<K extends keyof Out & string>(
    type: K, ...what: Fields<Out[K], Destination & {timeout?: number}>): Promise<Answer<In>>;

  /// In the room over all reconnects, until it is left. `position`: from an earlier visit, to get what came after it.
  join(room: string, position?: {since?: number; epoch?: string}): Promise<Joined>;
  leave(room: string): Promise<Ok>;

  /// Ends the session. What is not answered by then rejects with `closed`.
  close(): void;
}
