'use strict';
/*
 * The pings of an open channel: a peer of which nothing came for an interval gets one, and after
 * three in a row without a byte in answer it counts as dead (as ServerAliveInterval of ssh).
 */

const UNANSWERED_MOST = 3;

class Keepalive {
  #interval;
  #actions;
  #timer = undefined;
  #heard = true;
  #paused = false; // this side does not read: an answer may lie there unseen
  #unanswered = 0;

  /** interval: milliseconds, 0: no pings. actions: ping() and dead(). */
  constructor(interval, actions) {
    this.#interval = interval;
    this.#actions = actions;
  }

  start() {
    if (this.#interval > 0) {
      this.#timer = setInterval(() => this.#look(), this.#interval).unref();
    }
  }

  stop() {
    clearInterval(this.#timer);
  }

  heard() {
    this.#heard = true;
    this.#unanswered = 0;
  }

  pause() {
    this.#paused = true;
  }

  resume() {
    this.#paused = false;
  }

  #look() {
    if (this.#heard || this.#paused) {
      this.heard();
      this.#heard = false;
    } else if (this.#unanswered >= UNANSWERED_MOST) {
      this.stop();
      this.#actions.dead();
    } else {
      this.#unanswered++;
      this.#actions.ping();
    }
  }
}

module.exports = { Keepalive };
