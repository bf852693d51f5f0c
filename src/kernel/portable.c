/*
 * The portable kernel: AES-256-CTR by libcrypto's EVP, SHA-256's compression in plain C.
 *
 * There is no AES in C here, as table look-ups leak keys through the cache. The compression is in C
 * because libcrypto lets a hash start from a given chain by deprecated calls alone, which the tests
 * use as oracle.
 */
#include "kernel/contexts.h"
#include "kernel/kernel.h"

#include "base/bytes.h"

#include <duet/secret.h>
#include <string.h>

static struct duet__contexts pool;

int
duet__kernel_portable_init(void)
{
    return duet__contexts_init(&pool, "AES-256-CTR");
}

/* EVP has sizes of int: longer runs are split into parts of 2^30 bytes, whole groups. */
enum { PART = 1 << 30 };

static int
xor_keystream(const struct duet__key *key, const uint8_t block[16], uint8_t *out, const uint8_t *in,
              size_t size)
{
    EVP_CIPHER_CTX *context = duet__contexts_borrow(&pool);
    int ok = context != NULL && EVP_EncryptInit_ex2(context, NULL, key->bytes, block, NULL);
    while (ok == 1 && size > 0) {
        int part = size < PART ? (int)size : PART;
        int put = 0;
        ok = EVP_EncryptUpdate(context, out, &put, in, part);
        if (put != part)
            ok = 0;
        out += part;
        in += part;
        size -= (size_t)part;
    }
    duet__contexts_give_back(&pool, context);
    return ok == 1 ? 0 : -1;
}

static void
portable_set_key(struct duet__key *key, const uint8_t raw[32])
{
    memcpy(key->bytes, raw, 32);
}

static int
portable_keystream(const struct duet__key *key, const uint8_t block[16], uint8_t out[64])
{
    static const uint8_t zeros[64];
    return xor_keystream(key, block, out, zeros, 64);
}

/* FIPS 180-4 §4.2.2 */
const _Alignas(16) uint32_t duet__sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t
rotr(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

/* FIPS 180-4 §6.2.2 step 1, sixteen words at a time in the same place */
static inline void
extend(uint32_t w[16])
{
    for (unsigned i = 0; i < 16; i++) {
        uint32_t a = w[(i + 1) & 15];
        uint32_t b = w[(i + 14) & 15];
        w[i] += (rotr(a, 7) ^ rotr(a, 18) ^ a >> 3) + w[(i + 9) & 15] +
                (rotr(b, 17) ^ rotr(b, 19) ^ b >> 10);
    }
}

/* FIPS 180-4 §6.2.2 step 3: one round; the caller rotates the letters, so no word is moved. */
#define ROUND(a, b, c, d, e, f, g, h, kw)                                                          \
    do {                                                                                           \
        (h) +=                                                                                     \
            (rotr((e), 6) ^ rotr((e), 11) ^ rotr((e), 25)) + ((g) ^ ((e) & ((f) ^ (g)))) + (kw);   \
        (d) += (h);                                                                                \
        (h) +=                                                                                     \
            (rotr((a), 2) ^ rotr((a), 13) ^ rotr((a), 22)) + (((a) & (b)) | ((c) & ((a) | (b))));  \
    } while (0)

static inline void
sixteen_rounds(uint32_t s[8], const uint32_t w[16], const uint32_t *k)
{
    for (unsigned i = 0; i < 16; i += 8) {
        ROUND(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], k[i] + w[i]);
        ROUND(s[7], s[0], s[1], s[2], s[3], s[4], s[5], s[6], k[i + 1] + w[i + 1]);
        ROUND(s[6], s[7], s[0], s[1], s[2], s[3], s[4], s[5], k[i + 2] + w[i + 2]);
        ROUND(s[5], s[6], s[7], s[0], s[1], s[2], s[3], s[4], k[i + 3] + w[i + 3]);
        ROUND(s[4], s[5], s[6], s[7], s[0], s[1], s[2], s[3], k[i + 4] + w[i + 4]);
        ROUND(s[3], s[4], s[5], s[6], s[7], s[0], s[1], s[2], k[i + 5] + w[i + 5]);
        ROUND(s[2], s[3], s[4], s[5], s[6], s[7], s[0], s[1], k[i + 6] + w[i + 6]);
        ROUND(s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[0], k[i + 7] + w[i + 7]);
    }
}

static void
portable_compress(uint32_t chain[8], const uint8_t *in, size_t groups)
{
    uint32_t w[16];
    uint32_t s[8];
    for (; groups > 0; groups--, in += 64) {
        for (unsigned i = 0; i < 16; i++)
            w[i] = duet__load32(in + 4 * (size_t)i);
        memcpy(s, chain, sizeof s);
        for (unsigned i = 0; i < 64; i += 16) {
            if (i > 0)
                extend(w);
            sixteen_rounds(s, w, duet__sha256_constants + i);
        }
        for (unsigned i = 0; i < 8; i++)
            chain[i] += s[i];
    }
    duet_wipe(w, sizeof w);
    duet_wipe(s, sizeof s);
}

static void
portable_compress2(uint32_t chain[2][8], const uint8_t *const in[2], size_t groups)
{
    portable_compress(chain[0], in[0], groups);
    portable_compress(chain[1], in[1], groups);
}

static int
portable_seal(const struct duet__run *run)
{
    portable_compress(run->chain, run->in, run->groups); /* first: out may be in */
    return xor_keystream(run->key, run->block, run->out, run->in, run->groups * 64);
}

static int
portable_open(const struct duet__run *run)
{
    if (xor_keystream(run->key, run->block, run->out, run->in, run->groups * 64) != 0)
        return -1;
    portable_compress(run->chain, run->out, run->groups);
    return 0;
}

static int
portable_seal2(const struct duet__run run[2])
{
    return portable_seal(&run[0]) | portable_seal(&run[1]);
}

static int
portable_open2(const struct duet__run run[2])
{
    return portable_open(&run[0]) | portable_open(&run[1]);
}

const struct duet__kernel duet__kernel_portable = {
    "portable",    portable_set_key, portable_keystream, portable_compress, portable_compress2,
    portable_seal, portable_open,    portable_seal2,     portable_open2};
