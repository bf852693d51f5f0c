/*
 * The replay cache, which tells a first flight that was recorded and sent again from a new one.
 *
 * One for a program, and for the processes that it forks. Channels look nonces up by themselves;
 * programs on sessions call duet_replay_check() for each. Source: docs/protocol.md §4 "Replay".
 */
#ifndef DUET_REPLAY_H
#define DUET_REPLAY_H

#include <duet/error.h>
#include <duet/session.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The replay cache: the nonces that were seen or sent, one for all channels of a program and the
 * processes it forks. Source: docs/protocol.md §4 "Replay". */
typedef struct duet_replay duet_replay;

#define DUET_REPLAY_DEFAULT 65536u /**< nonces */

/** Make a replay cache in shared memory, which forked workers share. entries: nonces that it holds,
 * 1 to 2^24; the oldest goes first. Returns NULL without memory or randomness.   Since 0.1. */
DUET_API duet_replay *duet_replay_new(size_t entries);

/**
 * Protect a session against replay, as a channel protects its own: for programs that run sessions
 * without channels (session.h).
 *
 * BOTTOM calls it at DUET_EVENT_NONCE, in place of duet_session_accept(): the nonce is looked up
 * and stored in one step, and the event is answered. Where DUET_SET_MAX_SKEW_MS is set, nonces are
 * kept for twice the longest such time and a second, and a flight is refused, too, whose time is
 * not after the program's start, or not after that of a flight that was pushed out earlier. TOP
 * calls it once, before its flight is flushed: a listener of the same program then refuses the
 * flight when it is sent back.
 *
 * session   of duet_session_new().
 * now_ms    as in duet_session_accept(); TOP's is ignored.
 *
 * Returns DUET_OK: BOTTOM goes on, TOP's nonce is stored; DUET_E_UNAUTHENTICATED (BOTTOM, fatal: a
 * replay, or the cache cannot be used); else BOTTOM as duet_session_accept(). DUET_E_MISUSE with
 * nothing changed: no EVENT_NONCE waits, TOP's flight is flushed, TOP's random bytes were used
 * before, or TOP's cache cannot be used. An own handshake (own.h) may get DUET_E_MEMORY: call
 * again. The cache works on after each. Any thread and any forked process may use it at any time.  
 * Source: docs/protocol.md §4 "Replay". Since 0.2.
 */
DUET_API DUET_CHECKED int duet_replay_check(duet_replay *replay, duet_session *session,
                                            uint64_t now_ms);

/** Release it in this process, after the channels that use it. NULL is fine.   Since 0.1. */
DUET_API void duet_replay_free(duet_replay *replay);

#ifdef __cplusplus
}
#endif

#endif
