/*
 * The Noise Protocol Framework: the symmetric state, and the tokens of each message as a table
 * (revision 34, §5 and §9).
 *
 * Names are the specification's: MixKey, EncryptAndHash and so on. What the messages carry is
 * handshake.c's.
 */
#include "handshake/noise.h"

#include "crypto/aead.h"
#include "crypto/x25519.h"

enum token { END, E, S, EE, ES, SE, PSK };

enum { MESSAGES = 3, TOKENS = 6 };

static const struct {
    char name[WIRE_DIGEST + 1];
    int psk; /* 1: a psk handshake, in which `e` is mixed into the key as well (§9.2) */
    unsigned count;
    uint8_t tokens[MESSAGES][TOKENS];
} kinds[] = {
    [DUET__NOISE_NN] = {"Noise_NN_25519_AESGCM_SHA256", 0, 2, {{E}, {E, EE}, {END}}},
    [DUET__NOISE_XX] = {"Noise_XX_25519_AESGCM_SHA256", 0, 3, {{E}, {E, EE, S, ES}, {S, SE}}},
    [DUET__NOISE_NNPSK0] = {"Noise_NNpsk0_25519_AESGCM_SHA256", 1, 2, {{PSK, E}, {E, EE}, {END}}},
    [DUET__NOISE_XXPSK3] = {"Noise_XXpsk3_25519_AESGCM_SHA256",
                            1,
                            3,
                            {{E}, {E, EE, S, ES}, {S, SE, PSK}}},
};

/* ---- The symmetric state (§5.2) ---- */

static void
mix_hash(struct duet__noise *noise, const void *data, size_t size)
{
    struct duet__sha256 hash;
    uint32_t chain[8];

    duet__sha256_begin(&hash, duet__sha256_initial);
    duet__sha256_update(&hash, noise->h, sizeof noise->h);
    duet__sha256_update(&hash, data, size);
    duet__sha256_end(&hash, chain);
    duet__chain_store(noise->h, chain);
}

/** HKDF of §4.3: count outputs of 32 bytes, from the chaining key and ikm. */
static void
noise_hkdf(const struct duet__noise *noise, const uint8_t *ikm, size_t size, uint8_t *out,
           size_t count)
{
    uint8_t prk[WIRE_DIGEST];

    duet__hkdf_extract(prk, (struct duet__bytes){noise->ck, sizeof noise->ck},
                       (struct duet__bytes){ikm, size});
    duet__hkdf_expand(prk, DUET__NO_BYTES, DUET__NO_BYTES, out, count * WIRE_DIGEST);
    duet_wipe(prk, sizeof prk);
}

static void
set_cipher_key(struct duet__noise *noise, const uint8_t *key)
{
    memcpy(noise->k, key, sizeof noise->k);
    noise->n = 0;
    noise->has_key = 1;
}

static void
mix_key(struct duet__noise *noise, const uint8_t ikm[DUET__NOISE_KEY])
{
    uint8_t out[2 * WIRE_DIGEST];

    noise_hkdf(noise, ikm, DUET__NOISE_KEY, out, 2);
    memcpy(noise->ck, out, sizeof noise->ck);
    set_cipher_key(noise, out + WIRE_DIGEST);
    duet_wipe(out, sizeof out);
}

static void
mix_key_and_hash(struct duet__noise *noise, const uint8_t ikm[DUET__NOISE_KEY])
{
    uint8_t out[3 * WIRE_DIGEST];

    noise_hkdf(noise, ikm, DUET__NOISE_KEY, out, 3);
    memcpy(noise->ck, out, sizeof noise->ck);
    mix_hash(noise, out + WIRE_DIGEST, WIRE_DIGEST);
    set_cipher_key(noise, out + (size_t)2 * WIRE_DIGEST);
    duet_wipe(out, sizeof out);
}

/** The key, nonce and associated data of the next encryption or decryption; counts the nonce. */
static struct duet__aead
next_cipher(struct duet__noise *noise)
{
    struct duet__aead with = {noise->k, noise->n++, {noise->h, sizeof noise->h}};
    return with;
}

static int
encrypt_and_hash(struct duet__noise *noise, struct duet__writer *to, struct duet__bytes plain)
{
    size_t size = plain.size + (noise->has_key ? DUET__TAG : 0u);
    uint8_t *out = duet__room(to, size);
    int result = DUET_OK;

    if (out == NULL)
        return DUET_E_ROOM;
    if (plain.size > 0)
        memcpy(out, plain.data, plain.size);
    if (noise->has_key) {
        struct duet__aead with = next_cipher(noise);
        result = duet__aead_encrypt(&with, out, out, plain.size);
    }
    mix_hash(noise, out, size);
    return result;
}

/** Decrypt size bytes in place; *plain: the size of the plaintext. */
static int
decrypt_and_hash(struct duet__noise *noise, uint8_t *bytes, size_t size, size_t *plain)
{
    uint8_t before[WIRE_DIGEST]; /* the hash before is the associated data */
    int result = DUET_OK;

    *plain = size;
    memcpy(before, noise->h, sizeof before);
    mix_hash(noise, bytes, size);
    if (noise->has_key) {
        struct duet__aead with = next_cipher(noise);
        with.ad = (struct duet__bytes){before, sizeof before};
        *plain = size - DUET__TAG;
        result = size < DUET__TAG ? DUET_E_PROTOCOL : duet__aead_decrypt(&with, bytes, bytes, size);
    }
    return result;
}

/* ---- Tokens (§7.1, §9.2) ---- */

static int
mix_dh(struct duet__noise *noise, enum token token)
{
    /* The token's first letter names the initiator's key, its second the responder's. */
    const struct duet__x25519_pair e = {noise->e, noise->e_public};
    const struct duet__x25519_pair s = {noise->s, noise->s_public};
    int mine_static = (token == ES && !noise->initiator) || (token == SE && noise->initiator);
    int theirs_static = (token == ES && noise->initiator) || (token == SE && !noise->initiator);
    uint8_t shared[DUET__NOISE_KEY];

    int result = duet__x25519(shared, mine_static ? &s : &e, theirs_static ? noise->rs : noise->re);
    if (result == DUET_OK)
        mix_key(noise, shared);
    duet_wipe(shared, sizeof shared);
    return result;
}

static void
mix_ephemeral(struct duet__noise *noise, const uint8_t *key)
{
    mix_hash(noise, key, DUET__NOISE_KEY);
    if (kinds[noise->kind].psk)
        mix_key(noise, key);
}

static int
write_token(struct duet__noise *noise, struct duet__writer *to, enum token token)
{
    switch (token) {
    case E:
        duet__write(to, noise->e_public, DUET__NOISE_KEY);
        mix_ephemeral(noise, noise->e_public);
        return to->bad ? DUET_E_ROOM : DUET_OK;
    case S:
        return encrypt_and_hash(noise, to, (struct duet__bytes){noise->s_public, DUET__NOISE_KEY});
    case PSK:
        mix_key_and_hash(noise, noise->psk);
        return DUET_OK;
    default:
        return mix_dh(noise, token);
    }
}

/** The rest of a message. */
struct rest {
    uint8_t *at;
    size_t size;
};

static int
read_key_token(struct duet__noise *noise, struct rest *rest, enum token token)
{
    size_t size = DUET__NOISE_KEY + (token == S && noise->has_key ? DUET__TAG : 0u);
    uint8_t *key = rest->at;
    size_t plain;

    if (rest->size < size)
        return DUET_E_PROTOCOL;
    rest->at += size;
    rest->size -= size;
    if (token == E) {
        memcpy(noise->re, key, DUET__NOISE_KEY);
        mix_ephemeral(noise, key);
        return DUET_OK;
    }
    int result = decrypt_and_hash(noise, key, size, &plain);
    if (result == DUET_OK)
        memcpy(noise->rs, key, DUET__NOISE_KEY);
    return result;
}

static int
read_token(struct duet__noise *noise, struct rest *rest, enum token token)
{
    switch (token) {
    case E:
    case S:
        return read_key_token(noise, rest, token);
    case PSK:
        mix_key_and_hash(noise, noise->psk);
        return DUET_OK;
    default:
        return mix_dh(noise, token);
    }
}

/* ---- The handshake state (§5.3) ---- */

int
duet__noise_begin(struct duet__noise *noise, enum duet__noise_kind kind, int initiator,
                  struct duet__bytes prologue)
{
    noise->kind = kind;
    noise->initiator = initiator;
    noise->message = 0;
    noise->has_key = 0;
    /* A name of at most 32 bytes is h itself, padded with zeros (§5.2, InitializeSymmetric). */
    memcpy(noise->h, kinds[kind].name, sizeof noise->h);
    memcpy(noise->ck, noise->h, sizeof noise->ck);
    mix_hash(noise, prologue.data, prologue.size);
    return duet__x25519_public(noise->e_public, noise->e);
}

int
duet__noise_write(struct duet__noise *noise, struct duet__writer *to, struct duet__bytes payload)
{
    const uint8_t *token = kinds[noise->kind].tokens[noise->message++];
    int result = DUET_OK;

    for (; *token != END && result == DUET_OK; token++)
        result = write_token(noise, to, (enum token) * token);
    if (result != DUET_OK)
        return result;
    return encrypt_and_hash(noise, to, payload);
}

int
duet__noise_read(struct duet__noise *noise, struct duet__bytes *payload, uint8_t *message,
                 size_t size)
{
    const uint8_t *token = kinds[noise->kind].tokens[noise->message++];
    struct rest rest = {message, size};
    int result = DUET_OK;

    for (; *token != END && result == DUET_OK; token++)
        result = read_token(noise, &rest, (enum token) * token);
    if (result != DUET_OK)
        return result;
    payload->data = rest.at;
    return decrypt_and_hash(noise, rest.at, rest.size, &payload->size);
}

int
duet__noise_done(const struct duet__noise *noise)
{
    return noise->message == kinds[noise->kind].count;
}

void
duet__noise_split(const struct duet__noise *noise, uint8_t k1[DUET__NOISE_KEY],
                  uint8_t k2[DUET__NOISE_KEY])
{
    uint8_t out[2 * WIRE_DIGEST];

    noise_hkdf(noise, NULL, 0, out, 2);
    memcpy(k1, out, DUET__NOISE_KEY);
    memcpy(k2, out + WIRE_DIGEST, DUET__NOISE_KEY);
    duet_wipe(out, sizeof out);
}
