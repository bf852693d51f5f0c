'use strict';
/*
 * A channel as a stream: both directions and their ends, what it tells, how it is cancelled.
 */

const crypto = require('node:crypto');
const test = require('node:test');
const { inspect } = require('node:util');
const { finished, pipeline } = require('node:stream/promises');
const { PassThrough, Readable, Writable } = require('node:stream');
const {
  assert, clientReplay, collect, dial, duet, duplexPair, failure, listen, once, pair, secret, serve,
} = require('./support.js');
const net = require('node:net');

test('what is written at one end is read at the other', async (t) => {
  const [client, server] = await pair(t);
  server.pipe(server);
  client.write('first ');
  client.end('second');
  const { bytes, error } = await collect(client);
  assert.equal(String(bytes), 'first second');
  assert.equal(error, undefined);
});

test('what is written before the peer is proven arrives', async (t) => {
  const server = await serve(t, {}, (channel) => channel.pipe(channel));
  const client = dial(t, server.port);
  assert.equal(client.connecting, true);
  client.end('early');
  assert.equal(String((await collect(client)).bytes), 'early');
});

test('one direction goes on after the end of the other', async (t) => {
  const [client, server] = await pair(t, { allowHalfOpen: true });
  client.end('question');
  assert.equal(String((await collect(server)).bytes), 'question');
  server.end('answer');
  assert.equal(String((await collect(client)).bytes), 'answer');
});

test('without allowHalfOpen the end of one direction ends the other', async (t) => {
  const [client, server] = await pair(t);
  server.resume();
  client.resume();
  client.end();
  await Promise.all([finished(client), finished(server)]);
  assert.equal(client.destroyed && server.destroyed, true);
});

test('both ends have the same receipts, ids and exported keys', async (t) => {
  const [client, server] = await pair(t);
  const key = client.exportKeyingMaterial(48, 'test');
  assert.deepEqual(key, server.exportKeyingMaterial(48, 'test'));
  assert.notDeepEqual(key, server.exportKeyingMaterial(48, 'other'));
  assert.equal(client.info.secretId, server.info.secretId);
  assert.deepEqual([client.info.role, server.info.role], ['top', 'bottom']);
  assert.equal(client.info.pattern, 'ephemeral');
  server.pipe(server);
  client.end('bytes');
  await collect(client);
  await finished(server);
  assert.match(client.info.receiptSent, /^[0-9a-f]{64}$/);
  assert.equal(client.info.receiptSent, server.info.receiptReceived);
  assert.equal(client.info.receiptReceived, server.info.receiptSent);
  assert.equal(client.info.bytesSent, 5);
});

test('the pattern without forward secrecy is there for who asks for it', async (t) => {
  const [client, server] = await pair(t, { patterns: 'secret' });
  assert.equal(client.info.pattern, 'secret');
  server.end('x');
  assert.equal(String((await collect(client)).bytes), 'x');
});

test('any stream can be below, and either side can be the one that speaks first', async () => {
  for (const role of ['top', 'bottom']) {
    const [a, b] = duplexPair();
    const other = role === 'top' ? 'bottom' : 'top';
    const client = duet.connect({ secret, socket: a, role, replay: clientReplay });
    const server = new duet.Channel({ secret, socket: b, role: other, isServer: true });
    server.pipe(server);
    client.end('in memory');
    assert.equal(String((await collect(client)).bytes), 'in memory');
  }
});

test('a channel carries a channel', async (t) => {
  const inner = { secret: crypto.randomBytes(64) };
  const server = await serve(t, {}, (outer) => {
    const channel = new duet.Channel({ ...inner, socket: outer, isServer: true });
    channel.pipe(channel);
  });
  const socket = dial(t, server.port);
  const client = duet.connect({ ...inner, socket, replay: clientReplay });
  client.end('twice');
  assert.equal(String((await collect(client)).bytes), 'twice');
});

test('rekey, refresh and ping leave the bytes as they are', async (t) => {
  const [client, server] = await pair(t);
  server.pipe(server);
  let text = '';
  client.on('data', (chunk) => {
    text += chunk;
  });
  for (let i = 0; i < 10; i++) {
    client.write(`${i} `);
    client.rekey();
    assert.ok((await client.ping()) >= 0);
    client.refresh();
    await client.ping();
    server.rekey();
  }
  client.end();
  await finished(client);
  assert.equal(text, '0 1 2 3 4 5 6 7 8 9 ');
  assert.ok(client.info.rekeysSent >= 20, `${client.info.rekeysSent} rekeys`);
});

test('a reader that is slow stops the writer', async (t) => {
  const [client, server] = await pair(t);
  const block = Buffer.alloc(65536);
  let written = 0;
  const source = new Readable({
    read() {
      written += block.length;
      this.push(written > (256 << 20) ? null : block);
    },
  });
  source.pipe(client);
  server.pause();
  let before;
  do { // until nothing moves: buffers of both streams and of the kernel are full
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 300));
  } while (written !== before);
  assert.ok(written < 64 << 20, `${written} bytes went to a reader that reads nothing`);
  assert.ok(server.readableLength < 4 << 20);
  let read = 0;
  server.on('data', (chunk) => {
    read += chunk.length;
  });
  server.resume();
  await once(server, 'end');
  assert.equal(read, 256 << 20);
});

test('pipeline() of 1 GiB', async (t) => {
  const size = Number(process.env.DUET_NODE_BYTES ?? 2 ** 30);
  const [client, server] = await pair(t);
  const block = crypto.randomBytes(1 << 20);
  const [sent, received] = [crypto.createHash('sha1'), crypto.createHash('sha1')];
  let bytes = 0;
  let most = 0;
  const source = Readable.from((function* blocks() {
    for (let left = size; left > 0; left -= block.length) {
      const part = block.subarray(0, Math.min(left, block.length));
      sent.update(part);
      yield part;
    }
  })());
  const sink = new Writable({
    write(chunk, encoding, callback) {
      received.update(chunk);
      bytes += chunk.length;
      most = Math.max(most, process.memoryUsage.rss());
      callback();
    },
  });
  await Promise.all([pipeline(source, client), pipeline(server, sink)]);
  assert.equal(bytes, size);
  assert.equal(sent.digest('hex'), received.digest('hex'));
  assert.ok(most < 512 << 20, `${most} bytes of memory`);
  assert.equal(client.info.receiptSent, server.info.receiptReceived);
});

test('an AbortSignal ends connecting, and an open channel', async (t) => {
  const server = await serve(t, {});
  const early = new AbortController();
  const first = dial(t, server.port, { signal: early.signal });
  early.abort();
  assert.equal((await failure(first)).name, 'AbortError');

  const late = new AbortController();
  const accepted = once(server, 'secureConnection');
  const second = dial(t, server.port, { signal: late.signal });
  const [channel] = await accepted;
  channel.removeAllListeners('error');
  channel.resume();
  late.abort();
  assert.equal((await failure(second)).name, 'AbortError');
  assert.equal((await failure(channel)).code, 'DUET_E_TRUNCATED');
});

test('setTimeout() tells of a channel that is idle', async (t) => {
  const [client] = await pair(t);
  client.setTimeout(50);
  await once(client, 'timeout');
  client.setTimeout(0);
});

test('a peer that does not answer: the handshake has its time, and pings notice', async (t) => {
  const silent = net.createServer((socket) => {
    socket.on('error', () => {});
    t.after(() => socket.destroy());
  });
  const port = await listen(t, silent);
  const client = dial(t, port, { handshakeTimeout: 50 });
  const error = await failure(client);
  assert.equal(error.code, 'DUET_SLOW');

  const [a, b] = duplexPair();
  let dead = false;
  const filter = new PassThrough();
  const below = require('node:stream').Duplex.from({ readable: filter, writable: b });
  b.on('data', (chunk) => dead || filter.write(chunk));
  const top = duet.connect({ secret, socket: a, replay: clientReplay, keepalive: 20 });
  const bottom = new duet.Channel({ secret, socket: below, isServer: true });
  bottom.on('error', () => {});
  await once(top, 'secureConnect');
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(top.destroyed, false, 'pings that are answered keep it open');
  dead = true;
  assert.equal((await failure(top)).code, 'DUET_SLOW');
});

test('a failure to connect has the error of the system', async (t) => {
  const gone = net.createServer();
  gone.listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address();
  await new Promise((resolve) => gone.close(resolve));
  assert.equal((await failure(dial(t, port))).code, 'ECONNREFUSED');
});

test('nothing that can be printed shows the secret', async (t) => {
  const marked = Buffer.alloc(64, 'MARKER');
  const config = new duet.Config({ secret: marked });
  const server = await serve(t, { secret: marked });
  const client = dial(t, server.port, { secret: marked });
  await once(client, 'secureConnect');
  const agent = new duet.Agent({ secret: marked });
  const everything = [config, server, client, agent].map((value) => (
    inspect(value, { showHidden: true, depth: 20, maxArrayLength: null }))).join('\n');
  assert.doesNotMatch(everything, /MARKER|4d 41 52 4b|77, 65, 82, 75/i);
  assert.throws(() => structuredClone(client));
  assert.throws(() => new duet.Config({ secret: 12345678 }), (error) => !/12345678/.test(error.message));
  assert.throws(() => new duet.Config({ secret: Buffer.from('MARKER') }), (error) => (
    error.code === 'DUET_E_LENGTH' && !/MARKER/.test(inspect(error))));
});

test('errors say what, and have a code of the closed list', () => {
  const error = (() => {
    try {
      return new duet.Config({ secret: '/no/such/file' });
    } catch (thrown) {
      return thrown;
    }
  })();
  assert.ok(error instanceof duet.DuetError && error instanceof Error);
  assert.match(error.message, /\/no\/such\/file/);
  assert.match(error.code, /^DUET_E_/);
  assert.ok(error.cure.length > 0);
  assert.throws(() => new duet.Config({ secret, patterns: 'none' }), /ephemeral/);
  assert.throws(() => new duet.Config({ secret, maxPayload: 1 }), { code: 'DUET_E_MISUSE' });
  assert.throws(() => new duet.Config({ secret, frameSize: 0 }), RangeError);
  assert.throws(() => new duet.Config({}), TypeError);
  assert.throws(() => new duet.Channel({ secret, replay: {}, socket: duplexPair()[0] }).destroy());
});

test('a signal that is aborted already: nothing is connected', async (t) => {
  const server = await serve(t, {});
  server.on('connection', () => assert.fail('a connection was made'));
  const client = dial(t, server.port, { signal: AbortSignal.abort() });
  assert.equal((await failure(client)).name, 'AbortError');
  await new Promise((resolve) => setTimeout(resolve, 50));
});
