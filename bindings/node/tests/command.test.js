'use strict';
/*
 * With the command `duet`, which is the C library: files that it made, and channels to it.
 */

const { execFileSync, spawn } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { Duplex } = require('node:stream');
const test = require('node:test');
const { pathToFileURL } = require('node:url');
const {
  assert, clientReplay, collect, dial, duet, failure, folder, freePort, once, serve, skip, start,
  untilListening,
} = require('./support.js');

const command = process.env.DUET;

/** A test with a folder and a function that runs the command there. */
function withCommand(name, body) {
  test(name, async (t) => {
    if (!command) {
      skip(t, 'DUET does not name the command');
      return;
    }
    const cwd = folder(t);
    const run = (...given) => execFileSync(command, given, { cwd, encoding: 'utf8', stdio: 'pipe' });
    run('keygen', '-o', 'secret.key');
    await body(t, { cwd, run, key: path.join(cwd, 'secret.key') });
  });
}

withCommand('a client of `duet pipe`', async (t, { cwd, key }) => {
  const port = await freePort();
  const pipe = spawn(command, ['pipe', '-k', 'secret.key', '-l', `127.0.0.1:${port}`], { cwd });
  t.after(() => pipe.kill());
  await untilListening(port);
  const [there, back] = [crypto.randomBytes(3 << 20), crypto.randomBytes(2 << 20)];
  const client = dial(t, port, { secret: key });
  pipe.stdin.end(back);
  client.end(there);
  const [sent, received] = await Promise.all([collect(pipe.stdout), collect(client)]);
  assert.ok(sent.bytes.equals(there));
  assert.ok(received.bytes.equals(back));
  assert.equal((await once(pipe, 'exit'))[0], 0);
});

withCommand('a server for `duet pipe`, with a file named by a URL', async (t, { cwd, key }) => {
  const server = await serve(t, { secret: pathToFileURL(key) }, (channel) => channel.pipe(channel));
  const pipe = spawn(command, ['pipe', '-k', 'secret.key', `127.0.0.1:${server.port}`], { cwd });
  const bytes = crypto.randomBytes(5 << 20);
  pipe.stdin.end(bytes);
  assert.ok((await collect(pipe.stdout)).bytes.equals(bytes));
  assert.equal((await once(pipe, 'exit'))[0], 0);
});

withCommand('`duet pipe --stdio` at the other end of a pair of pipes', async (t, { cwd, key }) => {
  const pipe = spawn(command, ['pipe', '-k', 'secret.key', '--stdio', '--in', 'secret.key', '--out',
    'copy'], { cwd, stdio: ['pipe', 'pipe', 'inherit'] });
  const socket = Duplex.from({ readable: pipe.stdout, writable: pipe.stdin });
  const client = duet.connect({ secret: key, socket, replay: clientReplay });
  client.end('through pipes');
  assert.ok((await collect(client)).bytes.equals(fs.readFileSync(key)));
  assert.equal((await once(pipe, 'exit'))[0], 0);
  assert.equal(fs.readFileSync(path.join(cwd, 'copy'), 'utf8'), 'through pipes');
});

withCommand('identities, and only peers that are trusted', async (t, { cwd, run, key }) => {
  const keys = {};
  for (const name of ['alice', 'bob', 'eve']) {
    keys[name] = run('keygen', '--identity', '-o', `${name}.key`).match(/[A-Za-z0-9+/]{43}=/)[0];
  }
  const file = (name) => path.join(cwd, name);
  fs.writeFileSync(file('peers'), `[Peer alice]\nPublicKey = ${keys.alice}\n`, { mode: 0o600 });
  const server = await serve(t, { secret: key, identity: file('bob.key'), peers: file('peers') });
  const accepted = once(server, 'secureConnection');
  const alice = dial(t, server.port, { secret: key, identity: file('alice.key') });
  await once(alice, 'secureConnect');
  const [channel] = await accepted;
  assert.equal(alice.info.pattern, 'identity');
  assert.equal(alice.info.peerKey, keys.bob);
  assert.equal(channel.info.peerKey, keys.alice);

  const refused = once(server, 'clientError');
  const eve = dial(t, server.port, { secret: key, identity: file('eve.key') });
  await failure(eve);
  const [reason] = await refused;
  assert.equal(reason.code, 'DUET_E_UNTRUSTED');
  assert.ok(reason.message.includes(keys.eve), reason.message);
});

withCommand('a file that others can read is refused, as by the command', async (t, { key }) => {
  fs.chmodSync(key, 0o644);
  assert.throws(() => new duet.Config({ secret: key }), (error) => (
    error.message.includes(key) && /DUET_E_/.test(error.code)));
  fs.chmodSync(key, 0o600);
  assert.throws(() => new duet.Config({ secret: key, identity: key }), /secret/);
});

withCommand('a tunnel of `duet server` before a server of Node.js', async (t, { cwd, key }) => {
  const http = require('node:http');
  const plain = http.createServer((request, response) => request.pipe(response));
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  t.after(() => plain.close());
  const port = await freePort();
  start(t, command, ['server', '-k', 'secret.key', '--listen', `127.0.0.1:${port}`, '--target',
    `127.0.0.1:${plain.address().port}`], { cwd });
  await untilListening(port);
  const agent = new duet.Agent({ secret: key, replay: clientReplay });
  const request = http.request({ agent, port, host: '127.0.0.1', method: 'POST' });
  const body = crypto.randomBytes(1 << 20);
  request.end(body);
  const [response] = await once(request, 'response');
  assert.ok((await collect(response)).bytes.equals(body));
});
