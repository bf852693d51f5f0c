/*
 * Two sessions over memory, with the test as their wire: whatever one of them seals lies in its
 * `wire` until the test carries it, whole, in pieces or changed.
 *
 * Randomness is a counter, so that every run is the same.
 */
#ifndef TESTS_SUPPORT_PAIR_H
#define TESTS_SUPPORT_PAIR_H

#include <duet/duet.h>

enum { PAIR_WIRE = 1 << 18 };

struct pair_end {
    duet_config *config;
    duet_session *session;
    uint8_t wire[PAIR_WIRE]; /* sealed, not yet carried */
    size_t wire_size;
    uint8_t got[PAIR_WIRE]; /* payload, verified up to got_size */
    size_t got_size, pending;
    unsigned frames; /* verified */
    uint32_t code;   /* of the last one */
    unsigned pongs;
    int nonce_known;     /* 1: say that the peer's nonce was seen before */
    duet_replay *replay; /* the cache that is asked; NULL: as nonce_known says */
    uint8_t fresh;       /* counts the draws */
};

/** Called on each secret before it is used, and on all bytes before they are carried; NULL: not.
 */
extern void (*pair_hide)(void *memory, size_t size);
extern void (*pair_show)(const void *memory, size_t size);
/** Randomness of sessions in place of the counter's; NULL: that. */
extern void (*pair_draw)(void *memory, size_t size);

struct pair {
    struct pair_end end[2]; /* [DUET_TOP], [DUET_BOTTOM] */
};

/** What both configurations have in common. */
struct pair_options {
    enum duet_pattern pattern;
    uint32_t hello_size;                   /* bytes of a HELLO's flight, where it is shorter */
    unsigned rotate_frames, rotate_blocks; /* 0: the defaults */
    int speak_first;
    int no_hybrid;         /* 1: DUET_HYBRID_OFF; 0: the default */
    int dialect;           /* 1: DUET_SET_DIALECT */
    const uint8_t *secret; /* 64 bytes; NULL: the same for all pairs */
};

/** Configurations and sessions, before any byte; fails the test when they can't be had. */
void pair_open(struct pair *pair, const struct pair_options *options);
/** Sessions anew, under the configurations that are there. Returns the first failure. */
int pair_sessions(struct pair *pair);
/** Free the sessions and let the configurations change again, as new ones in their place could. */
void pair_thaw(struct pair *pair);
void pair_close(struct pair *pair);

/** Both sessions up to READY at both ends. */
void pair_handshake(struct pair *pair);
void pair_ready(struct pair *pair, const struct pair_options *options);

/** Put an end's pending bytes on its wire. Returns what duet_session_flush() says. */
int pair_flush(struct pair_end *end);

/** Seal n bytes of a pattern under a code onto the wire. Returns what sealing says. */
int pair_send(struct pair_end *end, uint32_t code, size_t n);

/** Give an end bytes, in pieces of at most `piece` (0: all at once). Returns DUET_OK or what
 * stopped it; events are answered. */
int pair_feed(struct pair_end *end, const uint8_t *bytes, size_t size, size_t piece);

/** Carry one end's wire to the other. */
int pair_carry(struct pair_end *from, struct pair_end *to);

/** Flush and carry both ways until nobody has anything to say. Returns the first failure. */
int pair_settle(struct pair *pair);

/** Byte i of what pair_send() seals. */
uint8_t pair_byte(size_t i);

duet_info pair_info(const struct pair_end *end);

#endif
