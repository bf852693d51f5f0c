'use strict';
/*
 * Loads the addon, and checks that it fits this package and this Node.js. Every reason why it cannot
 * be loaded becomes a sentence that says what to do.
 */

const fs = require('node:fs');
const path = require('node:path');
const { version } = require('../package.json');

const NAPI_LEAST = 8;

/** Why this Node.js cannot load the addon at all; undefined when it can. */
function unfitReason(versions) {
  if (Number(versions.napi ?? 0) < NAPI_LEAST) {
    return `Node.js ${versions.node} is too old: it has Node-API ${versions.napi ?? 'not at all'}, ` +
      `and ${NAPI_LEAST} is needed (Node.js 18 or later)`;
  }
  // The addon uses the libcrypto of Node.js itself; Electron, for one, has another.
  if (!String(versions.openssl ?? '').startsWith('3.')) {
    return `this ${versions.electron ? 'Electron' : 'Node.js'} has no OpenSSL 3 ` +
      `(it has ${versions.openssl ?? 'none'}), whose libcrypto the addon uses`;
  }
  return undefined;
}

function load(file, versions = process.versions) {
  const unfit = unfitReason(versions);
  if (unfit) {
    throw new Error(`duet: ${unfit}`);
  }
  const platform = path.basename(path.dirname(file));
  if (!fs.existsSync(file)) {
    throw new Error(`duet: this package has no addon for ${platform} (${file} is missing). ` +
      'Build it from the source of duet: scripts/node');
  }
  let native;
  try {
    native = require(file);
  } catch (cause) {
    throw new Error(`duet: the addon for ${platform} cannot be loaded: ${cause.message}. It is built ` +
      'for glibc; on another system build it from the source of duet: scripts/node', { cause });
  }
  if (native.version !== version) {
    throw new Error(`duet: the package is version ${version} and its addon ${native.version}: ` +
      'install the package again, or build the addon again with scripts/node');
  }
  return native;
}

const addon = path.join(__dirname, '..', 'prebuilt', `${process.platform}-${process.arch}`, 'duet.node');

module.exports = { native: load(addon), load, unfitReason };
