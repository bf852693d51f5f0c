/*
 * The two ends of a wire, as channels of each kind that there is: for tests that run over all.
 */
#ifndef TESTS_CHANNEL_COUPLE_H
#define TESTS_CHANNEL_COUPLE_H

#include "channel/ends.h"

enum couple_kind { COUPLE_STANDARD, COUPLE_OWN, COUPLE_PRESET, COUPLE_RAW, COUPLE_KINDS };

/** What a channel is on: a stream of functions, or descriptors, of a local or a TCP socket. */
enum couple_wire { COUPLE_UNIX, COUPLE_STREAM, COUPLE_TCP, COUPLE_WIRES };

struct couple {
    enum couple_kind kind;
    enum couple_wire wire;
    duet_config *config[2]; /* by role, as what follows */
    duet_replay *replay;
    duet_channel *end[2];
    int fd[2];
};

/** The configurations, which the test may change then, and the descriptors. */
void couple_prepare(struct couple *couple, enum couple_kind kind, enum couple_wire wire);

/** Open one end's channel. Returns the result. */
int couple_open_end(struct couple *couple, enum duet_role role);

/** Open both ends. */
void couple_open(struct couple *couple);

/** Do the handshake, if there is one, until nothing is under way. */
void couple_handshake(struct couple *couple);

/** Free what there is. */
void couple_close(struct couple *couple);

#endif
