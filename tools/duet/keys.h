/*
 * Key, identity, peers and profile files: read safely, and made into a configuration.
 */
#ifndef DUET_TOOL_KEYS_H
#define DUET_TOOL_KEYS_H

#include "words.h"

#include <duet/duet.h>

/** Who this end is and whom it trusts, by file. */
struct key_files {
    struct words keys; /* secrets' files; a listener's may be folders */
    char *identity;    /* owned, as the rest; NULL: none */
    char *peers;
    char *pattern; /* its name; NULL: what goes with the identity */
    char *profile;
};

/** A file's text, to be released by text_free(), which wipes it. */
struct text {
    char *at;
    size_t size;
};

/** Read a small regular file. private_only 1: refuse it when others may read it. Returns an exit
 * code; its message is printed, under code_if_bad. */
int text_read(struct text *text, const char *path, int private_only, int code_if_bad);
void text_free(struct text *text);

/** Tell what a reader of the library's said of a file: its line, the reason and a cure. Returns
 * code, or EXIT_LIMIT without memory. */
int keys_refuse(int code, const char *path, int result, const duet_where *where);

/** Read a list of peers, to be released by duet_peers_free(). Returns an exit code. */
int keys_peers(duet_peers *peers, const char *path);

/** Make the configuration that the files hold. Returns an exit code. */
int keys_config(duet_config **config, const struct key_files *files, enum duet_role role);

#endif
