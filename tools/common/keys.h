/*
 * Key, identity, peers and profile files: read safely, and made into a configuration.
 */
#ifndef DUET_TOOL_KEYS_H
#define DUET_TOOL_KEYS_H

#include "strlist.h"

#include <duet/duet.h>

/** Who this end is and whom it trusts, by file. */
struct key_files {
    struct strlist keys; /* secrets' files; a listener's may be folders */
    char *identity;      /* owned, as the rest; NULL: none */
    char *peers;
    char *pattern; /* its name; NULL: what goes with the identity */
    char *profile;
};

/** What decides who is let in, beside the list of peers: to tell later whether it has changed.
 * Nothing of it is secret. */
struct key_facts {
    uint8_t (*secrets)[DUET_SECRET_ID_SIZE]; /* owned: their ids */
    size_t secret_count;
    uint8_t identity[DUET_KEY_SIZE]; /* the public key; zeros: none */
    duet_profile profile;
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

/** Make the configuration that the files hold. facts: out, to be released by key_facts_free() in
 * any case; NULL: nobody asks. Returns an exit code. */
int keys_config(duet_config **config, struct key_facts *facts, const struct key_files *files,
                enum duet_role role);
void key_facts_free(struct key_facts *facts);

#endif
