/*
 * Checks of the standard streams: the parent may have closed them, or opened them the wrong way.
 */
#ifndef DUET_TOOL_STDIO_CHECK_H
#define DUET_TOOL_STDIO_CHECK_H

/** A standard stream that is closed gets a descriptor on which every use fails, as it should, so
 * that no socket takes its place. */
void stdio_fill(void);

/** Can the descriptor be read (standard 0) or written (1)? Checked before a connection is made.
 * name: as it is called. Returns an exit code. */
int stdio_check(int fd, int standard, const char *name);

#endif
