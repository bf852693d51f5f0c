/*
 * Measures each kernel on groups of 64 bytes, beside the hash alone, which is the limit for one
 * stream, and beside libcrypto's AES-256-CTR and SHA-256 one after the other.
 */
#include "kernel/kernel.h"
#include "bench/bench.h"

#include <duet/duet.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP = 64, SIZE_MOST = 1 << 20, KEY = 32, BLOCK = 16, STREAMS = 2 };

struct work {
    const struct duet__kernel *kernel;
    struct duet__key key;
    uint8_t block[BLOCK];
    uint32_t chain[STREAMS][8];
    uint8_t *in[STREAMS], *out[STREAMS];
    struct duet__run run[STREAMS]; /* in to out, size bytes of each */
    size_t size;
    EVP_CIPHER_CTX *cipher;
    EVP_MD_CTX *hash;
};

static const uint8_t raw_key[KEY] = {1, 2, 3};

static const size_t sizes[] = {64, 256, 1024, 4096, 16384, 65536, 262144, SIZE_MOST};

static const char *const ratios[] = {
    "sha/seal",      "sha/open", "libcrypto/seal", "libcrypto/open", "seal/seal-two",
    "open/open-two", NULL};

/* ---- The contenders ---- */

static int
run_sha(void *context, uint64_t times)
{
    struct work *work = context;
    for (uint64_t i = 0; i < times; i++)
        work->kernel->compress(work->chain[0], work->in[0], work->size / GROUP);
    return 0;
}

static int
run_keystream(void *context, uint64_t times)
{
    struct work *work = context;
    int failed = 0;
    for (uint64_t i = 0; i < times; i++)
        for (size_t at = 0; at < work->size; at += GROUP)
            failed |= work->kernel->keystream(&work->key, work->block, work->out[0] + at);
    return failed;
}

static int
run_seal(void *context, uint64_t times)
{
    struct work *work = context;
    int failed = 0;
    for (uint64_t i = 0; i < times; i++)
        failed |= work->kernel->seal(&work->run[0]);
    return failed;
}

static int
run_open(void *context, uint64_t times)
{
    struct work *work = context;
    int failed = 0;
    for (uint64_t i = 0; i < times; i++)
        failed |= work->kernel->open(&work->run[0]);
    return failed;
}

static int
run_seal_two(void *context, uint64_t times)
{
    struct work *work = context;
    int failed = 0;
    for (uint64_t i = 0; i < times; i++)
        failed |= work->kernel->seal2(work->run);
    return failed;
}

static int
run_open_two(void *context, uint64_t times)
{
    struct work *work = context;
    int failed = 0;
    for (uint64_t i = 0; i < times; i++)
        failed |= work->kernel->open2(work->run);
    return failed;
}

static int
run_libcrypto_ctr(void *context, uint64_t times)
{
    struct work *work = context;
    int put;
    int good = 1;
    for (uint64_t i = 0; i < times; i++)
        good &= EVP_EncryptInit_ex(work->cipher, NULL, NULL, NULL, work->block) &&
                EVP_EncryptUpdate(work->cipher, work->out[0], &put, work->in[0], (int)work->size);
    return good ? 0 : -1;
}

static int
run_libcrypto_sha(void *context, uint64_t times)
{
    struct work *work = context;
    uint8_t digest[EVP_MAX_MD_SIZE];
    int good = 1;
    for (uint64_t i = 0; i < times; i++)
        good &= EVP_DigestInit_ex(work->hash, NULL, NULL) &&
                EVP_DigestUpdate(work->hash, work->in[0], work->size) &&
                EVP_DigestFinal_ex(work->hash, digest, NULL);
    return good ? 0 : -1;
}

static int
run_libcrypto(void *context, uint64_t times)
{
    for (uint64_t i = 0; i < times; i++)
        if (run_libcrypto_ctr(context, 1) != 0 || run_libcrypto_sha(context, 1) != 0)
            return -1;
    return 0;
}

/* ---- The race ---- */

/* Set all streams to groups of the current size and the same chains. */
static void
set_runs(struct work *work)
{
    for (int i = 0; i < STREAMS; i++) {
        memset(work->chain[i], i, sizeof work->chain[i]);
        work->run[i] = (struct duet__run){.key = &work->key,
                                          .block = work->block,
                                          .chain = work->chain[i],
                                          .out = work->out[i],
                                          .in = work->in[i],
                                          .groups = work->size / GROUP};
    }
}

/* Before measuring: two streams are sealed and opened again, and libcrypto encrypts to the same. */
static int
kernel_is_right(struct work *work)
{
    uint32_t sealed[STREAMS][8];
    uint8_t enciphered[GROUP];
    set_runs(work);
    if (run_libcrypto_ctr(work, 1) != 0)
        return 0;
    memcpy(enciphered, work->out[0], sizeof enciphered);
    if (run_seal_two(work, 1) != 0 || memcmp(enciphered, work->out[0], sizeof enciphered) != 0)
        return 0;
    memcpy(sealed, work->chain, sizeof sealed);
    set_runs(work);
    for (int i = 0; i < STREAMS; i++) {
        work->run[i].in = work->out[i];
        if (work->kernel->open(&work->run[i]) != 0 ||
            memcmp(work->out[i], work->in[i], work->size) != 0)
            return 0;
    }
    int same = memcmp(sealed, work->chain, sizeof sealed) == 0;
    set_runs(work);
    return same;
}

static int
kernel_race(const struct bench *bench, struct work *work)
{
    const struct bench_contender contenders[] = {
        {"sha", run_sha, work, 0},
        {"keystream", run_keystream, work, 0},
        {"seal", run_seal, work, 0},
        {"open", run_open, work, 0},
        {"seal-two", run_seal_two, work, STREAMS},
        {"open-two", run_open_two, work, STREAMS},
        {"libcrypto-ctr", run_libcrypto_ctr, work, 0},
        {"libcrypto-sha", run_libcrypto_sha, work, 0},
        {"libcrypto", run_libcrypto, work, 0},
    };
    struct bench_race race = {.bench = "kernel",
                              .what = work->kernel->name,
                              .size = work->size,
                              .clock = bench_processor_ns,
                              .contenders = contenders,
                              .count = sizeof contenders / sizeof *contenders,
                              .ratios = ratios};
    if (kernel_is_right(work))
        return bench_race(bench, &race);
    fprintf(stderr, "bench: kernel %s: what was opened is not what was sealed\n",
            work->kernel->name);
    return -1;
}

static int
set_up(struct work *work)
{
    for (int i = 0; i < STREAMS; i++) {
        work->in[i] = malloc(SIZE_MOST);
        work->out[i] = malloc(SIZE_MOST);
        if (work->in[i] == NULL || work->out[i] == NULL)
            return -1;
        memset(work->in[i], 0x6b + i, SIZE_MOST);
    }
    work->cipher = EVP_CIPHER_CTX_new();
    work->hash = EVP_MD_CTX_new();
    if (work->cipher == NULL || work->hash == NULL ||
        !EVP_EncryptInit_ex(work->cipher, EVP_aes_256_ctr(), NULL, raw_key, work->block) ||
        !EVP_DigestInit_ex(work->hash, EVP_sha256(), NULL))
        return -1;
    return 0;
}

int
bench_kernel(const struct bench *bench)
{
    struct work work = {0};
    int result = duet_init() == DUET_OK ? set_up(&work) : -1;
    for (size_t k = 0; result == 0 && (work.kernel = duet__kernel_at(k)) != NULL; k++) {
        work.kernel->set_key(&work.key, raw_key);
        for (size_t i = 0; result == 0 && i < sizeof sizes / sizeof *sizes; i++) {
            work.size = sizes[i];
            result = kernel_race(bench, &work);
        }
    }
    for (int i = 0; i < STREAMS; i++) {
        free(work.in[i]);
        free(work.out[i]);
    }
    EVP_CIPHER_CTX_free(work.cipher);
    EVP_MD_CTX_free(work.hash);
    return result;
}
