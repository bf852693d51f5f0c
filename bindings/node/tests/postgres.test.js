'use strict';
/*
 * A real protocol: `pg` of npm over a channel to a real PostgreSQL, which stands behind `duet server`,
 * or behind a proxy of this test where there is no command.
 *
 * pg is installed for this test alone, by npm, where a registry can be reached.
 */

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const net = require('node:net');
const path = require('node:path');
const { pipeline } = require('node:stream');
const test = require('node:test');
const {
  assert, clientReplay, duet, folder, freePort, secret, serve, skip, start, untilListening,
} = require('./support.js');

const ROOT = '/usr/lib/postgresql';
const NOBODY = ['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', '--'];
const command = process.env.DUET;

function programs() {
  const versions = fs.existsSync(ROOT) ? fs.readdirSync(ROOT).sort() : [];
  const found = versions.map((version) => path.join(ROOT, version, 'bin'))
    .filter((bin) => fs.existsSync(path.join(bin, 'initdb')));
  return found.at(-1);
}

/** pg, from DUET_NODE_MODULES or newly installed; undefined where it cannot be had. */
function installPg(into) {
  try {
    const from = process.env.DUET_NODE_MODULES;
    if (!from) {
      execFileSync('npm', ['install', '--prefix', into, '--no-audit', '--no-fund', '--no-save',
        '--fetch-retries=0', '--fetch-timeout=20000', 'pg@8'], { stdio: 'ignore', timeout: 120000 });
    }
    return createRequire(path.join(from ?? path.join(into, 'node_modules'), 'x.js'))('pg');
  } catch {
    return undefined;
  }
}

/** Start PostgreSQL, which refuses to run as root. Resolves to its port. */
async function startPostgres(t, bin) {
  const home = folder(t);
  const data = path.join(home, 'data');
  const port = await freePort();
  const isRoot = process.getuid() === 0;
  const as = (program, given) => (isRoot
    ? ['setpriv', [...NOBODY, path.join(bin, program), ...given]]
    : [path.join(bin, program), given]);
  fs.mkdirSync(data, { mode: 0o700 });
  if (isRoot) {
    fs.chmodSync(home, 0o755);
    execFileSync('chown', ['nobody:nogroup', data]);
  }
  execFileSync(...as('initdb', ['-A', 'trust', '-U', 'test', '--no-sync', '-D', data]),
    { cwd: home, stdio: 'ignore' });
  start(t, ...as('postgres', ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', '', '-c',
    'fsync=off']), { cwd: home });
  await untilListening(port);
  return port;
}

/** A duet listener before a port: the command's, or one of Node.js. Resolves to {port, secret}. */
async function startDuet(t, target) {
  if (!command) {
    const server = await serve(t, {}, (channel) => {
      const plain = net.connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
      pipeline(channel, plain, channel, () => {});
    });
    return { port: server.port, secret };
  }
  const cwd = folder(t);
  const port = await freePort();
  execFileSync(command, ['keygen', '-o', 'secret.key'], { cwd, stdio: 'ignore' });
  start(t, command, ['server', '-k', 'secret.key', '--listen', `127.0.0.1:${port}`, '--target',
    `127.0.0.1:${target}`], { cwd });
  await untilListening(port);
  return { port, secret: path.join(cwd, 'secret.key') };
}

test('pg of npm and a real PostgreSQL', async (t) => {
  const bin = programs();
  const pg = bin && installPg(folder(t));
  if (!bin || !pg) {
    skip(t, bin ? 'npm cannot install pg here' : 'there is no PostgreSQL (Debian: postgresql)');
    return;
  }
  const { port, secret: key } = await startDuet(t, await startPostgres(t, bin));
  const options = {
    host: '127.0.0.1',
    port,
    user: 'test',
    database: 'postgres',
    stream: () => new duet.Channel({ secret: key, replay: clientReplay }),
  };
  const client = new pg.Client(options);
  await client.connect();
  await client.query('CREATE TABLE numbers (n int, text text)');
  await client.query("INSERT INTO numbers SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) n");
  const { rows } = await client.query('SELECT n, text FROM numbers ORDER BY n');
  assert.equal(rows.length, 5000);
  assert.equal(rows[4999].n, 5000);
  assert.equal(rows[0].text.length, 1000);
  const large = 'y'.repeat(8 << 20);
  const echo = await client.query('SELECT $1::text AS echo', [large]);
  assert.ok(echo.rows[0].echo === large);
  await assert.rejects(client.query('SELECT 1/0'), { code: '22012' });
  await client.end();

  const pool = new pg.Pool({ ...options, max: 4 });
  const sums = await Promise.all(Array.from({ length: 40 }, (_, i) => (
    pool.query('SELECT sum(n) + $1 AS sum FROM numbers', [i]))));
  sums.forEach(({ rows: [row] }, i) => assert.equal(Number(row.sum), 12502500 + i));
  await pool.end();
});
