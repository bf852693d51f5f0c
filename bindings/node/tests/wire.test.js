'use strict';
/*
 * What an attacker on the wire, or a peer without the secret, gets to see and to do.
 */

const net = require('node:net');
const test = require('node:test');
const {
  assert, collect, dial, duet, failure, once, pair, proxy, secret, serve,
} = require('./support.js');

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A plain connection. closed: milliseconds until its end, and what it got. */
function probe(t, port) {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const begin = Date.now();
  const got = { bytes: 0, error: undefined };
  socket.on('data', (chunk) => {
    got.bytes += chunk.length;
  });
  socket.on('error', (error) => {
    got.error = error;
  });
  socket.closed_ = new Promise((resolve) => {
    const end = () => resolve({ ...got, after: Date.now() - begin });
    socket.once('end', end);
    socket.once('close', end);
  });
  t.after(() => socket.destroy());
  return socket;
}

test('an end without CLOSE is a truncation; what came before it is delivered', async (t) => {
  const server = await serve(t, {}, (channel) => {
    channel.write('a part');
    channel.resume();
  });
  let cut = false;
  const port = await proxy(t, server.port, (chunk) => (cut ? null : chunk));
  const client = dial(t, port);
  client.pause();
  await once(client, 'secureConnect');
  await client.ping(); // the part has come by now, and is not read yet
  cut = true;
  client.write('x');
  await wait(50);
  client.resume();
  const { bytes, error } = await collect(client);
  assert.equal(String(bytes), 'a part');
  assert.equal(error.code, 'DUET_E_TRUNCATED');
  assert.equal(error.kind, 'theirs');
});

test('a peer that is destroyed leaves a truncated stream, never a complete one', async (t) => {
  const [client, server] = await pair(t);
  server.removeAllListeners('error');
  client.write('x');
  await once(server, 'data');
  server.destroy();
  assert.equal((await failure(client)).code, 'DUET_E_TRUNCATED');
});

test('a changed byte ends the channel, and nothing unverified is delivered', async (t) => {
  const payload = Buffer.alloc(100000, 'payload');
  for (const at of [3, 20, 5000, 16395]) { // header, payload, MAC of the first frame
    let changing = false;
    const server = await serve(t, {}, (channel) => channel.resume());
    const accepted = once(server, 'secureConnection');
    const port = await proxy(t, server.port, (chunk, fromClient) => {
      if (!fromClient && changing) {
        changing = false;
        chunk[at] ^= 1;
      }
      return chunk;
    });
    const client = dial(t, port);
    const [channel] = await accepted;
    await client.ping();
    changing = true;
    channel.write(payload);
    const { bytes, error } = await collect(client);
    assert.match(error.code, /^DUET_E_(FORGED|CHECKSUM|SEQUENCE|TOO_LONG)$/);
    assert.equal(bytes.length, 0);
  }
});

test('of a frame in pieces nothing is delivered before its MAC', async (t) => {
  const server = await serve(t, { frameSize: 65536 });
  const accepted = once(server, 'secureConnection');
  let keep = Infinity;
  const held = [];
  const port = await proxy(t, server.port, (chunk, fromClient) => {
    if (fromClient || keep === Infinity) {
      return chunk;
    }
    const now = chunk.subarray(0, keep);
    held.push(chunk.subarray(keep));
    keep -= now.length;
    return now;
  });
  const client = dial(t, port);
  const [channel] = await accepted;
  await client.ping();
  let got = 0;
  client.on('data', (chunk) => {
    got += chunk.length;
  });
  keep = 65000;
  channel.write(Buffer.alloc(65536, 'x'));
  await wait(100);
  assert.equal(got, 0);
});

test('silence for a wrong secret, garbage, an end and a replay, until one and the same time', async (t) => {
  const flight = [];
  const server = await serve(t, { drainTimeout: [400, 400] }, (channel) => channel.resume());
  const reasons = [];
  server.on('clientError', (error) => reasons.push(error));
  const recorder = await proxy(t, server.port, (chunk, fromClient) => {
    if (fromClient && flight.length === 0) {
      flight.push(Buffer.from(chunk));
    }
    return chunk;
  });
  const good = dial(t, recorder);
  await once(good, 'secureConnect');

  const ways = {
    nothing: () => {},
    garbage: (socket) => socket.write(Buffer.alloc(5000, 'GET / HTTP/1.1\r\n\r\n')),
    end: (socket) => socket.end(),
    garbageAndEnd: (socket) => socket.end(Buffer.alloc(100)),
    unfinished: (socket) => socket.write(flight[0].subarray(0, 60)),
    replay: (socket) => socket.write(flight[0]),
    changed: (socket) => {
      const changed = Buffer.from(flight[0]);
      changed[changed.length - 1] ^= 1;
      socket.write(changed);
    },
  };
  const ends = await Promise.all(Object.values(ways).map((way) => {
    const socket = probe(t, server.port);
    socket.once('connect', () => way(socket));
    return socket.closed_;
  }));
  for (const [i, { bytes, after, error }] of ends.entries()) {
    const name = Object.keys(ways)[i];
    assert.equal(bytes, 0, `${name} was answered`);
    assert.equal(error, undefined, `${name} ended with ${error}`);
    assert.ok(after >= 395 && after < 1900, `${name} ended after ${after} ms`);
  }
  assert.ok(reasons.length >= 6);
  for (const error of reasons) {
    assert.match(error.code, /^DUET_(E_UNAUTHENTICATED|SLOW)$/);
    assert.equal(error.remoteAddress, '127.0.0.1');
  }
});

test('a flood of bytes is read and dropped', async (t) => {
  const server = await serve(t, { drainTimeout: [500, 500] });
  const socket = probe(t, server.port);
  const block = Buffer.alloc(1 << 20);
  let sent = 0;
  const more = () => socket.writable && socket.write(block, () => {
    sent += block.length;
    more();
  });
  more();
  const { bytes } = await socket.closed_;
  assert.equal(bytes, 0);
  assert.ok(sent > 8 << 20, `${sent} bytes were taken`);
});

test('a peer with another secret is told at home what is wrong', async (t) => {
  const server = await serve(t, {});
  const refused = once(server, 'clientError');
  const other = dial(t, server.port, { secret: Buffer.alloc(64, 'other'), handshakeTimeout: 3000 });
  const error = await failure(other);
  const [reason] = await refused;
  assert.equal(reason.code, 'DUET_E_UNAUTHENTICATED');
  assert.equal(error.code, 'DUET_E_UNAUTHENTICATED');
  assert.ok(error.cure.includes('secret'));
});

test('the oldest peer that has not authenticated makes room; one that has stays', async (t) => {
  const server = await serve(t, { maxHalfOpen: 2, drainTimeout: [60000, 60000] });
  const client = dial(t, server.port);
  await once(client, 'secureConnect');
  const probes = [];
  for (let i = 0; i < 4; i++) {
    probes.push(probe(t, server.port));
    await once(probes[i], 'connect');
    await wait(20);
  }
  assert.ok((await probes[0].closed_).after < 5000);
  assert.ok((await probes[1].closed_).after < 5000);
  assert.ok((await client.ping()) >= 0);
  server.close();
  assert.ok((await probes[3].closed_).after < 5000, 'close() drops those that have not authenticated');
});

test('a listener takes several secrets, and new ones while it runs', async (t) => {
  const [first, second, third] = ['1', '2', '3'].map((text) => Buffer.alloc(64, text));
  const server = await serve(t, { secret: [first, second] });
  for (const each of [first, second]) {
    await once(dial(t, server.port, { secret: each }), 'secureConnect');
  }
  server.setConfig({ secret: [third] });
  await once(dial(t, server.port, { secret: third }), 'secureConnect');
  assert.equal((await failure(dial(t, server.port, { secret: first }))).code, 'DUET_E_UNAUTHENTICATED');
});

test('a program is not its own peer', async (t) => {
  const replay = new duet.Replay(16);
  const server = await serve(t, { replay });
  const mirror = dial(t, server.port, { replay });
  assert.equal((await failure(mirror)).code, 'DUET_E_UNAUTHENTICATED');
  assert.ok(secret.length > 0);
});
