/*
 * Keys of all four kinds: made, read, written and freed by the functions of their kind, and what
 * they hold (docs/protocol.md §2, §4 "Identities", §6).
 */
#include "secret/secret.h"

#include "base/base64.h"

#include "base/equal.h"
#include "base/ini.h"
#include "base/wipe.h"
#include "os/os.h"

#include <duet/duet.h>
#include <stdlib.h>
#include <string.h>

/* ---- The kind of a text ---- */

enum duet_kind
duet_kind_of(const char *text, size_t size)
{
    struct duet__ini ini = duet__ini(text, size);
    duet_where where;

    if (duet__ini_next(&ini, &where) != DUET_OK)
        return DUET_KIND_UNKNOWN;
    if (ini.kind != DUET__INI_SECTION)
        return DUET_KIND_UNKNOWN;
    if (duet__text_is(ini.name, "Secret"))
        return DUET_KIND_SECRET;
    if (duet__text_is(ini.name, "Identity"))
        return DUET_KIND_IDENTITY;
    if (duet__text_is(ini.name, "Profile"))
        return DUET_KIND_PROFILE;
    if (duet__text_is(ini.name, "Sealed"))
        return DUET_KIND_SEALED;
    /* public: a section's name */
    return ini.name.size > 5 && memcmp(ini.name.at, "Peer ", 5) == 0 ? DUET_KIND_PEERS
                                                                     : DUET_KIND_UNKNOWN;
}

enum duet_kind
duet__kind_of(const char *text, size_t size)
{
    return duet__is_bare_key(text, size) ? DUET_KIND_IDENTITY : duet_kind_of(text, size);
}

/* ---- Life ---- */

static int
is_private(enum duet_kind kind)
{
    return kind == DUET_KIND_SECRET || kind == DUET_KIND_IDENTITY;
}

/** Zeros of a kind; NULL without memory. */
static duet_key *
key_empty(enum duet_kind kind)
{
    duet_key *key = duet__os_locked_new(sizeof *key);

    if (key != NULL)
        key->kind = kind;
    return key;
}

/** Give the filled key to the caller, or free it. Returns result. */
static int
key_give(duet_key **key, duet_key *made, int result)
{
    duet__wipe_stack();
    if (result == DUET_OK)
        *key = made;
    else
        duet_key_free(made);
    return result;
}

void
duet_key_free(duet_key *key)
{
    if (key == NULL)
        return;
    if (key->kind == DUET_KIND_SECRET) {
        duet__os_locked_free(key->secret.bytes, key->secret.size);
    } else if (key->kind == DUET_KIND_PEERS) {
        free(key->peers.list);
    }
    duet__os_locked_free(key, sizeof *key);
}

int
duet__key_new(duet_key **key, enum duet_kind kind, const uint8_t *bytes, size_t size,
              int64_t not_after)
{
    *key = NULL;
    if (!is_private(kind) || (kind == DUET_KIND_IDENTITY && not_after != 0))
        return DUET_E_MISUSE;
    if (kind == DUET_KIND_IDENTITY && size != DUET_KEY_SIZE)
        return DUET_E_LENGTH;
    duet_key *made = key_empty(kind);
    if (made == NULL)
        return DUET_E_MEMORY;
    if (kind == DUET_KIND_IDENTITY)
        return key_give(key, made, duet__identity_fill(&made->identity, bytes));
    int result = duet__secret_set_not_after(&made->secret, not_after);
    if (result == DUET_OK)
        result = duet__secret_fill(&made->secret, bytes, size);
    return key_give(key, made, result);
}

/* ---- Text ---- */

duet_where *
duet__where(duet_where *where, duet_where *room)
{
    duet_where *used = where != NULL ? where : room;

    memset(used, 0, sizeof *used);
    return used;
}

static int
key_read(duet_key *key, const char *text, size_t size, duet_where *where)
{
    switch (key->kind) {
    case DUET_KIND_SECRET:
        return duet__secret_parse(&key->secret, text, size, where);
    case DUET_KIND_IDENTITY:
        return duet__identity_parse(&key->identity, text, size, where);
    case DUET_KIND_PEERS:
        return duet__peers_parse(&key->peers, text, size, where);
    case DUET_KIND_PROFILE:
        return duet__profile_parse(&key->profile, text, size, where);
    case DUET_KIND_ANY:
    case DUET_KIND_SEALED:
        break;
    }
    return DUET_E_MISUSE;
}

int
duet_key_parse(duet_key **key, enum duet_kind kind, const char *text, size_t size,
               duet_where *where)
{
    duet_where room;

    *key = NULL;
    where = duet__where(where, &room);
    if (kind == DUET_KIND_ANY) {
        struct duet__ini whole = {.line = 0};
        kind = duet__kind_of(text, size);
        if (kind == DUET_KIND_UNKNOWN)
            return duet__ini_refuse(&whole, where, "%s", DUET__UNKNOWN_TEXT);
    }
    duet_key *made = key_empty(kind);
    if (made == NULL)
        return DUET_E_MEMORY;
    return key_give(key, made, key_read(made, text, size, where));
}

int
duet_key_format(const duet_key *key, char *out, size_t cap, size_t *size)
{
    *size = 0;
    if (key->kind == DUET_KIND_SECRET)
        return duet__secret_format(out, cap, size, &key->secret);
    if (key->kind == DUET_KIND_IDENTITY)
        return duet__identity_format(out, cap, size, &key->identity);
    return DUET_E_MISUSE;
}

/* ---- What a key holds ---- */

enum duet_kind
duet_key_kind(const duet_key *key)
{
    return key->kind;
}

const uint8_t *
duet_key_id(const duet_key *key)
{
    return key->kind == DUET_KIND_SECRET ? key->secret.id : NULL;
}

size_t
duet_key_size(const duet_key *key)
{
    if (key->kind == DUET_KIND_SECRET)
        return key->secret.size;
    return key->kind == DUET_KIND_IDENTITY ? DUET_KEY_SIZE : 0;
}

const uint8_t *
duet_key_bytes(const duet_key *key)
{
    if (key->kind == DUET_KIND_SECRET)
        return key->secret.bytes;
    return key->kind == DUET_KIND_IDENTITY ? key->identity.private_key : NULL;
}

int64_t
duet_key_not_after(const duet_key *key)
{
    return key->kind == DUET_KIND_SECRET ? key->secret.not_after : 0;
}

size_t
duet_key_count(const duet_key *key)
{
    if (key->kind == DUET_KIND_PEERS)
        return key->peers.count;
    return key->kind == DUET_KIND_IDENTITY;
}

const uint8_t *
duet_key_public_key(const duet_key *key, size_t i)
{
    if (i >= duet_key_count(key))
        return NULL;
    return key->kind == DUET_KIND_IDENTITY ? key->identity.public_key
                                           : key->peers.list[i].public_key;
}

const char *
duet_key_name(const duet_key *key, size_t i)
{
    return key->kind == DUET_KIND_PEERS && i < key->peers.count ? key->peers.list[i].name : NULL;
}

const char *
duet_key_find(const duet_key *key, const uint8_t public_key[DUET_KEY_SIZE])
{
    if (key->kind != DUET_KIND_PEERS)
        return NULL;
    for (size_t i = 0; i < key->peers.count; i++)
        if (duet__equal(key->peers.list[i].public_key, public_key, DUET_KEY_SIZE))
            return key->peers.list[i].name;
    return NULL;
}

void
duet_key_text(char out[DUET_KEY_TEXT_SIZE], const uint8_t public_key[DUET_KEY_SIZE])
{
    duet__base64_encode(out, public_key, DUET_KEY_SIZE);
    out[DUET_KEY_TEXT_SIZE - 1] = 0;
}
