/*
 * Two sessions whose configurations have what a test asks for: an own handshake, an own schedule, a
 * secret (support/own_ops.h, support/pair.h).
 */
#ifndef TESTS_OWN_OWN_PAIR_H
#define TESTS_OWN_OWN_PAIR_H

#include "session/session.h"
#include "support/own_ops.h"
#include "support/pair.h"

enum { HANDSHAKE = 1, SCHEDULE = 2, SECRET = 4 };

extern struct pair pair;
extern struct own_context own; /* of both parties */

extern struct pair_end *const top, *const bottom;

/** No fault, and counts of 0. */
void context_reset(void);

/** A configuration with what is asked for. */
duet_config *configure(int what);

/** Two sessions; returns why there are none. */
int open_as(int top_what, int bottom_what);

/** Send both ways, rekey, refresh, close; receipts and exports are the same at both ends. */
void talk(void);

/** A session that has ended says so for good, and has nothing to send. */
void has_ended(struct pair_end *end, int result);

#endif
