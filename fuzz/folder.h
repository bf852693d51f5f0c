/*
 * A temporary folder for a target that writes files: made once for the process, emptied after each
 * run, removed at the end. It is in /dev/shm if there is one.
 */
#ifndef FUZZ_FOLDER_H
#define FUZZ_FOLDER_H

#include <stddef.h>

/** From here to folder_end() the working folder is the temporary one, empty at first. */
void folder_begin(void);
void folder_end(void);

/** A file with content, and the folders above it. */
void folder_make(const char *path, const void *content, size_t size);
void folder_link(const char *path, const char *to);

/** 1 when the file exists and has exactly that content. */
int folder_is(const char *path, const void *content, size_t size);
/** A file's size in bytes; -1: it does not exist, or is no regular file. */
long folder_size(const char *path);
/** How many entries a folder has. */
unsigned folder_count(const char *path);

#endif
