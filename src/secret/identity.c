/*
 * Identities, which are X25519 key pairs, and lists of trusted peers, as text (docs/protocol.md §4
 * "Identities").
 *
 * An identity is either an [Identity] or one bare private key, as `wg genkey` prints it. In a list
 * of peers names and keys are unique, so that a key has one name.
 */
#include "base/base64.h"
#include "secret/secret.h"

#include "base/equal.h"
#include "base/ini.h"
#include "base/public.h"
#include "crypto/init.h"
#include "crypto/x25519.h"

#include <duet/duet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEERS_MOST = 4096 };

/* ---- Keys ---- */

/** Read 44 digits of base64 into a key. Returns 0, or -1. */
static int
decode_key(uint8_t key[DUET_KEY_SIZE], struct duet__text text)
{
    size_t put;

    if (duet__base64_decode(key, DUET_KEY_SIZE, &put, text.at, text.size) != 0)
        return -1;
    return put == DUET_KEY_SIZE ? 0 : -1;
}

/** Read the value of a PublicKey, which has the one form that X25519 gives. */
static int
read_public_key(uint8_t key[DUET_KEY_SIZE], const struct duet__ini *ini, duet_where *where)
{
    if (decode_key(key, ini->value) != 0)
        return duet__ini_refuse(ini, where, "PublicKey is not 44 digits of base64");
    if (!duet__x25519_in_form(key))
        return duet__ini_refuse(ini, where,
                                "PublicKey has a form that X25519 never gives: is it damaged?");
    return DUET_OK;
}

/** Compute the public key that belongs to the private one. */
static int
complete_identity(struct duet__identity *identity)
{
    int result = duet__init();

    if (result != DUET_OK)
        return result;
    return duet__x25519_public(identity->public_key, identity->private_key);
}

/* ---- Identities ---- */

static int
read_private(void *into, struct duet__ini *ini, duet_where *where)
{
    struct duet__identity *identity = into;

    if (decode_key(identity->private_key, ini->value) == 0)
        return DUET_OK;
    return duet__ini_refuse(ini, where, "PrivateKey is not 44 digits of base64");
}

static int
read_identity_public(void *into, struct duet__ini *ini, duet_where *where)
{
    struct duet__identity *identity = into;

    return read_public_key(identity->public_key, ini, where);
}

enum { PUBLIC = 1u << 2 }; /* of the third field */

static const struct duet__ini_field identity_fields[] = {{"Version", 1, duet__ini_version},
                                                         {"PrivateKey", 1, read_private},
                                                         {"PublicKey", 0, read_identity_public},
                                                         {NULL, 0, NULL}};

int
duet__is_bare_key(const char *text, size_t size)
{
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    return size == DUET_KEY_TEXT_SIZE - 1 && memchr(text, '[', size) == NULL &&
           memchr(text, '\n', size) == NULL;
}

/** A line of base64 alone. `wg genkey` sets bits that a public key has once in 32 only, so without
 * them it is most likely the wrong one. */
static int
parse_bare(struct duet__identity *identity, struct duet__ini *ini, struct duet__text text,
           duet_where *where)
{
    ini->line = 1;
    ini->kind = DUET__INI_VALUE;
    text.size = DUET_KEY_TEXT_SIZE - 1;
    if (decode_key(identity->private_key, text) != 0)
        return duet__ini_refuse(ini, where, "not 44 digits of base64");
    int is_private = (identity->private_key[0] & 7) == 0 && identity->private_key[31] >> 6 == 1;
    DUET__PUBLIC(&is_private, sizeof is_private); /* the form of every key that wg makes */
    if (!is_private)
        snprintf(where->reason, sizeof where->reason,
                 "looks like a public key, which belongs into the other end's peers file; -i takes "
                 "the private key");
    return complete_identity(identity);
}

int
duet__identity_parse(struct duet__identity *identity, const char *text, size_t size,
                     duet_where *where)
{
    struct duet__ini ini = duet__ini(text, size);
    uint8_t written[DUET_KEY_SIZE]; /* the PublicKey of the text */
    unsigned seen = 0;

    if (duet__is_bare_key(text, size))
        return parse_bare(identity, &ini, (struct duet__text){text, size}, where);
    int result = duet__ini_only_section(&ini, where, "Identity", identity_fields, identity, &seen);
    if (result != DUET_OK)
        return result;
    memcpy(written, identity->public_key, sizeof written);
    result = complete_identity(identity);
    if (result == DUET_OK && seen & PUBLIC &&
        !duet__equal(written, identity->public_key, sizeof written))
        return duet__ini_refuse(&ini, where, "PublicKey does not belong to PrivateKey");
    return result;
}

int
duet__identity_fill(struct duet__identity *identity, const uint8_t private_key[DUET_KEY_SIZE])
{
    memcpy(identity->private_key, private_key, DUET_KEY_SIZE);
    return complete_identity(identity);
}

int
duet__identity_format(char *out, size_t cap, size_t *size, const struct duet__identity *identity)
{
    static const char head[] = "[Identity]\nVersion = 1\nPrivateKey = ",
                      middle[] = "\nPublicKey = ";
    const size_t digits = DUET_KEY_TEXT_SIZE - 1;

    *size = sizeof head - 1 + digits + sizeof middle - 1 + digits + 1;
    if (cap < *size)
        return DUET_E_ROOM;
    memcpy(out, head, sizeof head - 1);
    out += sizeof head - 1;
    duet__base64_encode(out, identity->private_key, DUET_KEY_SIZE);
    memcpy(out + digits, middle, sizeof middle - 1);
    out += digits + sizeof middle - 1;
    duet__base64_encode(out, identity->public_key, DUET_KEY_SIZE);
    out[digits] = '\n';
    return DUET_OK;
}

/* ---- Peers ---- */

static int
read_peer_public(void *into, struct duet__ini *ini, duet_where *where)
{
    struct duet__peer *peer = into;

    return read_public_key(peer->public_key, ini, where);
}

static const struct duet__ini_field peer_fields[] = {{"PublicKey", 1, read_peer_public},
                                                     {NULL, 0, NULL}};

/** Add a peer of this name, whose key is to be read. */
static int
add_peer(struct duet__peers *peers, struct duet__text name, const struct duet__ini *ini,
         duet_where *where)
{
    if (name.size >= DUET_PEER_NAME_SIZE)
        return duet__ini_refuse(ini, where, "a peer's name is %u bytes at most",
                                DUET_PEER_NAME_SIZE - 1);
    for (size_t i = 0; i < name.size; i++)
        if ((unsigned char)name.at[i] < ' ' || name.at[i] == 0x7f)
            return duet__ini_refuse(ini, where, "a peer's name holds a control character");
    for (size_t i = 0; i < peers->count; i++)
        if (duet__text_is(name, peers->list[i].name))
            return duet__ini_refuse(ini, where, "this peer is given twice: delete one");
    if (peers->count == PEERS_MOST)
        return duet__ini_refuse(ini, where, "more than %d peers", PEERS_MOST);
    if ((peers->count & (peers->count - 1)) == 0) { /* full at each power of two */
        size_t room = peers->count > 0 ? 2 * peers->count : 1;
        struct duet__peer *list = realloc(peers->list, room * sizeof *list);
        if (list == NULL)
            return DUET_E_MEMORY;
        peers->list = list;
    }
    struct duet__peer *peer = &peers->list[peers->count++];
    memset(peer, 0, sizeof *peer);
    memcpy(peer->name, name.at, name.size);
    return DUET_OK;
}

/** Read the section that ini has begun. */
static int
read_peer(struct duet__peers *peers, struct duet__ini *ini, duet_where *where)
{
    unsigned seen;

    /* public: a section's name */
    if (ini->kind != DUET__INI_SECTION || ini->name.size <= 5 ||
        memcmp(ini->name.at, "Peer ", 5) != 0) /* public */
        return duet__ini_refuse(ini, where, "a list of peers has sections like [Peer alice] only");
    int result =
        add_peer(peers, (struct duet__text){ini->name.at + 5, ini->name.size - 5}, ini, where);
    if (result != DUET_OK)
        return result;
    struct duet__peer *last = &peers->list[peers->count - 1];
    result = duet__ini_section(ini, where, peer_fields, last, &seen);
    for (struct duet__peer *peer = peers->list; result == DUET_OK && peer < last; peer++)
        if (duet__equal(peer->public_key, last->public_key, DUET_KEY_SIZE))
            return duet__ini_refuse(ini, where, "[Peer %s] and [Peer %s] have the same PublicKey",
                                    peer->name, last->name);
    return result;
}

int
duet__peers_parse(struct duet__peers *peers, const char *text, size_t size, duet_where *where)
{
    struct duet__ini ini = duet__ini(text, size);
    int result = duet__ini_next(&ini, where);

    while (result == DUET_OK && ini.kind != DUET__INI_END)
        result = read_peer(peers, &ini, where);
    if (result == DUET_OK && peers->count == 0)
        return duet__ini_refuse(&ini, where, "no peer: nobody would be let in; add a [Peer NAME]");
    return result;
}
