/*
 * A configuration inside: what the sessions of one program share.
 *
 * The first session freezes it: from then on only `users` changes, so threads share it without a
 * lock. The application holds it once, and so does every session; the last one frees it.
 */
#ifndef DUET_SESSION_CONFIG_H
#define DUET_SESSION_CONFIG_H

#include "handshake/psk.h"

#include "frame/cipher.h"
#include "secret/secret.h"

#include <stdatomic.h>

struct duet_config {
    _Atomic size_t users;     /* the application, until duet_config_free(), and each session */
    _Atomic int frozen;       /* 1: a session was made from it */
    _Atomic uint32_t process; /* that has locked it in memory; 0: not known */
    struct duet__psk *psks;   /* owned, in the order in which they were added */
    size_t count;
    struct duet__identity identity;
    int has_identity;
    struct duet__peers peers; /* list owned */
    int has_peers;
    struct duet__profile profile;
    uint8_t label[WIRE_DIGEST]; /* D */
    unsigned patterns;          /* a set of 1 << pattern; 0: by default */
    uint32_t max_payload;       /* bytes that this side accepts in a frame */
    int has_max_payload;        /* 1: the application has set that */
    uint32_t frame_size;        /* bytes into which channel splits */
    uint64_t max_skew_ms;       /* 0: clocks are not trusted */
    int speak_first;            /* 1: the application may send before the peer's READY */
    int buffered;               /* 1: a channel hands a frame out in pieces */
    int read_ahead;             /* 1: a channel may take bytes before a call wants them */
    enum duet_hybrid hybrid;
    uint64_t refresh_bytes;   /* of payload, after which a channel asks for a refresh; 0: never */
    uint32_t refresh_seconds; /* the same; 0: never */
    int refresh_set;          /* 1: the application chose one of the two */
    struct duet__bytes extensions[2]; /* for tests: further extensions of our params */
    duet_handshake_ops handshake;     /* the application's own; size 0: the standard one */
    duet_schedule_ops schedule;       /* the same */
};

/** The configuration of sessions that have none: raw ones. Counted like any other, never freed. */
const struct duet_config *duet__config_default(void);

/** Count one session more. */
void duet__config_retain(const struct duet_config *config);

/** Refuse every change from now on. */
void duet__config_freeze(const struct duet_config *config);

/** Drop one use; the last one wipes and frees the configuration. */
void duet__config_release(const struct duet_config *config);

/** What the epochs of sessions are derived by. */
static inline struct duet__schedule
duet__config_schedule(const struct duet_config *config)
{
    return (struct duet__schedule){config->schedule.size > 0 ? &config->schedule : NULL,
                                   config->label};
}

/* duet_config_add() by kind; what it is given is copied. */

/** not_after: the time in Unix seconds after which it is not used; 0: no limit. */
int duet__config_add_secret(struct duet_config *config, const uint8_t *bytes, size_t size,
                            int64_t not_after);
int duet__config_set_identity(struct duet_config *config, const struct duet__identity *identity);

/** An empty list accepts nobody. DUET_E_MISUSE also for a key in a form that X25519 never gives. */
int duet__config_set_peers(struct duet_config *config, const struct duet__peers *peers);

/** DUET_E_MISUSE also for a value out of range. */
int duet__config_set_profile(struct duet_config *config, const struct duet__profile *profile);

/** The secret that TOP uses at a time in Unix milliseconds (0: no clock); NULL: all have
 * expired. */
const struct duet__psk *duet__config_first(const struct duet_config *config, uint64_t now_ms);

/** The patterns that a role may use, as a set; 0: none. */
unsigned duet__config_patterns(const struct duet_config *config, enum duet_role role);

/** What a session is made for. */
enum duet__config_use { DUET__USE_STANDARD, DUET__USE_OWN, DUET__USE_PRESET, DUET__USE_RAW };

/** 1 when every setting has an effect on such a session, or asks for nothing. */
int duet__config_suits(const struct duet_config *config, enum duet__config_use use);

/** 1 when the settings that hybrid sessions need allow what DUET_SET_HYBRID requires. */
int duet__config_hybrid_fits(const struct duet_config *config);

/** What a handshake may do with ML-KEM. */
enum duet_hybrid duet__config_hybrid(const struct duet_config *config);

/** The pattern that TOP offers: the highest of its set, which is not empty. */
enum duet_pattern duet__config_offer(const struct duet_config *config);

/** 1 when a peer's identity is accepted. */
int duet__config_trusts(const struct duet_config *config, const uint8_t key[DUET_KEY_SIZE]);

#endif
