'use strict';
/*
 * HTTP between node:http's own server and client, through duet on both sides.
 */

const crypto = require('node:crypto');
const http = require('node:http');
const test = require('node:test');
const { assert, clientReplay, duet, secret, serve } = require('./support.js');

/** A request through an agent. Resolves to {status, body}. */
function request(agent, port, options, body) {
  return new Promise((resolve, reject) => {
    const sent = http.request({ agent, port, host: '127.0.0.1', ...options }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(chunks) }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function serveHttp(t, listener) {
  const server = http.createServer(listener);
  let connections = 0;
  const below = await serve(t, {}, (channel) => {
    connections++;
    server.emit('connection', channel);
  });
  t.after(() => server.closeAllConnections());
  return { port: below.port, connections: () => connections };
}

const echo = (incoming, response) => {
  response.writeHead(200, { 'x-url': incoming.url });
  incoming.pipe(response);
};

test('http.request() through an Agent, each on a connection of its own', async (t) => {
  const { port, connections } = await serveHttp(t, echo);
  const agent = new duet.Agent({ secret, replay: clientReplay });
  for (const size of [0, 1, 70000, 5 << 20]) {
    const body = crypto.randomBytes(size);
    const answer = await request(agent, port, { method: 'POST' }, body);
    assert.equal(answer.status, 200);
    assert.ok(answer.body.equals(body));
  }
  assert.equal(connections(), 4);
});

test('keep-alive uses a channel again, and many go on at a time', async (t) => {
  const { port, connections } = await serveHttp(t, echo);
  const agent = new duet.Agent({ secret, replay: clientReplay, keepAlive: true, maxSockets: 3 });
  t.after(() => agent.destroy());
  const bodies = Array.from({ length: 50 }, (_, i) => Buffer.from(`body ${i}`));
  const answers = await Promise.all(
    bodies.map((body) => request(agent, port, { method: 'PUT' }, body)));
  answers.forEach((answer, i) => assert.ok(answer.body.equals(bodies[i])));
  assert.equal(connections(), 3);
});

test('a server that dies in the middle of an answer is an error of the response', async (t) => {
  const { port } = await serveHttp(t, (incoming, response) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.write('a part', () => incoming.socket.destroy());
  });
  const agent = new duet.Agent({ secret, replay: clientReplay });
  await assert.rejects(request(agent, port, {}), { code: /^(DUET_E_TRUNCATED|ECONNRESET)$/ });
});

test('an agent with another secret fails with the reason', async (t) => {
  const { port } = await serveHttp(t, echo);
  const agent = new duet.Agent({ secret: Buffer.alloc(64, 'other'), replay: clientReplay });
  await assert.rejects(request(agent, port, {}), { code: 'DUET_E_UNAUTHENTICATED' });
});
