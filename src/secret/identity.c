/*
 * Identities: X25519 key pairs as text, and keys in base64 (docs/protocol.md §4 "Identities").
 */
#include "secret/base64.h"
#include "secret/key.h"

#include "base/equal.h"
#include "crypto/x25519.h"

#include <duet/duet.h>
#include <string.h>

enum { VERSION = 1, PRIVATE = 2, PUBLIC = 4 }; /* what a text has shown */

/** Read 44 digits of base64 into a key. Returns 0, or -1. */
static int
read_key(uint8_t key[DUET_KEY_SIZE], struct duet__text text)
{
    size_t put;

    if (duet__base64_decode(key, DUET_KEY_SIZE, &put, text.at, text.size) != 0)
        return -1;
    return put == DUET_KEY_SIZE ? 0 : -1;
}

int
duet__key_read_public(uint8_t key[DUET_KEY_SIZE], const struct duet__ini *ini, duet_where *where)
{
    if (read_key(key, ini->value) != 0)
        return duet__ini_refuse(ini, where, "PublicKey is not 44 digits of base64");
    if (!duet__x25519_in_form(key))
        return duet__ini_refuse(ini, where,
                                "PublicKey has a form that X25519 never gives: is it damaged?");
    return DUET_OK;
}

void
duet_key_text(char out[DUET_KEY_TEXT_SIZE], const uint8_t public_key[DUET_KEY_SIZE])
{
    duet__base64_encode(out, public_key, DUET_KEY_SIZE);
    out[DUET_KEY_TEXT_SIZE - 1] = 0;
}

int
duet_identity_init(duet_identity *identity, const uint8_t private_key[DUET_KEY_SIZE])
{
    int result = duet_init();

    if (result != DUET_OK)
        return result;
    memmove(identity->private_key, private_key, DUET_KEY_SIZE); /* which it may be */
    return duet__x25519_public(identity->public_key, identity->private_key);
}

static int
read_name(duet_identity *identity, struct duet__ini *ini, duet_where *where, unsigned *seen)
{
    if (duet__text_is(ini->name, "Version")) {
        if (!duet__text_is(ini->value, "1"))
            return duet__ini_refuse(ini, where, "Version is not 1: made by a later duet?");
        return duet__ini_once(ini, where, seen, VERSION);
    }
    if (duet__text_is(ini->name, "PrivateKey")) {
        if (read_key(identity->private_key, ini->value) != 0)
            return duet__ini_refuse(ini, where, "PrivateKey is not 44 digits of base64");
        return duet__ini_once(ini, where, seen, PRIVATE);
    }
    if (duet__text_is(ini->name, "PublicKey")) {
        int result = duet__key_read_public(identity->public_key, ini, where);
        return result == DUET_OK ? duet__ini_once(ini, where, seen, PUBLIC) : result;
    }
    return duet__ini_refuse(ini, where,
                            "an unknown name: an identity has Version, PrivateKey and PublicKey");
}

static int
read_lines(duet_identity *identity, struct duet__ini *ini, duet_where *where, unsigned *seen)
{
    int result = duet__ini_next(ini, where);

    if (result == DUET_OK &&
        (ini->kind != DUET__INI_SECTION || !duet__text_is(ini->name, "Identity")))
        return duet__ini_refuse(ini, where, "no identity: it begins with [Identity]");
    while (result == DUET_OK) {
        result = duet__ini_next(ini, where);
        if (result != DUET_OK || ini->kind == DUET__INI_END)
            return result;
        if (ini->kind != DUET__INI_VALUE)
            return duet__ini_refuse(ini, where, "only Name = value may stand here");
        result = read_name(identity, ini, where, seen);
    }
    return result;
}

/** The text of `wg genkey`: 44 digits alone. */
static int
is_bare(struct duet__text text)
{
    while (text.size > 0 && (text.at[text.size - 1] == '\n' || text.at[text.size - 1] == '\r'))
        text.size--;
    return text.size == DUET_KEY_TEXT_SIZE - 1 && memchr(text.at, '[', text.size) == NULL &&
           memchr(text.at, '\n', text.size) == NULL;
}

static int
parse(duet_identity *identity, const char *text, size_t size, duet_where *where)
{
    struct duet__ini ini = duet__ini(text, size);
    uint8_t shown[DUET_KEY_SIZE];
    unsigned seen = 0;

    if (is_bare((struct duet__text){text, size})) {
        ini.line = 1;
        ini.kind = DUET__INI_VALUE;
        if (read_key(identity->private_key, (struct duet__text){text, DUET_KEY_TEXT_SIZE - 1}) != 0)
            return duet__ini_refuse(&ini, where, "not 44 digits of base64");
        return duet_identity_init(identity, identity->private_key);
    }
    int result = read_lines(identity, &ini, where, &seen);
    if (result != DUET_OK)
        return result;
    if ((seen & (VERSION | PRIVATE)) != (VERSION | PRIVATE))
        return duet__ini_refuse(&ini, where, "Version or PrivateKey is missing: is it truncated?");
    memcpy(shown, identity->public_key, sizeof shown);
    result = duet_identity_init(identity, identity->private_key);
    if (result == DUET_OK && seen & PUBLIC &&
        !duet__equal(shown, identity->public_key, sizeof shown))
        return duet__ini_refuse(&ini, where, "PublicKey does not belong to PrivateKey");
    return result;
}

int
duet_identity_parse(duet_identity *identity, const char *text, size_t size, duet_where *where)
{
    memset(where, 0, sizeof *where);
    memset(identity, 0, sizeof *identity);
    int result = parse(identity, text, size, where);
    if (result != DUET_OK)
        duet_wipe(identity, sizeof *identity);
    return result;
}

int
duet_identity_format(char *out, size_t cap, size_t *size, const duet_identity *identity)
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
