/*
 * A handshake and a key schedule as an application could bring them, for the tests, with faults to
 * order.
 *
 *   TOP -> BOTTOM   nonce(32) ‖ HMAC(W, "one" ‖ nonce)(32)
 *   BOTTOM -> TOP   nonce(32) ‖ HMAC(W, "two" ‖ both nonces)(32)
 */
#ifndef TESTS_SUPPORT_OWN_OPS_H
#define TESTS_SUPPORT_OWN_OPS_H

#include <duet/duet.h>

enum { OWN_FLIGHT = 64, OWN_STATE = 160 };

/** What a turn of the handshake does wrong. */
enum own_fault {
    OWN_RIGHT,
    OWN_WRITES_TOO_MUCH,
    OWN_SAYS_NOTHING,
    OWN_SAYS_TWO_THINGS,
    OWN_WANTS_TOO_MUCH,
    OWN_ASKS_TWICE,
    OWN_ASKS_AT_ONCE,
    OWN_SHORT_SECRET,
    OWN_ODD_SECRET,
    OWN_ZERO_SECRET,
    OWN_SHORT_SALT,
    OWN_LONG_SALT,
    OWN_ROTATES_NEVER,
    OWN_SMALL_LIMIT,
    OWN_LARGE_LIMIT,
    OWN_STRANGE_RESULT,
    OWN_ENDLESS,
    OWN_FAULTS
};

/** The context of both; shared by the sessions of a test. */
struct own_context {
    uint8_t secret[32]; /* W */
    int role;           /* of the party that misbehaves */
    enum own_fault fault;
    unsigned calls; /* begin, turn, start, rotate; both parties together */
    unsigned fail;  /* the call that fails, from 1; 0: none */
    int failure;    /* with this result */
    unsigned begun, ended;
    int same_epoch;     /* 1: rotate() gives the epoch before once more */
    int same_direction; /* 1: start() does not look at the sender or its half */
    int same_rotation;  /* 1: rotate() looks at the epoch's number alone */
    int with_key;       /* 1: the agreement names a peer key */
    uint8_t peer_key[DUET_KEY_SIZE];
    void *state[2]; /* of the latest sessions */
};

duet_handshake_ops own_handshake(struct own_context *context);
duet_schedule_ops own_schedule(struct own_context *context);

#endif
