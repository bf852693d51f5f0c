'use strict';
/*
 * Silence towards a peer that has not authenticated, or that has broken the protocol
 * (docs/protocol.md §4 "Probing"): what it sends is read and dropped, it gets no answer, and nothing
 * that it does, its own end included, brings the end of the connection nearer.
 */

const { randomInt } = require('node:crypto');

const LEAST = 30000; // milliseconds; the range that the protocol names
const MOST = 90000;
const LAST = 1000; // after the time, until nothing unread is left, so that FIN follows and not RST
const STEP = 20;
const LINGER = 2000;

const silenced = new WeakSet();

/** Draw the milliseconds for which such peers are read. */
function drawSilence([least, most] = [LEAST, MOST]) {
  return randomInt(least, most + 1);
}

/** Close a stream after what was written to it, and wait a while for the peer to do so too. */
function closeSoftly(stream) {
  const timer = setTimeout(() => stream.destroy(), LINGER).unref();
  stream.on('error', () => {});
  stream.once('close', () => clearTimeout(timer));
  stream.end();
  stream.resume();
}

/** Keep silent for that many milliseconds, then close. untilEnd: or until the peer's end. Does not
 * keep the process alive. */
function keepSilent(stream, milliseconds, untilEnd) {
  let heard = false;
  let end = 0;
  let timer;
  const look = () => {
    if (end === 0) {
      end = performance.now() + LAST;
    } else if (!heard || performance.now() >= end) {
      closeSoftly(stream);
      return;
    }
    heard = false;
    timer = setTimeout(look, STEP).unref();
  };
  const finish = () => {
    clearTimeout(timer);
    closeSoftly(stream);
  };
  if (stream.destroyed) {
    return;
  }
  silenced.add(stream);
  timer = setTimeout(look, Math.max(0, milliseconds)).unref();
  stream.on('error', () => {});
  stream.once('close', () => clearTimeout(timer));
  if (untilEnd && stream.readableEnded) {
    finish();
    return;
  }
  if (untilEnd) {
    stream.once('end', finish);
  }
  stream.on('data', () => {
    heard = true;
  });
  stream.unref?.();
  stream.resume();
}

/** Is this stream kept silent? */
function isSilenced(stream) {
  return silenced.has(stream);
}

module.exports = { closeSoftly, drawSilence, isSilenced, keepSilent };
