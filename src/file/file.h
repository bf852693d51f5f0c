/*
 * Key files: read with every check, and written safely. Above secret/, which knows their text, and
 * os/, which knows randomness and time.
 */
#ifndef DUET_FILE_FILE_H
#define DUET_FILE_FILE_H

#include "os/rights.h"
#include "secret/secret.h"

/** A file that was read. */
struct duet__file {
    char *text; /* owned, wiped */
    size_t size;
    struct duet__os_rights rights;
};

/** Read a small regular file. Returns DUET_OK; DUET_E_IO (see where), DUET_E_MEMORY. wanted: for
 * the sentence alone. */
int duet__file_read(struct duet__file *file, const char *path, enum duet_kind wanted,
                    duet_where *where);

/** Check the kind of its text, then who may read and write it. Returns DUET_OK; DUET_E_FORMAT,
 * DUET_E_IO. */
int duet__file_check(const struct duet__file *file, enum duet_kind wanted, duet_where *where);

/** Wipe and free. */
void duet__file_free(struct duet__file *file);

/** Write a new file of mode 0600, all of it or nothing. Returns DUET_OK, DUET_E_IO (see where). */
int duet__file_write(const char *path, const char *text, size_t size, duet_where *where);

/** Give a sentence of this format. Returns result. */
int duet__file_refuse(duet_where *where, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
