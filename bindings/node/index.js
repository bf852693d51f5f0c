'use strict';
/*
 * duet for Node.js: connect(), createServer() and Agent in the shape of node:tls and node:https.
 */

const { native } = require('./lib/native.js');
const { DuetError } = require('./lib/errors.js');
const { Config } = require('./lib/config.js');
const { Channel, connect } = require('./lib/channel.js');
const { Server, createServer } = require('./lib/server.js');
const { Agent } = require('./lib/agent.js');

const { Replay, version } = native;

// Shorthands alone: what `import { connect } from 'duet'` finds by reading this file.
module.exports = {
  Agent,
  Channel,
  Config,
  DuetError,
  Replay,
  Server,
  connect,
  createServer,
  version,
};
