/*
 * What the tests of an altered wire share: two sessions, what each sends, and what must hold of an
 * end that was lied to. Ends are named by their role, as an index.
 */
#ifndef TESTS_ADVERSARY_WIRE_H
#define TESTS_ADVERSARY_WIRE_H

#include "support/pair.h"

enum { FRAMES = 8, PATTERNS = 3, SENT = 7 /* frames of send_all() */ };

extern const struct pair_options patterns[PATTERNS];
extern struct pair pair;
extern uint8_t recorded[2][PAIR_WIRE]; /* what each end has sent */
extern size_t recorded_size[2];
extern size_t starts[FRAMES + 1]; /* of the frames of send_all(), and their end */
extern unsigned bits;             /* of each byte that are changed in turn */
extern unsigned long cases;

struct pair_end *end_of(unsigned role);

/** Frames of every kind: the application's (four), MORE and its last, PING, ROTATE, CLOSE. */
void send_all(struct pair_end *end);

/** A session that is open, and what `from` sends then. Returns its size. */
size_t open_and_send(unsigned pattern, unsigned from);

/** How many flights a pattern's initiation has; TOP sends the first. */
unsigned flights_of(unsigned pattern);
/** Initiate up to a flight, which is left in recorded[0]. Returns its size. */
size_t record_flight(unsigned flight);

/** Whatever was counted must be a prefix of what was sent. */
void assert_prefix(const struct pair_end *end);
/** Before READY: no connection, no byte, silence, and dead. result: what feeding it said. */
void assert_unauthenticated(struct pair_end *end, int result);
/** Behind READY: an end is fed what its peer did not send so; it finds out, and is dead. Closes the
 * pair. */
void assert_altered(unsigned to, const uint8_t *wire, size_t size);

/** Arguments of the programs: --all changes every bit. */
void read_arguments(int count, char **arguments);
/** Print the number of cases: a group's teardown. */
int count_cases(void **state);

#endif
