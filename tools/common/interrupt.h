/*
 * SIGINT, SIGTERM and SIGHUP as a mark, so that a program ends in its own order: what holds keys is
 * wiped, a socket's file is removed, a transfer can be resumed.
 */
#ifndef DUET_TOOL_INTERRUPT_H
#define DUET_TOOL_INTERRUPT_H

/** From now on these signals only set a mark. */
void interrupt_catch(void);

/** The signal that came, or 0. */
int interrupted(void);

/** A descriptor that can be read once a signal came, to be polled beside others: a signal between a
 * look at the mark and poll() would be slept over. -1: none. */
int interrupt_fd(void);

#endif
