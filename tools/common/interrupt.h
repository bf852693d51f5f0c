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

/** In the calling thread fd stands for the signals, which another thread takes: interrupted() is
 * not 0 once it can be read, and interrupt_fd() is fd. */
void interrupt_by(int fd);

/** Wait for ms, or until interrupted() is not 0. */
void interrupt_wait(int ms);

#endif
