/*
 * The handshake's messages, one function to write and one to read each part, and the session secret
 * (docs/protocol.md §4).
 *
 * Patterns 1 and 2 are Noise (noise.c); pattern 0 exchanges params alone and takes the session
 * secret from the shared secret. No frames here: see session/handshake.c.
 */
#include "handshake/handshake.h"

#include "base/public.h"

#include <stdlib.h>

enum { THIRD = 2 }; /* m3, whose payload is empty; that of m1 and m2 is params */
enum { VERSION = 1, FLAGS = 0 };
enum { ROOM = DUET__MESSAGE_MOST + DUET__MLKEM_KEY }; /* bytes of `message` and hybrid.bytes */

/* ---- Params ---- */

void
duet__params_write(struct duet__writer *to, const struct duet__params *params)
{
    duet__write8(to, VERSION);
    duet__write8(to, FLAGS);
    duet__write8(to, params->rotate_frames);
    duet__write8(to, params->rotate_blocks);
    duet__write32(to, params->max_payload);
    duet__write64(to, params->time_ms);
}

enum { TYPES = 2048 }; /* that are looked for at a time: a set of all would take 8 KiB of stack */

/** Look for types from `first` on, as many as a small set holds. 1: one of them comes twice. */
static int
comes_twice(struct duet__reader from, unsigned first)
{
    uint8_t seen[TYPES / 8] = {0};

    while (from.left > 0 && !from.bad) {
        unsigned type = duet__read16(&from);
        duet__read(&from, duet__read16(&from));
        if (type < first || type - first >= TYPES)
            continue;
        uint8_t bit = (uint8_t)(1u << type % 8);
        if (seen[(type - first) / 8] & bit)
            return 1;
        seen[(type - first) / 8] |= bit;
    }
    return 0;
}

/** Read extensions: `kem` is kept, others are skipped. Each type may come once. */
static int
read_extensions(struct duet__params *params, struct duet__reader *from)
{
    for (unsigned first = 0; first <= UINT16_MAX && from->left > 0; first += TYPES)
        if (comes_twice(*from, first))
            return DUET_E_PROTOCOL;
    while (from->left > 0 && !from->bad) {
        unsigned type = duet__read16(from);
        size_t size = duet__read16(from);
        const uint8_t *value = duet__read(from, size);
        if (type == WIRE_EXTENSION_KEM && !from->bad) {
            params->has_kem = 1;
            params->kem = value;
            params->kem_size = size;
        }
    }
    return from->bad ? DUET_E_PROTOCOL : DUET_OK;
}

static int
is_exponent(unsigned value)
{
    return value >= WIRE_ROTATE_LEAST && value <= WIRE_ROTATE_MOST;
}

int
duet__params_read(struct duet__params *params, struct duet__bytes bytes)
{
    struct duet__reader from = duet__reader(bytes.data, bytes.size);

    DUET__PUBLIC(bytes.data, bytes.size);
    int version = duet__read8(&from);
    int flags = duet__read8(&from);
    params->rotate_frames = duet__read8(&from);
    params->rotate_blocks = duet__read8(&from);
    params->max_payload = duet__read32(&from);
    params->time_ms = duet__read64(&from);
    if (from.bad || version != VERSION || flags != FLAGS)
        return DUET_E_PROTOCOL;
    if (!is_exponent(params->rotate_frames) || !is_exponent(params->rotate_blocks))
        return DUET_E_PROTOCOL;
    if (params->max_payload < WIRE_MAX_PAYLOAD_LEAST)
        return DUET_E_PROTOCOL;
    params->has_kem = 0;
    return read_extensions(params, &from);
}

/* ---- psk and prologue ---- */

/* §4: psk = HKDF-Expand(HKDF-Extract("duet/1 psk", W), info("noise"), 32) */
static void
make_psk(struct duet__handshake *handshake)
{
    struct duet__info info = duet__info("noise", handshake->label);

    duet__hkdf_expand_by(&handshake->psk->noise, (struct duet__bytes){info.bytes, info.size},
                         DUET__NO_BYTES, handshake->noise.psk, sizeof handshake->noise.psk);
}

/* §4: prologue = "duet/1" ‖ D ‖ pattern ‖ N_t */
static int
begin_noise(struct duet__handshake *handshake)
{
    enum duet__noise_kind kind =
        handshake->pattern == DUET_PATTERN_IDENTITY ? DUET__NOISE_XXPSK3 : DUET__NOISE_NNPSK0;
    uint8_t prologue[sizeof WIRE_VERSION_TEXT + WIRE_DIGEST + 1 + WIRE_NONCE];
    struct duet__writer to = duet__writer(prologue, sizeof prologue);

    duet__write(&to, WIRE_VERSION_TEXT, sizeof WIRE_VERSION_TEXT - 1);
    duet__write(&to, handshake->label, WIRE_DIGEST);
    duet__write8(&to, (uint8_t)handshake->pattern);
    duet__write(&to, handshake->nonces, WIRE_NONCE);
    make_psk(handshake);
    if (handshake->identity != NULL) {
        memcpy(handshake->noise.s, handshake->identity->private_key, sizeof handshake->noise.s);
        memcpy(handshake->noise.s_public, handshake->identity->public_key,
               sizeof handshake->noise.s_public);
    }
    return duet__noise_begin(&handshake->noise, kind, handshake->role == DUET_TOP,
                             (struct duet__bytes){prologue, to.used});
}

int
duet__handshake_make_room(struct duet__handshake *handshake)
{
    if (handshake->message != NULL)
        return DUET_OK;
    handshake->message = calloc(1, ROOM);
    if (handshake->message == NULL)
        return DUET_E_MEMORY;
    handshake->hybrid.bytes = handshake->message + DUET__MESSAGE_MOST;
    return DUET_OK;
}

int
duet__handshake_begin(struct duet__handshake *handshake, enum duet_pattern pattern)
{
    handshake->pattern = pattern;
    duet__sha256_begin(&handshake->transcript, duet__sha256_initial);
    return pattern == DUET_PATTERN_SECRET ? DUET_OK : begin_noise(handshake);
}

/* ---- Messages: pattern(1) ‖ length(2) ‖ body(length) ---- */

/** Write our params: those of m1 and m2 of patterns 1 and 2 may bear `kem`. */
static void
write_params(const struct duet__handshake *handshake, struct duet__writer *to)
{
    duet__params_write(to, &handshake->mine);
    duet__write(to, handshake->extensions[0].data, handshake->extensions[0].size);
    if (handshake->pattern != DUET_PATTERN_SECRET)
        duet__hybrid_write(&handshake->hybrid, to);
    duet__write(to, handshake->extensions[1].data, handshake->extensions[1].size);
}

static int
write_noise(struct duet__handshake *handshake, struct duet__writer *to)
{
    uint8_t params[DUET__MESSAGE_MOST];
    struct duet__writer payload = duet__writer(params, sizeof params);

    if (handshake->noise.message < THIRD)
        write_params(handshake, &payload);
    if (payload.bad)
        return DUET_E_ROOM;
    return duet__noise_write(&handshake->noise, to, (struct duet__bytes){params, payload.used});
}

static int
read_noise(struct duet__handshake *handshake, uint8_t *body, size_t size)
{
    struct duet__bytes payload;
    int last = handshake->noise.message == THIRD;
    int result = duet__noise_read(&handshake->noise, &payload, body, size);

    if (result != DUET_OK)
        return result;
    if (last)
        return payload.size == 0 ? DUET_OK : DUET_E_PROTOCOL;
    result = duet__params_read(&handshake->theirs, payload);
    if (result != DUET_OK)
        return result;
    return handshake->role == DUET_TOP
               ? duet__hybrid_take(&handshake->hybrid, &handshake->theirs)
               : duet__hybrid_answer(&handshake->hybrid, &handshake->theirs);
}

int
duet__handshake_write(struct duet__handshake *handshake)
{
    struct duet__writer to = duet__writer(handshake->message, DUET__MESSAGE_MOST);
    int result = DUET_OK;

    duet__write8(&to, (uint8_t)handshake->pattern);
    uint8_t *length = duet__room(&to, 2);
    if (handshake->pattern == DUET_PATTERN_SECRET)
        write_params(handshake, &to);
    else
        result = write_noise(handshake, &to);
    duet__store16(length, (unsigned)(to.used - WIRE_HELLO_HEAD));
    handshake->message_size = to.used;
    if (handshake->pattern == DUET_PATTERN_SECRET)
        duet__sha256_update(&handshake->transcript, handshake->message, to.used);
    return to.bad ? DUET_E_ROOM : result;
}

int
duet__handshake_peek(const uint8_t *hello, size_t size, unsigned *pattern)
{
    struct duet__reader from = duet__reader(hello, size);

    DUET__PUBLIC(hello, size < WIRE_HELLO_HEAD ? size : WIRE_HELLO_HEAD);
    *pattern = duet__read8(&from);
    duet__read(&from, duet__read16(&from));
    return from.bad ? DUET_E_PROTOCOL : DUET_OK;
}

int
duet__handshake_read(struct duet__handshake *handshake, uint8_t *hello, size_t size)
{
    unsigned pattern;

    if (duet__handshake_peek(hello, size, &pattern) != DUET_OK ||
        pattern != (unsigned)handshake->pattern)
        return DUET_E_PROTOCOL;
    size_t length = duet__load16(hello + 1);
    if (handshake->pattern != DUET_PATTERN_SECRET)
        return read_noise(handshake, hello + WIRE_HELLO_HEAD, length);
    duet__sha256_update(&handshake->transcript, hello, WIRE_HELLO_HEAD + length);
    /* The extension is skipped at both ends: there is no key agreement to join it. */
    return duet__params_read(&handshake->theirs,
                             (struct duet__bytes){hello + WIRE_HELLO_HEAD, length});
}

/* ---- The session secret ---- */

int
duet__handshake_done(const struct duet__handshake *handshake)
{
    if (handshake->pattern == DUET_PATTERN_SECRET)
        return handshake->message_size > 0 && handshake->theirs.max_payload > 0;
    return duet__noise_done(&handshake->noise);
}

/** h of §4: Noise's handshake hash, or that of both messages. */
static void
handshake_hash(struct duet__handshake *handshake, uint8_t h[WIRE_DIGEST])
{
    uint32_t chain[8];

    memcpy(h, handshake->noise.h, WIRE_DIGEST);
    if (handshake->pattern != DUET_PATTERN_SECRET)
        return;
    duet__sha256_end(&handshake->transcript, chain);
    duet__chain_store(h, chain);
}

/* §4: HKDF-Extract(SHA256(h ‖ N_t ‖ N_b), ikm) */
static void
extract(struct duet__handshake *handshake, uint8_t prk[WIRE_DIGEST])
{
    uint8_t bound[WIRE_DIGEST + 2 * WIRE_NONCE];
    uint8_t keys[2 * DUET__NOISE_KEY + DUET__MLKEM_SHARED];
    struct duet__bytes ikm = {handshake->psk->secret, handshake->psk->size};

    handshake_hash(handshake, bound);
    memcpy(bound + WIRE_DIGEST, handshake->nonces, sizeof handshake->nonces);
    duet__sha256(bound, bound, sizeof bound);
    if (handshake->pattern != DUET_PATTERN_SECRET) {
        duet__noise_split(&handshake->noise, keys, keys + DUET__NOISE_KEY);
        memcpy(keys + (size_t)2 * DUET__NOISE_KEY, handshake->hybrid.shared, DUET__MLKEM_SHARED);
        ikm = (struct duet__bytes){keys, handshake->hybrid.agreed ? sizeof keys
                                                                  : (size_t)2 * DUET__NOISE_KEY};
    }
    duet__hkdf_extract(prk, (struct duet__bytes){bound, WIRE_DIGEST}, ikm);
    duet_wipe(keys, sizeof keys);
}

void
duet__handshake_finish(struct duet__handshake *handshake, uint8_t exporter[WIRE_DIGEST])
{
    static const char export_salt[] = WIRE_VERSION_TEXT " export";
    struct duet__info info = duet__info("secret", handshake->label);
    uint8_t prk[WIRE_DIGEST];

    extract(handshake, prk);
    duet__derive(prk, &info, handshake->secret, sizeof handshake->secret);
    duet__hkdf_extract(exporter, (struct duet__bytes){export_salt, sizeof export_salt - 1},
                       (struct duet__bytes){handshake->secret, sizeof handshake->secret});
    duet_wipe(prk, sizeof prk);
    duet_wipe(&handshake->noise, sizeof handshake->noise);
    duet__hybrid_wipe(&handshake->hybrid); /* m3 may wait for long, and needs none of it */
}

void
duet__handshake_wipe(struct duet__handshake *handshake)
{
    duet__hybrid_wipe(&handshake->hybrid);
    if (handshake->message != NULL)
        duet_wipe(handshake->message, ROOM);
    free(handshake->message);
    duet_wipe(handshake, sizeof *handshake);
}
