/*
 * Key, identity, peers and profile files: read safely, and made into a configuration.
 */
#ifndef DUET_TOOL_KEYS_H
#define DUET_TOOL_KEYS_H

#include "strlist.h"

#include <duet/duet.h>
#include <sys/types.h>

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
    int quiet;              /* 1: secrets that are left out were reported before */
    unsigned one_time; /* 1: each secret is for one session; a dialling end takes folders too */
    unsigned turn;     /* which of a folder's one-time secrets a dialling end begins with */
    int skew_ms;       /* how far the peer's clock may be off; -1: not compared; 0: the default */
};

/** Which file a one-time secret was read from. */
struct key_mark {
    dev_t device;
    ino_t number;
};

/** What decides which peers are accepted, to compare after a reload.
 * Nothing of it is secret. */
struct key_facts {
    uint8_t (*secrets)[DUET_SECRET_ID_SIZE]; /* owned: their ids */
    size_t secret_count;
    struct strlist paths;            /* of the secrets' files, in the same order */
    struct key_mark *marks;          /* owned: the same; zeros but for one-time secrets */
    uint8_t identity[DUET_KEY_SIZE]; /* the public key; zeros: none */
    duet_key *profile;               /* owned; NULL: the default */
    duet_key *peers;                 /* owned: who is trusted, for their names; NULL: no list */
};

/** A file's text, to be released by text_free(), which wipes it. */
struct text {
    char *at;
    size_t size;
};

/** What a file is read for. */
enum text_use {
    TEXT_SHOWN,   /* whoever may read and write it */
    TEXT_TRUSTED, /* it decides what is done: others may not write it */
    TEXT_PRIVATE  /* it holds a secret: others may not read it either */
};

/** Read a small regular file. Returns an exit code; its message is printed, under code_if_bad. */
int text_read(struct text *text, const char *path, enum text_use use, int code_if_bad);
void text_free(struct text *text);

enum { KEYS_WHY = 1024 };

/** Write why the library refused a file, with its line and a cure. Parameters as keys_refuse(). */
void keys_describe(char out[KEYS_WHY], int code, const char *path, enum duet_kind wanted,
                   int result, const duet_where *where);

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

/** Add the shared secrets, and note them. Of several, those that cannot be used are left out with a
 * warning; none left is an error. Returns an exit code. */
int keys_add_secrets(duet_config *config, struct key_facts *facts, const struct key_files *files,
                     enum duet_role role);

/** Make the configuration that the files hold. facts: out, to be released by key_facts_free() in
 * any case; NULL: not wanted. Returns an exit code. */
int keys_config(duet_config **config, struct key_facts *facts, const struct key_files *files,
                enum duet_role role);
void key_facts_free(struct key_facts *facts);

/** Why no channel could be made with a configuration that was good when it was loaded. */
const char *keys_no_channel(int result);

/** Where options have their defaults, take the times of the configuration: a dialect has others.
 * Each is a pair, the least and the most, in milliseconds. */
void keys_times(const duet_config *config, uint32_t *drain_ms, uint32_t *linger_ms);

#endif
