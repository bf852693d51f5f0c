/*
 * The passphrase of sealed key files: the first line of a descriptor, or asked at the terminal. It
 * is kept for all files of this process and for reloads, in memory that is not swapped where the
 * limits allow it, and wiped when the process ends in its own order.
 */
#ifndef DUET_TOOL_PASSPHRASE_H
#define DUET_TOOL_PASSPHRASE_H

#include <stddef.h>

/** Take it from this descriptor; -1: ask at the terminal. */
void passphrase_from(int fd);

/** Get the passphrase of a file. again: the last one did not open it, so it is asked for anew.
 * *text: until the next call. Returns an exit code; its message is printed. */
int passphrase_get(const char **text, size_t *size, const char *path, int again);

/** From now on nobody is asked: a service has begun, which must not wait. The passphrase that is
 * known stays. */
void passphrase_ask_no_more(void);

/** 1 when a passphrase was given already. */
int passphrase_is_known(void);

/** Get a new one for a file; at the terminal it is asked for twice. Returns an exit code. */
int passphrase_get_new(const char **text, size_t *size, const char *path);

#endif
