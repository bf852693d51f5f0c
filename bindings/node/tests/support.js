'use strict';
/*
 * What the tests share: a secret, a server with a client, streams below that a test looks into and
 * changes.
 */

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { Duplex, PassThrough } = require('node:stream');
const duet = require('..');

const secret = Buffer.alloc(1024, 'not random, and good enough for tests');

// A program does not accept a flight of its own, which may come from a mirror. Here clients and servers
// are in one process, so each side has a cache of its own.
const clientReplay = new duet.Replay();

/** A folder that goes when the test ends. */
function folder(t) {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'duet-node-'));
  t.after(() => fs.rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Skip a test, so that scripts/run-tests lists it. */
function skip(t, reason) {
  console.log(`[  SKIPPED ] bindings/node ${t.name}: ${reason}`);
  t.skip(reason);
}

/** Start a program that ends with the test. */
function start(t, program, given, options) {
  const child = spawn(program, given, { stdio: 'ignore', ...options });
  t.after(() => child.kill());
  child.on('error', () => {});
  return child;
}

/** Wait until something listens on a port. */
async function untilListening(port) {
  for (let i = 0; i < 600; i++) {
    const socket = net.connect(port, '127.0.0.1');
    const opened = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (opened) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** A port that was free a moment ago. */
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Listen on a free port until the test ends. */
async function listen(t, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return server.address().port;
}

/** A duet server that ends with the test, and its channels with it. */
async function serve(t, options, listener) {
  const server = duet.createServer({ secret, drainTimeout: [200, 300], ...options }, listener);
  const open = new Set();
  server.on('secureConnection', (channel) => {
    open.add(channel);
    channel.on('error', () => {});
  });
  const port = await listen(t, server);
  t.after(() => open.forEach((channel) => channel.destroy()));
  return Object.assign(server, { port });
}

/** A client that ends with the test. */
function dial(t, port, options) {
  const client = duet.connect({
    secret, port, host: '127.0.0.1', replay: clientReplay, ...options,
  });
  t.after(() => client.destroy());
  return client;
}

/** Two channels that are connected: the client's and the server's. */
async function pair(t, options = {}, serverOptions = options) {
  const server = await serve(t, serverOptions);
  const accepted = once(server, 'secureConnection');
  const client = dial(t, server.port, options);
  await once(client, 'secureConnect');
  return [client, (await accepted)[0]];
}

/** Two ends of a stream in memory. */
function duplexPair() {
  const [there, back] = [new PassThrough(), new PassThrough()];
  return [
    Duplex.from({ readable: back, writable: there }),
    Duplex.from({ readable: there, writable: back }),
  ];
}

/** A TCP proxy to a port. change(chunk, fromClient) gives what goes on; null: both sides are ended. */
async function proxy(t, port, change) {
  const sockets = new Set();
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    const target = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    for (const [from, to, fromClient] of [[client, target, true], [target, client, false]]) {
      sockets.add(from);
      from.on('error', () => {});
      from.on('end', () => to.end());
      from.on('data', (chunk) => {
        const changed = change(chunk, fromClient);
        if (changed !== null) {
          to.write(changed);
        } else {
          client.end();
          target.end();
        }
      });
    }
  });
  const own = await listen(t, server);
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  return own;
}

/** Everything that a stream gives until its end, and the error if one ends it. */
function collect(stream) {
  const chunks = [];
  stream.on('data', (chunk) => chunks.push(chunk));
  return new Promise((resolve) => {
    stream.once('end', () => resolve({ bytes: Buffer.concat(chunks) }));
    stream.once('error', (error) => resolve({ bytes: Buffer.concat(chunks), error }));
  });
}

/** The error that a stream ends with. */
async function failure(stream) {
  return new Promise((resolve) => stream.once('error', resolve));
}

module.exports = {
  assert, clientReplay, collect, dial, duet, duplexPair, failure, folder, freePort, listen, once,
  pair, proxy, secret, serve, skip, start, untilListening,
};
