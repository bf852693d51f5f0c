'use strict';
/*
 * Channel: a stream.Duplex over another one. Its bytes are sealed and opened by a session (the
 * addon); the stream below carries them, a net.Socket that connect() makes or any Duplex.
 *
 *   write() → seal() → wire.write()          its callback is the backpressure
 *   wire 'data' → receive() → push()         a full buffer pauses the wire
 *   end() sends CLOSE, the peer's CLOSE is 'end'; the end of the wire without it is an error
 */

const net = require('node:net');
const { Duplex, addAbortSignal } = require('node:stream');
const { native } = require('./native.js');
const { errorOf } = require('./errors.js');
const { Config, CONFIG_OPTIONS, PATTERNS } = require('./config.js');
const { Keepalive } = require('./keepalive.js');
const { closeSoftly, drawSilence, keepSilent } = require('./silence.js');

const C = native.constants;
const SLICE = 1 << 20; // bytes that one call seals: the event loop gets its turn after it
const MAX_MESSAGE = 16 << 20;
const HANDSHAKE_TIMEOUT = 10000; // milliseconds
const ROLES = ['top', 'bottom'];

class Channel extends Duplex {
  #config;
  #role;
  #replay; // undefined: the one of the process
  #wire = null; // the stream below
  #listeners = {};
  #early = []; // calls for the wire before there is one
  #session = null;
  #ready = false;
  #opened = 0; // when the connection began
  #cause = undefined; // an error of the wire
  #failure = undefined; // what ends the channel, once what is verified has been read
  #peerClosed = false;
  #resumeSending = undefined; // a write that waits for the handshake
  #messages;
  #parts = []; // of a message that goes on
  #partsSize = 0; // bytes
  #maxMessage;
  #handshakeTimer = undefined;
  #handshakeTimeout;
  #silence;
  #keepalive;
  #idleTimer = undefined;
  #pings = []; // promises
  #info = undefined; // of a channel that has ended

  constructor(options) {
    const messages = options.messages === true;
    super({
      allowHalfOpen: options.allowHalfOpen === true,
      readableObjectMode: messages,
      writableObjectMode: messages,
      ...(options.highWaterMark !== undefined && { highWaterMark: options.highWaterMark }),
    });
    this.#config = Config.of(options);
    this.#role = roleOf(options);
    this.#replay = replayOf(options);
    this.#messages = messages;
    this.#maxMessage = options.maxMessage ?? MAX_MESSAGE;
    this.#silence = options.silence ?? drawSilence();
    this.#handshakeTimeout = options.handshakeTimeout ?? HANDSHAKE_TIMEOUT;
    this.#keepalive = new Keepalive(options.keepalive ?? 0, {
      ping: () => this.#ask('ping'),
      dead: () => this.#fail(errorOf('DUET_SLOW', 'the peer has not answered a ping')),
    });
    if (options.socket) {
      this.#attach(options.socket);
    }
    if (options.timeout) {
      this.setTimeout(options.timeout);
    }
    if (options.signal) {
      addAbortSignal(options.signal, this);
    }
  }

  // ---- The way to the peer ----

  /** For the calls and properties of a net.Socket, below. */
  static wireOf(channel) {
    return channel.#wire;
  }

  static callWire(channel, method, values) {
    if (channel.#wire) {
      channel.#wire[method]?.(...values);
    } else {
      channel.#early.push([method, ...values]);
    }
  }

  /** Connect by TCP or a Unix socket: (port, host), (path), or the options of net.connect(). */
  connect(...given) {
    const { options, callback } = parseTarget(given);
    if (callback) {
      this.once('secureConnect', callback);
    }
    if (this.#wire) {
      throw errorOf('DUET_E_MISUSE', 'the channel is connected, or has a stream already');
    }
    if (this.destroyed) {
      return this; // an aborted signal came before
    }
    this.#attach(net.connect({ noDelay: true, ...withoutOwn(options), allowHalfOpen: true }));
    return this;
  }

  #attach(wire) {
    this.#wire = wire;
    wire.allowHalfOpen = true; // the end of one direction is not the end of the other
    this.#listeners = {
      data: (chunk) => this.#receive(chunk),
      end: () => this.#wireEnded(),
      error: (error) => this.#wireFailed(error),
      close: () => this.#wireEnded(),
    };
    for (const [event, listener] of Object.entries(this.#listeners)) {
      wire.on(event, listener);
    }
    for (const [method, ...values] of this.#early.splice(0)) {
      wire[method]?.(...values);
    }
    if (wire.connecting) {
      wire.once('connect', () => this.#begin());
    } else {
      this.#begin();
    }
  }

  #begin() {
    if (this.destroyed) {
      return;
    }
    this.#opened = performance.now();
    try {
      this.#session = Config.session(this.#config, this.#role, this.#replay);
      this.#handshakeTimer = setTimeout(() => this.#fail(errorOf('DUET_SLOW', 'the peer has not ' +
        'finished the handshake. It stays silent when secrets or profiles differ')), this.#handshakeTimeout);
      this.#flush();
    } catch (error) {
      this.destroy(error);
    }
  }

  #becomeReady() {
    this.#ready = true;
    clearTimeout(this.#handshakeTimer);
    this.#keepalive.start();
    this.#flush();
    this.emit('connect'); // for programs that are written for a net.Socket
    this.emit('secureConnect');
    const resume = this.#resumeSending;
    this.#resumeSending = undefined;
    resume?.();
    this.read(0); // a CLOSE is noticed though nobody reads
  }

  // ---- Receiving ----

  #receive(chunk) {
    this.#touch();
    this.#keepalive.heard();
    let more = true;
    try {
      const { events, payload, failure } = this.#session.receive(chunk, !this.#messages);
      let offset = 0;
      for (let i = 0; i < events.length && !this.destroyed; i += 3) {
        const size = events[i + 2];
        const bytes = size > 0 ? payload.subarray(offset, offset + size) : Buffer.alloc(0);
        offset += size;
        more = this.#handle(events[i], events[i + 1], bytes) && more;
      }
      if (failure) {
        this.#fail(failure);
      } else {
        this.#flush();
      }
    } catch (error) {
      this.#fail(error);
    }
    if (!more && this.#ready && !this.#failure) {
      this.#wire.pause();
      this.#keepalive.pause();
    }
  }

  /** Handle one event. Returns false when the reader is slower than the wire. */
  #handle(event, code, bytes) {
    switch (event) {
      case C.DUET_EVENT_READY:
        this.#becomeReady();
        return true;
      case C.DUET_EVENT_FRAME:
        return this.#messages ? this.#pushPart(code, bytes) : this.#pushBytes(code, bytes);
      case C.DUET_EVENT_PONG:
        this.#ponged();
        return true;
      case C.DUET_EVENT_CLOSE:
        this.#peerClosed = true;
        this.#keepalive.stop();
        this.push(null);
        return true;
      default:
        return true;
    }
  }

  #pushBytes(code, bytes) {
    if (code !== 0) {
      throw errorOf('DUET_E_CODE', `a message came, under code ${code}; the option messages takes them`);
    }
    return bytes.length === 0 || this.push(bytes);
  }

  #pushPart(code, bytes) {
    this.#partsSize += bytes.length;
    if (this.#partsSize > this.#maxMessage) {
      throw errorOf('DUET_E_TOO_LONG', `a message of more than ${this.#maxMessage} bytes`);
    }
    if (code === C.DUET_CODE_MORE) {
      if (bytes.length > 0) {
        this.#parts.push(bytes);
      }
      return true;
    }
    const parts = [...this.#parts.splice(0), bytes];
    this.#partsSize = 0;
    return this.push({ code, data: parts.length === 1 ? bytes : Buffer.concat(parts) });
  }

  _read() {
    if (this.#ready && !this.#failure) {
      this.#wire.resume();
      this.#keepalive.resume();
    }
  }

  /** As of any Readable. Once all that is verified is read, the error that waited for it comes. */
  read(size) {
    const chunk = super.read(size);
    if (this.#failure && this.readableLength === 0) {
      process.nextTick(() => this.destroy(this.#failure));
    }
    return chunk;
  }

  #wireFailed(error) {
    this.#cause = error;
    if (this.#session === null) {
      this.destroy(error); // it could not connect: the system's own error says why
    }
  }

  #wireEnded() {
    if (this.#session === null) {
      this.destroy(this.#cause ?? errorOf('DUET_E_IO', 'the stream below ended'));
    } else if (!this.#peerClosed) {
      const error = this.#session.end();
      if (error && this.#cause) {
        error.cause = this.#cause;
      }
      this.#fail(error ?? this.#lost());
    } else if (this.#wire.destroyed && this.allowHalfOpen && !this.writableEnded) {
      this.#fail(this.#lost());
    }
  }

  #lost() {
    return errorOf('DUET_E_TRUNCATED', 'the connection is lost', this.#cause);
  }

  /** End with an error: what was verified before it can still be read, nothing more is sent. */
  #fail(error) {
    if (this.#failure || this.destroyed) {
      return;
    }
    this.#failure = error;
    this.#stopTimers();
    this.#keepWireSilent();
    if (this.readableLength === 0 || this.readableFlowing === null) {
      this.destroy(error);
    }
  }

  #keepWireSilent() {
    this.#detach();
    if (this.#ready) {
      keepSilent(this.#wire, drawSilence(), true);
    } else {
      keepSilent(this.#wire, this.#silence - (performance.now() - this.#opened), false);
    }
  }

  #detach() {
    for (const [event, listener] of Object.entries(this.#listeners)) {
      this.#wire.off(event, listener);
    }
    this.#wire.on('error', () => {});
  }

  // ---- Sending ----

  /** Write what is pending of the library's own. It is bounded, so it may wait for a slow wire. */
  #flush() {
    if (this.destroyed || this.#failure) {
      return;
    }
    if (this.#ready && this.#wire.writableNeedDrain) {
      this.#wire.once('drain', () => this.#flush());
      return;
    }
    const frames = this.#session.flush();
    if (frames) {
      this.#wire.write(frames);
    }
  }

  #ask(request) {
    if (!this.#ready || this.destroyed || this.#failure) {
      throw errorOf('DUET_E_MISUSE', 'the channel is not open');
    }
    this.#session[request]();
    this.#flush();
  }

  _write(chunk, encoding, callback) {
    this._writev([{ chunk }], callback);
  }

  _writev(items, callback) {
    let slices;
    try {
      slices = this.#messages
        ? items.flatMap(({ chunk }) => [...messageSlices(chunk)])
        : [...cut(0, items.map(({ chunk }) => chunk))];
    } catch (error) {
      callback(error);
      return;
    }
    this.#send(slices, callback);
  }

  #send(slices, callback) {
    if (!this.#ready && !this.#failure) {
      this.#resumeSending = () => this.#send(slices, callback);
      return;
    }
    const slice = slices.shift();
    if (this.#failure || !slice) {
      callback(this.#failure);
      return;
    }
    try {
      this.#touch();
      const frames = this.#session.seal(slice.code, slice.goesOn, slice.buffers);
      this.#wire.write(frames, (error) => {
        if (error) {
          callback(this.#failure ?? this.#lost());
        } else {
          this.#send(slices, callback);
        }
      });
    } catch (error) {
      callback(error);
    }
  }

  _final(callback) {
    if (!this.#ready && !this.#failure) {
      this.#resumeSending = () => this._final(callback);
      return;
    }
    try {
      this.#session.close();
      // When the peer has closed too and is gone, nothing is lost but our CLOSE.
      this.#wire.write(this.#session.flush(), (error) => {
        callback(error && !this.#peerClosed ? this.#failure ?? this.#lost() : null);
      });
    } catch (error) {
      callback(this.#failure ?? error);
    }
  }

  _destroy(error, callback) {
    this.#stopTimers();
    this.#info = this.#describe();
    this.#session?.free();
    for (const { reject } of this.#pings.splice(0)) {
      reject(error ?? errorOf('DUET_E_MISUSE', 'the channel is closed'));
    }
    if (this.#wire && !this.#failure) {
      this.#detach();
      if (this.writableFinished && this.#ready && !error) {
        closeSoftly(this.#wire);
      } else {
        this.#wire.destroy();
      }
    }
    callback(error);
  }

  // ---- What a channel tells and does beside its bytes ----

  /** A description: pattern, ids, counts, and the receipts of directions that are closed; undefined
   * before there is a connection. */
  get info() {
    return this.destroyed ? this.#info : this.#describe();
  }

  #describe() {
    if (this.#session === null) {
      return undefined;
    }
    const { role, pattern, secretId, peerKey, receipts, ...counts } = this.#session.info();
    return {
      role: ROLES[role],
      pattern: PATTERNS[pattern],
      secretId: secretId.toString('hex'),
      peerKey: peerKey?.toString('base64'),
      ...counts,
      receiptSent: receipts[role]?.toString('hex'),
      receiptReceived: receipts[1 - role]?.toString('hex'),
    };
  }

  /** Send a ping. Resolves to the milliseconds until its answer. */
  async ping() {
    const began = performance.now();
    this.#ask('ping');
    await new Promise((resolve, reject) => this.#pings.push({ resolve, reject }));
    return performance.now() - began;
  }

  #ponged() {
    for (const { resolve } of this.#pings.splice(0)) {
      resolve();
    }
  }

  /** New keys for the direction in which this side sends. */
  rekey() {
    this.#ask('rekey');
  }

  /** New keys for both directions, by a Diffie-Hellman step. */
  refresh() {
    this.#ask('refresh');
  }

  /** Bytes that both ends derive alike, as tls.TLSSocket has them. */
  exportKeyingMaterial(length, label) {
    if (this.destroyed || !this.#ready) {
      throw errorOf('DUET_E_MISUSE', 'the channel is not open');
    }
    return this.#session.exportKey(Buffer.from(label), length);
  }

  setTimeout(milliseconds, callback) {
    clearTimeout(this.#idleTimer);
    this.timeout = milliseconds;
    if (milliseconds > 0) {
      this.#idleTimer = setTimeout(() => this.emit('timeout'), milliseconds).unref();
    }
    if (callback) {
      milliseconds > 0 ? this.once('timeout', callback) : this.off('timeout', callback);
    }
    return this;
  }

  #touch() {
    this.#idleTimer?.refresh();
  }

  #stopTimers() {
    clearTimeout(this.#handshakeTimer);
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    this.#keepalive.stop();
  }

  /** End after what was written, then destroy: what http does with a connection that is done. */
  destroySoon() {
    if (this.writable) {
      this.end();
    }
    if (this.writableFinished) {
      this.destroy();
    } else {
      this.once('finish', this.destroy);
    }
  }

  get connecting() {
    return !this.#ready && !this.destroyed;
  }

  get encrypted() {
    return true;
  }

  get authorized() {
    return this.#ready;
  }
}

// ---- As of a net.Socket: calls and properties of the stream below ----

for (const method of ['setNoDelay', 'setKeepAlive', 'ref', 'unref']) {
  Channel.prototype[method] = function forward(...values) {
    Channel.callWire(this, method, values);
    return this;
  };
}

for (const name of ['remoteAddress', 'remotePort', 'remoteFamily', 'localAddress', 'localPort',
  'localFamily', 'bytesRead', 'bytesWritten']) {
  Object.defineProperty(Channel.prototype, name, {
    get() {
      return Channel.wireOf(this)?.[name];
    },
  });
}

// ---- Arguments ----

const OWN_OPTIONS = [...CONFIG_OPTIONS, 'config', 'replay', 'socket', 'isServer', 'role', 'messages',
  'maxMessage', 'keepalive', 'handshakeTimeout', 'allowHalfOpen', 'signal', 'silence', 'timeout'];

/** The options without those of duet: none of net's objects gets to hold a secret. */
function withoutOwn(options) {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !OWN_OPTIONS.includes(name)));
}

/** (port, host), (path) or neither, then options, then a callback: as net.connect() takes them. */
function parseTarget(given) {
  const options = {};
  let callback;
  for (const [i, value] of given.entries()) {
    if (typeof value === 'function') {
      callback = value;
    } else if (typeof value === 'object' && value !== null) {
      Object.assign(options, value);
    } else if (i === 0) {
      options[/^\d+$/.test(String(value)) ? 'port' : 'path'] = value;
    } else if (i === 1 && value !== undefined) {
      options.host = value;
    }
  }
  return { options, callback };
}

function replayOf({ replay }) {
  if (replay !== undefined && !(replay instanceof native.Replay)) {
    throw new TypeError('replay: a Replay is expected');
  }
  return replay;
}

function roleOf({ role, isServer }) {
  const name = role ?? (isServer ? 'bottom' : 'top');
  if (!ROLES.includes(name)) {
    throw new TypeError("role: 'top' or 'bottom' is expected");
  }
  return ROLES.indexOf(name);
}

/** Cut a payload into slices that are sealed by a call each. */
function* cut(code, buffers) {
  let slice = { code, goesOn: true, buffers: [] };
  let room = SLICE;
  for (let buffer of buffers) {
    while (buffer.length > room) {
      slice.buffers.push(buffer.subarray(0, room));
      buffer = buffer.subarray(room);
      yield slice;
      slice = { code, goesOn: true, buffers: [] };
      room = SLICE;
    }
    slice.buffers.push(buffer);
    room -= buffer.length;
  }
  slice.goesOn = false;
  yield slice;
}

/** The slices of what was written with the option messages: {code, data}, or bytes alone. */
function messageSlices(chunk) {
  const isBytes = typeof chunk === 'string' || chunk instanceof Uint8Array;
  const { code, data } = isBytes ? { code: 0, data: chunk } : chunk;
  if (!Number.isInteger(code) || code < 0 || code > C.DUET_CODE_APP_MAX) {
    throw new RangeError(`code: a number from 0 to ${C.DUET_CODE_APP_MAX} is expected`);
  }
  return cut(code, [typeof data === 'string' ? Buffer.from(data) : data]);
}

/** Connect to a listener. As tls.connect(); the callback is called once the peer has proven itself. */
function connect(...given) {
  const { options, callback } = parseTarget(given);
  const channel = new Channel(options);
  if (callback) {
    channel.once('secureConnect', callback);
  }
  return options.socket ? channel : channel.connect(options);
}

module.exports = { Channel, connect, withoutOwn };
