/*
 * Who may read and write a file.
 */
#ifndef DUET_OS_RIGHTS_H
#define DUET_OS_RIGHTS_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

struct duet__os_rights {
    unsigned mode;              /* its permissions */
    unsigned long owner, group; /* numbers */
    int credential;             /* 1: below $CREDENTIALS_DIRECTORY */
    int open_folder;            /* 1: everybody may replace it */
};

/** 1: the path is below $CREDENTIALS_DIRECTORY, where systemd keeps everyone else out, whatever a
 * file's mode says. */
int duet__os_is_credential(const char *path);

/** Of an open file, whose name was path. */
void duet__os_rights(struct duet__os_rights *rights, const struct stat *status, const char *path);

/** Root reads files for a user that it becomes afterwards: what this user could use by itself, its
 * own files and those that root gave to one of its groups, is safe too, as long as the process is
 * root. The groups stay the caller's, and valid; user 0: none. Not while another thread reads. */
void duet__os_rights_next(uid_t user, const gid_t *groups, size_t count);

/** Is the file safe? private 1: it holds a secret, which others may not read; 0: it is one that
 * others may not write. Returns 0; -1 with a sentence in reason. */
int duet__os_rights_fault(const struct duet__os_rights *rights, int private, char *reason,
                          size_t cap);

#endif
