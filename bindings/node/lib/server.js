'use strict';
/*
 * Server: a net.Server whose connections are handed on once their peer has authenticated.
 *
 * A peer that has not gets no answer (silence.js). How long it is read is drawn once for the server.
 */

const net = require('node:net');
const { Channel, withoutOwn } = require('./channel.js');
const { Config } = require('./config.js');
const { drawSilence, isSilenced } = require('./silence.js');

const MAX_HALF_OPEN = 1024;

class Server extends net.Server {
  #config;
  #options; // of each channel
  #silence;
  #maxHalfOpen;
  #halfOpen = new Map(); // of wires, the oldest first
  #wires = new Set(); // all of them

  constructor(options, listener) {
    super({ noDelay: true, ...withoutOwn(options), allowHalfOpen: true });
    this.#config = Config.of(options);
    this.#silence = drawSilence(options.drainTimeout);
    this.#maxHalfOpen = options.maxHalfOpen ?? MAX_HALF_OPEN;
    const { role, replay, messages, maxMessage, keepalive, allowHalfOpen, highWaterMark } = options;
    this.#options = { role, replay, messages, maxMessage, keepalive, allowHalfOpen, highWaterMark };
    this.on('connection', (wire) => this.#accept(wire));
    if (listener) {
      this.on('secureConnection', listener);
    }
  }

  /** Use another configuration for the connections that follow: to bring a new secret in. */
  setConfig(options) {
    this.#config = Config.of(options);
  }

  #accept(wire) {
    const from = { remoteAddress: wire.remoteAddress, remotePort: wire.remotePort };
    const channel = new Channel({
      ...this.#options,
      config: this.#config,
      socket: wire,
      isServer: true,
      silence: this.#silence,
      handshakeTimeout: this.#silence,
    });
    const refuse = (error) => this.emit('clientError', Object.assign(error, from));
    this.#wires.add(wire);
    this.#halfOpen.set(wire, channel);
    wire.once('close', () => {
      this.#wires.delete(wire);
      this.#halfOpen.delete(wire);
    });
    channel.on('error', refuse);
    channel.once('secureConnect', () => {
      this.#halfOpen.delete(wire);
      channel.off('error', refuse);
      this.emit('secureConnection', channel);
    });
    this.#evict();
  }

  /** Where too many have not authenticated, the oldest makes room. */
  #evict() {
    if (this.#halfOpen.size > this.#maxHalfOpen) {
      const [[wire, channel]] = this.#halfOpen;
      this.#halfOpen.delete(wire);
      channel.destroy();
      wire.destroy();
    }
  }

  /** As of a net.Server: open channels go on. Peers that have not authenticated are dropped. */
  close(callback) {
    super.close(callback);
    for (const [wire, channel] of this.#halfOpen) {
      channel.destroy();
      wire.destroy();
    }
    for (const wire of this.#wires) {
      if (isSilenced(wire)) {
        wire.destroy();
      }
    }
    return this;
  }
}

/** Make a server. As tls.createServer(): the listener gets each channel whose peer is proven. */
function createServer(options, listener) {
  return new Server(options, listener);
}

module.exports = { Server, createServer };
