/*
 * SIGINT, SIGTERM and SIGHUP for the subcommands that can be resumed; the others die of them.
 */
#ifndef DUET_TOOL_INTERRUPT_H
#define DUET_TOOL_INTERRUPT_H

/** From now on these signals only set a mark. */
void interrupt_catch(void);

/** The signal that came, or 0. */
int interrupted(void);

#endif
