/*
 * Public calls that make objects of files, of the system's randomness, and configurations of both;
 * and the check of a secret's date, which needs a clock (docs/protocol.md §2).
 */
#include "file/file.h"

#include "os/os.h"
#include "session/config.h"

#include <duet/session.h>
#include <stdlib.h>

/* ---- New keys ---- */

int
duet_secret_new(duet_secret **secret, const uint8_t *bytes, size_t size)
{
    *secret = NULL;
    if (bytes != NULL)
        return duet__secret_new(secret, bytes, size);
    if (size > DUET_SECRET_MOST)
        return DUET_E_LENGTH;
    uint8_t *drawn = malloc(size + 1);
    if (drawn == NULL)
        return DUET_E_MEMORY;
    int result = duet__os_random(drawn, size) == 0 ? DUET_OK : DUET_E_IO;
    if (result == DUET_OK)
        result = duet__secret_new(secret, drawn, size);
    duet_wipe(drawn, size);
    free(drawn);
    return result;
}

int
duet_identity_new(duet_identity **identity, const uint8_t *private_key)
{
    uint8_t drawn[DUET_KEY_SIZE];

    *identity = NULL;
    if (private_key != NULL)
        return duet__identity_new(identity, private_key);
    if (duet__os_random(drawn, sizeof drawn) != 0)
        return DUET_E_IO;
    /* X25519 sets these bits anyway; `wg genkey` does too, so no one takes the key for public. */
    drawn[0] &= 0xf8;
    drawn[31] = (uint8_t)((drawn[31] & 0x7f) | 0x40);
    int result = duet__identity_new(identity, drawn);
    duet_wipe(drawn, sizeof drawn);
    return result;
}

/* ---- Dates ---- */

/** 1 when the secret's last day is over. */
static int
is_expired(const duet_secret *secret)
{
    return secret->not_after != 0 && (int64_t)(duet__os_unix_ms() / 1000) > secret->not_after;
}

static int
check_date(const duet_secret *secret, duet_where *where)
{
    char day[11];

    if (!is_expired(secret))
        return DUET_OK;
    duet__write_date(day, secret->not_after);
    return duet__file_refuse(where, DUET_E_MISUSE,
                             "expired after %s; make a new one with duet keygen, for both ends, or "
                             "set this machine's clock if it is wrong",
                             day);
}

/* ---- One object of a file that was read ---- */

static int
take_secret(duet_secret **secret, const struct duet__file *file, duet_where *where)
{
    int result = duet__file_check(file, DUET_KIND_SECRET, where);

    *secret = NULL;
    if (result == DUET_OK)
        result = duet_secret_parse(secret, file->text, file->size, where);
    if (result == DUET_OK)
        result = check_date(*secret, where);
    if (result == DUET_OK)
        return DUET_OK;
    duet_secret_free(*secret);
    *secret = NULL;
    return result;
}

/** A bare public key is likely to be readable by all: then the sentence is about the key. */
static int
take_identity(duet_identity **identity, const struct duet__file *file, duet_where *where)
{
    int result = duet__file_check(file, DUET_KIND_IDENTITY, where);
    int readable = result == DUET_E_IO;

    *identity = NULL;
    if (result != DUET_OK && !(readable && duet__is_bare_key(file->text, file->size)))
        return result;
    duet_where guarded = *where;
    int parsed = duet_identity_parse(identity, file->text, file->size, where);
    if (result == DUET_OK || parsed != DUET_OK)
        return result == DUET_OK ? parsed : result;
    if (where->reason[0] == 0)
        *where = guarded;
    duet_identity_free(*identity);
    *identity = NULL;
    return result;
}

static int
take_peers(duet_peers **peers, const struct duet__file *file, duet_where *where)
{
    int result = duet__file_check(file, DUET_KIND_PEERS, where);

    *peers = NULL;
    return result == DUET_OK ? duet_peers_parse(peers, file->text, file->size, where) : result;
}

static int
take_profile(duet_profile **profile, const struct duet__file *file, duet_where *where)
{
    int result = duet__file_check(file, DUET_KIND_PROFILE, where);

    *profile = NULL;
    return result == DUET_OK ? duet_profile_parse(profile, file->text, file->size, where) : result;
}

/* ---- Files ---- */

/* The four _load() calls differ in the type of their object alone. */
#define DUET__LOAD(name, KIND)                                                                     \
    int duet_##name##_load(duet_##name **object, const char *path, duet_where *where)              \
    {                                                                                              \
        struct duet__file file;                                                                    \
        duet_where room;                                                                           \
                                                                                                   \
        *object = NULL;                                                                            \
        where = duet__where(where, &room);                                                         \
        int result = duet__file_read(&file, path, DUET_KIND_##KIND, where);                        \
        if (result != DUET_OK)                                                                     \
            return result;                                                                         \
        result = take_##name(object, &file, where);                                                \
        duet__file_free(&file);                                                                    \
        return result;                                                                             \
    }

DUET__LOAD(secret, SECRET)
DUET__LOAD(identity, IDENTITY)
DUET__LOAD(peers, PEERS)
DUET__LOAD(profile, PROFILE)

/* ---- Configurations ---- */

int
duet_config_add(duet_config *config, const duet_secret *secret)
{
    if (is_expired(secret))
        return DUET_E_MISUSE;
    return duet__config_add(config, secret->bytes, secret->size, secret->not_after);
}

static int
add_secret(duet_config *config, const struct duet__file *file, duet_where *where)
{
    duet_secret *secret;
    int result = take_secret(&secret, file, where);

    if (result == DUET_OK)
        result = duet_config_add(config, secret);
    duet_secret_free(secret);
    return result;
}

static int
add_identity(duet_config *config, const struct duet__file *file, duet_where *where)
{
    duet_identity *identity;
    int result = take_identity(&identity, file, where);

    if (result == DUET_OK)
        result = duet_config_set_identity(config, identity);
    duet_identity_free(identity);
    return result;
}

static int
add_peers(duet_config *config, const struct duet__file *file, duet_where *where)
{
    duet_peers *peers;
    int result = take_peers(&peers, file, where);

    if (result == DUET_OK)
        result = duet_config_set_peers(config, peers);
    duet_peers_free(peers);
    return result;
}

static int
add_profile(duet_config *config, const struct duet__file *file, duet_where *where)
{
    duet_profile *profile;
    int result = take_profile(&profile, file, where);

    if (result == DUET_OK)
        result = duet_config_set_profile(config, profile);
    duet_profile_free(profile);
    return result;
}

static int
add_file(duet_config *config, const struct duet__file *file, duet_where *where)
{
    enum duet_kind kind = duet_kind_of(file->text, file->size);

    if (duet__is_bare_key(file->text, file->size))
        kind = DUET_KIND_IDENTITY;
    switch (kind) {
    case DUET_KIND_SECRET:
        return add_secret(config, file, where);
    case DUET_KIND_IDENTITY:
        return add_identity(config, file, where);
    case DUET_KIND_PEERS:
        return add_peers(config, file, where);
    case DUET_KIND_PROFILE:
        return add_profile(config, file, where);
    case DUET_KIND_UNKNOWN:
        break;
    }
    return duet__file_refuse(where, DUET_E_FORMAT,
                             "is not a file that duet knows (a secret, an identity, peers or a "
                             "profile); see FILES in duet(1)");
}

int
duet_config_load(duet_config **config, const char *path, duet_where *where)
{
    duet_config *made = *config == NULL ? duet_config_new() : NULL;
    duet_config *filled = made != NULL ? made : *config;
    struct duet__file file;
    duet_where room;

    where = duet__where(where, &room);
    if (filled == NULL)
        return DUET_E_MEMORY;
    int result = duet__file_read(&file, path, DUET_KIND_SECRET, where);
    if (result == DUET_OK) {
        result = add_file(filled, &file, where);
        duet__file_free(&file);
    }
    if (result == DUET_E_MISUSE && where->reason[0] == 0)
        (void)duet__file_refuse(where, result,
                                "cannot be added: sessions use the configuration, or it holds as "
                                "many secrets as it can");
    if (result == DUET_OK)
        *config = filled;
    else
        duet_config_free(made);
    return result;
}
