'use strict';
/*
 * The package: what `npm pack` makes installs and runs where there is no compiler, and the addon fits
 * into a Node.js that has an OpenSSL of its own.
 */

const { execFileSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const tls = require('node:tls');
const { Worker } = require('node:worker_threads');
const { assert, collect, dial, duet, folder, once, pair, serve, skip } = require('./support.js');

const root = path.join(__dirname, '..');
const addon = path.join(root, 'prebuilt', `${process.platform}-${process.arch}`, 'duet.node');

function run(program, given, options) {
  return execFileSync(program, given, { encoding: 'utf8', stdio: 'pipe', timeout: 120000, ...options });
}

function has(program) {
  return (process.env.PATH ?? '').split(':').some((each) => fs.existsSync(path.join(each, program)));
}

test('npm pack gives a package that installs without a compiler and runs', (t) => {
  if (!has('npm')) {
    skip(t, 'there is no npm');
    return;
  }
  const into = folder(t);
  const [{ filename, files }] = JSON.parse(
    run('npm', ['pack', '--json', '--pack-destination', into], { cwd: root }));
  const names = files.map((file) => file.path);
  for (const name of ['index.js', 'index.d.ts', 'README.md', 'LICENSE']) {
    assert.ok(names.includes(name), `${name} is missing`);
  }
  assert.ok(names.some((name) => name.endsWith('duet.node')));
  assert.ok(!names.some((name) => name.includes('test') || name.endsWith('.c')), names.join(' '));

  const bin = path.join(into, 'bin'); // a PATH with node alone
  fs.mkdirSync(bin);
  fs.symlinkSync(process.execPath, path.join(bin, 'node'));
  fs.writeFileSync(path.join(into, 'package.json'), '{}');
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', path.join(into, filename)], { cwd: into });
  const env = { PATH: bin };
  const node = path.join(bin, 'node');
  assert.equal(run(node, ['-p', 'require("duet").version'], { cwd: into, env }).trim(), duet.version);
  run(node, ['--input-type=module', '-e', 'import { connect, Agent } from "duet"; connect.name; Agent.name'],
    { cwd: into, env });
});

test('one libcrypto is in the process, and TLS works beside duet', async (t) => {
  const [client, server] = await pair(t);
  const maps = fs.readFileSync('/proc/self/maps', 'utf8').split('\n');
  const libraries = new Set(maps.map((line) => line.split(/\s+/)[5]).filter((name) => /crypto/.test(name)));
  const needed = run('ldd', [process.execPath]).split('\n').filter((line) => /libcrypto/.test(line));
  assert.equal(libraries.size, needed.length, [...libraries].join(' '));
  assert.doesNotMatch(run('ldd', [addon]), /libcrypto|libssl/);

  const options = { PSKCallback: undefined, ciphers: 'PSK', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
  const key = crypto.randomBytes(32);
  const secure = tls.createServer({ ...options, pskCallback: () => key }, (socket) => socket.pipe(socket));
  secure.listen(0, '127.0.0.1');
  await once(secure, 'listening');
  t.after(() => secure.close());
  const socket = tls.connect({
    ...options,
    port: secure.address().port,
    host: '127.0.0.1',
    checkServerIdentity: () => undefined,
    pskCallback: () => ({ psk: key, identity: 'test' }),
  });
  server.pipe(server);
  for (const stream of [socket, client]) {
    stream.end('both');
    assert.equal(String((await collect(stream)).bytes), 'both');
  }
  assert.equal(crypto.createHash('sha256').update('abc').digest('hex').slice(0, 8), 'ba7816bf');
});

test('only the entry of the module is visible', (t) => {
  if (!has('nm')) {
    skip(t, 'there is no nm (Debian: binutils)');
    return;
  }
  const names = run('nm', ['-D', '--defined-only', addon]).trim().split('\n')
    .map((line) => line.split(/\s+/).at(-1));
  assert.deepEqual(names.filter((name) => !/^(napi|node_api)_/.test(name)), []);
});

test('worker threads have the module too, and end while channels are open', async (t) => {
  const server = await serve(t, {}, (channel) => channel.pipe(channel));
  const code = `
    const duet = require(${JSON.stringify(root)});
    const { parentPort, workerData } = require('node:worker_threads');
    const channel = duet.connect({ ...workerData, replay: new duet.Replay(16) });
    channel.on('error', () => {});
    channel.write('from a worker');
    channel.once('data', (chunk) => parentPort.postMessage(String(chunk)));`;
  const workerData = { port: server.port, host: '127.0.0.1', secret: require('./support.js').secret };
  await Promise.all([1, 2, 3].map(async () => {
    const worker = new Worker(code, { eval: true, workerData });
    assert.equal((await once(worker, 'message'))[0], 'from a worker');
    await worker.terminate();
  }));
  await once(dial(t, server.port), 'secureConnect');
});

test('what does not fit is refused with a sentence', (t) => {
  const { load, unfitReason } = require('../lib/native.js');
  const into = path.join(folder(t), 'linux-x64');
  assert.throws(() => load(path.join(into, 'duet.node')), /no addon for linux-x64.*scripts\/node/s);
  fs.mkdirSync(into);
  fs.writeFileSync(path.join(into, 'duet.node'), 'not an addon');
  assert.throws(() => load(path.join(into, 'duet.node')), /cannot be loaded/);
  assert.match(unfitReason({ ...process.versions, napi: '7' }), /too old/);
  assert.match(unfitReason({ ...process.versions, openssl: '1.1.1' }), /OpenSSL 3/);
  assert.match(unfitReason({ ...process.versions, openssl: undefined, electron: '30' }), /Electron/);

  const other = path.join(folder(t), 'package'); // the same addon in a package of another version
  fs.cpSync(root, other, { recursive: true });
  const about = JSON.parse(fs.readFileSync(path.join(other, 'package.json'), 'utf8'));
  fs.writeFileSync(path.join(other, 'package.json'), JSON.stringify({ ...about, version: '9.0.0' }));
  assert.throws(() => require(other), /package is version 9\.0\.0/);
});

test('the types describe what is there', (t) => {
  const from = process.env.DUET_NODE_MODULES;
  const into = folder(t);
  let tsc = from && path.join(from, '.bin', 'tsc');
  let types = from;
  if (!from) {
    try {
      run('npm', ['install', '--prefix', into, '--no-audit', '--no-fund', '--no-save', '--fetch-retries=0',
        '--fetch-timeout=20000', 'typescript@5', '@types/node@20']);
      tsc = path.join(into, 'node_modules', '.bin', 'tsc');
      types = path.join(into, 'node_modules');
    } catch {
      skip(t, 'npm cannot install typescript here');
      return;
    }
  }
  fs.writeFileSync(path.join(into, 'use.ts'), `
    import * as duet from ${JSON.stringify(path.join(root, 'index'))};
    const config = new duet.Config({ secret: ['a.key', Buffer.alloc(64)], patterns: 'ephemeral' });
    const channel: duet.Channel = duet.connect({ host: 'h', port: 1, config, signal: new AbortController().signal });
    channel.write({ code: 1, data: 'x' });
    const id: string | undefined = channel.info?.secretId;
    const server: duet.Server = duet.createServer({ secret: 'a.key', drainTimeout: [1, 2] }, (each) => each.pipe(each));
    server.listen(4000).on('clientError', (error) => error.cure);
    new duet.Agent({ config, keepAlive: true });
    // @ts-expect-error a secret is needed
    duet.connect({ host: 'h', port: 1 });
    // @ts-expect-error there is no such pattern
    new duet.Config({ secret: 'a.key', patterns: 'none' });
    export { id };
  `);
  try {
    run(tsc, ['--noEmit', '--strict', '--target', 'es2022', '--module', 'node16', '--moduleResolution',
      'node16', '--typeRoots', path.join(types, '@types'), '--types', 'node', path.join(into, 'use.ts')]);
  } catch (error) {
    assert.fail(error.stdout || error.message);
  }
  const declared = [...fs.readFileSync(path.join(root, 'index.d.ts'), 'utf8')
    .matchAll(/^export (?:class|function|const) (\w+)/gm)].map((match) => match[1]);
  assert.deepEqual([...new Set(declared)].sort(), Object.keys(duet).sort());
});
