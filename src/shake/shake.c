/*
 * Initiation's messages, one function to write and one to read each part, and the session secret
 * (docs/protocol.md §4).
 */
#include "shake/shake.h"

#include "base/public.h"

/* ---- psk and prologue ---- */

/* §4: psk = HKDF-Expand(HKDF-Extract("duet/1 psk", W), info("noise"), 32) */
static void
make_psk(struct duet__shake *shake)
{
    static const struct duet__octets nothing = {NULL, 0};
    struct duet__info info = duet__info("noise", shake->label);

    duet__hkdf_expand_by(&shake->realm->psk, (struct duet__octets){info.octets, info.size}, nothing,
                         shake->noise.psk, sizeof shake->noise.psk);
}

/* §4: prologue = "duet/1" ‖ D ‖ pattern ‖ N_t */
static int
begin_noise(struct duet__shake *shake)
{
    enum duet__noise_kind kind =
        shake->pattern == DUET_PATTERN_IDENTITY ? DUET__NOISE_XXPSK3 : DUET__NOISE_NNPSK0;
    uint8_t prologue[sizeof WIRE_VERSION_TEXT + WIRE_DIGEST + 1 + WIRE_NONCE];
    struct duet__writer to = duet__writer(prologue, sizeof prologue);

    duet__write(&to, WIRE_VERSION_TEXT, sizeof WIRE_VERSION_TEXT - 1);
    duet__write(&to, shake->label, WIRE_DIGEST);
    duet__write8(&to, (uint8_t)shake->pattern);
    duet__write(&to, shake->nonces, WIRE_NONCE);
    make_psk(shake);
    if (shake->identity != NULL) {
        memcpy(shake->noise.s, shake->identity->private_key, sizeof shake->noise.s);
        memcpy(shake->noise.s_public, shake->identity->public_key, sizeof shake->noise.s_public);
    }
    return duet__noise_begin(&shake->noise, kind, shake->role == DUET_TOP,
                             (struct duet__octets){prologue, to.used});
}

int
duet__shake_begin(struct duet__shake *shake, enum duet_pattern pattern)
{
    shake->pattern = pattern;
    duet__sha256_begin(&shake->transcript, duet__sha256_initial);
    return pattern == DUET_PATTERN_SECRET ? DUET_OK : begin_noise(shake);
}

/* ---- Messages: pattern(1) ‖ length(2) ‖ body(length) ---- */

/** The Noise payload of m1 and m2 is params, of m3 nothing. */
static int
third(const struct duet__shake *shake)
{
    return shake->noise.message == 2;
}

static int
write_noise(struct duet__shake *shake, struct duet__writer *to)
{
    uint8_t params[DUET__MESSAGE_MOST];
    struct duet__writer payload = duet__writer(params, sizeof params);

    if (!third(shake))
        duet__params_write(&payload, &shake->mine, shake->extensions);
    return duet__noise_write(&shake->noise, to, (struct duet__octets){params, payload.used});
}

static int
read_noise(struct duet__shake *shake, uint8_t *body, size_t size)
{
    struct duet__octets payload;
    int last = third(shake);
    int result = duet__noise_read(&shake->noise, &payload, body, size);

    if (result != DUET_OK)
        return result;
    if (last)
        return payload.size == 0 ? DUET_OK : DUET_E_PROTOCOL;
    return duet__params_read(&shake->theirs, payload);
}

int
duet__shake_write(struct duet__shake *shake)
{
    struct duet__writer to = duet__writer(shake->message, sizeof shake->message);
    int result = DUET_OK;

    duet__write8(&to, (uint8_t)shake->pattern);
    uint8_t *length = duet__room(&to, 2);
    if (shake->pattern == DUET_PATTERN_SECRET)
        duet__params_write(&to, &shake->mine, shake->extensions);
    else
        result = write_noise(shake, &to);
    duet__store16(length, (unsigned)(to.used - WIRE_HELLO_HEAD));
    shake->message_size = to.used;
    if (shake->pattern == DUET_PATTERN_SECRET)
        duet__sha256_update(&shake->transcript, shake->message, to.used);
    return to.bad ? DUET_E_ROOM : result;
}

int
duet__shake_peek(const uint8_t *hello, size_t size, unsigned *pattern)
{
    struct duet__reader from = duet__reader(hello, size);

    DUET__PUBLIC(hello, size < WIRE_HELLO_HEAD ? size : WIRE_HELLO_HEAD);
    *pattern = duet__read8(&from);
    duet__read(&from, duet__read16(&from));
    return from.bad ? DUET_E_PROTOCOL : DUET_OK;
}

int
duet__shake_read(struct duet__shake *shake, uint8_t *hello, size_t size)
{
    unsigned pattern;

    if (duet__shake_peek(hello, size, &pattern) != DUET_OK || pattern != (unsigned)shake->pattern)
        return DUET_E_PROTOCOL;
    size_t length = duet__load16(hello + 1);
    if (shake->pattern != DUET_PATTERN_SECRET)
        return read_noise(shake, hello + WIRE_HELLO_HEAD, length);
    duet__sha256_update(&shake->transcript, hello, WIRE_HELLO_HEAD + length);
    return duet__params_read(&shake->theirs,
                             (struct duet__octets){hello + WIRE_HELLO_HEAD, length});
}

/* ---- The session secret ---- */

int
duet__shake_done(const struct duet__shake *shake)
{
    if (shake->pattern == DUET_PATTERN_SECRET)
        return shake->message_size > 0 && shake->theirs.max_payload > 0;
    return duet__noise_done(&shake->noise);
}

/** h of §4: Noise's handshake hash, or that of both messages. */
static void
handshake_hash(struct duet__shake *shake, uint8_t h[WIRE_DIGEST])
{
    uint32_t chain[8];

    memcpy(h, shake->noise.h, WIRE_DIGEST);
    if (shake->pattern != DUET_PATTERN_SECRET)
        return;
    duet__sha256_end(&shake->transcript, chain);
    duet__chain_store(h, chain);
}

/* §4: HKDF-Extract(SHA256(h ‖ N_t ‖ N_b), ikm) */
static void
extract(struct duet__shake *shake, uint8_t prk[WIRE_DIGEST])
{
    uint8_t bound[WIRE_DIGEST + 2 * WIRE_NONCE];
    uint8_t keys[2 * DUET__NOISE_KEY];
    struct duet__octets ikm = {shake->realm->secret, shake->realm->size};

    handshake_hash(shake, bound);
    memcpy(bound + WIRE_DIGEST, shake->nonces, sizeof shake->nonces);
    duet__sha256(bound, bound, sizeof bound);
    if (shake->pattern != DUET_PATTERN_SECRET) {
        duet__noise_split(&shake->noise, keys, keys + DUET__NOISE_KEY);
        ikm = (struct duet__octets){keys, sizeof keys};
    }
    duet__hkdf_extract(prk, (struct duet__octets){bound, WIRE_DIGEST}, ikm);
    duet_wipe(keys, sizeof keys);
}

void
duet__shake_finish(struct duet__shake *shake, uint8_t exporter[WIRE_DIGEST])
{
    static const struct duet__octets nothing = {NULL, 0};
    static const char export_salt[] = WIRE_VERSION_TEXT " export";
    struct duet__info info = duet__info("secret", shake->label);
    uint8_t prk[WIRE_DIGEST];

    extract(shake, prk);
    duet__derive(prk, &info, nothing, shake->secret, sizeof shake->secret);
    duet__hkdf_extract(exporter, (struct duet__octets){export_salt, sizeof export_salt - 1},
                       (struct duet__octets){shake->secret, sizeof shake->secret});
    duet_wipe(prk, sizeof prk);
    duet_wipe(&shake->noise, sizeof shake->noise);
}
