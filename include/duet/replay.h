/*
 * The replay cache, which tells a first flight that was recorded and sent again from a new one.
 *
 * One for a program, and for the processes that it forks. Channels look nonces up by themselves;
 * programs on sessions call duet_replay_check(). Source: docs/protocol.md §4 "Replay".
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
 * Look a nonce up and store it, in one step under one lock: for programs that run sessions without
 * channels (session.h). BOTTOM checks step->nonce at EVENT_NONCE; TOP checks its own, the first
 * DUET_NONCE_SIZE of its random bytes, before its flight is sent.
 *
 * nonce     in: DUET_NONCE_SIZE bytes.
 * keep_ms   how long it is kept at least, while there is room: twice DUET_SET_MAX_SKEW_MS, to
 *           which a second is added; 0: until newer ones push it out.
 *
 * It knows no time of a HELLO, so there is no floor as channels have it: a flight that was answered
 * before the program began, or that newer nonces pushed out, is answered again while its time is
 * within DUET_SET_MAX_SKEW_MS.
 *
 * Returns DUET_OK: it was not known, and is now (duet_session_accept()); DUET_E_UNAUTHENTICATED: it
 * was, or the cache cannot be used (duet_session_refuse()). The cache works on after either. Any
 * thread and any forked process may call it at any time.   Source: docs/protocol.md §4 "Replay".
 * Since 0.2.
 */
DUET_API DUET_CHECKED int duet_replay_check(duet_replay *replay,
                                            const uint8_t nonce[DUET_NONCE_SIZE], uint64_t keep_ms);

/** Release it in this process, after the channels that use it. NULL is fine.   Since 0.1. */
DUET_API void duet_replay_free(duet_replay *replay);

#ifdef __cplusplus
}
#endif

#endif
