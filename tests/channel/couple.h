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

/** 1 when a call did all of its work, or as much as the wire took. */
int couple_went_on(int result);

/** Check that both channels work: what is under way comes to its end (with other bytes, where a
 * frame or message is begun), and a message goes each way. */
void couple_check_works(struct couple *couple);

/** Free the buffers that the process keeps for the next call: they would hide that there is no
 * memory. */
void couple_free_kept_buffers(void);

#endif
