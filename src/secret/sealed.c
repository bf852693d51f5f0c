/*
 * Key files under a passphrase (see sealed.h): scrypt makes the key, AES-256-GCM encrypts the text.
 * The key serves for one text, as its salt is drawn anew, so the nonce is always 0.
 */
#include "secret/sealed.h"

#include "base/base64.h"

#include "base/ini.h"
#include "crypto/aead.h"

#include <duet/duet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MOST = 128 * 1024,            /* bytes: a secret of 64 KiB takes 93,000 */
    DATA_MOST = TEXT_MOST + DUET__TAG, /* bytes */
    DIGITS_MOST = (int)DUET__BASE64_SIZE(DATA_MOST),
    PER_LINE = 48, /* bytes, for 64 digits */
    PREFIX = 14,   /* of the associated data: "duet sealed 1" and a NUL */
    SALT_DIGITS = (int)DUET__BASE64_SIZE(DUET__SALT)
};

/** What is authenticated with the text: the prefix, the work's exponent, the salt. */
struct bound {
    uint8_t bytes[PREFIX + 1 + DUET__SALT];
};

static struct bound
bind(unsigned work, const uint8_t salt[DUET__SALT])
{
    struct bound bound;

    memcpy(bound.bytes, "duet sealed 1", PREFIX);
    bound.bytes[PREFIX] = (uint8_t)work;
    memcpy(bound.bytes + PREFIX + 1, salt, DUET__SALT);
    return bound;
}

void
duet__owned_text_free(struct duet__owned_text *text)
{
    if (text->text != NULL)
        duet_wipe(text->text, text->size);
    free(text->text);
    *text = (struct duet__owned_text){0};
}

/* ---- Making ---- */

/** Write the file's text for encrypted data of size bytes. Returns 0, or -1: no memory. */
static int
write_sealed(struct duet__owned_text *sealed, unsigned work, const uint8_t salt[DUET__SALT],
             const uint8_t *data, size_t size)
{
    char head[128], digits[SALT_DIGITS + 1] = "";
    size_t lines = (size + PER_LINE - 1) / PER_LINE;

    duet__base64_encode(digits, salt, DUET__SALT);
    size_t n = (size_t)snprintf(
        head, sizeof head, "[Sealed]\nVersion = 1\nWork = %u\nSalt = %s\nData = ", work, digits);
    sealed->size = n + DUET__BASE64_SIZE(size) + lines + (lines - 1) * 4;
    sealed->text = malloc(sealed->size);
    if (sealed->text == NULL)
        return -1;
    char *out = sealed->text;
    memcpy(out, head, n);
    out += n;
    for (size_t at = 0; at < size; at += PER_LINE) {
        size_t part = size - at < PER_LINE ? size - at : PER_LINE;
        if (at > 0) {
            memset(out, ' ', 4);
            out += 4;
        }
        duet__base64_encode(out, data + at, part);
        out += DUET__BASE64_SIZE(part);
        *out++ = '\n';
    }
    return 0;
}

int
duet__sealed_make(struct duet__owned_text *sealed, struct duet__bytes text,
                  struct duet__bytes passphrase, const uint8_t salt[DUET__SALT], unsigned work)
{
    struct bound bound = bind(work, salt);
    uint8_t key[32];

    *sealed = (struct duet__owned_text){0};
    if (passphrase.size == 0 || text.size == 0 || text.size > TEXT_MOST)
        return DUET_E_LENGTH;
    if (duet_init() != DUET_OK)
        return DUET_E_CRYPTO;
    uint8_t *data = malloc(text.size + DUET__TAG);
    if (data == NULL)
        return DUET_E_MEMORY;
    int result = duet__scrypt(key, passphrase, (struct duet__bytes){salt, DUET__SALT}, work);
    if (result == DUET_OK) {
        const struct duet__aead with = {key, 0, {bound.bytes, sizeof bound.bytes}};
        result = duet__aead_encrypt(&with, data, text.data, text.size);
    }
    duet_wipe(key, sizeof key);
    if (result == DUET_OK && write_sealed(sealed, work, salt, data, text.size + DUET__TAG) != 0)
        result = DUET_E_MEMORY;
    free(data);
    if (result != DUET_OK)
        *sealed = (struct duet__owned_text){0};
    return result;
}

/* ---- Opening ---- */

struct reading {
    unsigned work;
    uint8_t salt[DUET__SALT];
    char *digits; /* of the data, its lines joined; owned */
    size_t size;
};

static int
read_work(void *into, struct duet__ini *ini, duet_where *where)
{
    struct reading *r = into;
    uint64_t work;

    if (duet__text_number(&work, ini->value, DUET__WORK_MOST) != 0 || work < DUET__WORK_LEAST)
        return duet__ini_refuse(ini, where, "Work is not a number from %u to %u", DUET__WORK_LEAST,
                                DUET__WORK_MOST);
    r->work = (unsigned)work;
    return DUET_OK;
}

static int
read_salt(void *into, struct duet__ini *ini, duet_where *where)
{
    struct reading *r = into;
    size_t size;

    if (duet__base64_decode(r->salt, DUET__SALT, &size, ini->value.at, ini->value.size) == 0 &&
        size == DUET__SALT)
        return DUET_OK;
    return duet__ini_refuse(ini, where, "Salt is not %u bytes in base64", DUET__SALT);
}

static int
read_data(void *into, struct duet__ini *ini, duet_where *where)
{
    struct reading *r = into;

    ini->continues = 1;
    if (ini->value.size > DIGITS_MOST - r->size)
        return duet__ini_refuse(ini, where, "Data is longer than %u bytes", DATA_MOST);
    memcpy(r->digits + r->size, ini->value.at, ini->value.size);
    r->size += ini->value.size;
    return DUET_OK;
}

static const struct duet__ini_field fields[] = {{"Version", 1, duet__ini_version},
                                                {"Work", 1, read_work},
                                                {"Salt", 1, read_salt},
                                                {"Data", 1, read_data},
                                                {NULL, 0, NULL}};

/** Decrypt data in its place. */
static int
decrypt(const struct reading *r, struct duet__owned_text *data, struct duet__bytes passphrase)
{
    struct bound bound = bind(r->work, r->salt);
    uint8_t key[32];

    int result = duet__scrypt(key, passphrase, (struct duet__bytes){r->salt, DUET__SALT}, r->work);
    if (result == DUET_OK) {
        const struct duet__aead with = {key, 0, {bound.bytes, sizeof bound.bytes}};
        uint8_t *bytes = (uint8_t *)data->text;
        result = duet__aead_decrypt(&with, bytes, bytes, data->size);
    }
    duet_wipe(key, sizeof key);
    data->size -= DUET__TAG;
    return result;
}

static int
open_data(const struct duet__ini *ini, const struct reading *r, struct duet__owned_text *text,
          struct duet__bytes passphrase, duet_where *where)
{
    text->text = malloc(DATA_MOST);
    if (text->text == NULL)
        return DUET_E_MEMORY;
    if (duet__base64_decode((uint8_t *)text->text, DATA_MOST, &text->size, r->digits, r->size) != 0)
        return duet__ini_refuse(ini, where, "Data is not base64; the file is damaged");
    if (text->size <= DUET__TAG)
        return duet__ini_refuse(ini, where, "Data is too short; the file may be cut off");
    return decrypt(r, text, passphrase);
}

int
duet__sealed_open(struct duet__owned_text *text, struct duet__bytes sealed,
                  struct duet__bytes passphrase, duet_where *where)
{
    struct duet__ini ini = duet__ini(sealed.data, sealed.size);
    struct reading r = {.digits = malloc(DIGITS_MOST)};
    unsigned seen;

    *text = (struct duet__owned_text){0};
    memset(where, 0, sizeof *where);
    if (duet_init() != DUET_OK) {
        free(r.digits);
        return DUET_E_CRYPTO;
    }
    int result = r.digits == NULL
                     ? DUET_E_MEMORY
                     : duet__ini_only_section(&ini, where, "Sealed", fields, &r, &seen);
    if (result == DUET_OK)
        result = open_data(&ini, &r, text, passphrase, where);
    free(r.digits);
    if (result != DUET_OK)
        duet__owned_text_free(text);
    return result;
}
