/*
 * Silence towards strangers (docs/protocol.md §4 "Probing"): what every listener of this program
 * keeps to, however it waits.
 *
 * Whoever proves nothing is read and dropped until a time that was drawn once, that runs from the
 * connection's start, and that nothing it does brings nearer, its own end included.
 */
#ifndef DUET_TOOL_GATE_H
#define DUET_TOOL_GATE_H

#include <stdint.h>

/** Draw how long strangers are listened to. Returns an exit code: without randomness none is drawn,
 * as a time that is known would tell. */
int silence_draw(uint32_t *ms, uint32_t least_ms, uint32_t most_ms);

/** Read and drop a turn's worth of a socket. Returns 1 when nothing unread is left; *ended: 1 when
 * nothing more will come either. Before a close, so that it is FIN and not RST that ends it. */
int silence_drop(int fd, int *ended);

/** 1 when a stranger of that age is to be closed: the clock decides, and for a second more what is
 * unread. Drops. */
int silence_over(int fd, uint64_t age_ms, uint32_t whole_ms, int *ended);

#endif
