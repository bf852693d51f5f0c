/*
 * Key, identity, peers and profile files: read safely, and made into a configuration.
 */
#ifndef DUET_TOOL_KEYS_H
#define DUET_TOOL_KEYS_H

#include "strlist.h"

#include <duet/duet.h>

/** The names of enum duet_pattern; ends with NULL. */
extern const char *const pattern_names[];

/** The names of enum duet_hybrid; ends with NULL. */
extern const char *const hybrid_names[];

/** Who this end is and whom it trusts, by file. */
struct key_files {
    struct strlist keys; /* secrets' files; a listener's may be folders */
    char *identity;      /* owned, as the rest; NULL: none */
    char *peers;
    char *pattern; /* its name; NULL: what goes with the identity */
    char *hybrid;  /* its name; NULL: the default */
    char *profile;
    uint64_t refresh_bytes; /* of payload, after which a refresh is asked for; 0: never */
    int refresh_ms;         /* the same; -1: never */
    int skew_ms; /* how far the peer's clock may be off; -1: not compared; 0: the default */
};

/** What decides which peers are accepted, to compare after a reload.
 * Nothing of it is secret. */
struct key_facts {
    uint8_t (*secrets)[DUET_SECRET_ID_SIZE]; /* owned: their ids */
    size_t secret_count;
    uint8_t identity[DUET_KEY_SIZE]; /* the public key; zeros: none */
    duet_key *profile;               /* owned; NULL: the default */
    duet_key *peers;                 /* owned: who is trusted, for their names; NULL: no list */
};

/** A file's text, to be released by text_free(), which wipes it. */
struct text {
    char *at;
    size_t size;
};

/** Read a small regular file, whoever may read it. Returns an exit code; its message is printed,
 * under code_if_bad. */
int text_read(struct text *text, const char *path, int code_if_bad);
void text_free(struct text *text);

/** Report why the library refused a file, with its line and a cure. wanted: what it was to hold;
 * DUET_KIND_UNKNOWN: any of them. Returns code, or EXIT_LIMIT without memory. */
int keys_refuse(int code, const char *path, enum duet_kind wanted, int result,
                const duet_where *where);

/** Set pattern, hybrid, when to refresh and whether clocks are compared. Returns an exit code; its
 * message is printed. */
int keys_set_rules(duet_config *config, const struct key_files *files);

/** As duet_key_load(), with the passphrase of a sealed file, which is asked for up to three times.
 * *code: EXIT_DONE, or what went wrong in asking, which is printed. */
int keys_load(duet_key **key, enum duet_kind kind, const char *path, duet_where *where, int *code);

/** Make the configuration that the files hold. facts: out, to be released by key_facts_free() in
 * any case; NULL: not wanted. Returns an exit code. */
int keys_config(duet_config **config, struct key_facts *facts, const struct key_files *files,
                enum duet_role role);
void key_facts_free(struct key_facts *facts);

/** Where options have their defaults, take the times of the configuration: a dialect has others.
 * Each is a pair, the least and the most, in milliseconds. */
void keys_times(const duet_config *config, uint32_t *drain_ms, uint32_t *linger_ms);

#endif
