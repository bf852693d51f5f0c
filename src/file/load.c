/*
 * Public calls that make keys of files and of the system's randomness, and configurations of both;
 * and the check of a secret's date, which needs a clock (docs/protocol.md §2).
 */
#include "file/file.h"

#include "base/wipe.h"
#include "os/os.h"
#include "secret/sealed.h"
#include "session/config.h"

#include <duet/session.h>
#include <stdlib.h>

/* ---- New keys ---- */

/** Draw a key's bytes. An identity is clamped: X25519 does that anyway, and `wg genkey` does it
 * too, so that nobody takes the key for a public one. */
static int
draw_bytes(uint8_t *bytes, enum duet_kind kind, size_t size)
{
    if (duet__os_random(bytes, size) != 0)
        return DUET_E_IO;
    if (kind == DUET_KIND_IDENTITY && size == DUET_KEY_SIZE) {
        bytes[0] &= 0xf8;
        bytes[31] = (uint8_t)((bytes[31] & 0x7f) | 0x40);
    }
    return DUET_OK;
}

int
duet_key_new(duet_key **key, enum duet_kind kind, const uint8_t *bytes, size_t size,
             int64_t not_after)
{
    *key = NULL;
    if (bytes != NULL)
        return duet__key_new(key, kind, bytes, size, not_after);
    if (size == 0)
        size = kind == DUET_KIND_SECRET ? DUET_SECRET_DEFAULT : DUET_KEY_SIZE;
    if (size > DUET_SECRET_MOST)
        return DUET_E_LENGTH;
    uint8_t *drawn = malloc(size);
    if (drawn == NULL)
        return DUET_E_MEMORY;
    int result = draw_bytes(drawn, kind, size);
    if (result == DUET_OK)
        result = duet__key_new(key, kind, drawn, size, not_after);
    duet_wipe(drawn, size);
    free(drawn);
    return result;
}

/* ---- Dates ---- */

/** 1 when it is a secret whose last day is over. */
static int
is_expired(const duet_key *key)
{
    int64_t end = duet_key_not_after(key);

    return end != 0 && (int64_t)(duet__os_unix_ms() / 1000) > end;
}

static int
check_date(const duet_key *key, duet_where *where)
{
    char day[11];

    if (!is_expired(key))
        return DUET_OK;
    duet__write_date(day, duet_key_not_after(key));
    return duet__file_refuse(where, DUET_E_MISUSE,
                             "expired after %s; make a new one with duet keygen, for both ends, or "
                             "set this machine's clock if it is wrong",
                             day);
}

/* ---- Files ---- */

/** A bare public key is likely to be readable by all: then the sentence is about the key, not about
 * the mode that was refused. */
static int
refuse_readable(const struct duet__file *file, int refused, duet_where *where)
{
    duet_where mode = *where;
    duet_key *key;
    int parsed = duet_key_parse(&key, DUET_KIND_IDENTITY, file->text, file->size, where);

    duet_key_free(key);
    if (parsed != DUET_OK || where->reason[0] == 0)
        *where = mode;
    return refused;
}

/** A key of a file's text, which is not sealed. */
static int
take_key(duet_key **key, enum duet_kind kind, const struct duet__file *file, duet_where *where)
{
    if (kind == DUET_KIND_ANY)
        kind = duet__kind_of(file->text, file->size);
    if (kind == DUET_KIND_UNKNOWN)
        return duet__file_refuse(where, DUET_E_FORMAT, "%s", DUET__UNKNOWN_TEXT);
    int result = duet__file_check(file, kind, where);
    if (result == DUET_E_IO && kind == DUET_KIND_IDENTITY &&
        duet__is_bare_key(file->text, file->size))
        return refuse_readable(file, result, where);
    if (result == DUET_OK)
        result = duet_key_parse(key, kind, file->text, file->size, where);
    if (result == DUET_OK)
        result = check_date(*key, where);
    if (result == DUET_OK)
        return DUET_OK;
    duet_key_free(*key);
    *key = NULL;
    return result;
}

/** A key of a file that is sealed. */
static int
take_sealed(duet_key **key, enum duet_kind kind, const struct duet__file *file,
            struct duet__bytes passphrase, duet_where *where)
{
    struct duet__owned_text text;

    int result = duet__file_check(file, DUET_KIND_SEALED, where);
    if (result != DUET_OK)
        return result;
    if (passphrase.data == NULL) {
        where->found = DUET_KIND_SEALED;
        return duet__file_refuse(where, DUET_E_FORMAT, "is sealed with a passphrase");
    }
    result =
        duet__sealed_open(&text, (struct duet__bytes){file->text, file->size}, passphrase, where);
    if (result == DUET_E_FORGED)
        return duet__file_refuse(where, result, "the passphrase is wrong, or the file is damaged");
    if (result != DUET_OK)
        return result;
    struct duet__file opened = *file; /* the same owner and mode */
    opened.text = text.text;
    opened.size = text.size;
    result = take_key(key, kind, &opened, where);
    duet__owned_text_free(&text);
    return result;
}

int
duet_key_load(duet_key **key, enum duet_kind kind, const char *path, const char *passphrase,
              size_t size, duet_where *where)
{
    struct duet__file file;
    duet_where room;

    *key = NULL;
    where = duet__where(where, &room);
    if ((unsigned)kind > DUET_KIND_PROFILE)
        return DUET_E_MISUSE;
    int result =
        duet__file_read(&file, path, kind != DUET_KIND_ANY ? kind : DUET_KIND_SECRET, where);
    if (result != DUET_OK)
        return result;
    if (duet_kind_of(file.text, file.size) == DUET_KIND_SEALED)
        result = take_sealed(key, kind, &file, (struct duet__bytes){passphrase, size}, where);
    else
        result = take_key(key, kind, &file, where);
    duet__file_free(&file);
    duet__wipe_stack();
    return result;
}

/* ---- Configurations ---- */

int
duet_config_add(duet_config *config, const duet_key *key)
{
    switch (key->kind) {
    case DUET_KIND_SECRET:
        if (is_expired(key))
            return DUET_E_MISUSE;
        return duet__config_add_secret(config, key->secret.bytes, key->secret.size,
                                       key->secret.not_after);
    case DUET_KIND_IDENTITY:
        return duet__config_set_identity(config, &key->identity);
    case DUET_KIND_PEERS:
        return duet__config_set_peers(config, &key->peers);
    case DUET_KIND_PROFILE:
        return duet__config_set_profile(config, &key->profile);
    case DUET_KIND_ANY:
    case DUET_KIND_SEALED:
        break;
    }
    return DUET_E_MISUSE;
}

int
duet_config_load(duet_config **config, const char *path, duet_where *where)
{
    duet_config *made = NULL;
    duet_where room;
    duet_key *key;

    where = duet__where(where, &room);
    int result = duet_key_load(&key, DUET_KIND_ANY, path, NULL, 0, where);
    if (key == NULL)
        return result;
    if (*config == NULL)
        made = duet_config_new();
    result = DUET_E_MEMORY;
    if (*config != NULL || made != NULL)
        result = duet_config_add(made != NULL ? made : *config, key);
    duet_key_free(key);
    if (result == DUET_E_MISUSE)
        (void)duet__file_refuse(where, result,
                                "cannot be added: sessions use the configuration, or it holds as "
                                "many secrets as it can");
    if (result != DUET_OK)
        duet_config_free(made);
    else if (made != NULL)
        *config = made;
    return result;
}
