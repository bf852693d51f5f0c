/*
 * How many files a transfer may have open at a time.
 */
#ifndef DUET_TOOL_OPEN_FILES_H
#define DUET_TOOL_OPEN_FILES_H

/** The number beside so many streams, at least 8; the process's limit is raised as far as it may
 * be. */
unsigned open_files_most(unsigned streams);

#endif
