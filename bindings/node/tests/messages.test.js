'use strict';
/*
 * The option messages: each chunk is {code, data}, in both directions.
 */

const test = require('node:test');
const { assert, failure, once, pair } = require('./support.js');

const both = { messages: true };

test('messages keep their codes, sizes and order', async (t) => {
  const [client, server] = await pair(t, both);
  const sent = [
    { code: 1, data: Buffer.from('one') },
    { code: 0xfffffeff, data: Buffer.alloc(0) },
    { code: 7, data: Buffer.alloc(3 << 20, 'large') },
    { code: 0, data: Buffer.from('of the stream') },
    { code: 2, data: Buffer.alloc(16384, 'a frame') },
  ];
  sent.forEach((message) => client.write(message));
  client.end();
  const received = [];
  for await (const message of server) {
    received.push(message);
  }
  assert.deepEqual(received, sent);
});

test('a message that is larger than the receiver takes ends the channel', async (t) => {
  const [client, server] = await pair(t, both, { ...both, maxMessage: 100000 });
  server.removeAllListeners('error');
  client.on('error', () => {});
  server.resume();
  client.write({ code: 1, data: Buffer.alloc(200000) });
  assert.equal((await failure(server)).code, 'DUET_E_TOO_LONG');
});

test('a message to a reader of the stream is an error that says so', async (t) => {
  const [client, server] = await pair(t, both, {});
  server.removeAllListeners('error');
  client.on('error', () => {});
  server.resume();
  client.write({ code: 9, data: 'text' });
  const error = await failure(server);
  assert.equal(error.code, 'DUET_E_CODE');
  assert.match(error.message, /code 9.*messages/);
});

test('a code of the library is refused before anything is sent', async (t) => {
  const [client] = await pair(t, both);
  client.write({ code: 0xffffff03, data: '' });
  const [error] = await once(client, 'error');
  assert.ok(error instanceof RangeError);
});
