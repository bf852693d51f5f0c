'use strict';
/*
 * Agent: http.request() through channels, with the pooling of http.Agent.
 */

const http = require('node:http');
const { connect, withoutOwn } = require('./channel.js');
const { Config } = require('./config.js');

class Agent extends http.Agent {
  #options;

  constructor(options) {
    super(withoutOwn(options));
    const { role, replay, keepalive, handshakeTimeout } = options;
    this.#options = { role, replay, keepalive, handshakeTimeout, config: Config.of(options) };
  }

  createConnection(options) {
    const { host, port, socketPath, keepAlive, keepAliveInitialDelay, localAddress, family, lookup } =
      options;
    const target = socketPath ? { path: socketPath } : { host, port, localAddress, family, lookup };
    return connect({ ...target, keepAlive, keepAliveInitialDelay, ...this.#options });
  }
}

module.exports = { Agent };
