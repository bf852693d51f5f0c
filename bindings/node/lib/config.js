'use strict';
/*
 * What a channel is made with: the secret and what goes with it. Any number of channels share one
 * Config. Nothing of it can be read back, printed or copied.
 */

const { fileURLToPath } = require('node:url');
const { native } = require('./native.js');
require('./errors.js');

const C = native.constants;
const PATTERNS = ['secret', 'ephemeral', 'identity'];
const NUMBERS = { maxPayload: C.DUET_SET_MAX_PAYLOAD, maxSkew: C.DUET_SET_MAX_SKEW_MS };
const FILES = { identity: C.DUET_KIND_IDENTITY, peers: C.DUET_KIND_PEERS, profile: C.DUET_KIND_PROFILE };
const FRAME_SIZE = 16384;

/** The options that make a Config. */
const CONFIG_OPTIONS = ['secret', 'patterns', 'frameSize', ...Object.keys(NUMBERS), ...Object.keys(FILES)];

class Config {
  #native = new native.Config();
  #frameSize;

  constructor(options) {
    const secrets = Array.isArray(options.secret) ? options.secret : [options.secret];
    for (const secret of secrets) {
      this.#addSecret(secret);
    }
    for (const [name, kind] of Object.entries(FILES)) {
      if (options[name] !== undefined) {
        this.#native.load(kind, pathOf(options[name], name));
      }
    }
    for (const [name, setting] of Object.entries(NUMBERS)) {
      if (options[name] !== undefined) {
        this.#native.set(setting, options[name], name);
      }
    }
    if (options.patterns !== undefined) {
      this.#native.set(C.DUET_SET_PATTERNS, patternSet(options.patterns), 'patterns');
    }
    this.#frameSize = frameSizeOf(options.frameSize ?? FRAME_SIZE);
  }

  #addSecret(secret) {
    if (secret instanceof Uint8Array) {
      this.#native.addSecret(secret);
    } else {
      this.#native.load(C.DUET_KIND_SECRET, pathOf(secret, 'secret'));
    }
  }

  /** Make a session. Not for applications: it takes what only this package has. */
  static session(config, role, replay) {
    return new native.Session(config.#native, role, config.#frameSize, replay);
  }

  /** The Config among the options of a call, or one made of them. */
  static of(options) {
    return options.config instanceof Config ? options.config : new Config(options);
  }
}

function pathOf(value, name) {
  if (value instanceof URL) {
    return fileURLToPath(value);
  }
  if (typeof value !== 'string' || value === '') {
    // The value is not quoted: it may be the secret itself.
    throw new TypeError(`${name}: a path is expected${name === 'secret' ? ', or a Buffer' : ''}`);
  }
  return value;
}

function patternSet(patterns) {
  const names = Array.isArray(patterns) ? patterns : [patterns];
  let set = 0;
  for (const name of names) {
    const number = PATTERNS.indexOf(name);
    if (number < 0) {
      throw new TypeError(`patterns: there is no pattern '${name}'; it is one of ${PATTERNS.join(', ')}`);
    }
    set |= 1 << number;
  }
  return set;
}

function frameSizeOf(value) {
  if (!Number.isInteger(value) || value < 1 || value > 65536) {
    throw new RangeError('frameSize: a number of bytes from 1 to 65536 is expected');
  }
  return value;
}

module.exports = { Config, CONFIG_OPTIONS, PATTERNS };
