/*
 * How this program was started, so that it can be started again the same way.
 */
#ifndef DUET_TOOL_PROGRAM_H
#define DUET_TOOL_PROGRAM_H

/** Keep how it was started, before anything else: the arguments of main(), which must stay. */
void program_started(const char *const *arguments);

/** The absolute path it was started by, as it was named: a link is not followed, so that what is
 * put in its place later is found. NULL: not known. */
const char *program_path(void);

/** Its arguments, with the name before them and NULL after them. */
const char *const *program_arguments(void);

#endif
