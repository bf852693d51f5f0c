/*
 * The replay cache, as channels use it (docs/protocol.md §4 "Replay").
 */
#ifndef DUET_CHANNEL_REPLAY_H
#define DUET_CHANNEL_REPLAY_H

#include <duet/channel.h>

/**
 * Look a nonce up and store it, in one step.
 *
 * now_ms    duet__os_now_ms().
 * keep_ms   the replay window: how long it must be known; 0: until newer ones push it out.
 *
 * Returns 0 when it was not known, and is now; 1 when it was, or when the cache cannot be locked:
 * then no nonce counts as fresh.
 */
int duet__replay_take(duet_replay *replay, const uint8_t nonce[DUET_NONCE_SIZE], uint64_t now_ms,
                      uint64_t keep_ms);

/** Store a nonce that this program sends as TOP, with the time of its HELLO. It pushes out others
 * of that kind alone. Returns as duet__replay_take(). */
int duet__replay_sent(duet_replay *replay, const uint8_t nonce[DUET_NONCE_SIZE], uint64_t now_ms,
                      uint64_t keep_ms, uint64_t time_ms);

/**
 * The HELLO of a nonce that was taken has been read: keep its time.
 *
 * time_ms   the peer's, Unix milliseconds.
 * now_ms    Unix milliseconds.
 *
 * Returns 0; 1 when it may be a replay where clocks are trusted: the time is at or below the floor,
 * which is the start of the program, and then the greatest time among the entries that were pushed
 * out early.
 */
int duet__replay_time(duet_replay *replay, const uint8_t nonce[DUET_NONCE_SIZE], uint64_t time_ms,
                      uint64_t now_ms);

/** How long the listener of this cache is silent to a peer that does not authenticate: drawn once,
 * from the range of the configuration. */
uint32_t duet__replay_silence_ms(const duet_replay *replay, const duet_config *config);

#endif
